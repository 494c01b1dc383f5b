"""Whoever answers a current: simulators for cell models, operators for neurons known by their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

import numpy as np

from noble.stimuli import Stimulus
from noble.traces import TimeGrid, TraceBatch

if TYPE_CHECKING:
    import xarray

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


def answer_all(
    responder: Responder[NeuronT],
    neurons: Sequence[NeuronT],
    stimuli: Sequence[Stimulus],
    grid: TimeGrid,
    *,
    labels: Sequence[str | int],
    coordinates: Mapping[str, tuple[np.ndarray, str]] | None = None,
) -> xarray.Dataset:
    """Let every neuron answer every stimulus.

    Args:
        responder: who answers.
        neurons: in the responder's form.
        stimuli: currents, each of which every neuron gets.
        grid: where to sample.
        labels: one label per neuron.
        coordinates: further coordinates of the neurons, see `noble.traces.labelled.labelled_traces`.

    Returns:
        Voltage and current over neuron, stimulus and time.
    """
    pairs = [(neuron, stimulus) for neuron in neurons for stimulus in stimuli]
    batch = responder.respond([neuron for neuron, _ in pairs], [stimulus for _, stimulus in pairs], grid)
    return labelled_answers(batch, stimuli, labels=labels, coordinates=coordinates)


def labelled_answers(
    batch: TraceBatch,
    stimuli: Sequence[Stimulus],
    *,
    labels: Sequence[str | int],
    coordinates: Mapping[str, tuple[np.ndarray, str]] | None = None,
    trials: int | None = None,
) -> xarray.Dataset:
    """Label the answers of every neuron to every stimulus.

    Args:
        batch: a trace for each stimulus of the first neuron, then of the second; with trials, all of one answer together.
        stimuli: currents, each of which every neuron got.
        labels: one label per neuron.
        coordinates: further coordinates of the neurons, see `noble.traces.labelled.labelled_traces`.
        trials: how many of each answer there are; None for one answer without that dimension.
    """
    from noble.traces.labelled import labelled_traces

    shape = (len(labels), len(stimuli), *(() if trials is None else (trials,)), batch.grid.count)
    currents = batch.current_na.reshape(len(labels), len(stimuli), -1, batch.grid.count)
    return labelled_traces(
        batch.voltage_mv.reshape(shape),
        currents[0, :, 0],
        batch.grid,
        neurons=labels,
        stimuli=[repr(stimulus) for stimulus in stimuli],
        edges_ms=np.array([edges_ms(stimulus) for stimulus in stimuli]),
        neuron_coordinates=coordinates,
        provenance=batch.provenance,
    )


def edges_ms(stimulus: Stimulus) -> tuple[float, float]:
    """First and last instant at which a stimulus is not zero, ms; its end twice if it is zero throughout."""
    times, currents = stimulus.envelope()
    some = np.flatnonzero(currents)
    if not some.size:
        return stimulus.end_ms, stimulus.end_ms
    # A ramp leaves zero at the point before its first that is not zero, and comes back to it at the point after its last.
    return float(times[max(some[0] - 1, 0)]), float(times[min(some[-1] + 1, times.size - 1)])


def as_stimuli(given: Stimulus | Sequence[Stimulus]) -> list[Stimulus]:
    """One or several stimuli as a list.

    Raises:
        ValueError: if something among them is no stimulus, such as a bare amplitude or an array.
    """
    listed: list[Stimulus] = list(given) if isinstance(given, Sequence) else [given]
    if wrong := [item for item in listed if not isinstance(item, Stimulus)]:
        raise ValueError(
            f"a {type(wrong[0]).__name__} was given as a current; expected a stimulus such as noble.Step(15, 415, 0.2) (ms, ms, "
            "nA), noble.Sampled(array_in_na, dt_ms=0.1), or a list of them."
        )
    return listed
