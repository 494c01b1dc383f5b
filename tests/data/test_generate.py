import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fake_family import ConstantResponder, FakeHall, FakeModel, OhmicResponder, small_config

from noble.cells import Cell, HallModel, HallOfFame, MorphologySource, Parameter
from noble.data import AmplitudeConfig, StimulusMix, Store, TraceCounts, check_store, generate
from noble.data.generate import ArborFactory
from noble.data.schema import written_chunks
from noble.data.workers import Job, run_pool
from noble.stimuli import Step

GOLDEN = Path(__file__).parent / "golden_store_attributes.json"

KILLED_RUN = """
import sys
from fake_family import FakeHall, OhmicResponder, small_config
from noble.data import generate

if __name__ == "__main__":
    generate(small_config(workers=2), FakeHall(), sys.argv[1], responder_factory=OhmicResponder(sys.argv[2], 0.5))
"""


def make(path, config=None, **options):
    options = {"responder_factory": OhmicResponder(), **options}
    return generate(config or small_config(), FakeHall(), path, **options)


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def test_round_trip(tmp_path):
    mix = StimulusMix(step=1, ramp=1, chirp=1, ornstein_uhlenbeck=1)
    seen = []
    config = small_config(mix=mix)
    store = make(tmp_path / "a.zarr", config, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 40) for done in range(0, 41, 4)]
    everything = np.arange(len(store))
    resistance = FakeHall().feature_table(["input_resistance"])[store.model_index]
    current = np.stack([store.stimulus(index).sample(store.grid) for index in everything])
    assert np.abs(store.voltage_mv(everything) - (-80 + resistance * current)).max() < 0.005
    assert np.array_equal(store.current_na(everything), current.astype(np.float32))
    assert store.feature_names == ("rheobase", "fi_gain", "input_resistance")
    assert store.feature_units == ("nA", "Hz/nA", "MOhm")
    assert np.array_equal(store.feature_table, FakeHall().feature_table(store.feature_names))
    assert check_store(tmp_path / "a.zarr") == []
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


def test_workers_do_not_change_a_byte(tmp_path):
    make(tmp_path / "one.zarr")
    make(tmp_path / "two.zarr", small_config(workers=2))
    assert contents(tmp_path / "one.zarr") == contents(tmp_path / "two.zarr")


def test_kill_loses_nothing_and_repeats_nothing(tmp_path):
    path, log = tmp_path / "killed.zarr", tmp_path / "calls.txt"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    script = tmp_path / "run.py"
    script.write_text(KILLED_RUN)
    process = subprocess.Popen([sys.executable, str(script), str(path), str(log)], env=environment)
    wait_until(lambda: len(written_chunks(path)) >= 3, "three chunks")
    process.send_signal(signal.SIGKILL)
    process.wait()
    workers = {int(line.split()[0]) for line in log.read_text().splitlines()}
    wait_until(lambda: not any(alive(pid) for pid in workers), "the orphaned workers to end")
    kept = written_chunks(path)
    assert 3 <= len(kept) < 10
    with pytest.raises(ValueError, match=rf"{len(kept)} of 10 chunks.*run noble generate again"):
        Store.open(path)
    assert any("missing" in problem for problem in check_store(path))
    before = {chunk: (path / f"voltage/c/{chunk}/0").stat() for chunk in kept}
    calls_before = log.read_text().splitlines()

    first = []
    store = make(path, responder_factory=OhmicResponder(str(log)), progress=lambda done, total: first.append(done))
    assert first[0] == 4 * len(kept)
    after = {chunk: (path / f"voltage/c/{chunk}/0").stat() for chunk in kept}
    assert {chunk: (s.st_ino, s.st_mtime_ns) for chunk, s in before.items()} == {
        chunk: (s.st_ino, s.st_mtime_ns) for chunk, s in after.items()
    }
    calls_after = [float(line.split()[1]) for line in log.read_text().splitlines()[len(calls_before) :]]
    expected = [store.stimulus(4 * chunk).amplitude_na for chunk in range(10) if chunk not in kept]  # type: ignore[attr-defined]
    assert calls_after == expected
    make(tmp_path / "whole.zarr")
    assert contents(path) == contents(tmp_path / "whole.zarr")


def wait_until(condition, what: str, *, timeout_s: float = 90.0) -> None:
    stop = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < stop, f"waited {timeout_s} s for {what}"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_finished_store_is_left_alone(tmp_path):
    make(tmp_path / "a.zarr")
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "a.zarr").rglob("*")}
    make(tmp_path / "a.zarr", responder_factory=None)  # nothing to do, so no simulator is made either
    assert before == {file: file.stat().st_mtime_ns for file in (tmp_path / "a.zarr").rglob("*")}


def test_half_written_files_are_swept(tmp_path):
    make(tmp_path / "a.zarr")
    whole = contents(tmp_path / "a.zarr")
    chunk = tmp_path / "a.zarr/voltage/c/5/0"
    chunk.rename(chunk.with_name("0.abc.partial"))
    make(tmp_path / "a.zarr")
    assert contents(tmp_path / "a.zarr") == whole


@pytest.mark.parametrize(
    ("config", "hall", "key"),
    [
        (small_config(seed=8), FakeHall(), "config.seed = 7 but this run has 8"),
        (small_config(amplitude=AmplitudeConfig(high_na=0.3)), FakeHall(), "config.amplitude.high_na = 0.28"),
        (small_config(), FakeHall(digest="1" * 64), "hall.digest"),
    ],
)
def test_another_configuration_or_hall_is_refused_and_nothing_touched(tmp_path, config, hall, key):
    make(tmp_path / "a.zarr")
    (tmp_path / "a.zarr/voltage/c/5/0").unlink()
    before = contents(tmp_path / "a.zarr")
    with pytest.raises(ValueError, match=key):
        generate(config, hall, tmp_path / "a.zarr", responder_factory=OhmicResponder())
    assert contents(tmp_path / "a.zarr") == before


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(ValueError, match="not a readable Zarr group"):
        make(tmp_path)
    assert contents(tmp_path) == {"mine.txt": b"precious"}


def test_two_runs_do_not_write_one_store(tmp_path):
    def inner(done, total):
        if done == 8:
            with pytest.raises(ValueError, match="another run is writing"):
                make(tmp_path / "a.zarr")
            refused.append(done)

    refused: list[int] = []
    make(tmp_path / "a.zarr", progress=inner)
    assert refused == [8]


@pytest.mark.parametrize(
    ("workers", "voltage_mv", "message"),
    [(1, float("nan"), "NaN or infinite"), (2, float("nan"), "NaN or infinite"), (1, 200.0, "200 mV")],
)
def test_a_voltage_that_cannot_be_stored_names_its_sample(tmp_path, workers, voltage_mv, message):
    with pytest.raises(ValueError, match=rf"sample \d+, model \d \(balls/\d\), Step\(.*{message}"):
        make(tmp_path / "a.zarr", small_config(workers=workers), responder_factory=ConstantResponder(voltage_mv))
    assert written_chunks(tmp_path / "a.zarr") == set()


def test_a_crashed_worker_is_replaced_once(tmp_path):
    responder = OhmicResponder(die_once=str(tmp_path / "died"))
    make(tmp_path / "a.zarr", small_config(workers=2), responder_factory=responder)
    assert (tmp_path / "died").exists()
    assert check_store(tmp_path / "a.zarr") == []


def test_workers_that_keep_crashing_end_in_one_sentence(tmp_path):
    with pytest.raises(OSError, match=r"died twice.*0 of 40 traces"):
        make(tmp_path / "a.zarr", small_config(workers=2), responder_factory=OhmicResponder(die_always=True))


def test_attributes_are_as_specified(tmp_path):
    """The golden file is the format: if this fails, either the change is a mistake or the schema version must rise."""
    store = make(tmp_path / "a.zarr")
    attributes = {key: value for key, value in store.attributes.items() if key != "versions"}
    assert attributes == json.loads(GOLDEN.read_text())
    assert {"numpy", "zarr", "python"} <= set(store.attributes["versions"])


def test_the_default_simulator_can_go_to_a_worker():
    factory = ArborFactory(0.02, "somewhere")
    assert pickle.loads(pickle.dumps(factory)) == factory


def test_only_two_chunks_a_worker_are_under_way():
    """So memory does not grow with the number of chunks."""
    config, hall, under_way, most = small_config(), FakeHall(), 0, 0

    def jobs():
        nonlocal under_way, most
        for chunk in range(30):
            under_way += 1
            most = max(most, under_way)
            yield Job(chunk, chunk, (0,), (Step(15, 415, 0.1),))

    def write(job, codes):
        nonlocal under_way
        under_way -= 1
        assert codes.dtype == np.int16

    run_pool(jobs(), 2, (OhmicResponder(), hall, config.window.simulated_grid), write)
    assert under_way == 0
    assert most == 4


def ball_hall(swc: Path) -> HallOfFame:
    """Two passive models on an SWC file."""
    cell = Cell(
        "ball",
        MorphologySource.from_swc(swc, axon="keep"),
        parameters=(Parameter("g_pas", "all", 1e-5, 1e-3),),
        fixed={"cm.all": 1.0, "Ra.all": 100.0, "e_pas.all": -80.0},
    )
    models = tuple(HallModel({"g_pas.all": 1e-4 * (index + 1)}, {"rheobase": 0.1}, 0.0, 0) for index in range(2))
    return HallOfFame("balls", cell, models)


def ball_config(workers: int):
    window = {"onset_ms": 5.0, "step_ms": 20.0, "window_ms": 40.0, "tail_margin_ms": 0.0}
    traces = TraceCounts(train=2, validation=0, test=0, unseen_models=0)
    amplitude = AmplitudeConfig(low_na=-0.1, high_na=0.2)
    return small_config(workers=workers, traces=traces, amplitude=amplitude, chunk_traces=1, **window)


def test_a_morphology_that_only_the_parent_knows_reaches_every_worker(tmp_path, monkeypatch):
    monkeypatch.delenv("NOBLE_DATA", raising=False)
    swc = tmp_path / "elsewhere" / "only_the_parent_knows.swc"
    swc.parent.mkdir()
    swc.write_text("1 1 0 0 0 5 -1\n2 3 6 0 0 1 1\n3 3 30 0 0 1 2\n")
    hall = ball_hall(swc)
    for workers in (1, 2):
        generate(ball_config(workers), hall, tmp_path / f"{workers}.zarr")
    assert contents(tmp_path / "1.zarr") == contents(tmp_path / "2.zarr")

    swc.unlink()
    generate(ball_config(2), hall, tmp_path / "2.zarr")  # finished: the morphology is not needed
    with pytest.raises(FileNotFoundError, match=r"only_the_parent_knows\.swc was not found"):
        generate(ball_config(2), hall, tmp_path / "3.zarr")
    assert not (tmp_path / "3.zarr").exists()


def test_a_feature_that_is_not_finite_is_refused_before_anything_is_simulated(tmp_path):
    hall = FakeHall()
    models = (*hall.models[:3], FakeModel({**hall.models[3].features, "fi_gain": float("nan")}), *hall.models[4:])
    log = tmp_path / "calls.txt"
    with pytest.raises(ValueError, match="hall balls has fi_gain = nan for model 3"):
        generate(
            small_config(), FakeHall(models=models), tmp_path / "a.zarr", responder_factory=OhmicResponder(str(log))
        )
    assert list(tmp_path.iterdir()) == []
