"""The series resistance of an electrode, from a cell behind one that is known."""

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from noble.recordings import read_sweeps
from noble.recordings.electrode import series_resistance_mohm, without_electrode
from noble.recordings.raw import RawSweep, checked_sweep

DT_MS = 0.1


def sweep(
    current_na: np.ndarray,
    *,
    series_mohm: float = 25.0,
    electrode_ms: float = 0.0,
    noise_mv: float = 0.02,
    seed: int = 0,
) -> RawSweep:
    """A cell of 200 MOhm and 20 ms behind an electrode that charges at once or exponentially."""
    kept = np.exp(-DT_MS / 20.0)
    membrane = 200.0 * lfilter([0.0, 1 - kept], [1.0, -kept], current_na)
    drop = series_mohm * current_na
    if electrode_ms > 0:
        left = np.exp(-DT_MS / electrode_ms)
        drop = lfilter([1 - left], [1.0, -left], drop)
    noise = np.random.default_rng(seed).normal(0, noise_mv, current_na.size)
    return checked_sweep("1", 1, "", -65.0 + membrane + drop + noise, current_na, DT_MS, junction_potential_mv=0.0)


def fast_noise(seed: int = 1, tau_ms: float = 3.0) -> np.ndarray:
    kept = np.exp(-DT_MS / tau_ms)
    return lfilter([1.0], [1.0, -kept], np.random.default_rng(seed).normal(0, 0.01, 50_000))


def steps(*, noise_na: float = 0.0) -> np.ndarray:
    current = np.random.default_rng(4).normal(0, noise_na, 20_000)
    current[5000:15_000] += 0.1
    return current


@pytest.mark.parametrize("electrode_ms", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("current", [fast_noise(), steps()], ids=["noise", "steps"])
def test_a_known_resistance_is_found(current, electrode_ms):
    several = [sweep(current, electrode_ms=electrode_ms, seed=seed) for seed in range(3)]
    assert series_resistance_mohm(several) == pytest.approx(25.0, abs=1.5)


def test_noise_in_the_channel_of_a_step_does_not_matter():
    several = [sweep(steps(noise_na=0.0005), seed=seed) for seed in range(3)]
    for item in several:
        noise = np.random.default_rng(9).normal(0, 0.0005, item.trace.current_na.size)
        item.trace.current_na[:] += noise  # measured, not injected
    assert series_resistance_mohm(several) == pytest.approx(25.0, abs=1.5)


def test_where_the_drop_was_taken_off_there_is_none():
    found = series_resistance_mohm([sweep(fast_noise(), series_mohm=0.0)])
    assert found is None or abs(found) < 1.0


@pytest.mark.parametrize(
    "current",
    [
        np.zeros(20_000),
        np.full(20_000, 0.1),
        np.linspace(0.0, 0.5, 20_000),
        0.1 * np.sin(np.arange(20_000) * DT_MS / 50),
        np.random.default_rng(8).normal(0, 1e-4, 20_000),
    ],
    ids=["none", "constant", "ramp", "sine", "hum"],
)
def test_a_current_without_a_fast_part_tells_nothing(current):
    injected = current if np.ptp(current) > 0.01 else np.zeros_like(current)
    item = sweep(injected)
    item.trace.current_na[:] = current
    assert series_resistance_mohm([item]) is None


def test_no_sweeps_and_coarse_ones_tell_nothing():
    assert series_resistance_mohm([]) is None
    current = steps()
    coarse = checked_sweep("1", 1, "", current * 100, current, 0.5, junction_potential_mv=0.0)
    assert series_resistance_mohm([coarse]) is None


def test_what_is_left_is_the_membrane():
    item = without_electrode(sweep(steps(), noise_mv=0.0), 25.0)
    at_onset = item.trace.voltage_mv[4999:5001]
    assert abs(np.diff(at_onset)[0]) < 0.2  # was 2.5
    assert item.trace.voltage_mv[14_000] == pytest.approx(-65.0 + 0.1 * 200.0, abs=0.1)


@pytest.mark.parametrize("name", ["training", "test"])
def test_the_electrode_of_a_recorded_cell(shared_data: Path, name: str):
    """29 MOhm by the experimenters' own test in voltage clamp, before the recording; 21 to 22 MOhm by the edges of steps."""
    path = shared_data / f"recordings/gifk-drn-noise/DRN162_5HT/DRN162_5ht_{name}.abf"
    if not path.exists():
        pytest.skip("the real recordings are not here")
    assert series_resistance_mohm(read_sweeps(path).sweeps) == pytest.approx(24.0, abs=2.0)
