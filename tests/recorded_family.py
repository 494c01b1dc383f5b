"""A recording of made-up answers to steps, and a fake operator whose neurons give answers of the same kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from noble.features.neurons import Neurons
from noble.recordings import Recording, Sweep
from noble.stimuli import Step, Stimulus
from noble.traces import TimeGrid, Trace, TraceBatch

BEFORE_MS, STEP_MS, AFTER_MS = 60.0, 100.0, 80.0
TAU_MS, RESISTANCE_MOHM = 8.0, 100.0
# The step of this amplitude fires at these times after its onset; all others are silent.
FIRING_NA, SPIKES_MS = 0.2, (10.0, 35.0, 60.0, 85.0)


def answer_mv(
    times_ms: np.ndarray,
    amplitude_na: float,
    *,
    rest_mv: float,
    step_ms: float = STEP_MS,
    spikes_ms: Sequence[float] = (),
) -> np.ndarray:
    """A passive membrane that is charged and discharged, and Gaussian spikes with an afterhyperpolarisation.

    Args:
        times_ms: since the onset of the step.
        amplitude_na: of the step.
        rest_mv: voltage without current.
        step_ms: length of the step.
        spikes_ms: when spikes peak.
    """
    height = amplitude_na * RESISTANCE_MOHM
    last = height * (1 - np.exp(-step_ms / TAU_MS))
    charging = height * (1 - np.exp(-np.maximum(times_ms, 0) / TAU_MS))
    voltage = rest_mv + np.where(
        times_ms < step_ms, charging, last * np.exp(-np.maximum(times_ms - step_ms, 0) / TAU_MS)
    )
    for spike in spikes_ms:
        voltage += 90 * np.exp(-0.5 * ((times_ms - spike) / 0.3) ** 2)
        voltage -= 12 * np.exp(-0.5 * ((times_ms - spike - 2) / 0.6) ** 2)
    return voltage


def spikes_at(amplitude_na: float) -> tuple[float, ...]:
    return SPIKES_MS if amplitude_na == FIRING_NA else ()


def sweep(
    name: str,
    amplitude_na: float,
    *,
    rest_mv: float = -70.0,
    spikes_ms: Sequence[float] | None = None,
    dt_ms: float = 0.1,
    before_ms: float = BEFORE_MS,
    step_ms: float = STEP_MS,
    after_ms: float = AFTER_MS,
    holding_na: float = 0.0,
) -> Sweep:
    """One trial."""
    grid = TimeGrid(dt_ms, round((before_ms + step_ms + after_ms) / dt_ms) + 1)
    since = grid.times_ms - before_ms
    spikes = spikes_at(amplitude_na) if spikes_ms is None else spikes_ms
    voltage = answer_mv(since, amplitude_na, rest_mv=rest_mv, step_ms=step_ms, spikes_ms=spikes)
    current = holding_na + np.where((since >= -1e-9) & (since < step_ms - 1e-9), amplitude_na, 0.0)
    trace = Trace(grid, voltage, current)
    return Sweep(name, amplitude_na, 0.0, holding_na, before_ms, before_ms + step_ms, "LongSquare", trace)


def recording(*sweeps: Sweep, unusable: dict[str, str] | None = None) -> Recording:
    return Recording("cell.nwb", "0" * 64, sweeps, unusable or {})


def three_trials() -> Recording:
    """Three trials, at rest at -71, -70 and -69 mV, of a negative, a silent and a firing step."""
    steps = [(step, rest) for step in (-0.1, 0.05, FIRING_NA) for rest in (-71.0, -70.0, -69.0)]
    return recording(*(sweep(f"sweep {index}", step, rest_mv=rest) for index, (step, rest) in enumerate(steps)))


def resting_at(*rests_mv: float) -> Neurons:
    """Neurons of `FakeOperator`."""
    return Neurons(("voltage_base",), np.array(rests_mv)[:, None])


class FakeOperator:
    """Its neurons have one feature, the resting voltage, and otherwise answer as the recording does; nothing holds them.

    Attributes:
        asked: stimulus and grid of every call.
        silent: whether no step fires.
    """

    holding_na = 0.0

    def __init__(self, *, silent: bool = False) -> None:
        self.asked: list[tuple[Step, TimeGrid]] = []
        self.silent = silent

    def respond(self, neurons: Neurons, stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
        step = stimuli[0]
        assert isinstance(step, Step)
        assert list(stimuli) == [step] * len(neurons)
        self.asked.append((step, grid))
        since = grid.times_ms - step.start_ms
        length = step.stop_ms - step.start_ms
        spikes = () if self.silent else spikes_at(step.amplitude_na)
        voltage = np.stack(
            [
                answer_mv(since, step.amplitude_na, rest_mv=rest, step_ms=length, spikes_ms=spikes)
                for rest in neurons.table(["voltage_base"])[:, 0]
            ]
        )
        return TraceBatch(grid, voltage.astype(np.float32), np.tile(step.sample(grid), (len(neurons), 1)))
