"""The processes that simulate: each has one responder and answers one chunk at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from noble.data.schema import encode_voltage
from noble.stimuli import Stimulus
from noble.traces import TimeGrid

if TYPE_CHECKING:
    from noble.cells.hall import HallOfFame

# Makes something with `respond(neurons, stimuli, grid) -> TraceBatch`; must be picklable, since every worker calls it.
ResponderFactory = Callable[[], Any]


@dataclass(frozen=True)
class Job:
    """One chunk to simulate."""

    chunk: int
    first_sample: int
    model_index: tuple[int, ...]
    stimuli: tuple[Stimulus, ...]


class Worker:
    """Simulates chunks one after the other with one responder."""

    def __init__(self, factory: ResponderFactory, hall: HallOfFame, grid: TimeGrid) -> None:
        self._factory, self._hall, self._grid = factory, hall, grid
        self._responder: Any = None

    def simulate(self, job: Job) -> np.ndarray:
        """Voltage codes of a chunk, shape (traces, time)."""
        # Made here, not when the process starts, so that its errors reach the parent as they are.
        self._responder = self._responder or self._factory()
        neurons = [self._hall.cell_model(index) for index in job.model_index]
        try:
            batch = self._responder.respond(neurons, job.stimuli, self._grid)
        except Exception as error:
            error.add_note(f"in samples {job.first_sample} to {job.first_sample + len(neurons) - 1}")
            raise
        if batch.voltage_mv.shape != (len(neurons), self._grid.count):
            raise ValueError(
                f"the simulator answered {len(neurons)} stimuli with voltages of shape {batch.voltage_mv.shape}; "
                f"expected ({len(neurons)}, {self._grid.count})."
            )
        return _encode(job, [neuron.name for neuron in neurons], batch.voltage_mv)


def _encode(job: Job, names: Sequence[str], voltage_mv: np.ndarray) -> np.ndarray:
    """Voltage codes, with the sample, model and stimulus named where a voltage cannot be stored."""
    codes = np.empty(voltage_mv.shape, dtype=np.int16)
    for row, name in enumerate(names):
        try:
            codes[row] = encode_voltage(voltage_mv[row])
        except ValueError as error:
            raise ValueError(
                f"sample {job.first_sample + row}, model {job.model_index[row]} ({name}), {job.stimuli[row]}: {error}"
            ) from error
    return codes


def run_pool(
    jobs: Iterator[Job],
    workers: int,
    equipment: tuple[ResponderFactory, HallOfFame, TimeGrid],
    write: Callable[[Job, np.ndarray], None],
) -> None:
    """Simulate in worker processes, two chunks under way for each, and write here as they come."""
    context = multiprocessing.get_context("spawn")  # a fork would copy the parent's threads in whatever state they are
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=equipment) as pool:
        try:
            running = {pool.submit(_simulate, job): job for job in islice(jobs, 2 * workers)}
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    write(running.pop(future), future.result())
                    running.update({pool.submit(_simulate, job): job for job in islice(jobs, 1)})
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_worker: Worker | None = None


def _start_worker(factory: ResponderFactory, hall: HallOfFame, grid: TimeGrid) -> None:
    """Prepare a worker process: it leaves Ctrl-C to the parent and ends when the parent does, even by kill -9."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = Worker(factory, hall, grid)


def _end_with_parent() -> None:
    """Leave as soon as the parent is gone: its end of the queues would never tell a worker that waits for work."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _simulate(job: Job) -> np.ndarray:
    assert _worker is not None, "the pool's initializer has run"
    return _worker.simulate(job)
