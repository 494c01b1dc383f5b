"""Worker processes on this machine, each with one item at a time, ended and replaced where an item takes too long."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection as pipes
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Final

from noble.jobs.work import Failed, Unloadable, pack, perform

# Beyond its time limit, a process that was stopped or froze is ended from outside, where its own timer has not.
_GRACE_S: Final = 1.0
# Processes in a row that end before they are ready; more will not do better.
_STILLBORN: Final = 3
# Patience with idle processes at the end.
_LEAVE_S: Final = 5.0
# Workers inherit these.
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass
class _Member:
    """A process, the pipe to it, and the item that it has in hand since a moment of the monotonic clock."""

    process: SpawnProcess
    pipe: Connection
    ready: bool = False
    index: int | None = None
    since_s: float = 0.0
    function: int = -1


class LocalCrew:
    """So many processes, started on entering and ended on leaving; see `noble.jobs.Pool` for what it promises."""

    def __init__(self, workers: int, *, timeout_s: float, attempts: int) -> None:
        self._workers, self._timeout_s, self._attempts = workers, timeout_s, attempts
        self._members: list[_Member] = []
        self._stillborn = 0
        self._rounds = 0
        self._environment = _one_thread()

    def __enter__(self) -> LocalCrew:
        self._environment.__enter__()
        self._refill()
        return self

    def __exit__(self, *raised: Any) -> None:
        try:
            for member in self._members:
                member.pipe.close()  # an idle process reads the end of the file, and leaves
                if member.index is not None or raised[0] is not None:
                    member.process.kill()
            deadline = time.monotonic() + _LEAVE_S
            for member in self._members:
                member.process.join(max(0.0, deadline - time.monotonic()))
                if member.process.is_alive():
                    member.process.kill()
                    member.process.join()
            self._members = []
        finally:
            self._environment.__exit__(*raised)

    def run(self, function: Any, items: Sequence[Any]) -> Generator[tuple[int, Any], None, None]:
        """Positions and answers of the items, as they come.

        Raises:
            ValueError: if the workers cannot load the function or an item.
            RuntimeError: if processes end before they are ready.
        """
        self._rounds += 1
        packed, waiting = pack(function), deque(range(len(items)))
        tries, done = [0] * len(items), 0
        try:
            while done < len(items):
                self._refill()
                for member in self._members:
                    if member.ready and member.index is None and waiting:
                        index = waiting.popleft()
                        tries[index] += 1
                        self._give(member, index, packed, items[index])
                for member, reply in self._heard():
                    index = member.index
                    if index is None:
                        continue
                    member.index = None
                    if reply is None and tries[index] < self._attempts:
                        waiting.appendleft(index)  # first, or a slow item would be left for the end
                        continue
                    result = pickle.loads(reply) if reply is not None else self._lost(member, tries[index])
                    if isinstance(result, Unloadable):
                        raise ValueError(
                            f"a worker could not load the function or item {index} ({result.reason}); "
                            "are the same packages installed there?"
                        )
                    done += 1
                    yield index, result
        finally:
            for member in [member for member in self._members if member.index is not None]:
                self._end(member)

    def _give(self, member: _Member, index: int, function: bytes, item: Any) -> None:
        new = member.function != self._rounds
        member.index, member.since_s, member.function = index, time.monotonic(), self._rounds
        content = pack(item)
        with suppress(OSError):  # it has just died: its sentinel will say so
            member.pipe.send((function if new else None, content))

    def _heard(self) -> list[tuple[_Member, bytes | None]]:
        """Members that have answered, and None for those that died or were ended for taking too long."""
        busy = [member.since_s + self._timeout_s + _GRACE_S for member in self._members if member.index is not None]
        patience = max(0.0, min(busy) - time.monotonic()) if busy else None
        ends = {member.pipe: member for member in self._members}
        sentinels = {member.process.sentinel: member for member in self._members}
        heard: list[tuple[_Member, bytes | None]] = []
        dead: set[int] = set()
        for source in pipes.wait([*ends, *sentinels], timeout=patience):
            member = ends[source] if isinstance(source, Connection) else sentinels[source]  # type: ignore[index]
            if id(member) in dead:
                continue
            reply = _received(member.pipe)
            if reply is None:
                dead.add(id(member))
                self._bury(member)
                heard.append((member, None))
            elif not member.ready:
                member.ready, self._stillborn = True, 0
            else:
                heard.append((member, reply))
        answered = {id(member) for member, _ in heard}
        now = time.monotonic()
        for member in list(self._members):
            late = member.index is not None and now >= member.since_s + self._timeout_s + _GRACE_S
            if late and id(member) not in answered:
                self._end(member)
                heard.append((member, None))
        return heard

    def _lost(self, member: _Member, tries: int) -> Failed:
        late = time.monotonic() - member.since_s >= self._timeout_s
        how = f"it took longer than {self._timeout_s:g} s" if late else "its worker process died"
        return Failed(f"{how} (attempt {tries} of {self._attempts})")

    def _bury(self, member: _Member) -> None:
        """Take a process that has died, or closed its pipe, off the list."""
        self._end(member)
        if not member.ready:
            self._stillborn += 1
            if self._stillborn >= _STILLBORN:
                raise RuntimeError(
                    f"{_STILLBORN} worker processes ended before they were ready (exit code {member.process.exitcode}); "
                    'a script that uses worker processes must do so below `if __name__ == "__main__":`.'
                )

    def _end(self, member: _Member) -> None:
        member.pipe.close()
        member.process.kill()
        member.process.join()
        if member in self._members:
            self._members.remove(member)

    def _refill(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would copy this process's threads as they are
        while len(self._members) < self._workers:
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self._timeout_s), daemon=True)
            with _interrupt_held():
                process.start()
            theirs.close()
            self._members.append(_Member(process, ours))


def _received(pipe: Connection) -> bytes | None:
    """What lies in a pipe; None if its other end is gone."""
    try:
        return pipe.recv_bytes()
    except (EOFError, OSError):
        return None


def _serve(pipe: Connection, timeout_s: float) -> None:
    """The life of a worker process: it leaves Ctrl-C to the parent and ends when the parent does, even by kill -9."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    function = b""
    with suppress(EOFError, OSError):
        pipe.send_bytes(b"ready")
        while True:
            new, item = pipe.recv()
            function = new or function
            pipe.send_bytes(perform(function, item, timeout_s))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that start meanwhile compute on one thread each; this one keeps its environment."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _interrupt_held() -> Iterator[None]:
    """Ctrl-C waits. Processes that are started meanwhile, and all those they start, will never see it.

    A terminal sends it to every process; only this one is to act on it, by ending the others.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # started later, it would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
