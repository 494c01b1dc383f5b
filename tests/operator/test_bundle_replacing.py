"""Whatever is killed when, there is a whole bundle under the name, and nothing is left beside it."""

import json
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import numpy as np
import pytest

from noble.operator import FeatureSpec, FnoConfig, Operator
from noble.operator.bundle import replacing, weights_sha256
from noble.traces import TimeGrid

SPEC = FeatureSpec.fit(np.array([[0.1, 100.0], [0.3, 100.0], [0.1, 300.0]]), ("i_thr", "s_thr"), ("nA", "Hz/nA"))
PROGRAM = Path(__file__).with_name("interrupted_saves.py")


def made(seed: int) -> Operator:
    return Operator.build(FnoConfig(layers=1, width=2, modes=4), SPEC, TimeGrid(dt_ms=1.0, count=8), seed=seed)


def hidden(target: Path, suffix: str = "") -> Path:
    return target.with_name(f".{target.name}.{uuid.uuid4().hex}{suffix}")


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory) -> list[dict]:
    """What was found after each of all interrupted saves."""
    if not hasattr(os, "fork"):
        pytest.skip("needs processes that fork")
    command = [sys.executable, str(PROGRAM), str(tmp_path_factory.mktemp("interrupted"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("exchanging", ["at once", "in two steps"])
def test_a_save_may_be_killed_at_any_file_operation(interrupted, exchanging):
    times = [time for time in interrupted if (time["how"], time["exchanging"]) == ("killed", exchanging)]
    assert len(times) > 15
    assert [time["left"] for time in times] == [["bundle"]] * len(times)
    loaded = [time["loaded"] for time in times]
    assert {"old", "new"} == set(loaded)
    assert loaded == sorted(loaded, reverse=True)  # the old one up to some operation, the new one from there
    # In two steps there is a moment without; whoever looks for the bundle then finishes the replacement.
    assert sum(time["free"] for time in times) == (0 if exchanging == "at once" else 1)


@pytest.mark.parametrize("exchanging", ["at once", "in two steps"])
def test_any_file_operation_of_a_save_may_fail(interrupted, exchanging):
    times = [time for time in interrupted if (time["how"], time["exchanging"]) == ("refused", exchanging)]
    assert len(times) > 15
    assert [time["left"] for time in times] == [["bundle"]] * len(times)
    assert not any(time["free"] for time in times)
    assert {True, False} == {time["raised"] for time in times}
    assert all(time["loaded"] == ("old" if time["raised"] else "new") for time in times)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_reader_always_finds_a_whole_bundle(tmp_path, monkeypatch, at_once):
    if not at_once:
        monkeypatch.setattr(replacing, "exchange", lambda one, other: False)
    operators, target, failures = [made(1), made(2)], tmp_path / "bundle", []
    known = {weights_sha256(operator) for operator in operators}
    operators[0].save(target)

    def save_often(operator: Operator) -> None:
        try:
            for _ in range(25):
                operator.save(target)
        except Exception as error:
            failures.append(error)

    writers = [threading.Thread(target=save_often, args=(operator,)) for operator in operators]
    for writer in writers:
        writer.start()
    reads = 0
    while any(writer.is_alive() for writer in writers):
        assert weights_sha256(Operator.load(target)) in known
        reads += 1
    assert failures == []
    assert reads > 0
    Operator.load(target)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_what_older_releases_left_is_swept_and_finished(tmp_path):
    target = tmp_path / "bundle"
    made(1).save(target)
    hidden(target).mkdir()
    (hidden(target, ".old")).mkdir()
    Operator.load(target)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    # A kill between the two renames.
    fresh = hidden(target)
    target.rename(fresh)
    fresh.with_name(fresh.name + ".old").mkdir()
    Operator.load(target)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_only_what_is_ours_is_swept(tmp_path):
    target = tmp_path / "bundle"
    made(1).save(target)
    others = [hidden(target), tmp_path / ".bundle.old", hidden(tmp_path / "other")]
    for folder in others:
        folder.mkdir()
    (others[0] / "thesis.tex").write_text("years of work")
    Operator.load(target)
    made(2).save(target)
    assert all(folder.is_dir() for folder in others)


def test_what_a_process_still_writes_is_not_swept(tmp_path):
    target = tmp_path / "bundle"
    made(1).save(target)
    with replacing.replacing_folder(target) as fresh:
        Operator.load(target)
        assert fresh.is_dir()
        for path in target.iterdir():
            (fresh / path.name).write_bytes(path.read_bytes())
    Operator.load(target)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_link_to_a_bundle_stays_one(tmp_path):
    made(1).save(tmp_path / "first")
    (tmp_path / "best").symlink_to("first")
    made(2).save(tmp_path / "best")
    assert (tmp_path / "best").is_symlink()
    assert weights_sha256(Operator.load(tmp_path / "first")) == weights_sha256(made(2))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")
def test_names_are_exchanged_in_one_step(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not replacing.exchange(tmp_path / "one", tmp_path / "two"):
        pytest.skip("this file system cannot exchange names")
    assert (tmp_path / "one" / "two").exists()
    assert (tmp_path / "two" / "one").exists()
    with pytest.raises(FileNotFoundError):
        replacing.exchange(tmp_path / "one", tmp_path / "three")


def test_what_another_process_has_put_in_place_stays_there(tmp_path, monkeypatch):
    """As if `recover` of another had found the name free and the folder whole, before its own writer took the name."""
    monkeypatch.setattr(replacing, "exchange", lambda one, other: False)
    target = tmp_path / "bundle"
    target.mkdir()
    with replacing.replacing_folder(target) as fresh:
        (fresh / "new").touch()
        target.rmdir()
        fresh.rename(target)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["bundle", "bundle/new"]
