"""The folder of a run: one process at a time, and only the run that it holds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from spiking_family import TINY_FNO, training

from noble.files import locked
from noble.train import OptimiserConfig, TrainConfig, fit
from noble.train.checkpoint import DamagedCheckpointWarning
from noble.train.folder import other_settings, run_folder

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:lightning_fabric")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_second_training_is_refused_and_told_who_trains(store_path, tmp_path):
    folder, config = tmp_path / "run", training(epochs=1)
    fit(config, store_path, folder)
    before = contents(folder)
    with locked(folder, who="noble train"):
        for other in (config, training(epochs=1, seed=9)):
            for resume in (False, True):
                with pytest.raises(
                    ValueError, match=rf"run is in use by noble train, process {os.getpid()} on .* since "
                ):
                    fit(other, store_path, folder, resume=resume)
    assert contents(folder) == before
    fit(config, store_path, folder, resume=True)


def test_a_run_that_fails_gives_its_folder_back(store_path, tmp_path):
    def fail(done, total, values):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fit(training(epochs=2), store_path, tmp_path / "run", progress=fail)
    fit(training(epochs=2), store_path, tmp_path / "run", resume=True)


HOLD = """
import os, signal, sys
from pathlib import Path
from spiking_family import training
from noble.train.folder import run_folder

with run_folder(Path(sys.argv[1]), training(), "d", resume=True):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_gives_its_folder_back(tmp_path):
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    done = subprocess.run([sys.executable, "-c", HOLD, tmp_path / "run"], env=os.environ | {"PYTHONPATH": path})
    assert done.returncode == -9
    with run_folder(tmp_path / "run", training(), "d", resume=True):
        pass


def test_a_run_with_a_torn_checkpoint_goes_on_from_the_one_before(store_path, tmp_path):
    config = training(epochs=4)
    whole = fit(config, store_path, tmp_path / "whole")
    fit(config, store_path, tmp_path / "torn")
    last = tmp_path / "torn" / "checkpoints" / "last.ckpt"
    expected = last.read_bytes()
    last.write_bytes(expected[: len(expected) // 2])
    seen: list[int] = []
    with pytest.warns(DamagedCheckpointWarning, match=r"last.ckpt is damaged"):
        resumed = fit(config, store_path, tmp_path / "torn", resume=True, progress=lambda done, *_: seen.append(done))
    assert seen == [4]
    assert all((value == resumed.state_dict()[name]).all() for name, value in whole.state_dict().items())


def test_a_checkpoint_of_another_run_is_one_sentence(store_path, tmp_path):
    for name, operator in (("one", TINY_FNO), ("two", training().operator)):
        fit(training(operator=operator, epochs=1), store_path, tmp_path / name)
    source, target = (tmp_path / name / "checkpoints" / "last.ckpt" for name in ("one", "two"))
    target.write_bytes(source.read_bytes())
    with pytest.raises(ValueError, match="is of another run"):
        fit(training(epochs=1), store_path, tmp_path / "two", resume=True)


def test_a_training_that_diverges_says_so_and_keeps_the_epoch_before(store_path, tmp_path):
    wild = OptimiserConfig(name="adam", schedule="plateau", learning_rate=1e30, clip_norm=None)
    with pytest.raises(ValueError, match=r"diverged in epoch 1: .* lower optimiser.learning_rate \(it is 1e\+30\)"):
        fit(training(operator=TINY_FNO, optimiser=wild), store_path, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize(("accelerator", "devices"), [("foo", 1), ("cpu", 0), ("cpu", "x"), ("tpu", 1)])
def test_devices_that_are_not_there_are_refused_before_anything_is_written(store_path, tmp_path, accelerator, devices):
    with pytest.raises(
        ValueError, match=rf"accelerator '{accelerator}' with devices {devices!r} is not to be had here"
    ):
        fit(training(), store_path, tmp_path / "run", accelerator=accelerator, devices=devices)
    assert not (tmp_path / "run").exists()


def test_a_run_without_a_finite_score_is_refused(store_path, tmp_path, monkeypatch):
    monkeypatch.setattr("noble.train.learner.validation_summary", lambda rows: {"score": float("nan")})
    with pytest.raises(ValueError, match=r"no epoch of the run in .*run predicts voltages that are finite"):
        fit(training(epochs=1), store_path, tmp_path / "run")


def test_what_a_record_lacks_was_as_the_default_is(tmp_path):
    config, folder = TrainConfig(epochs=2, validate_every=2), tmp_path / "run"
    with run_folder(folder, config, "digest", resume=False):
        pass
    assert other_settings(folder, config, "digest") == []
    assert other_settings(folder, config.model_copy(update={"seed": 3}), "other") == ["seed", "store_digest"]
    record = json.loads((folder / "train.json").read_text())
    for key in ("memory_gb", "models"):
        del record[key]
    (folder / "train.json").write_text(json.dumps(record))
    assert other_settings(folder, config, "digest") == []
    assert other_settings(folder, config.model_copy(update={"memory_gb": 3.0}), "digest") == ["memory_gb"]
    (folder / "train.json").write_text(json.dumps({**record, "colour": 1}))
    assert other_settings(folder, config, "digest") == ["colour"]


@pytest.mark.parametrize("text", ["", "[1]", "{", "nothing"])
def test_a_damaged_record_is_one_sentence(tmp_path, text):
    with run_folder(tmp_path / "run", training(), "d", resume=False):
        pass
    (tmp_path / "run" / "train.json").write_text(text)
    with (
        pytest.raises(ValueError, match=r"train.json is not the record of a training run"),
        run_folder(tmp_path / "run", training(), "d", resume=True),
    ):
        pass


def test_a_folder_with_somebody_elses_checkpoints_is_left_alone(tmp_path):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "mine.pt").write_text("mine")
    with (
        pytest.raises(ValueError, match="of no run of ours"),
        run_folder(tmp_path / "run", training(), "d", resume=False),
    ):
        pass
    assert contents(tmp_path / "run") == {"checkpoints/mine.pt": b"mine"}
