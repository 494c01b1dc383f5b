"""What travels between a pool and its workers: a function, an item, and the answer to it, each as bytes."""

from __future__ import annotations

import faulthandler
import os
import pickle
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Failed:
    """What stands in the place of a result that could not be had.

    Attributes:
        reason: the exception's type and message, or how the process ended and how often it was tried.
        error: the exception itself, if there was one that can travel.
    """

    reason: str
    error: BaseException | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Unloadable:
    """The answer of a worker that could not load the function or the item."""

    reason: str


def pack(thing: object) -> bytes:
    """Anything as bytes: by reference where it can be imported, by value from a script or a notebook."""
    import cloudpickle

    return cloudpickle.dumps(thing)


def answer(function: Callable[[T], R], item: T) -> R | Failed:
    """The function's result; an exception of its is an answer too."""
    try:
        return function(item)
    except (Exception, SystemExit) as error:
        return Failed(f"{type(error).__name__}: {error}", error)


def perform(function: bytes, item: bytes, timeout_s: float) -> bytes:
    """Answer a packed item with a packed function, in a worker; the process ends itself where that takes too long."""
    with _ended_after(timeout_s):
        try:
            loaded, argument = _loaded(function), pickle.loads(item)
        except Exception as error:
            return pickle.dumps(Unloadable(f"{type(error).__name__}: {error}"))
        result = answer(loaded, argument)
        if isinstance(result, Failed) and not _travels(result.error):
            result = Failed(result.reason)
        try:
            return pack(result)
        except Exception as error:
            return pickle.dumps(Failed(f"the result cannot be pickled: {error}"))


@lru_cache(maxsize=1)
def _loaded(function: bytes) -> Callable[[Any], Any]:
    """Loaded once for all items of a map, so that it can keep what is dear to make: a simulator for example."""
    return pickle.loads(function)


def _travels(error: BaseException | None) -> bool:
    """Whether an exception survives pickling; one with an unusual constructor does not."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True


@contextmanager
def _ended_after(timeout_s: float) -> Iterator[None]:
    """A timer without Python, which also ends a process that never comes back from C."""
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(timeout_s, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
