import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noble.spikes import (
    THRESHOLD_MV,
    SpikeTrains,
    coincidence_factor,
    matched_pairs,
    spike_times_ms,
    within,
)

# A busy machine must not fail a test by its time.
steady = settings(deadline=None, max_examples=60)

DT_MS = 0.06
TIMES = np.arange(8583) * DT_MS

# Trains with at least 2 ms between spikes, well within the window.
trains = st.lists(st.floats(2.0, 30.0), max_size=25).map(lambda gaps: 5.0 + np.cumsum(gaps)).map(lambda t: t[t < 500.0])


def voltage(times_ms: np.ndarray, *, sigma_ms: float = 0.25) -> np.ndarray:
    """Gaussian spikes from -70 to 20 mV."""
    distance = TIMES[:, None] - np.asarray(times_ms, dtype=float)[None, :]
    return -70.0 + 90.0 * np.exp(-0.5 * (distance / sigma_ms) ** 2).sum(axis=1)


@steady
@given(times=trains)
def test_peaks_are_found_to_a_hundredth_of_a_millisecond(times: np.ndarray):
    found = spike_times_ms(voltage(times), dt_ms=DT_MS)
    assert found.size == times.size
    np.testing.assert_allclose(found, times, atol=0.01)


@steady
@given(times=trains, shift_ms=st.floats(-0.5, 0.5))
def test_a_shift_smaller_than_dt_is_seen(times: np.ndarray, shift_ms: float):
    first, second = (spike_times_ms(voltage(train), dt_ms=DT_MS) for train in (times, times + shift_ms))
    np.testing.assert_allclose(second - first, shift_ms, atol=0.02)


def test_no_spike_in_a_passive_trace():
    assert spike_times_ms(np.full(100, -70.0), dt_ms=DT_MS).size == 0
    assert spike_times_ms(np.full(100, -70.0), dt_ms=DT_MS).dtype == float
    assert spike_times_ms(voltage(np.array([50.0])) - 55.0, dt_ms=DT_MS).size == 0  # peaks at -35 mV


def test_a_trace_that_starts_above_threshold_has_not_spiked():
    trace = np.full(1000, -70.0)
    trace[:100] = 0.0
    assert spike_times_ms(trace, dt_ms=DT_MS).size == 0


def test_a_block_is_one_spike_at_its_largest_sample():
    trace = np.full(1000, -70.0)
    trace[300:] = -20.0
    trace[310] = 10.0
    np.testing.assert_allclose(spike_times_ms(trace, dt_ms=DT_MS), [310 * DT_MS])


def test_a_spike_cut_by_the_end_is_at_the_last_sample():
    trace = np.full(100, -70.0)
    trace[-2:] = [-20.0, 10.0]
    np.testing.assert_allclose(spike_times_ms(trace, dt_ms=DT_MS), [99 * DT_MS])


def test_the_threshold_can_be_set():
    trace = voltage(np.array([50.0])) - 55.0
    assert spike_times_ms(trace, dt_ms=DT_MS, threshold_mv=-40.0) == pytest.approx(50.0, abs=0.01)
    assert THRESHOLD_MV == -30.0


def test_each_spike_is_matched_once():
    reference, other = np.array([10.0, 10.5, 30.0]), np.array([10.2, 29.5, 31.1])
    assert matched_pairs(reference, other, window_ms=1.0) == [(0, 0), (2, 1)]


@steady
@given(times=trains)
def test_matched_pairs_of_a_train_with_itself(times: np.ndarray):
    assert matched_pairs(times, times, window_ms=0.5) == [(index, index) for index in range(times.size)]


@steady
@given(times=trains.filter(lambda times: times.size > 0))
def test_coincident_trains_have_factor_one(times: np.ndarray):
    assert coincidence_factor(times, times, duration_ms=515.0) == pytest.approx(1.0)


@steady
@given(times=trains.filter(lambda times: times.size > 0))
def test_silence_against_a_train_has_factor_zero_either_way(times: np.ndarray):
    nothing = np.empty(0)
    assert coincidence_factor(times, nothing, duration_ms=515.0) == 0.0
    assert coincidence_factor(nothing, times, duration_ms=515.0) == 0.0


def test_two_silent_trains_have_no_factor():
    assert np.isnan(coincidence_factor(np.empty(0), np.empty(0), duration_ms=515.0))


def test_a_train_faster_than_the_window_has_no_factor():
    fast = np.arange(0.0, 100.0, 1.5)
    assert np.isnan(coincidence_factor(fast, fast, duration_ms=100.0, window_ms=1.0))


def test_a_poisson_train_has_a_factor_of_zero_on_average():
    """Chance coincidences are subtracted: 2 nu Delta N_ref of them, as in the published formula."""
    rng = np.random.default_rng(0)
    reference = np.arange(20.0, 10_000.0, 25.0)
    factors = [
        coincidence_factor(reference, np.sort(rng.uniform(0, 10_000.0, reference.size)), duration_ms=10_000.0)
        for _ in range(200)
    ]
    assert np.mean(factors) == pytest.approx(0.0, abs=0.01)


def test_the_published_formula_on_a_small_example():
    reference, other = np.array([10.0, 50.0, 90.0, 130.0]), np.array([10.5, 52.0, 90.9])
    rate = 3 / 200.0
    expected = (2 - 2 * rate * 1.0 * 4) / (0.5 * (4 + 3)) / (1 - 2 * rate * 1.0)
    assert coincidence_factor(reference, other, duration_ms=200.0, window_ms=1.0) == pytest.approx(expected)


def test_within_has_its_start_and_not_its_stop():
    times = np.array([1.0, 2.0, 2.5, 3.0])
    assert within(times, 2.0, 3.0).tolist() == [2.0, 2.5]
    assert within(times, 3.5, 9.0).size == 0


def test_trains_of_different_lengths_come_back():
    given_trains = [np.array([1.0, 2.0]), np.empty(0), np.array([3.0])]
    ragged = SpikeTrains.of(given_trains)
    assert ragged.times_ms.tolist() == [1.0, 2.0, 3.0]
    assert ragged.offsets.tolist() == [0, 2, 2, 3]
    assert ragged.counts.tolist() == [2, 0, 1]
    assert [ragged[index].tolist() for index in range(len(ragged))] == [[1.0, 2.0], [], [3.0]]
    assert [train.tolist() for train in ragged.take(np.array([2, 0, 2]))] == [[3.0], [1.0, 2.0], [3.0]]
    assert ragged.table().tolist() == [[1.0, 2.0], [np.inf, np.inf], [3.0, np.inf]]
    assert ragged.table(columns=3).shape == (3, 3)
    assert SpikeTrains.of([]).table().shape == (0, 1)
    with pytest.raises(ValueError, match="a trace has 2 spikes; the table was asked for with 1"):
        ragged.table(columns=1)
    with pytest.raises(IndexError, match="train 3"):
        ragged[3]


def test_detected_trains_are_those_of_each_trace():
    traces = np.stack([voltage(np.array([20.0, 50.0])), voltage(np.empty(0))])
    found = SpikeTrains.detect(traces, dt_ms=DT_MS)
    assert np.array_equal(found[0], spike_times_ms(traces[0], dt_ms=DT_MS))
    assert found.counts.tolist() == [2, 0]
