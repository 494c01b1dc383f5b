"""Whoever answers a current: simulators for cell models, operators for neurons known by their features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from noble.stimuli import Stimulus
from noble.traces import TimeGrid, TraceBatch

NeuronT = TypeVar("NeuronT")
NeuronT_contra = TypeVar("NeuronT_contra", contravariant=True)


class Responder(Protocol[NeuronT_contra]):
    """Whatever turns (neurons, stimuli) into voltage: Arbor and NEURON for cell models, `Operator` for feature vectors."""

    def respond(self, neurons: Sequence[NeuronT_contra], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
        """Answers of `neurons[k]` to `stimuli[k]`, one trace a pair, mV; both sequences have the same length."""
        ...


@runtime_checkable
class FiringResponder(Responder[NeuronT_contra], Protocol[NeuronT_contra]):
    """A responder that also says when it fires, faster than by drawing voltage: `Operator`."""

    def spike_times(
        self, neurons: Sequence[NeuronT_contra], stimuli: Sequence[Stimulus], grid: TimeGrid
    ) -> Sequence[np.ndarray]:
        """Times of the spikes of `neurons[k]` under `stimuli[k]` on this window, one array a pair, in order, ms."""
        ...
