import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_family import (
    ConstantResponder,
    FakeCell,
    FakeHall,
    FakeModel,
    OhmicResponder,
    ShapeResponder,
    SpikingResponder,
    small_config,
)

from noble.cells import Cell, HallModel, HallOfFame, MorphologySource, Parameter
from noble.data import (
    AmplitudeConfig,
    StimulusLaw,
    StimulusMix,
    Store,
    TraceCounts,
    check_store,
    generate,
    register_law,
)
from noble.data.laws import LAWS
from noble.data.plan import draw_plan
from noble.data.writing import store_attributes
from noble.jobs import Pool
from noble.simulators import ArborFactory
from noble.spikes import SpikeTrains
from noble.stimuli import Chirp, Sampled, Step, Stimulus, Sum

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


def attributes_of(path: Path):
    return json.loads((path / "zarr.json").read_text())["attributes"]


def written_chunks(path: Path) -> set[int]:
    folder = path / "parts/0/voltage/c"
    return {int(entry.name) for entry in folder.iterdir() if (entry / "0").is_file()} if folder.is_dir() else set()


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
    before = {chunk: (path / f"parts/0/voltage/c/{chunk}/0").stat() for chunk in kept}
    calls_before = log.read_text().splitlines()

    first = []
    store = make(path, responder_factory=OhmicResponder(str(log)), progress=lambda done, total: first.append(done))
    assert first[0] == 4 * len(kept)
    after = {chunk: (path / f"parts/0/voltage/c/{chunk}/0").stat() for chunk in kept}
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
    chunk = tmp_path / "a.zarr/parts/0/voltage/c/5/0"
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
    (tmp_path / "a.zarr/parts/0/voltage/c/5/0").unlink()
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


def test_a_crashed_worker_is_replaced(tmp_path):
    responder = OhmicResponder(die_once=str(tmp_path / "died"))
    make(tmp_path / "a.zarr", small_config(workers=2), responder_factory=responder)
    assert (tmp_path / "died").exists()
    assert check_store(tmp_path / "a.zarr") == []


def test_workers_that_keep_crashing_end_in_one_sentence(tmp_path):
    message = r"samples \d+ to \d+ could not be simulated \(its worker process died \(attempt 3 of 3\).* of 40 traces"
    with pytest.raises(ChildProcessError, match=message):
        make(tmp_path / "a.zarr", small_config(workers=2), responder_factory=OhmicResponder(die_always=True))


def test_a_simulator_that_hangs_is_ended(tmp_path):
    with (
        Pool(workers=1, timeout_s=0.5, attempts=1) as pool,
        pytest.raises(ChildProcessError, match=r"it took longer than 0\.5 s.*0 of 40 traces are written and kept"),
    ):
        make(tmp_path / "a.zarr", responder_factory=OhmicResponder(sleep_s=60.0), pool=pool)


def test_an_answer_of_another_shape_is_refused(tmp_path):
    for grid_change, rows in ((1, 0), (0, 1), (-1, 0)):
        with pytest.raises(
            ValueError, match=r"answered 4 stimuli with voltages of shape .*; expected \(4, 530\)"
        ) as caught:
            make(tmp_path / "a.zarr", responder_factory=ShapeResponder(grid_change, rows))
        assert "\n" not in str(caught.value)
    assert written_chunks(tmp_path / "a.zarr") == set()


def test_nothing_to_simulate_with_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="give a responder_factory"):
        make(tmp_path / "a.zarr", responder_factory=None)
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_writes_the_same_bytes(tmp_path):
    pytest.importorskip("distributed")
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Pool(address=cluster.scheduler_address) as pool,
    ):
        make(tmp_path / "cluster.zarr", pool=pool)
    make(tmp_path / "here.zarr")
    assert contents(tmp_path / "cluster.zarr") == contents(tmp_path / "here.zarr")


def test_a_store_in_memory_is_the_same_store(tmp_path):
    import fsspec

    url = f"memory://{tmp_path.name}/a.zarr"
    store = make(url)
    here = make(tmp_path / "a.zarr")
    assert check_store(url) == []
    assert store.digest == here.digest
    assert np.array_equal(store.voltage_mv(range(40)), here.voltage_mv(range(40)))
    files = fsspec.filesystem("memory")
    names = {name.partition("a.zarr/")[2]: files.cat_file(name) for name in files.find(f"/{tmp_path.name}/a.zarr")}
    assert names == contents(tmp_path / "a.zarr")
    # Cut short, it is finished; another configuration is refused; more can be added.
    files.rm_file(f"/{tmp_path.name}/a.zarr/parts/0/voltage/c/3/0")
    files.rm(f"/{tmp_path.name}/a.zarr/parts/0/index", recursive=True)
    with pytest.raises(ValueError, match="9 of 10 chunks"):
        Store.open(url)
    assert len(make(url)) == 40
    with pytest.raises(ValueError, match=r"config\.seed"):
        make(url, small_config(seed=8))
    assert len(make(url, small_config(seed=8), append=True)) == 80
    assert check_store(url) == []


# --- more parts


def test_more_traces_can_be_added(tmp_path):
    path, first = tmp_path / "a.zarr", make(tmp_path / "a.zarr")
    before = contents(path)
    more = small_config(seed=8, traces=TraceCounts(train=5, validation=0, test=1, unseen_models=0), chunk_traces=3)
    seen = []
    both = make(path, more, append=True, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 6), (3, 6), (6, 6)]
    alone = make(tmp_path / "b.zarr", more)
    assert {name: content for name, content in contents(path).items() if name in before} == before
    assert len(both) == 46
    assert both.indices("train").tolist() == [*range(20), *range(40, 45)]
    order = np.array([45, 0, 41, 39, 40])
    expected = np.concatenate([first.voltage_mv(range(40)), alone.voltage_mv(range(6))])
    assert np.array_equal(both.voltage_mv(order), expected[order])
    assert np.array_equal(both.spikes(range(46)).counts, np.zeros(46))
    assert both.stimulus(44) == alone.stimulus(4)
    assert [rows.tolist() for rows in both.by_chunk([39, 38, 40, 43, 45])] == [[38, 39], [40], [43, 45]]
    assert check_store(path) == []
    assert both.digest != first.digest
    assert both.attributes["appended"][0]["seed"] == 8
    # The same again is done already, with or without saying so.
    whole = contents(path)
    assert len(make(path, more, append=True, responder_factory=None)) == 46
    assert len(make(path, more, responder_factory=None)) == 46
    assert contents(path) == whole


def test_an_addition_that_was_cut_short_is_finished(tmp_path):
    path, more = tmp_path / "a.zarr", small_config(seed=8)
    make(path)

    def stop(done, total):
        if done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(path, more, append=True, progress=stop)
    with pytest.raises(ValueError, match=r"parts/1 is cut short: 3 of 10"):
        Store.open(path)
    with pytest.raises(ValueError, match=r"parts/1 is not finished"):
        make(path, small_config(seed=9), append=True)
    make(path, more, append=True)
    make(tmp_path / "b.zarr")
    make(tmp_path / "b.zarr", more, append=True)
    assert contents(path) == contents(tmp_path / "b.zarr")


@pytest.mark.parametrize(
    ("config", "hall", "message"),
    [
        (small_config(seed=8, step_ms=300.0), FakeHall(), r"protocol\.step_ms = 400\.0 but this run has 300\.0"),
        (small_config(seed=8), FakeHall(digest="1" * 64), r"hall\.digest"),
        (
            small_config(traces=TraceCounts(train=0, validation=0, test=40, unseen_models=0)),
            FakeHall(),
            "26 test samples",
        ),
    ],
)
def test_what_does_not_belong_is_not_added(tmp_path, config, hall, message):
    make(tmp_path / "a.zarr")
    before = contents(tmp_path / "a.zarr")
    with pytest.raises(ValueError, match=message):
        generate(config, hall, tmp_path / "a.zarr", responder_factory=OhmicResponder(), append=True)
    assert contents(tmp_path / "a.zarr") == before


# --- any stimulus


class Recorded(StimulusLaw):
    """One of two recorded currents, or a sum, scaled to the amplitude."""

    def draw(self, amplitude_na: float, *, rheobase_na: float, seed: int, config) -> Stimulus:
        shape = 0.3 * np.sin(np.arange(200) * (0.1 + 0.1 * (seed % 2)))
        recorded = Sampled(shape, 1.0, config.onset_ms)
        return recorded if seed % 3 else Sum((amplitude_na * recorded, Chirp(15.0, 100.0, 0.1)))


def test_stimuli_of_any_kind_are_drawn_kept_and_read(tmp_path, monkeypatch):
    monkeypatch.setattr("noble.data.laws.LAWS", dict(LAWS))
    register_law("recorded", Recorded())
    with pytest.raises(ValueError, match="a share recorded of stimuli is already known"):
        register_law("recorded", Recorded())
    traces = TraceCounts(train=40, validation=0, test=0, unseen_models=0)
    config = small_config(mix=StimulusMix.model_validate({"step": 1, "recorded": 3}), traces=traces)
    store = make(tmp_path / "a.zarr", config)
    kinds = [type(store.stimulus(row)) for row in range(40)]
    assert {Step, Sampled, Sum} == set(kinds)
    assert len(store.plan.stimuli.payloads) == 2 + kinds.count(Sum)  # a recording is kept once
    resistance = FakeHall().feature_table(["input_resistance"])[store.model_index]
    current = np.stack([store.stimulus(row).sample(store.grid) for row in range(40)])
    assert np.abs(store.voltage_mv(range(40)) - (-80 + resistance * current)).max() < 0.005
    assert check_store(tmp_path / "a.zarr") == []
    assert draw_plan(config, FakeHall()).digest == store.plan.digest
    # Parts of different kinds go together.
    both = make(tmp_path / "a.zarr", small_config(seed=8), append=True)
    assert [both.stimulus(row).to_dict() for row in (0, 39)] == [store.stimulus(row).to_dict() for row in (0, 39)]
    assert check_store(tmp_path / "a.zarr") == []


def test_spikes_are_those_of_the_stored_voltages(tmp_path):
    store = make(tmp_path / "a.zarr", responder_factory=SpikingResponder())
    voltage = store.voltage_mv(range(40))
    found = SpikeTrains.detect(voltage, dt_ms=1.0)
    assert found.times_ms.size > 40
    rows = [7, 3, 3, 39]
    assert [train.tolist() for train in store.spikes(rows)] == [found[row].tolist() for row in rows]
    assert np.array_equal(store.read(rows).spikes.times_ms, store.spikes(rows).times_ms)


def test_a_claim_of_many_rows_is_refused_at_once(tmp_path):
    make(tmp_path / "a.zarr")
    for name in ("parts/0/model_index", "parts/0/stimulus_parameters", "parts/0/voltage", "model_features"):
        path = shutil.copytree(tmp_path / "a.zarr", tmp_path / "copy.zarr")
        content = json.loads((path / name / "zarr.json").read_text())
        content["shape"][0] = 10**9
        if not name.endswith("voltage"):
            content["chunk_grid"]["configuration"]["chunk_shape"][0] = 10**9
        (path / name / "zarr.json").write_text(json.dumps(content))
        started = time.monotonic()
        with pytest.raises(ValueError, match=r"claims|another number|has shape|other"):
            Store.open(path)
        assert time.monotonic() - started < 5
        shutil.rmtree(path)


def test_attributes_are_as_specified(tmp_path):
    """The golden file is the format: if this fails, either the change is a mistake or the schema version must rise."""
    store = make(tmp_path / "a.zarr")
    written = {**attributes_of(store.path), **attributes_of(store.path / "parts/0")}
    assert store.attributes == written
    attributes = {key: value for key, value in written.items() if key != "versions"}
    assert attributes == json.loads(GOLDEN.read_text())
    assert {"numpy", "zarr", "python"} <= set(store.attributes["versions"])
    # What seals a part has not changed since schema version 2, or stores of then no longer open.
    assert store.parts[0].index is not None
    assert store.parts[0].index.sealed == "7e82315e206e53bb67ad1d04188f0d8d563a42d82455c4fec3e30475a0a678b1"


def test_the_default_simulator_can_go_to_a_worker():
    factory = ArborFactory(0.02, "somewhere")
    assert pickle.loads(pickle.dumps(factory)) == factory


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
        factory = ArborFactory.for_hall(hall, simulation_dt_ms=0.5)
        generate(ball_config(workers), hall, tmp_path / f"{workers}.zarr", responder_factory=factory)
    assert contents(tmp_path / "1.zarr") == contents(tmp_path / "2.zarr")

    swc.unlink()
    generate(ball_config(2), hall, tmp_path / "2.zarr")  # finished: the morphology is not needed
    with pytest.raises(FileNotFoundError, match=r"only_the_parent_knows\.swc was not found"):
        ArborFactory.for_hall(hall, simulation_dt_ms=0.5)


def test_a_feature_that_is_not_finite_is_refused_before_anything_is_simulated(tmp_path):
    hall = FakeHall()
    models = (*hall.models[:3], FakeModel({**hall.models[3].features, "fi_gain": float("nan")}), *hall.models[4:])
    log = tmp_path / "calls.txt"
    with pytest.raises(ValueError, match="hall balls has fi_gain = nan for model 3"):
        generate(
            small_config(), FakeHall(models=models), tmp_path / "a.zarr", responder_factory=OhmicResponder(str(log))
        )
    assert list(tmp_path.iterdir()) == []


def test_a_store_knows_the_current_that_its_models_are_held_by() -> None:
    held = replace(FakeHall(), cell=FakeCell(holding_na=0.02))
    assert store_attributes(small_config(), held)["hall"]["holding_na"] == 0.02  # type: ignore[arg-type]
    assert "holding_na" not in store_attributes(small_config(), FakeHall())["hall"]  # type: ignore[arg-type]
