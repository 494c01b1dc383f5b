"""A hall, an operator and a simulator that fire the faster the larger the step: spikes are 1 / (gain x amplitude) apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from noble.cells import HallOfFame
from noble.operator import FeatureSpec
from noble.stimuli import Step, Stimulus
from noble.traces import TimeGrid, TraceBatch

HALL = HallOfFame.load("stylised-pv")


def rate_hz(amplitude_na: float, *, gain: float = 1000.0) -> float:
    """Firing rate of the simulated cells, Hz: silent without current."""
    return max(gain * amplitude_na, 0.0)


def spikes_ms(step: Step, rate: float) -> np.ndarray:
    """A spike every period, the first at the onset and a half."""
    period = 1e3 / rate if rate > 0 else np.inf
    return np.arange(step.start_ms + min(period, 1e3) / 2, step.stop_ms, period) if rate > 0 else np.empty(0)


class Simulator:
    """Fires as `rate_hz` says, and tells which amplitudes it was asked for."""

    def __init__(self, **_: Any) -> None:
        self.models: list[str] = []
        self.amplitudes_na: list[float] = []

    def respond(self, neurons: Sequence[Any], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
        self.models += [neuron.name for neuron in neurons]
        rows = []
        for stimulus in stimuli:
            assert isinstance(stimulus, Step)
            self.amplitudes_na.append(stimulus.amplitude_na)
            since = grid.times_ms[:, None] - spikes_ms(stimulus, rate_hz(stimulus.amplitude_na))
            rows.append(-70.0 + 100 * np.exp(-0.5 * (since / 0.3) ** 2).sum(axis=1))
        return TraceBatch(grid, np.stack(rows), np.stack([stimulus.sample(grid) for stimulus in stimuli]))


class Operator:
    """Knows neurons by threshold and slope: silent below the threshold, and above it as fast as the simulator."""

    feature_names = ("rheobase", "fi_gain")
    holding_na = 0.0

    def __init__(self) -> None:
        training = HALL.feature_table(self.feature_names)[list(HALL.train)]
        self.spec = FeatureSpec.fit(training, self.feature_names, ("nA", "Hz/nA"))
        self.provenance: dict[str, Any] = {}

    def respond(self, neurons: Any, stimuli: Any, grid: Any) -> TraceBatch:
        raise AssertionError("it tells its spikes")

    def spike_times(
        self, neurons: Sequence[Mapping[str, float]], stimuli: Sequence[Stimulus], grid: TimeGrid
    ) -> list[np.ndarray]:
        found = []
        for neuron, stimulus in zip(neurons, stimuli, strict=True):
            assert isinstance(stimulus, Step)
            rate = rate_hz(stimulus.amplitude_na) if stimulus.amplitude_na >= neuron["rheobase"] else 0.0
            found.append(spikes_ms(stimulus, rate))
        return found
