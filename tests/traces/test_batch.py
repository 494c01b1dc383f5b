import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noble.traces import TimeGrid, Trace, TraceBatch

# A busy machine must not fail a test by its time.
steady = settings(deadline=None, max_examples=60)


def test_the_papers_window_has_its_samples():
    assert TimeGrid.spanning(515.0, dt_ms=0.06).count == 8583
    assert TimeGrid.spanning(515.0, dt_ms=0.02).count == 25750


@steady
@given(count=st.integers(2, 100_000), dt_ms=st.floats(1e-3, 1.0))
def test_a_grid_spans_its_own_duration(count: int, dt_ms: float):
    grid = TimeGrid(dt_ms, count)
    assert TimeGrid.spanning(grid.duration_ms, dt_ms=dt_ms) == grid


@steady
@given(duration_ms=st.floats(10.0, 2000.0), dt_ms=st.floats(0.01, 1.0))
def test_spanning_takes_as_many_whole_samples_as_fit(duration_ms: float, dt_ms: float):
    grid = TimeGrid.spanning(duration_ms, dt_ms=dt_ms)
    assert grid.duration_ms <= duration_ms * (1 + 1e-9) + 1e-9
    assert grid.duration_ms + dt_ms > duration_ms


def test_instants_are_multiples_of_dt_without_drift():
    times = TimeGrid(0.06, 8583).times_ms
    assert times[0] == 0.0
    assert times[-1] == 8582 * 0.06
    np.testing.assert_allclose(np.diff(times), 0.06, rtol=1e-9)


@pytest.mark.parametrize("dt_ms", [0.0, -0.06, float("nan"), float("inf")])
def test_a_bad_interval_is_refused(dt_ms: float):
    with pytest.raises(ValueError, match="dt_ms"):
        TimeGrid(dt_ms, 10)


def test_a_grid_needs_two_samples():
    with pytest.raises(ValueError, match="at least 2"):
        TimeGrid(0.06, 1)
    with pytest.raises(ValueError, match="at least 2"):
        TimeGrid.spanning(0.1, dt_ms=0.06)


@pytest.mark.parametrize(("duration_ms", "dt_ms"), [(0.0, 0.06), (-5.0, 0.06), (float("nan"), 0.06), (515.0, 0.0)])
def test_a_bad_span_is_refused(duration_ms: float, dt_ms: float):
    with pytest.raises(ValueError, match="positive and finite"):
        TimeGrid.spanning(duration_ms, dt_ms=dt_ms)


def test_indexing_and_iterating_a_batch_give_its_traces():
    grid = TimeGrid(0.1, 5)
    batch = TraceBatch(grid, np.arange(15.0).reshape(3, 5), -np.arange(15.0).reshape(3, 5), {"made_by": "test"})
    assert len(batch) == len(list(batch)) == 3
    for row, trace in enumerate(batch):
        np.testing.assert_array_equal(trace.voltage_mv, batch.voltage_mv[row])
        np.testing.assert_array_equal(trace.current_na, batch.current_na[row])
        assert trace.provenance == {"made_by": "test"}
        assert trace.grid is grid
    with pytest.raises(IndexError):
        batch[3]


def test_some_traces_are_taken_in_order_and_several_times():
    grid = TimeGrid(0.1, 5)
    batch = TraceBatch(grid, np.arange(15.0).reshape(3, 5), -np.arange(15.0).reshape(3, 5), {"made_by": "test"})
    taken = batch.take([2, 0, 2])
    np.testing.assert_array_equal(taken.voltage_mv[:, 0], [10, 0, 10])
    np.testing.assert_array_equal(taken.current_na, -taken.voltage_mv)
    assert taken.provenance == {"made_by": "test"}
    assert len(batch.take(slice(1, 3))) == 2


def test_joined_batches_hold_all_traces_one_after_the_other():
    grid = TimeGrid(0.1, 5)
    batch = TraceBatch(grid, np.arange(15.0).reshape(3, 5), -np.arange(15.0).reshape(3, 5), {"made_by": "test"})
    joined = TraceBatch.join([batch.take([0]), batch.take([1, 2])])
    np.testing.assert_array_equal(joined.voltage_mv, batch.voltage_mv)
    np.testing.assert_array_equal(joined.current_na, batch.current_na)
    assert joined.provenance == {"made_by": "test"}


def test_batches_that_share_no_grid_are_not_joined():
    one, other = (TraceBatch(TimeGrid(dt_ms, 5), np.zeros((1, 5)), np.zeros((1, 5))) for dt_ms in (0.1, 0.2))
    with pytest.raises(ValueError, match="2 batches on 2 time grids"):
        TraceBatch.join([one, other])
    with pytest.raises(ValueError, match="0 batches"):
        TraceBatch.join([])


@pytest.mark.parametrize("shapes", [((3, 5), (3, 4)), ((3, 4), (3, 4)), ((2, 5), (3, 5)), ((5,), (5,))])
def test_a_batch_off_its_grid_is_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]):
    with pytest.raises(ValueError, match=r"both must be \(batch, 5\)"):
        TraceBatch(TimeGrid(0.1, 5), np.zeros(shapes[0]), np.zeros(shapes[1]))


@pytest.mark.parametrize("field", ["voltage_mv", "current_na"])
def test_a_trace_off_its_grid_is_refused(field: str):
    arrays = {"voltage_mv": np.zeros(5), "current_na": np.zeros(5), field: np.zeros(4)}
    with pytest.raises(ValueError, match=rf"{field} has shape \(4,\)"):
        Trace(TimeGrid(0.1, 5), **arrays)


def test_traces_show_themselves_in_a_line():
    batch = TraceBatch(TimeGrid(0.1, 50), np.zeros((3, 50)), np.zeros((3, 50)))
    assert repr(batch) == "<TraceBatch: 3 traces of 5 ms at dt 0.1 ms>"
    assert repr(batch[0]) == "<Trace: 5 ms at dt 0.1 ms>"
