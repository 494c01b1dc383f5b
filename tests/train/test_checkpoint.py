"""Checkpoints: whole or refused, the newest whole one found, nothing in them executed."""

import hashlib
import io
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from noble.train.checkpoint import (
    BEFORE,
    LAST,
    DamagedCheckpointWarning,
    has_checkpoint,
    newest_whole,
    read_checkpoint,
    write_checkpoint,
)


def state(epoch: int) -> dict:
    generator = torch.Generator().manual_seed(epoch)
    return {"epoch": epoch, "weights": {"a": torch.randn(50, generator=generator)}, "curves": [{"epoch": 1.0}]}


@pytest.fixture
def folder(tmp_path) -> Path:
    """Of a run of three epochs."""
    for epoch in (1, 2, 3):
        write_checkpoint(tmp_path / "checkpoints", state(epoch))
    return tmp_path / "checkpoints"


def test_a_checkpoint_comes_back_and_the_one_before_stays(folder):
    assert sorted(path.name for path in folder.iterdir()) == [BEFORE, LAST]
    for name, epoch in ((LAST, 3), (BEFORE, 2)):
        found = read_checkpoint(folder / name)
        assert (found["epoch"], found["curves"]) == (epoch, [{"epoch": 1.0}])
        assert torch.equal(found["weights"]["a"], state(epoch)["weights"]["a"])


def test_the_newest_is_taken_without_a_word(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = newest_whole(folder)
    assert found is not None
    assert found["epoch"] == 3


def test_without_a_checkpoint_there_is_none(tmp_path):
    assert newest_whole(tmp_path) is None
    assert newest_whole(tmp_path / "absent") is None
    assert not has_checkpoint(tmp_path)


def harmed(content: bytes, kind: int) -> bytes:
    """One of many kinds of damage."""
    generator = np.random.default_rng(kind)
    at = int(generator.integers(len(content)))
    if kind % 3 == 0:
        return content[:at]
    if kind % 3 == 1:
        return content[:at] + bytes([content[at] ^ (1 << int(generator.integers(8)))]) + content[at + 1 :]
    return content[:at] + bytes(len(content) - at)


def test_every_damage_is_found_and_the_one_before_is_taken(folder):
    whole = (folder / LAST).read_bytes()
    for kind in range(120):
        content = harmed(whole, kind)
        assert content != whole
        (folder / LAST).write_bytes(content)
        with pytest.warns(DamagedCheckpointWarning, match=r"last.ckpt is damaged: .*; going on from before.ckpt.$"):
            found = newest_whole(folder)
        assert found is not None
        assert found["epoch"] == 2


def test_a_kill_between_the_two_renames_leaves_the_one_before(folder, monkeypatch):
    """The newest is then only there under its temporary name, which is swept."""
    real, calls = os.replace, []

    def once(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", once)
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(folder, state(4))
    monkeypatch.setattr(os, "replace", real)
    assert [path.name for path in folder.iterdir()] == [BEFORE]
    found = newest_whole(folder)
    assert found is not None
    assert found["epoch"] == 3


def test_a_damaged_checkpoint_never_takes_the_place_of_the_one_before(folder):
    (folder / LAST).write_bytes(b"torn")
    whole = (folder / BEFORE).read_bytes()
    write_checkpoint(folder, state(3))
    assert (folder / BEFORE).read_bytes() == whole
    assert read_checkpoint(folder / LAST)["epoch"] == 3


def test_without_an_undamaged_one_both_are_named(folder):
    (folder / LAST).write_bytes(b"")
    (folder / BEFORE).write_bytes(b"noble")
    with pytest.raises(
        ValueError, match=r"last.ckpt is damaged.* 0 bytes; .*before.ckpt is damaged.* 5 bytes. No checkpoint is left"
    ):
        newest_whole(folder)


def test_a_checkpoint_of_lightning_is_named(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / LAST)
    with pytest.raises(ValueError, match=r"is a checkpoint of Lightning.* No checkpoint is left .* another folder"):
        newest_whole(tmp_path)


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def bomb_in(folder: Path, target: Path) -> Path:
    """A checkpoint with a checksum that is right, and code inside."""
    buffer = io.BytesIO()
    torch.save({"epoch": 1, "weights": Bomb(target)}, buffer)
    payload = buffer.getvalue()
    path = folder / LAST
    path.write_bytes(b"noble checkpoint 1 " + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
    return path


READ = """
import sys
from pathlib import Path
from noble.train.checkpoint import read_checkpoint
try:
    read_checkpoint(Path(sys.argv[1]))
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize("variable", ["", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "both"])
def test_nothing_in_a_checkpoint_is_executed_whatever_torch_is_told(tmp_path, variable):
    target = tmp_path / "executed"
    path = bomb_in(tmp_path, target)
    pickle.loads(pickle.dumps(Bomb(target)))  # the bomb works
    target.unlink()
    names = {"both": ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_WEIGHTS_ONLY_LOAD"]}.get(variable, [variable])
    environment = os.environ | {name: "1" for name in names if name} | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", READ, path], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "holds other things than tensors and numbers" in done.stdout
    assert not target.exists()
