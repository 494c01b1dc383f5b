import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from noble.files import locked

HOLD = """
import sys
from noble.files import locked
with locked(sys.argv[1], who='noble train'):
    print('held', flush=True)
    sys.stdin.read()
"""


def holder(target) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_the_first_is(tmp_path):
    process = holder(tmp_path / "run")
    try:
        message = (
            rf"run is in use by noble train, process {process.pid} on .* since \d{{4}}-.*; wait for it, or stop it"
        )
        with pytest.raises(ValueError, match=message), locked(tmp_path / "run", who="another"):
            raise AssertionError("both hold the lock")
    finally:
        process.communicate(timeout=20)
    with locked(tmp_path / "run", who="another"):
        assert os.listdir(tmp_path) == [".run.lock"]
    assert os.listdir(tmp_path) == []


def test_a_killed_process_holds_nothing(tmp_path):
    process = holder(tmp_path / "run")
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)
    assert os.listdir(tmp_path) == [".run.lock"]
    with locked(tmp_path / "run", who="another"):
        pass
    assert os.listdir(tmp_path) == []


def taken(target: Path) -> bool:
    """Whether a lock could be had."""
    try:
        with locked(target, who="another"):
            return True
    except ValueError:
        return False


def test_a_forked_child_does_not_hold_the_lock_of_its_dead_parent(tmp_path):
    fork = HOLD.replace(
        "    print",
        "    import os, time\n    if not (child := os.fork()): time.sleep(60)\n"
        "    print(child, file=sys.stderr, flush=True)\n    print",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", fork, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "held\n"
    child = int(process.stderr.readline())
    process.kill()
    process.wait(timeout=20)
    try:
        os.kill(child, 0)  # it lives
        deadline = time.monotonic() + 20  # on a busy machine it lets go a moment later
        while not taken(tmp_path / "run"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        os.kill(child, signal.SIGKILL)


def test_the_lock_ends_with_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="diverged"), locked(tmp_path / "run", who="first"):
        raise RuntimeError("diverged")
    with locked(tmp_path / "run", who="second"):
        pass


def test_the_lock_is_the_same_by_another_name_of_the_folder(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to("run")
    monkeypatch.chdir(tmp_path / "run")
    with locked("../link", who="first"):
        for name in (".", tmp_path / "run"):
            with pytest.raises(ValueError, match="in use by first"), locked(name, who="second"):
                pass
    with locked(tmp_path / "new" / "run", who="a run that does not exist yet"):
        assert not (tmp_path / "new" / "run").exists()


def test_never_two_at_once_however_often_the_lock_changes_hands(tmp_path):
    """The lock file is removed and made anew all the time, which is where such locks go wrong."""
    inside, worst, taken = 0, 0, 0

    def work() -> None:
        nonlocal inside, worst, taken
        for _ in range(300):
            try:
                with locked(tmp_path / "run", who="a thread"):
                    inside += 1
                    time.sleep(0)  # let the others try
                    worst, taken = max(worst, inside), taken + 1
                    inside -= 1
            except ValueError:
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worst == 1
    assert taken > 0
    assert os.listdir(tmp_path) == []
