"""A map over processes that may crash or hang, on Dask: on the cores of this machine, or on any cluster by its address.

Dask's own way with a dying worker does not suffice here: it suspects every task that lay on the worker, and it has no time
limit. So a `Pool` keeps the queue itself and gives each worker process one item at a time. Who dies with an item was killed
by it or by chance, never by another item. The time limit is a timer in the worker process that needs no help from Python and
starts with the item; it ends the process, and Dask's nanny starts another.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import pickle
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from uuid import uuid4

from noble.machine.cores import available_cores

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")
Progress = Callable[[int, int], None]

# Without a worker for this long, a map gives up.
WORKERS_WAIT_S: Final = 300.0
# How often to look which workers there are.
_LOOK_S: Final = 0.25
# Patience with a scheduler that does not answer: shorter than that of Dask's client, which would close itself meanwhile.
_ASK_S: Final = 20.0
# A result lies in its worker and is small; without an answer after this, the worker is gone.
_FETCH_S: Final = 30.0
# Beyond its time limit, a process that shows no sign of life is ended from outside.
_LIFELESS_S: Final = 60.0

_LOCAL_SETTINGS: Final[dict[str, Any]] = {
    "distributed.worker.multiprocessing-method": "spawn",  # a fork would copy this process's threads as they are
    "distributed.worker.profile.enabled": False,
    # A process above its share of the memory is ended. Before that, Dask would stop giving it work, for good.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    # A worker that is slow to come back, on a busy machine, is still awaited.
    "distributed.deploy.lost-worker-timeout": "1 day",
}
# Dask puts these into the environment of this process, so that workers inherit them; all are put back at the end.
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_SET_BY_DASK: Final = (*_ONE_THREAD, "MALLOC_TRIM_THRESHOLD_", "PYTHONHASHSEED")


@dataclass(frozen=True)
class Failed:
    """What stands in the place of a result that could not be had.

    Attributes:
        reason: the exception's type and message, or how the process ended and how often it was tried.
    """

    reason: str


class Pool:
    """Worker processes that map a function over items; a context manager that starts and ends them.

    Args:
        workers: processes on this machine, with one thread each; None for every core that is available. 0 computes in this
            process, one item after the other, with no protection from crashes and no time limit.
        address: a running Dask scheduler instead, as `tcp://host:port` or as the path of its scheduler file. Its workers
            must be able to import the function, and should have one thread each (one is used) and a nanny, without which
            a process that ended is not replaced.
        timeout_s: time that one item may take from when it starts. A process that does not even run its timer, because
            it was stopped or its machine froze, is given up when Dask misses its heartbeats: here a minute later than
            the others, on a cluster after its `distributed.scheduler.worker-ttl`, by default five minutes.
        attempts: how often an item is tried that ends its process or takes too long.

    Raises:
        ValueError: if a number is out of range, or both `workers` and `address` are given.
        FileNotFoundError: on entering, if there is no such scheduler file.
        ConnectionError: on entering, if the scheduler does not answer.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        address: str | None = None,
        timeout_s: float = 600.0,
        attempts: int = 3,
    ) -> None:
        if workers is not None and address is not None:
            raise ValueError(f"workers={workers} and address={address!r}: a cluster brings its own workers; give one.")
        if workers is not None and workers < 0:
            raise ValueError(f"workers is {workers}; expected 0 (no other processes) or more.")
        if not 0 < timeout_s < 1e9:
            raise ValueError(f"timeout_s is {timeout_s}; expected a positive, finite number of seconds.")
        if attempts < 1:
            raise ValueError(f"attempts is {attempts}; expected at least 1.")
        self.workers = workers if workers is not None or address is not None else available_cores()
        self.address, self.timeout_s, self.attempts = address, timeout_s, attempts
        self._client: Client | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Pool:
        if self.address is not None:
            self._client = self._stack.enter_context(_remote_client(self.address))
        elif self.workers:
            self._client = self._stack.enter_context(_local_client(self.workers, self.timeout_s))
        return self

    def __exit__(self, *raised: Any) -> None:
        self._client = None
        self._stack.__exit__(*raised)

    def map(
        self, function: Callable[[T], R], items: Sequence[T], *, progress: Progress | None = None
    ) -> list[R | Failed]:
        """Results in the order of the items, whoever computed them.

        Args:
            function: picklable. An exception that it raises is its answer to the item, a `Failed` that is not tried again.
            items: picklable, each on its own.
            progress: called here with the numbers of finished and of all items, at the start and after each item.

        Raises:
            RuntimeError: outside the `with` block.
            ValueError: if the workers cannot load the function or an item.
            TimeoutError: if there was no worker for `WORKERS_WAIT_S` seconds.
            ConnectionError: if the scheduler is gone.
        """
        report = progress or (lambda done, total: None)
        if self.workers == 0:
            return _map_here(function, items, report)
        if self._client is None:
            raise RuntimeError("the pool is not running; use it as `with Pool() as pool: pool.map(...)`.")
        return _Round(self._client, function, items, self.timeout_s, self.attempts, report).run()


def _map_here(function: Callable[[T], R], items: Sequence[T], report: Progress) -> list[R | Failed]:
    report(0, len(items))
    results: list[R | Failed] = []
    for item in items:
        results.append(_answer(function, item))
        report(len(results), len(items))
    return results


def _answer(function: Callable[[T], R], item: T) -> R | Failed:
    try:
        return function(item)
    except (Exception, SystemExit) as error:
        return Failed(f"{type(error).__name__}: {error}")


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


class _Round(Generic[T, R]):
    """One call of `Pool.map` on a cluster."""

    def __init__(
        self,
        client: Client,
        function: Callable[[T], R],
        items: Sequence[T],
        timeout_s: float,
        attempts: int,
        report: Progress,
    ) -> None:
        import cloudpickle

        # By reference where it can be imported, by value from a script or a notebook.
        self._function = cloudpickle.dumps(function)
        self._items = [cloudpickle.dumps(item) for item in items]
        self._client, self._timeout_s, self._attempts, self._report = client, timeout_s, attempts, report
        self._name = f"noble-{uuid4().hex}"
        self._waiting = deque(range(len(items)))
        self._running: dict[str, _Run] = {}
        self._finished: SimpleQueue[str] = SimpleQueue()
        self._tries = [0] * len(items)
        self._results: dict[int, R | Failed] = {}

    def run(self) -> list[R | Failed]:
        self._report(0, len(self._items))
        next_look = last_worker = time.monotonic()
        workers: set[_Worker] = set()
        try:
            while len(self._results) < len(self._items):
                if (now := time.monotonic()) >= next_look:
                    workers = self._look()
                    next_look = time.monotonic() + _LOOK_S
                    if workers or self._running:
                        last_worker = now
                    elif now - last_worker > WORKERS_WAIT_S:
                        raise TimeoutError(
                            f"the Dask cluster has had no running worker for {WORKERS_WAIT_S:g} s; "
                            f"{len(self._results)} of {len(self._items)} items are done. See the workers' logs."
                        )
                for worker in workers - {run.worker for run in self._running.values()}:
                    if self._waiting:
                        self._start(self._waiting.popleft(), worker)
                with suppress(Empty):
                    self._collect(self._finished.get(timeout=max(0.0, next_look - time.monotonic())))
        finally:
            for run in self._running.values():
                run.future.cancel()
        return [self._results[index] for index in range(len(self._items))]

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
                f"{len(self._results)} of {len(self._items)} items are done."
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
        arguments = (self._function, self._items[index], self._timeout_s, worker.folder)
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
        except Exception as error:  # the function's own exceptions are answers
            raise ValueError(
                f"a worker could not load the function or item {run.index} ({type(error).__name__}: {error}); "
                "are the same packages installed there?"
            ) from error
        if answer is None:
            self._lose(run)
        else:
            self._settle(run.index, pickle.loads(answer))

    def _lose(self, run: _Run) -> None:
        """Try again, or not, what a worker took along."""
        run.future.cancel()
        if (tries := self._tries[run.index]) < self._attempts:
            self._waiting.appendleft(run.index)  # first, or a slow item would be left for the end
            return
        late = time.monotonic() - run.since_s >= self._timeout_s
        how = f"it took longer than {self._timeout_s:g} s" if late else "its worker process died"
        self._settle(run.index, Failed(f"{how} (attempt {tries} of {self._attempts})"))

    def _settle(self, index: int, result: R | Failed) -> None:
        self._results[index] = result
        self._report(len(self._results), len(self._items))


def _run_in_worker(function: bytes, item: bytes, timeout_s: float, folder: str) -> bytes | None:
    """The pickled result; None if this is the next process at an address where the item has already ended one."""
    import cloudpickle
    from distributed import get_worker

    if get_worker().local_directory != folder:
        return None
    with open(os.devnull, "w") as nowhere:
        # A thread without Python, which also ends a process that never comes back from C.
        faulthandler.dump_traceback_later(timeout_s, exit=True, file=nowhere)
        try:
            result = _answer(pickle.loads(function), pickle.loads(item))
            try:
                return cloudpickle.dumps(result)
            except Exception as error:
                return pickle.dumps(Failed(f"the result cannot be pickled: {error}"))
        finally:
            faulthandler.cancel_dump_traceback_later()


@contextmanager
def _local_client(workers: int, timeout_s: float) -> Iterator[Client]:
    """A cluster of processes on this machine."""
    import dask.config
    from distributed import Client, LocalCluster

    # A process that computes in C may show no sign of life for as long as its item may take.
    settings = _LOCAL_SETTINGS | {"distributed.scheduler.worker-ttl": f"{timeout_s + _LIFELESS_S} s"}
    with _silence(), _environment_put_back(), dask.config.set(settings):
        os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
        with _interrupt_held():
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                silence_logs=logging.CRITICAL,
                # No dashboard; the port that remains is any free one, or a second pool would complain.
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
            )
        with cluster, Client(cluster, set_as_default=False) as client:
            try:
                yield client
            except BaseException:
                # Items may be under way, for which Dask would wait some seconds.
                for nanny in cluster.workers.values():
                    nanny.close_gracefully()  # no next process, please
                    if nanny.pid:
                        os.kill(nanny.pid, signal.SIGTERM)
                raise


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


@contextmanager
def _environment_put_back() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _SET_BY_DASK}
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
    """Ctrl-C waits. Threads and processes that are started meanwhile, and all those they start, will never see it.

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
