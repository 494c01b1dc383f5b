"""Spikes are known by their upstroke, wherever the cell rests."""

import numpy as np
import pytest

from noble.recordings.detection import spike_peaks, spike_threshold_mv
from noble.spikes import spike_times_ms
from noble.traces import TimeGrid, Trace

GRID = TimeGrid.spanning(500.0, dt_ms=0.1)
TIMES_MS = np.array([110.0, 160.0, 230.0, 320.0])


def voltage(
    rest_mv: float, *, plateau_mv: float, spikes_ms: np.ndarray = TIMES_MS, height_mv: float = 60.0
) -> np.ndarray:
    """Spikes on a plateau that comes and goes slowly and is noisy, each followed by a trough."""
    times = GRID.times_ms
    slow = plateau_mv * np.clip((times - 100.0) / 50.0, 0.0, 1.0) * (times < 400.0) + rest_mv
    distance = times[:, None] - spikes_ms
    shape = height_mv * np.exp(-0.5 * (distance / 0.5) ** 2) - 12.0 * np.exp(-0.5 * ((distance - 6.0) / 4.0) ** 2)
    return slow + shape.sum(axis=1) + np.random.default_rng(0).normal(0.0, 0.2, times.size)


def trace(values: np.ndarray) -> Trace:
    return Trace(GRID, values, np.zeros_like(values))


@pytest.mark.parametrize(("rest_mv", "plateau_mv"), [(-70.0, 20.0), (-60.0, 45.0), (-12.0, 5.0), (-95.0, 10.0)])
def test_spikes_are_found_wherever_the_cell_rests(rest_mv: float, plateau_mv: float):
    values = voltage(rest_mv, plateau_mv=plateau_mv)
    np.testing.assert_allclose(spike_peaks(values, dt_ms=GRID.dt_ms) * GRID.dt_ms, TIMES_MS, atol=0.3)
    threshold = spike_threshold_mv([trace(values)])
    found = spike_times_ms(values, dt_ms=GRID.dt_ms, threshold_mv=threshold)
    np.testing.assert_allclose(found, TIMES_MS, atol=0.3)


def test_the_usual_threshold_is_kept_where_it_is_one():
    assert spike_threshold_mv([trace(voltage(-70.0, plateau_mv=20.0))]) == -30.0
    assert spike_threshold_mv([]) == -30.0


def test_a_plateau_beyond_the_usual_threshold_is_no_spike():
    values = voltage(-60.0, plateau_mv=45.0)
    assert spike_times_ms(values, dt_ms=GRID.dt_ms).size != TIMES_MS.size
    assert -14.0 < spike_threshold_mv([trace(values)]) < 32.0


@pytest.mark.parametrize("jump_mv", [-40.0, 40.0])
def test_a_drop_across_the_electrode_is_no_spike(jump_mv: float):
    values = np.full(GRID.count, -70.0)
    values[1000:3000] += jump_mv
    values[1000] += 40.0  # one sample of charging
    assert spike_peaks(values, dt_ms=GRID.dt_ms).size == 0
