"""Time rescaling: a right model is called right, a wrong one wrong, in bins however coarse."""

import numpy as np
import pytest

from noble.comparison.calibration import calibration, rescaled_intervals


def hazard(duration_ms: float, dt_ms: float, *, mean: float = 0.02) -> np.ndarray:
    """A rate that varies, 1 / ms."""
    return mean * (1 + 0.9 * np.sin(np.arange(round(duration_ms / dt_ms)) * dt_ms / 70))


def fired(rate: np.ndarray, dt_ms: float, generator: np.random.Generator) -> np.ndarray:
    """Spikes of a process of this hazard in bins, ms."""
    return np.flatnonzero(generator.random(rate.size) < -np.expm1(-rate * dt_ms)) * dt_ms


def test_the_integral_is_from_spike_to_spike():
    rate = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    spikes = np.array([0.5, 1.5, 2.5])  # samples 1, 3 and 5
    np.testing.assert_allclose(rescaled_intervals(rate, spikes, dt_ms=0.5), [0.35, 0.55])
    drawn = rescaled_intervals(rate, spikes, dt_ms=0.5, generator=np.random.default_rng(0))
    assert np.all((drawn > [0.15, 0.25]) & (drawn < [0.35, 0.55]))  # ends somewhere in the last bin
    assert rescaled_intervals(rate, spikes[:1], dt_ms=0.5).size == 0


@pytest.mark.parametrize(("dt_ms", "mean"), [(0.1, 0.02), (5.0, 0.1)])
def test_a_right_model_is_outside_of_the_band_in_one_of_twenty_cases(dt_ms: float, mean: float):
    generator = np.random.default_rng(3)
    rate = hazard(5000.0, dt_ms, mean=mean)
    outside = 0
    for _ in range(200):
        intervals = rescaled_intervals(rate, fired(rate, dt_ms, generator), dt_ms=dt_ms, generator=generator)
        outside += not calibration([intervals]).within_band
    assert 2 <= outside <= 20  # 10 expected


def test_coarse_bins_without_the_correction_condemn_a_right_model():
    generator = np.random.default_rng(3)
    rate = hazard(20_000.0, 5.0, mean=0.1)
    spikes = fired(rate, 5.0, generator)
    assert not calibration([rescaled_intervals(rate, spikes, dt_ms=5.0)]).within_band
    assert calibration([rescaled_intervals(rate, spikes, dt_ms=5.0, generator=generator)]).within_band


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_wrong_rate_is_found(factor: float):
    generator = np.random.default_rng(5)
    rate = hazard(20_000.0, 0.1)
    found = calibration(
        [rescaled_intervals(factor * rate, fired(rate, 0.1, generator), dt_ms=0.1, generator=generator)]
    )
    assert not found.within_band
    assert found.p_value < 0.001
    assert found.mean == pytest.approx(factor, rel=0.15)


def test_intervals_that_follow_each_other_are_found_though_each_is_exponential():
    generator = np.random.default_rng(2)
    each = generator.exponential(size=300)
    twice = np.repeat(each, 2)
    found = calibration([twice])
    assert found.serial_correlation > found.serial_band
    independent = calibration([generator.exponential(size=300), generator.exponential(size=300)])
    assert abs(independent.serial_correlation) < 2 * independent.serial_band


def test_the_distance_and_its_band_are_those_of_kolmogorov_and_smirnov():
    from scipy.stats import kstest

    intervals = np.random.default_rng(0).exponential(1.2, size=80)
    found = calibration([intervals[:50], intervals[50:]])
    expected = kstest(intervals, "expon")
    assert (found.ks_distance, found.p_value) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))
    assert found.ks_band == pytest.approx(1.358 / np.sqrt(80), rel=0.03)
    np.testing.assert_allclose(found.observed, np.sort(1 - np.exp(-intervals)))
    np.testing.assert_allclose(found.expected, (np.arange(80) + 0.5) / 80)
    assert set(found.to_dict()) == {
        *("intervals", "ks_distance", "ks_band", "p_value", "mean", "serial_correlation", "serial_band")
    }


def test_too_few_intervals_are_refused():
    with pytest.raises(ValueError, match="there are 3 intervals between spikes; expected at least 5"):
        calibration([np.ones(3)])
