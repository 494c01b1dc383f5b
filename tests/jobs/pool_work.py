"""Work for the processes of a pool: small, and fatal where a test wants it. Each call leaves a line `pid item` in a log."""

import os
import pickle
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path


def note(log: str, item: int) -> None:
    with open(log, "a") as file:
        file.write(f"{os.getpid()} {item}\n")


def calls(log: Path) -> list[tuple[int, int]]:
    """Process and item of every call."""
    return [(int(pid), int(item)) for pid, item in map(str.split, log.read_text().splitlines())]


def square(log: str, item: int) -> int:
    note(log, item)
    return item**2


def square_later(log: str, item: int) -> int:
    """The first items take the longest."""
    note(log, item)
    time.sleep(max(0.0, 0.3 - 0.1 * item))
    return item**2


def square_with_exceptions(log: str, item: int) -> int:
    note(log, item)
    if item == 3:
        raise ValueError("three is out of the question")
    if item == 4:
        sys.exit(5)
    return item**2


def die_at_three(log: str, item: int) -> int:
    note(log, item)
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item**2


def die_at_three_once(log: str, item: int) -> int:
    note(log, item)
    if item == 3 and [other for _, other in calls(Path(log))].count(3) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item**2


def square_interrupted(log: str, item: int) -> int:
    note(log, item)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
    return item**2


def sleep_at_three(log: str, item: int) -> int:
    note(log, item)
    if item == 3:
        time.sleep(3600)
    return item**2


def stop_at_three(log: str, item: int) -> int:
    note(log, item)
    if item == 3:
        os.kill(os.getpid(), signal.SIGSTOP)
    return item**2


def search_at_three(log: str, item: int) -> int:
    """Never comes back from C, and lets no other thread of Python run."""
    note(log, item)
    if item == 3:
        re.match(r"(a+)+$", "a" * 60 + "b")
    return item**2


def threads(item: int) -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def not_picklable(item: int):
    return threading.Lock() if item == 3 else item**2


class NotLoadable:
    """Pickles, and does not unpickle."""

    def __reduce__(self):
        return pickle.loads, (b"junk",)


class Counting:
    """Answers how many items it has had before, in this process."""

    def __init__(self):
        self.seen = 0

    def __call__(self, item: int) -> int:
        self.seen += 1
        time.sleep(0.01)
        return self.seen - 1


class Lazy(Sequence):
    """Numbers that are made when they are looked at."""

    def __init__(self, count: int):
        self._count, self.looked_at = count, 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index):
        self.looked_at += 1
        return index


class UntravelledError(Exception):
    def __init__(self, one: int, two: int):
        super().__init__(f"it says {one}")


def fail(how: str):
    if how == "plain":
        error = FileNotFoundError("no such thing")
        error.add_note("while testing")
        raise error
    raise UntravelledError(1, 2)
