import numpy as np
import pytest

from noble.recordings import fit_step
from noble.stimuli import OrnsteinUhlenbeck
from noble.traces import TimeGrid

DT_MS = 0.04
GRID = TimeGrid.spanning(1400.0, dt_ms=DT_MS)
TIMES = GRID.times_ms
ONSET, OFFSET = 5000, 30000  # samples: 200 and 1200 ms


def rectangle(amplitude_na: float, *, onset: int = ONSET, offset: int = OFFSET) -> np.ndarray:
    current = np.zeros(GRID.count)
    current[onset:offset] = amplitude_na
    return current


def coloured_noise(seed: int, *, sd_na: float = 0.006) -> np.ndarray:
    stimulus = OrnsteinUhlenbeck(start_ms=0.0, stop_ms=1400.0, mean_na=0.0, sd_na=sd_na, tau_ms=5.0, seed=seed)
    return stimulus.current_na(TIMES)


@pytest.mark.parametrize("amplitude_na", [0.28, 0.001, -0.11])
def test_a_clean_step_is_found_to_the_sample(amplitude_na):
    fit = fit_step(rectangle(amplitude_na) - 0.02, dt_ms=DT_MS)
    assert (fit.onset, fit.offset) == (ONSET, OFFSET)
    assert fit.amplitude_na == pytest.approx(amplitude_na, abs=1e-9)
    assert fit.holding_na == pytest.approx(-0.02, abs=1e-9)
    assert fit.amplitude_error_na == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("onset", "offset"), [(100, 34900), (12345, 12420), (60, 90)])
def test_steps_long_and_short_anywhere(onset, offset):
    fit = fit_step(rectangle(0.1, onset=onset, offset=offset), dt_ms=DT_MS)
    assert (fit.onset, fit.offset) == (onset, offset)


def test_a_sweep_of_a_few_samples():
    fit = fit_step(np.array([0, 0, 0.1, 0.1, 0, 0, 0]), dt_ms=1.0)
    assert (fit.onset, fit.offset, fit.amplitude_na) == (2, 4, pytest.approx(0.1))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("amplitude_na", [0.02, -0.03, 0.35])
def test_a_step_under_coloured_noise(amplitude_na, seed):
    fit = fit_step(rectangle(amplitude_na) + coloured_noise(seed), dt_ms=DT_MS)
    assert abs(fit.onset - ONSET) * DT_MS < 0.3
    assert abs(fit.offset - OFFSET) * DT_MS < 0.3
    # sd sqrt(2 tau / T) of the means over 1000 and 400 ms of the noise: 0.6 and 0.95 pA
    assert 0.0006 < fit.amplitude_error_na < 0.002
    assert abs(fit.amplitude_na - amplitude_na) < 4 * fit.amplitude_error_na


def test_a_test_pulse_is_neither_the_step_nor_part_of_the_holding_current():
    current = rectangle(0.05) + 0.01
    current[1000:1500] -= 0.1  # -100 pA for 20 ms
    fit = fit_step(current, dt_ms=DT_MS)
    assert (fit.onset, fit.offset) == (ONSET, OFFSET)
    assert fit.holding_na == pytest.approx(0.01, abs=1e-9)
    assert fit.amplitude_na == pytest.approx(0.05, abs=1e-9)


def test_edges_of_a_filtered_step_lie_in_the_middle_of_the_slope():
    kernel = np.full(10, 0.1)
    fit = fit_step(np.convolve(rectangle(0.1), kernel, mode="same"), dt_ms=DT_MS)
    assert abs(fit.onset - ONSET) <= 2
    assert abs(fit.offset - OFFSET) <= 2


@pytest.mark.parametrize(
    ("current", "reason"),
    [
        (np.zeros(GRID.count), "no rectangular step"),
        (np.full(GRID.count, 0.1), "no rectangular step"),
        (rectangle(0.0003), "no rectangular step"),
        (coloured_noise(0), "no rectangular step"),
        (coloured_noise(1), "no rectangular step"),
        (0.05 * np.sin(2 * np.pi * TIMES / 100), "rectangular step"),
        (rectangle(0.1, offset=GRID.count), "begins or ends with the sweep"),
        (rectangle(0.1, onset=0), "begins or ends with the sweep"),
        (rectangle(1.0) * (TIMES - 200) / 1000 * 0.3, "not one rectangular"),
        (rectangle(0.1) + rectangle(0.1, onset=15000), "not one rectangular"),
        (rectangle(0.1) + rectangle(0.08, onset=31000, offset=34000), "not one rectangular"),
        (rectangle(0.2) * np.sin(2 * np.pi * TIMES / 400) ** 2, "rectangular step"),
    ],
    ids=[
        "zero",
        "constant",
        "tiny",
        "noise",
        "other noise",
        "sine",
        "to the end",
        "from the start",
        "ramp",
        "stairs",
        "two",
        "waves",
    ],
)
def test_what_is_no_single_step_is_refused(current, reason):
    with pytest.raises(ValueError, match=reason):
        fit_step(current, dt_ms=DT_MS)
