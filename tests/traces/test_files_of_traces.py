"""Traces survive a file, and tables of other programs are read or refused."""

import numpy as np
import pytest

from noble.traces import TimeGrid, TraceBatch
from noble.traces.files import read_timed_traces, read_traces, write_traces


def batch_of(count: int, *, dt_ms: float = 0.06) -> TraceBatch:
    grid = TimeGrid(dt_ms, 200)
    generator = np.random.default_rng(0)
    return TraceBatch(grid, generator.normal(-70, 20, (count, 200)), generator.normal(0, 0.1, (count, 200)))


@pytest.mark.parametrize("dt_ms", [0.06, 0.02, 1 / 3])
@pytest.mark.parametrize("count", [1, 3])
def test_traces_survive_a_file(tmp_path, count, dt_ms):
    batch = batch_of(count, dt_ms=dt_ms)
    write_traces(batch, tmp_path / "traces.csv")
    found = read_traces(tmp_path / "traces.csv")
    assert found.grid.count == 200
    assert found.grid.dt_ms == pytest.approx(dt_ms, rel=1e-6)
    np.testing.assert_allclose(found.voltage_mv, batch.voltage_mv, rtol=1e-6)
    np.testing.assert_allclose(found.current_na, batch.current_na, rtol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["traces.csv"]


def test_tables_of_other_programs_are_read(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("voltage_mv, time_ms, note, current_na\n-70,0,1,0.1\n-69,0.5,2,0.2\n-68,1.0,3,0.3\n")
    found = read_traces(path)
    assert found.grid == TimeGrid(0.5, 3)
    assert found.voltage_mv.tolist() == [[-70, -69, -68]]
    assert found.current_na.tolist() == [[0.1, 0.2, 0.3]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected time_ms"),
        ("time_ms,voltage_mv_0\n0,1\n1,2\n", "expected time_ms, and a voltage and a current a sweep with their units"),
        ("time_ms,current_na,voltage_mv\n0,0,0\n", "not uniform"),
        ("time_ms,current_na,voltage_mv\n1,0,0\n0,0,0\n-1,0,0\n", "not uniform"),
        ("time_ms,current_na,voltage_mv\n0,0\n1,0\n", "rows of 2 numbers under 3 names"),
    ],
    ids=["empty", "no current", "one sample", "backwards", "ragged"],
)
def test_a_table_that_is_wrong(tmp_path, text, message):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_traces(tmp_path / "bad.csv")


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.csv; write one with `noble simulate"):
        read_traces(tmp_path / "none.csv")


def test_the_time_of_the_first_sample_is_kept(tmp_path):
    path = tmp_path / "late.csv"
    path.write_text("\ufefftime (s);V [mV];I [pA]\n0,02;-70;0\n0,0201;-70;100\n0,0202;-69;100\n")
    batch, start_ms = read_timed_traces(path)
    assert (start_ms, batch.grid) == (20.0, TimeGrid(0.1, 3))
    np.testing.assert_allclose(batch.current_na, [[0.0, 0.1, 0.1]])


def test_nan_is_named_with_its_time(tmp_path):
    path = tmp_path / "holes.csv"
    path.write_text("time_ms,current_na,voltage_mv\n20,0,-70\n20.1,0,nan\n20.2,0,-70\n")
    with pytest.raises(ValueError, match=r"has a voltage at 20\.1 ms that is not finite"):
        read_traces(path)
