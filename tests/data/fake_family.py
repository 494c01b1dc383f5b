"""A hall and a simulator in a few lines, importable by worker processes, with answers that can be computed by hand."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from noble.data import AmplitudeConfig, GenerationConfig, TraceCounts
from noble.traces import TimeGrid, TraceBatch


@dataclass(frozen=True)
class FakeCell:
    name: str = "ball"
    holding_na: float = 0.0


@dataclass(frozen=True)
class FakeModel:
    features: dict[str, float]
    held_out: bool = False


@dataclass(frozen=True)
class FakeNeuron:
    name: str
    resistance_mohm: float


@dataclass(frozen=True)
class FakeHall:
    name: str = "balls"
    digest: str = "0" * 64
    cell: FakeCell = field(default_factory=FakeCell)
    models: tuple[FakeModel, ...] = tuple(
        FakeModel(
            {"rheobase": 0.04 + 0.01 * index, "fi_gain": 100.0 + index, "input_resistance": 90.0 + index}, index >= 4
        )
        for index in range(6)
    )

    def __len__(self) -> int:
        return len(self.models)

    @property
    def train(self) -> tuple[int, ...]:
        return tuple(index for index, model in enumerate(self.models) if not model.held_out)

    @property
    def held_out(self) -> tuple[int, ...]:
        return tuple(index for index, model in enumerate(self.models) if model.held_out)

    def cell_model(self, index: int) -> FakeNeuron:
        return FakeNeuron(f"{self.name}/{index}", self.models[index].features["input_resistance"])

    def feature_table(self, names: Sequence[str]) -> np.ndarray:
        return np.array([[model.features[name] for name in names] for model in self.models])


@dataclass(frozen=True)
class OhmicResponder:
    """Ohm's law around -80 mV; says in a file which chunk it answers, and can be slow or fatal.

    Attributes:
        log: file that gets one line `pid amplitude-of-the-first-stimulus` a call.
        sleep_s: time that a call takes.
        die_once: file whose absence makes a call create it and kill the process.
        die_always: whether every call kills the process.
    """

    log: str | None = None
    sleep_s: float = 0.0
    die_once: str | None = None
    die_always: bool = False

    def __call__(self) -> "OhmicResponder":
        return self

    def respond(self, neurons: Sequence[FakeNeuron], stimuli: Sequence, grid: TimeGrid) -> TraceBatch:
        if self.log is not None:
            with open(self.log, "a") as file:
                file.write(f"{os.getpid()} {stimuli[0].amplitude_na!r}\n")
        if self.die_always:
            os._exit(9)
        if self.die_once is not None and not os.path.exists(self.die_once):
            open(self.die_once, "w").close()
            os._exit(9)
        time.sleep(self.sleep_s)
        current = np.stack([stimulus.sample(grid) for stimulus in stimuli])
        resistance = np.array([neuron.resistance_mohm for neuron in neurons])[:, None]
        return TraceBatch(grid, -80.0 + resistance * current, current)


@dataclass(frozen=True)
class ConstantResponder:
    """Answers everything with one voltage."""

    voltage_mv: float

    def __call__(self) -> "ConstantResponder":
        return self

    def respond(self, neurons: Sequence[FakeNeuron], stimuli: Sequence, grid: TimeGrid) -> TraceBatch:
        voltage = np.full((len(neurons), grid.count), self.voltage_mv)
        return TraceBatch(grid, voltage, np.zeros_like(voltage))


@dataclass(frozen=True)
class SpikingResponder:
    """A spike every so many ms of each trace, however it is stimulated."""

    def __call__(self) -> "SpikingResponder":
        return self

    def respond(self, neurons: Sequence[FakeNeuron], stimuli: Sequence, grid: TimeGrid) -> TraceBatch:
        current = np.stack([stimulus.sample(grid) for stimulus in stimuli])
        period = np.array([neuron.resistance_mohm for neuron in neurons])[:, None] - 60.0
        phase = (grid.times_ms - 1000 * np.abs(current).max(axis=1, keepdims=True)) % period
        return TraceBatch(grid, -80.0 + 100.0 * np.exp(-0.5 * ((phase - 15.0) / 2.0) ** 2), current)


@dataclass(frozen=True)
class Answer:
    voltage_mv: np.ndarray


@dataclass(frozen=True)
class ShapeResponder:
    """Answers with so many samples and traces too many."""

    samples: int
    traces: int

    def __call__(self) -> "ShapeResponder":
        return self

    def respond(self, neurons: Sequence[FakeNeuron], stimuli: Sequence, grid: TimeGrid) -> Answer:
        return Answer(np.full((len(neurons) + self.traces, grid.count + self.samples), -80.0))


def small_config(**changes) -> GenerationConfig:
    """40 short traces in ten chunks, on coarse time."""
    settings = {
        "hall": "balls",
        "traces": TraceCounts(train=20, validation=6, test=6, unseen_models=8),
        "amplitude": AmplitudeConfig(low_na=-0.11, high_na=0.28),
        "dt_ms": 1.0,
        "simulation_dt_ms": 0.5,
        "seed": 7,
        "chunk_traces": 4,
        "workers": 1,
    }
    return GenerationConfig(**(settings | changes))
