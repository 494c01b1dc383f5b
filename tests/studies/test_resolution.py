"""Traces that can be computed at any interval; an operator that answers them with a known delay, whatever the interval."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from evaluated_family import CONFIG, FakeHall, FakeSimulator, StandIn
from noble.simulators.numerics import decimate
from noble.studies.resolution import ResolutionStudy, at_resolution, resolution_study
from noble.traces import TimeGrid, TraceBatch

FINE = TimeGrid.spanning(60.0, dt_ms=0.02)


def hump(grid: TimeGrid) -> np.ndarray:
    """A spike 0.4 ms wide on a sine, shape (1, time), mV."""
    times = grid.times_ms
    return (-70 + 5 * np.sin(times / 7) + 90 * np.exp(-0.5 * ((times - 20.011) / 0.2) ** 2))[None]


def simulated(grid: TimeGrid = FINE) -> TraceBatch:
    return TraceBatch(grid, hump(grid), np.zeros((1, grid.count)))


@pytest.mark.parametrize("tens_of_us", [3, 5, 7])
def test_fractions_are_decimated_as_a_simulation_at_their_common_divisor_would_be(tens_of_us):
    grid = TimeGrid.spanning(60.0, dt_ms=0.01 * tens_of_us)
    exact = hump(TimeGrid(0.01, tens_of_us * grid.count))
    expected = decimate(exact, tens_of_us, count=grid.count)
    np.testing.assert_allclose(at_resolution(simulated(), grid), expected, atol=5e-3)


def test_multiples_are_decimated_as_a_data_set_is():
    grid = TimeGrid.spanning(60.0, dt_ms=0.06)
    expected = decimate(simulated().voltage_mv[:, : 3 * grid.count], 3, count=grid.count)
    np.testing.assert_array_equal(at_resolution(simulated(), grid), expected)
    np.testing.assert_array_equal(at_resolution(simulated(), FINE), simulated().voltage_mv)


@pytest.mark.parametrize("dt_ms", [0.01, 0.0227])
def test_intervals_that_cannot_be_had_are_refused(dt_ms):
    with pytest.raises(ValueError, match=r"cannot be had from a simulation at 0.02 ms; choose a multiple"):
        at_resolution(simulated(), TimeGrid.spanning(50.0, dt_ms=dt_ms))


class CountingSimulator(FakeSimulator):
    def __init__(self) -> None:
        super().__init__()
        self.grids: list[TimeGrid] = []

    def respond(self, neurons: Any, stimuli: Any, grid: TimeGrid) -> TraceBatch:
        self.grids.append(grid)
        return super().respond(neurons, stimuli, grid)


def study_of(operator: StandIn, simulator: FakeSimulator | None = None, **options: Any) -> ResolutionStudy:
    settings = {"dts_ms": (0.06, 0.02, 0.03, 0.12), "count": 10, "seed": 2, "config": CONFIG, "batch_size": 4}
    return resolution_study(operator, FakeHall(), simulator or FakeSimulator(), **{**settings, **options})  # type: ignore[arg-type]


def test_every_trace_is_simulated_once_and_answered_at_every_interval():
    operator, simulator, seen = StandIn(delay_ms=0.25), CountingSimulator(), []
    found = study_of(operator, simulator, progress=lambda done, total: seen.append((done, total)))
    assert [row.dt_ms for row in found.resolutions] == [0.02, 0.03, 0.06, 0.12]
    assert simulator.grids == [TimeGrid.spanning(170.0, dt_ms=0.02)] * 3
    assert len(set(simulator.stimuli)) == 10
    assert sorted({grid.dt_ms for _, grid in operator.calls}) == [0.02, 0.03, 0.06, 0.12]
    assert seen == [(0, 10), (4, 10), (8, 10), (10, 10)]
    assert found.trained_dt_ms == operator.grid.dt_ms
    for errors in (row.errors for row in found.resolutions):
        assert (errors.traces, errors.missed_percent, errors.false_percent) == (10, 0, 0)
        assert errors.firing_traces > 2
        assert errors.spike_time_median_ms == pytest.approx(0.25, abs=0.01)
    assert len(found.resolutions[0].errors.all_features) == 16
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert written["resolutions"][2]["dt_ms"] == 0.06
    frame = found.to_frame()
    assert list(frame.index) == [0.02, 0.03, 0.06, 0.12]
    assert frame.loc[0.06, "rmse_mv"] == written["resolutions"][2]["rmse_mv"]


def test_an_exact_operator_is_off_by_the_sampling_alone():
    rows = [row.errors for row in study_of(StandIn()).resolutions]
    assert rows[0].relative_l2_percent == pytest.approx(0, abs=1e-9)
    assert all(0 < row.relative_l2_percent < 0.5 for row in rows[1:])  # the ripple of the low-pass
    assert all(row.spike_time_median_ms < 0.01 for row in rows)


def test_what_cannot_be_compared_is_refused_before_anything_is_simulated():
    simulator = FakeSimulator()
    for wrong, words in (
        ({"dts_ms": ()}, "expected at least one"),
        ({"dts_ms": (0.06, 0.06)}, "each once"),
        ({"dts_ms": (0.06, 0.0101)}, "cannot be had"),
        ({"count": 0}, "count is 0"),
    ):
        with pytest.raises(ValueError, match=words):
            study_of(StandIn(), simulator, **wrong)
    assert not simulator.stimuli
