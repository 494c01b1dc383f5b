"""The workers of a Dask cluster that somebody else started, found by its address, each with one item at a time.

Dask's own way with a dying worker does not suffice here: it suspects every task that lay on the worker, and it has no time
limit. So the queue is kept here and each worker process gets one item at a time. Who dies with an item was killed by it or by
chance, never by another item. The time limit is a timer in the worker process that needs no help from Python and starts with
the item; it ends the process, and Dask's nanny starts another.
"""

from __future__ import annotations

import logging
import pickle
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from noble.jobs.work import Failed, Unloadable, pack, perform

if TYPE_CHECKING:
    from distributed import Client, Future

# Without a worker for this long, a map gives up.
WORKERS_WAIT_S: Final = 300.0
# How often to look which workers there are.
_LOOK_S: Final = 0.25
# Patience with a scheduler that does not answer: shorter than that of Dask's client, which would close itself meanwhile.
_ASK_S: Final = 20.0
# A result lies in its worker and is small; without an answer after this, the worker is gone.
_FETCH_S: Final = 30.0


class DaskCrew:
    """A connection to a cluster; see `noble.jobs.Pool` for what it promises."""

    def __init__(self, address: str, *, timeout_s: float, attempts: int) -> None:
        self._address, self._timeout_s, self._attempts = address, timeout_s, attempts
        self._stack = ExitStack()
        self._client: Client | None = None

    def __enter__(self) -> DaskCrew:
        self._client = self._stack.enter_context(_remote_client(self._address))
        return self

    def __exit__(self, *raised: Any) -> None:
        self._client = None
        self._stack.__exit__(*raised)

    def run(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Generator[tuple[int, Any], None, None]:
        """Positions and answers of the items, as they come.

        Raises:
            ValueError: if the workers cannot load the function or an item.
            TimeoutError: if there was no worker for `WORKERS_WAIT_S` seconds.
            ConnectionError: if the scheduler is gone.
        """
        assert self._client is not None
        return _Round(self._client, function, items, self._timeout_s, self._attempts).run()


@dataclass(frozen=True)
class _Worker:
    """One process. A nanny may start its next one at the same address, but never in the same folder."""

    address: str
    folder: str


@dataclass(frozen=True)
class _Run:
    """One item in the hands of one worker, since a moment of the monotonic clock."""

    index: int
    worker: _Worker
    future: Future
    since_s: float


class _Round:
    """One map over items."""

    def __init__(
        self,
        client: Client,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        timeout_s: float,
        attempts: int,
    ) -> None:
        self._function, self._items = pack(function), items
        self._client, self._timeout_s, self._attempts = client, timeout_s, attempts
        self._name = f"noble-{uuid4().hex}"
        self._waiting = deque(range(len(items)))
        self._running: dict[str, _Run] = {}
        self._finished: SimpleQueue[str] = SimpleQueue()
        self._tries = [0] * len(items)
        self._settled: deque[tuple[int, Any]] = deque()
        self._done = 0

    def run(self) -> Generator[tuple[int, Any], None, None]:
        next_look = last_worker = time.monotonic()
        workers: set[_Worker] = set()
        try:
            while self._done < len(self._items):
                if (now := time.monotonic()) >= next_look:
                    workers = self._look()
                    next_look = time.monotonic() + _LOOK_S
                    if workers or self._running:
                        last_worker = now
                    elif now - last_worker > WORKERS_WAIT_S:
                        raise TimeoutError(
                            f"the Dask cluster has had no running worker for {WORKERS_WAIT_S:g} s; "
                            f"{self._done} of {len(self._items)} items are done. See the workers' logs."
                        )
                for worker in workers - {run.worker for run in self._running.values()}:
                    if self._waiting:
                        self._start(self._waiting.popleft(), worker)
                with suppress(Empty):
                    self._collect(self._finished.get(timeout=max(0.0, next_look - time.monotonic())))
                while self._settled:
                    yield self._settled.popleft()
        finally:
            for run in self._running.values():
                run.future.cancel()

    def _look(self) -> set[_Worker]:
        """Workers that take items; what ran on a worker that is gone is tried again."""
        try:
            # `Client.scheduler_info` would answer from its memory where the scheduler does not.
            if (scheduler := self._client.scheduler) is None:
                raise OSError("Dask's client has closed itself")
            info: Any = self._client.sync(scheduler.identity, callback_timeout=_ASK_S)
        except OSError as error:
            raise ConnectionError(
                f"the Dask scheduler has not answered for {_ASK_S:g} s; is it still running? "
                f"{self._done} of {len(self._items)} items are done."
            ) from error
        workers = info["workers"].items()
        there = {_Worker(address, facts["local_directory"]): facts["status"] for address, facts in workers}
        for key, run in list(self._running.items()):
            if run.worker not in there:
                self._lose(self._running.pop(key))
        return {worker for worker, status in there.items() if status == "running"}

    def _start(self, index: int, worker: _Worker) -> None:
        self._tries[index] += 1
        key = f"{self._name}-{index}-{self._tries[index]}"
        arguments = (self._function, pack(self._items[index]), self._timeout_s, worker.folder)
        future = self._client.submit(
            _run_in_worker, *arguments, key=key, workers=[worker.address], allow_other_workers=False
        )
        self._running[key] = _Run(index, worker, future, time.monotonic())
        future.add_done_callback(lambda done: self._finished.put(str(done.key)))

    def _collect(self, key: str) -> None:
        """Take the result of a future that is done."""
        from distributed import KilledWorker

        run = self._running.pop(key, None)
        if run is None:  # it was given up before
            return
        try:
            answer = run.future.result(timeout=_FETCH_S)
        except (KilledWorker, TimeoutError):
            answer = None
        except CancelledError:  # the connection to the scheduler broke: no fault of the item
            self._tries[run.index] -= 1
            self._waiting.appendleft(run.index)
            return
        except Exception as error:  # of Dask; those of the function are answers
            raise _unloadable(run.index, f"{type(error).__name__}: {error}") from error
        if answer is None:
            self._lose(run)
        else:
            result = pickle.loads(answer)
            if isinstance(result, Unloadable):
                raise _unloadable(run.index, result.reason)
            self._settle(run.index, result)

    def _lose(self, run: _Run) -> None:
        """Try again, or not, what a worker took along."""
        run.future.cancel()
        if (tries := self._tries[run.index]) < self._attempts:
            self._waiting.appendleft(run.index)  # first, or a slow item would be left for the end
            return
        late = time.monotonic() - run.since_s >= self._timeout_s
        how = f"it took longer than {self._timeout_s:g} s" if late else "its worker process died"
        self._settle(run.index, Failed(f"{how} (attempt {tries} of {self._attempts})"))

    def _settle(self, index: int, result: Any) -> None:
        self._done += 1
        self._settled.append((index, result))


def _unloadable(index: int, reason: str) -> ValueError:
    return ValueError(
        f"a worker could not load the function or item {index} ({reason}); are the same packages installed there?"
    )


def _run_in_worker(function: bytes, item: bytes, timeout_s: float, folder: str) -> bytes | None:
    """The pickled result; None if this is the next process at an address where the item has already ended one."""
    from distributed import get_worker

    if get_worker().local_directory != folder:
        return None
    return perform(function, item, timeout_s)


@contextmanager
def _remote_client(address: str) -> Iterator[Client]:
    """A connection to a cluster that somebody else started and will end."""
    from distributed import Client

    if "://" in address:
        where: dict[str, Any] = {"address": address}
    elif Path(address).is_file():
        where = {"scheduler_file": address}
    else:
        raise FileNotFoundError(
            f"there is no scheduler file {address}; expected the path that `dask scheduler --scheduler-file` was given, "
            "or an address like tcp://host:8786."
        )
    with _silence():
        try:
            client = Client(**where, set_as_default=False)
        except OSError as error:
            raise ConnectionError(f"no Dask scheduler answers at {address} ({error}); is it running?") from error
        with client:
            yield client


@contextmanager
def _silence() -> Iterator[None]:
    """No log lines of Dask in this process: what matters is in the results and errors, and its last words come late."""
    from distributed.utils import silence_logging_cmgr

    with silence_logging_cmgr(logging.CRITICAL), silence_logging_cmgr(logging.CRITICAL, root="distributed.client"):
        yield
