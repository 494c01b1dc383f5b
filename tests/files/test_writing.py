import json
import os
import socket
import subprocess
import sys
import time

import pytest

from noble.files import replacing, sweep_leftovers, write_json, write_text


def test_text_is_written_in_folders_that_did_not_exist(tmp_path):
    write_text(tmp_path / "a" / "b" / "note.txt", "naïve ±5 µm\n")
    assert (tmp_path / "a" / "b" / "note.txt").read_text(encoding="utf-8") == "naïve ±5 µm\n"
    assert os.listdir(tmp_path / "a" / "b") == ["note.txt"]


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "note.txt"
    write_text(path, "long " * 1000)
    write_text(str(path), "short")
    assert path.read_text() == "short"
    assert os.listdir(tmp_path) == ["note.txt"]


@pytest.mark.parametrize("moment", ["write", "rename"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, moment):
    path = tmp_path / "note.txt"
    write_text(path, "old")

    def fail(*args, **kwargs):
        raise OSError("no space left on device")

    if moment == "rename":
        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="no space"):
            write_text(path, "new")
    else:
        with pytest.raises(UnicodeEncodeError):
            write_text(path, "new" * 10_000 + "\ud800")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["note.txt"]


def test_json_reads_back(tmp_path):
    content = {"a": [1, 2.5, None], "b": {"c": "µ"}}
    write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == content
    assert text.endswith("}\n")
    assert text.count("\n") > 5  # one value a line, so that changes can be read


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), object()])
def test_what_json_cannot_hold_is_refused(tmp_path, bad):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises((ValueError, TypeError)):
        write_json(path, {"a": bad})
    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_process_left_is_swept_by_the_next_write_of_the_file(tmp_path):
    host = socket.gethostname().partition(".")[0]
    dead, living = f"{host}-{dead_process()}", f"{host}-{os.getppid()}"
    for name in (f".a.json.{dead}.partial", f".a.json.{living}.partial", f".b.json.{dead}.partial", "a.json.1.partial"):
        (tmp_path / name).touch()
    write_json(tmp_path / "a.json", {})
    kept = {f".a.json.{living}.partial", f".b.json.{dead}.partial", "a.json.1.partial"}
    assert set(os.listdir(tmp_path)) == {"a.json", *kept}
    sweep_leftovers(tmp_path)
    assert set(os.listdir(tmp_path)) == {"a.json", f".a.json.{living}.partial", "a.json.1.partial"}


@pytest.mark.parametrize("owner", ["other-host-1", "1"])  # of another machine, and of a version that named no machine
def test_what_another_machine_left_is_swept_after_a_day(tmp_path, owner):
    leftover = tmp_path / f".a.json.{owner}.partial"
    leftover.touch()
    sweep_leftovers(tmp_path)
    assert leftover.exists()
    os.utime(leftover, (time.time() - 25 * 3600,) * 2)
    sweep_leftovers(tmp_path)
    assert not leftover.exists()


def test_sweeping_a_folder_that_is_not_there(tmp_path):
    sweep_leftovers(tmp_path / "nowhere")


def test_any_file_can_be_replaced(tmp_path):
    path = tmp_path / "new" / "a.bin"
    with replacing(path) as temporary:
        temporary.write_bytes(b"\0\1")
        assert not path.exists()
    assert path.read_bytes() == b"\0\1"

    def half() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError("power is out")

    with pytest.raises(RuntimeError, match="power is out"):
        half()
    assert path.read_bytes() == b"\0\1"
    assert os.listdir(path.parent) == ["a.bin"]
