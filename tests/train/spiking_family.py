"""A hall and a simulator that fires: Ohm's law and a regular train of bells above threshold, all computable by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from noble.data import AmplitudeConfig, GenerationConfig, Store, TraceCounts, generate
from noble.operator import FnoConfig
from noble.operator.spiking.config import SpikePhaseConfig
from noble.traces import TimeGrid, TraceBatch
from noble.train import LossConfig, OptimiserConfig, TrainConfig

REST_MV, PEAK_MV, WIDTH_MS = -80.0, 100.0, 0.4
ONSET_MS, STEP_MS, WINDOW_MS, MARGIN_MS, DT_MS = 5.0, 40.0, 55.0, 5.0, 0.1

TINY_PHASE = SpikePhaseConfig(
    width=12,
    hidden=12,
    blocks=1,
    slow_width=12,
    slow_blocks=1,
    filters=8,
    address=12,
    shapes=3,
    shape_width=12,
    feature_frequencies=1,
)
TINY_FNO = FnoConfig(
    layers=2, width=6, modes=16, amplitude_frequencies=2, output_scale_mv=50.0, output_offset_mv=REST_MV
)


@dataclass(frozen=True)
class SpikingCell:
    name: str = "bells"
    holding_na: float = 0.0


@dataclass(frozen=True)
class SpikingModel:
    features: dict[str, float]
    held_out: bool = False


@dataclass(frozen=True)
class SpikingHall:
    """Six models; the two held out lie outside the range of the other four, so that a leak would show."""

    name: str = "bells"
    digest: str = "b" * 64
    cell: SpikingCell = field(default_factory=SpikingCell)
    models: tuple[SpikingModel, ...] = tuple(
        SpikingModel(
            {"rheobase": 0.04 + 0.01 * k, "fi_gain": 900.0 + 50 * (k * 7 % 4), "input_resistance": 90.0 + k}, k >= 4
        )
        for k in range(6)
    )

    def __len__(self) -> int:
        return len(self.models)

    @property
    def train(self) -> tuple[int, ...]:
        return tuple(index for index, model in enumerate(self.models) if not model.held_out)

    @property
    def held_out(self) -> tuple[int, ...]:
        return tuple(index for index, model in enumerate(self.models) if model.held_out)

    def cell_model(self, index: int) -> "SpikingNeuron":
        return SpikingNeuron(f"{self.name}/{index}", **self.models[index].features)

    def feature_table(self, names: Sequence[str]) -> np.ndarray:
        return np.array([[model.features[name] for name in names] for model in self.models])


@dataclass(frozen=True)
class SpikingNeuron:
    name: str
    rheobase: float
    fi_gain: float
    input_resistance: float

    def spikes_ms(self, amplitude_na: float) -> np.ndarray:
        """Spike k comes k intervals after the onset; the interval is that of the rate `fi_gain (I - rheobase)`."""
        if amplitude_na <= self.rheobase:
            return np.empty(0)
        interval = 1000.0 / (self.fi_gain * (amplitude_na - self.rheobase))
        times = ONSET_MS + interval * np.arange(1, 1000)
        return times[times < ONSET_MS + STEP_MS - 1.0]


@dataclass(frozen=True)
class SpikingResponder:
    def __call__(self) -> "SpikingResponder":
        return self

    def respond(self, neurons: Sequence[SpikingNeuron], stimuli: Sequence, grid: TimeGrid) -> TraceBatch:
        current = np.stack([stimulus.sample(grid) for stimulus in stimuli])
        voltage = REST_MV + np.array([neuron.input_resistance for neuron in neurons])[:, None] * current
        for row, neuron, stimulus in zip(voltage, neurons, stimuli, strict=True):
            # Under any other current than a step it is silent.
            for time in neuron.spikes_ms(getattr(stimulus, "amplitude_na", 0.0)):
                row += PEAK_MV * np.exp(-0.5 * ((grid.times_ms - time) / WIDTH_MS) ** 2)
        return TraceBatch(grid, voltage, current)


def generation(**changes) -> GenerationConfig:
    settings = {
        "hall": "bells",
        "traces": TraceCounts(train=24, validation=10, test=6, unseen_models=6),
        "amplitude": AmplitudeConfig(low_na=-0.05, high_na=0.25),
        "onset_ms": ONSET_MS,
        "step_ms": STEP_MS,
        "window_ms": WINDOW_MS,
        "tail_margin_ms": MARGIN_MS,
        "dt_ms": DT_MS,
        "simulation_dt_ms": DT_MS,
        "seed": 11,
        "chunk_traces": 16,
        "workers": 1,
    }
    return GenerationConfig(**(settings | changes))


def make_store(path: Path, **changes) -> Store:
    return generate(generation(**changes), SpikingHall(), path, responder_factory=SpikingResponder())


def training(*, operator=TINY_PHASE, **changes) -> TrainConfig:
    """A run of seconds: three epochs of three steps."""
    settings = {
        "operator": operator,
        "epochs": 3,
        "batch_size": 8,
        "max_shift_ms": 4.0,
        "optimiser": OptimiserConfig(warmup_epochs=1.0),
        "loss": LossConfig(waveform_points=32),
        "validation_limit": 8,
        "seed": 5,
    }
    return TrainConfig(**(settings | changes))
