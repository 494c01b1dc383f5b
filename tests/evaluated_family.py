"""An operator with known mistakes, and a store, a hall and a simulator with the real ones' interface."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from noble.data.config import GenerationConfig
from noble.features.neurons import Neurons
from noble.operator import OutsideHullWarning
from noble.protocols import Window
from noble.stimuli import Step, Stimulus
from noble.traces import TimeGrid, TraceBatch

WINDOW = Window(onset_ms=15.0, step_ms=120.0, window_ms=170.0, tail_margin_ms=12.0)
NAMES = ("voltage_base", "rheobase")
TABLE = np.array([[-70.0, 0.10], [-75.0, 0.12], [-80.0, 0.05]])


def answer(features: np.ndarray, stimuli: Sequence[Stimulus], grid: TimeGrid, *, delay_ms: float = 0.0) -> TraceBatch:
    """A neuron of features (rheobase, voltage_base): one spike each 10 ms per 0.1 nA above threshold, from 20 ms on."""
    currents = np.stack([stimulus.sample(grid) for stimulus in stimuli])
    voltages = []
    for (threshold, rest), current in zip(features, currents, strict=True):
        count = int(np.ceil(max(current.max() - threshold, 0.0) / 0.01))
        peaks = 20.0 + delay_ms + 10.0 * np.arange(min(count, 10))
        bumps = np.exp(-0.5 * ((grid.times_ms[:, None] - peaks) / 0.3) ** 2).sum(axis=1)
        voltages.append(rest + 20.0 * current + 90.0 * bumps)
    return TraceBatch(grid, np.stack(voltages), currents)


@dataclass(frozen=True)
class Spec:
    """Which features an operator knows, and which of them name a neuron."""

    names: tuple[str, ...] = ("rheobase", "voltage_base")
    latent_features: tuple[str, ...] = ("rheobase", "voltage_base")

    def __len__(self) -> int:
        return len(self.names)


@dataclass
class StandIn:
    """Answers exactly, up to a delay of every spike."""

    delay_ms: float = 0.0
    calls: list[tuple[int, TimeGrid]] = field(default_factory=list)
    spec: Spec = field(default_factory=Spec)
    provenance: dict[str, Any] = field(default_factory=dict)
    grid: TimeGrid = WINDOW.grid

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.spec.names

    def respond(
        self, neurons: Neurons, stimuli: Sequence[Stimulus], grid: TimeGrid, *, batch_size: int = 128
    ) -> TraceBatch:
        assert len(neurons) == len(stimuli) <= batch_size
        self.calls.append((len(stimuli), grid))
        warnings.warn("1 of 2 feature vectors lie outside the hull", OutsideHullWarning, stacklevel=2)
        return answer(neurons.table(("rheobase", "voltage_base")), stimuli, grid, delay_ms=self.delay_ms)


class FakeStore:
    """Twelve traces of three models, the last of them held out; its tail margin holds what must not be compared."""

    protocol = WINDOW
    grid = WINDOW.simulated_grid
    digest = "d" * 64
    path = "fake.zarr"
    attributes: Mapping[str, Any] = {"hall": {"digest": "h" * 64}}
    feature_names = NAMES
    feature_table = TABLE
    model_index = np.array([0, 1, 0, 1, 0, 1, 0, 1, 2, 2, 2, 2])
    amplitudes = np.linspace(-0.05, 0.25, 12)[[0, 6, 2, 9, 4, 8, 1, 10, 3, 7, 5, 11]]

    def indices(self, split: str) -> np.ndarray:
        return {"test": np.arange(8), "unseen_models": np.arange(8, 12), "validation": np.arange(0)}[split]

    def stimulus(self, index: int) -> Stimulus:
        return Step(15.0, 135.0, float(self.amplitudes[index]))

    def voltage_mv(self, indices: np.ndarray) -> np.ndarray:
        features = self.feature_table[self.model_index[indices]][:, ::-1]
        voltage = answer(features, [self.stimulus(int(index)) for index in indices], self.grid).voltage_mv
        voltage[:, WINDOW.grid.count :] = 50.0
        return voltage


class FakeHall:
    """Three models that are their own features, the last held out."""

    name = "fake"
    digest = "h" * 64
    train = (0, 1)
    held_out: tuple[int, ...] = (2,)
    models = tuple(SimpleNamespace(features=dict(zip(NAMES, row, strict=True))) for row in TABLE.tolist())

    def cell_model(self, index: int) -> np.ndarray:
        return TABLE[index, ::-1]

    def feature_table(self, names: Sequence[str]) -> np.ndarray:
        return TABLE[:, [NAMES.index(name) for name in names]]

    def neurons(self, names: Sequence[str]) -> Neurons:
        return Neurons(tuple(names), self.feature_table(names))


class FakeSimulator:
    def __init__(self) -> None:
        self.stimuli: list[Stimulus] = []

    def respond(self, neurons: Sequence[np.ndarray], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
        self.stimuli.extend(stimuli)
        return answer(np.stack(list(neurons)), stimuli, grid)


CONFIG = GenerationConfig(
    hall="fake", onset_ms=15.0, step_ms=120.0, window_ms=170.0, traces={"train": 40, "test": 5}, seed=3
)
