import json

import numpy as np
import pytest

from noble.cli.stimulus_options import read_traces, stimuli_of, write_traces
from noble.protocols import StepProtocol
from noble.stimuli import Chirp, OrnsteinUhlenbeck, Ramp, Sampled, Step
from noble.traces import TimeGrid, TraceBatch

PROTOCOL = StepProtocol(onset_ms=5.0, step_ms=20.0, window_ms=40.0, dt_ms=0.1)


def batch_of(count: int, *, dt_ms: float = 0.06) -> TraceBatch:
    grid = TimeGrid(dt_ms, 200)
    generator = np.random.default_rng(0)
    return TraceBatch(grid, generator.normal(-70, 20, (count, 200)), generator.normal(0, 0.1, (count, 200)))


def test_steps_take_the_protocols_edges_and_the_options_order():
    assert stimuli_of([0.1, -0.2], None, PROTOCOL) == [Step(5.0, 25.0, 0.1), Step(5.0, 25.0, -0.2)]


def test_a_file_holds_one_stimulus_or_a_list(tmp_path):
    one = Ramp(1.0, 9.0, 0.0, 0.2)
    several = [one, Chirp(1.0, 9.0, 0.1), OrnsteinUhlenbeck(1.0, 9.0, 0.1, 0.05, seed=3), one + Step(2.0, 3.0, 0.1)]
    path = tmp_path / "stimulus.json"
    path.write_text(json.dumps(one.to_dict()))
    assert stimuli_of(None, path, PROTOCOL) == [one]
    path.write_text(json.dumps([item.to_dict() for item in several]))
    assert stimuli_of([0.1], path, PROTOCOL) == [Step(5.0, 25.0, 0.1), *several]


def test_samples_in_a_file(tmp_path):
    path = tmp_path / "stimulus.json"
    path.write_text(json.dumps(Sampled(np.array([0.0, 0.1, 0.2]), 1.0).to_dict()))
    (found,) = stimuli_of(None, path, PROTOCOL)
    assert isinstance(found, Sampled)
    assert found.samples_na.tolist() == [0.0, 0.1, 0.2]


def test_nothing_is_not_enough(tmp_path):
    with pytest.raises(ValueError, match="no stimulus was given"):
        stimuli_of(None, None, PROTOCOL)
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ValueError, match=r"bad\.json is not JSON"):
        stimuli_of([0.1], tmp_path / "bad.json", PROTOCOL)
    with pytest.raises(FileNotFoundError, match="no stimulus file"):
        stimuli_of([0.1], tmp_path / "nowhere.json", PROTOCOL)


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
        ("time_ms,voltage_mv_0\n0,1\n1,2\n", "expected time_ms, and current_na_K"),
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
