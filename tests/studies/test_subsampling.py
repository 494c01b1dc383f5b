"""Traces with known features: a plateau, and spikes whose peaks lie where decimation must miss them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from checked_hall import checked_hall, targets
from noble.cells import CellModel
from noble.simulators.numerics import decimate
from noble.stimuli import Stimulus
from noble.studies.subsampling import Sampling, SamplingErrors, SubsamplingStudy, sample, subsampling_study
from noble.targets import StepTargets, Target, Targets
from noble.traces import TimeGrid, TraceBatch

HALL = checked_hall()
PEAKS_MS = (25.0, 35.0)
PEAK_MV, REST_MV = 30.0, -80.0


class Bells:
    """Rests at -80 mV, follows a negative current by 100 MOhm and fires two Gaussian spikes at a positive one."""

    def __init__(self, width_ms: float = 0.1, offset_ms: float = 0.0) -> None:
        self.width_ms, self.offset_ms = width_ms, offset_ms
        self.asked: list[tuple[str, TimeGrid]] = []

    def respond(self, neurons: Sequence[CellModel], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
        self.asked += [(neuron.name or "", grid) for neuron in neurons]
        currents = np.stack([stimulus.sample(grid) for stimulus in stimuli])
        since = grid.times_ms[:, None] - np.array(PEAKS_MS) - self.offset_ms
        bells = np.exp(-0.5 * (since / self.width_ms) ** 2).sum(axis=1)
        fires = currents.max(axis=1, keepdims=True) > 0
        return TraceBatch(grid, REST_MV + 100 * np.minimum(currents, 0) + (PEAK_MV - REST_MV) * bells * fires, currents)


def recorded(**features: float) -> Targets:
    """One step that fires; what the recording has there."""
    step = StepTargets(0.1, 0.0, (2, 2), {name: Target(mean, 1.0, 2) for name, mean in features.items()}, {})
    return replace(targets(), steps=(step,))


def run(responder: Bells | None = None, **options: Any) -> SubsamplingStudy:
    return subsampling_study(HALL, responder or Bells(), **{"models": 2, "factors": (1, 3, 7), **options})


def row_of(found: SubsamplingStudy, factor: int, *, low_pass: bool) -> SamplingErrors:
    [row] = [row for row in found.of(low_pass=low_pass) if row.factor == factor]
    return row


def justified(found: SubsamplingStudy) -> float:
    assert found.justified_dt_ms is not None
    return found.justified_dt_ms.decimation_alone


def test_each_model_is_simulated_once_at_the_native_interval():
    responder, seen = Bells(), []
    found = run(responder, targets=recorded(AP1_peak=30.0), progress=lambda *done: seen.append(done))
    assert [name for name, _ in responder.asked] == ["made/0", "made/6"]
    assert {grid for _, grid in responder.asked} == {TimeGrid.spanning(15 + 30 + 100, dt_ms=0.02)}
    assert (found.models, found.native_dt_ms, found.step_ms) == ((0, 6), 0.02, 30.0)
    assert [(row.dt_ms, row.low_pass) for row in found.samplings] == [
        (0.06, True),
        (0.14, True),
        (0.06, False),
        (0.14, False),
    ]
    assert seen == [(0, 2), (1, 2), (2, 2)]
    json.dumps(found.to_dict(), allow_nan=False)
    assert list(found.to_frame().columns) == [(True, 0.06), (True, 0.14), (False, 0.06), (False, 0.14)]


def test_a_missed_peak_is_the_error_of_decimation_and_the_recordings_distance_the_halls():
    found = run(targets=recorded(AP1_peak=27.0, voltage_base=-79.0))
    # The spike's top is at 25 ms; the samples nearest to it are at 25.02 (416.67 of 0.06 ms) and 25.06 ms (178.57 of 0.14 ms).
    assert found.features["AP1_peak"].to_dict() == {
        "unit": "mV",
        "hall_error": pytest.approx(3.0, abs=1e-9),
        "traces": 2,
    }
    assert found.features["voltage_base"].hall_error == pytest.approx(1.0)
    for factor, away_ms in ((3, 0.02), (7, 0.06)):
        plain = row_of(found, factor, low_pass=False).features["AP1_peak"]
        expected = (PEAK_MV - REST_MV) * (1 - np.exp(-0.5 * (away_ms / 0.1) ** 2))
        assert plain.error == pytest.approx(expected, rel=1e-6)
        assert plain.of_hall_error == pytest.approx(expected / 3, rel=1e-6)
        assert plain.lost == 0
        assert row_of(found, factor, low_pass=True).features["AP1_peak"].error != pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("part", "justified_ms"), [(0.05, 0.02), (0.5, 0.02), (0.9, 0.06)])
def test_the_largest_interval_below_the_part_is_justified(part: float, justified_ms: float):
    found = run(targets=recorded(AP1_peak=27.0, voltage_base=-79.0), part=part)
    # 2.18 mV of 3 mV at 0.06 ms, 18 mV at 0.14 ms.
    assert justified(found) == justified_ms
    assert row_of(found, 7, low_pass=False).not_negligible == ("AP1_peak",)
    assert row_of(found, 3, low_pass=False).not_negligible == (() if part == 0.9 else ("AP1_peak",))


def test_a_lost_feature_is_never_negligible():
    """Spikes narrower than the coarse interval fall between its samples."""
    found = run(Bells(width_ms=0.02, offset_ms=0.01), targets=recorded(AP1_peak=0.0), factors=(12,), part=0.99)
    row = row_of(found, 12, low_pass=False)
    assert row.features["AP1_peak"].lost == 2
    assert row.not_negligible == ("AP1_peak",)
    assert justified(found) == 0.02


def test_without_any_error_of_the_hall_only_no_error_is_negligible():
    found = run(targets=recorded(Spikecount=2.0))
    assert found.features["Spikecount"].hall_error == 0
    row = row_of(found, 7, low_pass=False)
    assert (row.features["Spikecount"].of_hall_error, row.not_negligible) == (None, ())
    assert justified(found) == 0.14


def test_without_targets_errors_are_measured_and_nothing_is_judged():
    found = run(amplitudes_na=(-0.05, 0.1), factors=(3,))
    assert (found.targets, found.justified_dt_ms) == (None, None)
    assert all(row.not_negligible is None for row in found.samplings)
    assert {"sag_amplitude", "AP1_width", "steady_state_voltage_stimend"} <= set(found.features)
    assert all(facts.hall_error is None for facts in found.features.values())
    assert (row_of(found, 3, low_pass=False).features["AP1_peak"].error or 0) > 1


def test_samples_are_those_of_a_data_set():
    grid = TimeGrid(0.02, 1001)
    fine = TraceBatch(grid, np.cumsum(np.ones((1, 1001)), axis=1), np.arange(1001.0)[None])
    plain, smooth = sample(fine, Sampling(4, False)), sample(fine, Sampling(4, True))
    assert plain.grid == smooth.grid == TimeGrid(0.08, 250)
    np.testing.assert_array_equal(plain.voltage_mv[0], 1 + 4 * np.arange(250))
    np.testing.assert_array_equal(plain.current_na[0], 4 * np.arange(250))
    np.testing.assert_array_equal(smooth.voltage_mv, decimate(fine.voltage_mv[:, :1000], 4, count=250))


@pytest.mark.parametrize(
    "wrong", [{"factors": ()}, {"factors": (1,)}, {"factors": (0, 3)}, {"models": 8}, {"models": 0}, {"part": 1.0}]
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match="expected whole factors of at least 1 and one above it, 1 to 7 models"):
        run(**wrong)


def test_an_amplitude_without_targets_is_refused():
    with pytest.raises(ValueError, match=r"no step of 0.2 nA among the targets; expected one of 0.1 nA"):
        run(targets=recorded(AP1_peak=0.0), amplitudes_na=(0.2,))
