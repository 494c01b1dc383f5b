"""A map over processes that may crash or hang: on the cores of this machine, or on any Dask cluster by its address."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any, TypeVar

from noble.jobs.cluster import DaskCrew
from noble.jobs.local import LocalCrew
from noble.jobs.work import Failed, answer
from noble.machine.cores import available_cores
from noble.progress import Progress

T = TypeVar("T")
R = TypeVar("R")


class Pool:
    """Worker processes that map a function over items; a context manager that starts and ends them.

    Each process has one item at a time. So an item that kills its process takes no other along, and one that takes too long is
    ended with its process, which is replaced. Local processes need nothing but Python; a cluster needs Dask.

    Args:
        workers: processes on this machine, with one thread each; None for every core that is available. 0 computes in this
            process, one item after the other, with no protection from crashes and no time limit.
        address: a running Dask scheduler instead, as `tcp://host:port` or as the path of its scheduler file. Its workers
            must be able to import the function, and should have one thread each (one is used) and a nanny, without which
            a process that ended is not replaced.
        timeout_s: time that one item may take from when it starts. A process that was stopped, or froze, is ended a second
            later here; on a cluster it is given up when Dask misses its heartbeats, after its
            `distributed.scheduler.worker-ttl`, by default five minutes.
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
        self._crew: LocalCrew | DaskCrew | None = None

    def __enter__(self) -> Pool:
        limits: dict[str, Any] = {"timeout_s": self.timeout_s, "attempts": self.attempts}
        if self.address is not None:
            self._crew = DaskCrew(self.address, **limits).__enter__()
        elif self.workers:
            self._crew = LocalCrew(self.workers, **limits).__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.__exit__(*raised)

    def map(
        self, function: Callable[[T], R], items: Sequence[T], *, progress: Progress | None = None
    ) -> list[R | Failed]:
        """Results in the order of the items, whoever computed them.

        Args:
            function: picklable. An exception that it raises is its answer to the item, a `Failed` that is not tried again.
            items: picklable, each on its own.
            progress: called here with the numbers of finished and of all items, at the start and after each item.

        Raises:
            RuntimeError: outside the `with` block, or if processes end before they are ready.
            ValueError: if the workers cannot load the function or an item.
            TimeoutError: if a cluster had no worker for five minutes.
            ConnectionError: if its scheduler is gone.
        """
        report = progress or (lambda done, total: None)
        report(0, len(items))
        results: dict[int, R | Failed] = {}
        with closing(self.stream(function, items)) as answers:
            for index, result in answers:
                results[index] = result
                report(len(results), len(items))
        return [results[index] for index in range(len(items))]

    def stream(self, function: Callable[[T], R], items: Sequence[T]) -> Generator[tuple[int, R | Failed], None, None]:
        """Positions of items and their results, as they come; items are only looked at when a worker is free for them.

        So neither items nor results need to be in memory at once. Closed early, it ends what is under way. Arguments and
        errors are those of `map`.
        """
        if self.workers == 0:
            return ((index, answer(function, items[index])) for index in range(len(items)))
        if self._crew is None:
            raise RuntimeError("the pool is not running; use it as `with Pool() as pool: pool.map(...)`.")
        return self._crew.run(function, items)
