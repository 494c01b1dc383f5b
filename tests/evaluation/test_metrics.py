import json

import numpy as np
import pytest

from noble.evaluation.metrics import DRIVES, REGIMES, TraceTable, concatenate, matched_errors_ms, summarise, trace_table
from noble.evaluation.results import STABLE_KEYS, Summary
from noble.features import FEATURE_NAMES, extract
from noble.spikes import coincidence_factor
from noble.traces import TimeGrid, TraceBatch

GRID = TimeGrid.spanning(200.0, dt_ms=0.06)
REST_MV = -70.0
EDGES = {"onset_ms": 15.0, "offset_ms": 165.0}


def voltage(
    times_ms: list[float], *, rest_mv: float = REST_MV, height_mv: float = 90.0, sigma_ms: float = 0.2
) -> np.ndarray:
    distance = GRID.times_ms[:, None] - np.asarray(times_ms, dtype=float)[None, :]
    return rest_mv + height_mv * np.exp(-0.5 * (distance / sigma_ms) ** 2).sum(axis=1)


def batch(*voltages: np.ndarray, currents_na: list[float] | None = None) -> TraceBatch:
    times = GRID.times_ms
    inside = (times >= 15.0) & (times < 165.0)
    current = np.outer(currents_na or [0.0] * len(voltages), inside)
    return TraceBatch(GRID, np.stack(voltages), current)


def compare(predicted: list[np.ndarray], reference: list[np.ndarray], **options: object) -> dict:
    return summarise(trace_table(batch(*predicted), batch(*reference), **EDGES, **options)).to_dict()  # type: ignore[arg-type]


def test_a_perfect_prediction():
    traces = [voltage([30.0, 60.0, 100.0]), voltage([]) + GRID.times_ms * 0.01, voltage([50.0])]
    found = compare(traces, traces)
    assert {key: found[key] for key in STABLE_KEYS} == {
        "relative_l2_percent": 0.0,
        "missed_percent": 0.0,
        "false_percent": 0.0,
        "spike_count_error_percent": 0.0,
        "spike_time_median_ms": 0.0,
        "spike_time_p90_ms": 0.0,
        "coincidence_1ms": 1.0,
        "ap1_width_error_percent": 0.0,
        "mean_ap_amplitude_error_percent": 0.0,
        "steady_state_voltage_error_percent": 0.0,
    }
    assert found["exact_count_percent"] == 100.0
    assert (found["traces"], found["firing_traces"]) == (3, 2)


def test_voltage_errors_are_their_formulas():
    rng = np.random.default_rng(0)
    reference = np.stack([voltage([30.0]), voltage([40.0, 90.0], rest_mv=-80.0)])
    predicted = reference + rng.normal(size=reference.shape) * np.array([[1.0], [3.0]])
    found = compare(list(predicted), list(reference))
    per_trace = [np.linalg.norm(p - r) / np.linalg.norm(r) for p, r in zip(predicted, reference, strict=True)]
    centred = [np.linalg.norm(p - r) / np.linalg.norm(r - r.mean()) for p, r in zip(predicted, reference, strict=True)]
    assert found["relative_l2_percent"] == pytest.approx(100 * np.mean(per_trace))
    assert found["centred_relative_l2_percent"] == pytest.approx(100 * np.mean(centred))
    assert found["rmse_mv"] == pytest.approx(np.mean(np.sqrt(np.mean((predicted - reference) ** 2, axis=1))))


def test_an_offset_of_one_millivolt_on_eighty_is_one_and_a_quarter_per_cent():
    flat = np.full(GRID.count, -80.0)
    found = compare([flat + 1.0], [flat])
    assert found["relative_l2_percent"] == pytest.approx(1.25)
    assert found["rmse_mv"] == pytest.approx(1.0)
    assert found["centred_relative_l2_percent"] is None  # a constant reference has no variation to compare with
    assert found["steady_state_voltage_error_percent"] == pytest.approx(1.25)


def test_silence_scores_well_on_relative_l2_and_badly_on_everything_that_sees_spikes():
    reference = voltage([30.0, 60.0, 90.0, 120.0], rest_mv=-80.0)
    found = compare([np.full(GRID.count, -80.0)], [reference])
    assert found["relative_l2_percent"] < 15
    assert found["missed_percent"] == 100
    assert found["spike_count_error_percent"] == 100
    assert found["coincidence_1ms"] == 0
    assert found["spike_time_median_ms"] is None
    assert found["ap1_width_error_percent"] is None
    assert found["all_features"]["AP1_width"]["missing"] == 1


def test_misses_and_false_firing_are_of_all_traces_and_counts_of_firing_ones():
    fires, silent = voltage([30.0, 60.0]), voltage([])
    found = compare([silent, fires, voltage([30.0]), silent], [fires, silent, fires, silent])
    assert found["missed_percent"] == 25
    assert found["false_percent"] == 25
    assert found["spike_count_error_percent"] == pytest.approx((100 + 50) / 2)  # the false trace is not in it
    assert found["exact_count_percent"] == 0
    third = coincidence_factor(np.array([30.0, 60.0]), np.array([30.0]), duration_ms=GRID.duration_ms)
    assert found["coincidence_1ms"] == pytest.approx((0 + 0 + third) / 3, abs=1e-6)  # the silent pair is not in it


def test_spike_times_are_compared_in_order_and_pooled():
    reference = [voltage([30.0, 60.0, 90.0]), voltage([40.0])]
    predicted = [voltage([30.5, 61.0]), voltage([37.0, 70.0])]
    found = compare(predicted, reference)
    errors = [0.5, 1.0, 3.0]
    assert found["spike_time_median_ms"] == pytest.approx(np.median(errors), abs=0.01)
    assert found["spike_time_p90_ms"] == pytest.approx(np.quantile(errors, 0.9), abs=0.01)


@pytest.mark.parametrize(("shift_ms", "expected"), [(0.9, 1.0), (1.2, None)])
def test_coincidence_has_a_window_of_one_millisecond(shift_ms: float, expected: float | None):
    times = [30.0, 60.0, 90.0]
    found = compare([voltage([time + shift_ms for time in times])], [voltage(times)])["coincidence_1ms"]
    assert found == pytest.approx(1.0) if expected else found < 0  # below chance


def test_feature_errors_are_relative_where_both_fire():
    reference = [voltage([30.0, 60.0]), voltage([30.0], sigma_ms=0.3), voltage([30.0])]
    predicted = [voltage([30.0, 60.0], height_mv=81.0), voltage([30.0], sigma_ms=0.45), voltage([])]
    found = compare(predicted, reference)
    theirs, ours = (extract(batch(*traces), **EDGES) for traces in (reference, predicted))
    for name, key in (("AP1_width", "ap1_width"), ("mean_AP_amplitude", "mean_ap_amplitude")):
        relative = np.abs(ours[name][:2] - theirs[name][:2]) / np.abs(theirs[name][:2])
        assert found[f"{key}_error_percent"] == pytest.approx(100 * relative.mean())
    assert found["ap1_width_error_percent"] == pytest.approx(100 * 0.5 / 2, rel=0.05)
    assert found["all_features"]["AP1_width"]["traces"] == 2
    assert found["all_features"]["AP1_width"]["missing"] == 1
    assert found["all_features"]["AP1_width"]["unit"] == "ms"
    assert found["all_features"]["steady_state_voltage"]["traces"] == 3


def test_all_sixteen_on_request():
    traces = [voltage([30.0, 60.0]), voltage([])]
    found = compare(traces, traces, feature_names=FEATURE_NAMES)
    assert tuple(found["all_features"]) == FEATURE_NAMES
    assert found["all_features"]["Spikecount"]["mean_absolute_error"] == 0
    assert found["all_features"]["Spikecount"]["traces"] == 2


def test_regimes_part_the_traces():
    spiking, once = voltage([30.0, 60.0, 90.0]), voltage([30.0])
    traces = [voltage([]), voltage([]), once, spiking, spiking]
    currents, thresholds = [0.05, 0.091, 0.2, 0.109, 0.2], np.full(5, 0.1)
    table = trace_table(
        batch(*traces, currents_na=currents), batch(*traces, currents_na=currents), rheobase_na=thresholds, **EDGES
    )
    masks = table.regime_masks()
    np.testing.assert_array_equal(masks["sub_threshold"], [1, 0, 0, 0, 0])
    np.testing.assert_array_equal(masks["near_threshold"], [0, 1, 1, 1, 0])
    np.testing.assert_array_equal(masks["spiking"], [0, 0, 0, 0, 1])
    found = summarise(table)
    assert found.regimes is not None
    assert tuple(found.regimes) == REGIMES + DRIVES
    assert [found.regimes[name].traces for name in REGIMES] == [1, 3, 1]
    written = found.to_dict()
    assert set(written) - {"regimes"} == set(written["regimes"]["spiking"])


def test_without_thresholds_near_means_one_or_two_spikes():
    traces = [voltage([]), voltage([30.0, 60.0]), voltage([30.0, 60.0, 90.0])]
    masks = trace_table(batch(*traces), batch(*traces), **EDGES).regime_masks()
    assert [int(np.flatnonzero(masks[name])[0]) for name in REGIMES] == [0, 1, 2]


def test_batches_join_to_the_same_numbers():
    reference = [voltage([30.0, 60.0]), voltage([]), voltage([40.0]), voltage([50.0, 80.0, 120.0])]
    predicted = [voltage([31.0, 60.0]), voltage([20.0]), voltage([]), voltage([50.2, 80.0])]
    whole = trace_table(batch(*predicted), batch(*reference), **EDGES)
    parts = [
        trace_table(batch(*predicted[rows]), batch(*reference[rows]), **EDGES) for rows in (slice(0, 1), slice(1, 4))
    ]
    joined = concatenate(parts)
    assert len(joined) == 4
    assert summarise(joined) == summarise(whole)


def test_the_summary_is_json_even_without_traces():
    nothing = TraceBatch(GRID, np.empty((0, GRID.count)), np.empty((0, GRID.count)))
    found = summarise(trace_table(nothing, nothing, **EDGES))
    assert found.traces == 0
    assert all(found.number(key) is None for key in STABLE_KEYS)
    assert Summary.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


def test_nothing_to_join_is_refused():
    with pytest.raises(ValueError, match="no traces were compared"):
        concatenate(list[TraceTable]())


def test_a_diverged_prediction_is_refused_not_left_out():
    good = voltage([30.0])
    with pytest.raises(ValueError, match="1 of 2 predicted traces hold NaN"):
        compare([good, good * np.nan], [good, good])


def test_mismatched_traces_are_refused():
    grid = TimeGrid(GRID.dt_ms, GRID.count - 1)
    shorter = TraceBatch(grid, np.zeros((1, grid.count)), np.zeros((1, grid.count)))
    with pytest.raises(ValueError, match="predict on the reference's grid"):
        trace_table(shorter, batch(voltage([])), **EDGES)
    with pytest.raises(ValueError, match=r"expected one threshold a trace, \(1,\)"):
        trace_table(batch(voltage([])), batch(voltage([])), rheobase_na=np.zeros(2), **EDGES)


def test_matched_spikes_are_those_within_the_window_in_order():
    expected, found = np.array([10.0, 20.0, 30.0, 50.0]), np.array([9.5, 23.0, 24.0, 41.0, 50.25])
    np.testing.assert_allclose(matched_errors_ms(expected, found, window_ms=4.0), [0.5, 3.0, 0.25])
    assert matched_errors_ms(expected, np.empty(0), window_ms=4.0).size == 0


def test_what_lies_between_spikes_is_measured_apart():
    grid = TimeGrid.spanning(100.0, dt_ms=0.1)
    reference = np.full(grid.count, -70.0)
    reference[495:506] = 20.0  # a spike at 50 ms
    predicted = reference + 1.0
    predicted[490:520] += 30.0  # wrong at the spike alone
    current = np.zeros((1, grid.count))
    batches = [TraceBatch(grid, values[None], current) for values in (predicted, reference)]
    table = trace_table(*batches, onset_ms=10.0, offset_ms=90.0, finer=batches[1])
    np.testing.assert_allclose(table.rmse_between_spikes_mv, [1.0], atol=1e-9)
    summary = summarise(table)
    assert (summary.ceiling_coincidence_1ms, summary.spikes) == (1.0, 1)
    assert summary.coincidence_4ms == 1.0
    assert (summary.missed_spikes_percent, summary.extra_spikes_percent) == (0.0, 0.0)


def test_spikes_missed_and_too_many_are_counted():
    grid = TimeGrid.spanning(100.0, dt_ms=0.1)

    def trace(*spikes_ms: float) -> TraceBatch:
        voltage = np.full(grid.count, -70.0)
        for at in spikes_ms:
            voltage[round(at / 0.1) - 3 : round(at / 0.1) + 4] = 20.0
        return TraceBatch(grid, voltage[None], np.zeros((1, grid.count)))

    summary = summarise(
        trace_table(trace(20.5, 60.0, 70.0), trace(20.0, 40.0, 60.0, 85.0), onset_ms=1.0, offset_ms=90.0)
    )
    assert (summary.missed_spikes_percent, summary.extra_spikes_percent, summary.spikes) == (50.0, 25.0, 4)
    assert summary.matched_time_p90_ms == pytest.approx(0.45, abs=0.01)
    assert summary.ceiling_coincidence_1ms is None


def test_a_trace_is_driven_by_its_mean_or_by_fluctuations():
    grid = TimeGrid(0.1, 1000)
    current = np.zeros((3, grid.count))
    current[0, 200:800] = 0.1  # above the threshold of 0.08
    current[1, 200:800] = np.resize([0.0, 0.15], 600)  # on average below it
    current[2, 200:800] = 0.1  # threshold unknown
    traces = TraceBatch(grid, np.full((3, grid.count), -70.0), current)
    table = trace_table(
        traces, traces, onset_ms=20.0, offset_ms=80.0, rheobase_na=np.array([0.08, 0.08, np.nan]), feature_names=()
    )
    np.testing.assert_allclose(table.mean_drive_na, [0.02, -0.005, np.nan], atol=1e-9)
    assert {name: mask.tolist() for name, mask in table.drive_masks().items()} == {
        "fluctuation_driven": [False, True, False],
        "mean_driven": [True, False, False],
    }
