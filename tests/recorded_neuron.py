"""A neuron that fires by chance, recorded under frozen noise and steps: a GIF with spikes drawn into its voltage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from noble.baselines import GIF, GIFSettings
from noble.recordings import RawSweep, Recording
from noble.recordings.detection import spike_threshold_mv
from noble.stimuli import OrnsteinUhlenbeck
from noble.traces import TimeGrid, Trace

DT_MS = 0.1
NEURON = GIF(
    GIFSettings(refractory_ms=3.0, current_ms=(5.0, 50.0), threshold_ms=(10.0, 100.0)),
    capacitance_nf=0.1,
    leak_us=0.01,
    rest_mv=-70.0,
    reset_mv=-65.0,
    current_na=(0.05, 0.01),
    threshold_mv=-52.0,
    softness_mv=1.0,
    moved_mv=(4.0, 2.0),
)
_SHAPE_MV = 80.0 * np.exp(-0.5 * (np.arange(-20, 31) / 6.0) ** 2)


def noise_na(seed: int, duration_ms: float) -> np.ndarray:
    grid = TimeGrid.spanning(duration_ms, dt_ms=DT_MS)
    return OrnsteinUhlenbeck(0.0, duration_ms, mean_na=0.2, sd_na=0.1, tau_ms=5.0, seed=seed).sample(grid)


def sweep(
    number: int, current_na: np.ndarray, *, seed: int, holding_na: float = 0.0, protocol: str = "noise"
) -> RawSweep:
    """One answer; the recorded current has the holding current in it, of which the neuron knows nothing."""
    voltage, spikes = NEURON.simulate(current_na, dt_ms=DT_MS, generator=np.random.default_rng(seed))
    for peak in np.round(spikes / DT_MS).astype(int):
        part = slice(max(0, peak - 20), min(voltage.size, peak + 31))
        voltage[part] += _SHAPE_MV[part.start - peak + 20 : part.stop - peak + 20]
    trace = Trace(TimeGrid(DT_MS, current_na.size), voltage, current_na + holding_na)
    return RawSweep(f"sweep {number}", number, protocol, trace)


def recording(sweeps: list[RawSweep]) -> Recording:
    threshold = spike_threshold_mv([item.trace for item in sweeps])
    return Recording("cell.csv", "0" * 64, (), {}, spike_threshold_mv=threshold, raw=tuple(sweeps))


def of_noise(duration_ms: float = 8000.0, *, seed: int = 0) -> Recording:
    """One long sweep of noise."""
    return recording([sweep(0, noise_na(seed, duration_ms), seed=seed)])


def of_repeats(count: int = 5, duration_ms: float = 3000.0, *, seed: int = 100) -> Recording:
    """The same noise several times."""
    current = noise_na(seed, duration_ms)
    return recording([sweep(number, current, seed=seed + number) for number in range(count)])


def step_na(amplitude_na: float, *, duration_ms: float = 600.0) -> np.ndarray:
    times = np.arange(round(duration_ms / DT_MS)) * DT_MS
    return np.where((times >= 100) & (times < 500), amplitude_na, 0.0)


def of_steps(amplitudes_na: tuple[float, ...], *, holding_na: float = 0.0) -> Recording:
    made = [
        sweep(number, step_na(amplitude), seed=number, holding_na=holding_na, protocol="steps")
        for number, amplitude in enumerate(amplitudes_na)
    ]
    return recording(made)


def write_columns(made: RawSweep, path: Path) -> Path:
    """The sweep as columns of text."""
    trace = made.trace
    table = np.column_stack([trace.grid.times_ms, trace.current_na, trace.voltage_mv])
    np.savetxt(path, table, delimiter=",", header="time (ms),current (nA),voltage (mV)", comments="", fmt="%.5f")
    return path
