"""Traces of a store for training: in memory where they fit, else read block by block, one block ahead of the training.

The order of an epoch depends on seed and epoch alone, so a resumed run sees what the uninterrupted one saw. In memory it is
one permutation of all traces. A split that does not fit is shuffled in two steps: its chunks are drawn in a random order and
filled into blocks of an equal number of traces, and each block is shuffled. A block is read once an epoch, while the block
before it is learned from: a part after each batch where the store lies on a disk of this machine, else by a thread, which waits
for the answers of a server. Reading a disk keeps a core busy, and torch's threads wait for the slowest of them, so that a thread
that reads beside them stops all of them. Sets of traces of several lengths take turns, batch by batch.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
import torch
from torch import Tensor

from noble.data import Store
from noble.spikes import SpikeTrains
from noble.traces import TimeGrid
from noble.train.batches import Batch

# Two blocks are in memory at a time; the other half of the memory is for what reading and gathering take in passing.
_BLOCKS_IN_MEMORY: Final = 4
_BYTES_PER_SAMPLE: Final = 8  # float32 voltage and current
_TURNS_STREAM: Final = 0x7475726E


@dataclass(frozen=True)
class Block:
    """Some traces in memory.

    Attributes:
        positions: which of the set they are, ascending, shape (traces,).
        features: shape (traces, features), physical units.
        current_na: shape (traces, time), nA.
        voltage_mv: shape (traces, time), mV.
        spikes_ms: spike times, filled up with infinity, shape (traces, spikes), ms.
        window: the training window.
    """

    positions: np.ndarray
    features: Tensor
    current_na: Tensor
    voltage_mv: Tensor
    spikes_ms: Tensor
    window: TimeGrid

    def batch(self, positions: np.ndarray) -> Batch:
        """Copies of the traces at these positions of the set, in this order."""
        rows = torch.as_tensor(np.searchsorted(self.positions, positions))
        return Batch(
            self.features[rows],
            self.current_na[rows],
            self.voltage_mv[rows],
            self.spikes_ms[rows],
            torch.as_tensor(positions),
            self.window,
        )


def bytes_of(store: Store, indices: np.ndarray) -> int:
    """What some samples of a store take in memory."""
    return _BYTES_PER_SAMPLE * store.grid.count * len(indices)


_Reading = Generator[float, None, Block]
"""Reads a block; tells after each chunk which part of it is there, and returns it."""


class _Coming(Protocol):
    """A block that is being read."""

    def go_on(self, part: float) -> None:
        """Another such part of the block before has been learned from."""

    def whole(self) -> Block:
        """The block, once it is there."""
        ...


class _InPieces:
    """Reads when it is told to, as much as has been learned from meanwhile."""

    def __init__(self, reading: _Reading) -> None:
        self._reading, self._done, self._due = reading, 0.0, 0.0

    def go_on(self, part: float) -> None:
        self._due += part
        while self._done < min(self._due, 1.0):
            self._done = next(self._reading)

    def whole(self) -> Block:
        try:
            while True:
                next(self._reading)
        except StopIteration as end:
            return end.value


class _ByThread:
    """Reads all of it beside what is done meanwhile."""

    def __init__(self, reading: _Reading, pool: ThreadPoolExecutor) -> None:
        self._block = pool.submit(_InPieces(reading).whole)

    def go_on(self, part: float) -> None:
        pass

    def whole(self) -> Block:
        return self._block.result()


class TraceSet:
    """Samples of a store for training; their positions count from zero in the order given.

    Args:
        store: where they are read.
        indices: which samples, ascending, shape (traces,).
        columns: columns of the store's feature table that identify a neuron.
        window: the training window.
        memory_bytes: a set which takes no more is read once and kept; of a larger one, two blocks are kept at a time.
    """

    def __init__(
        self, store: Store, indices: np.ndarray, *, columns: Sequence[int], window: TimeGrid, memory_bytes: float
    ) -> None:
        self._store, self._indices, self.window = store, indices, window
        self._table = store.feature_table[:, list(columns)]
        trace_bytes = _BYTES_PER_SAMPLE * store.grid.count
        self.in_memory = bytes_of(store, indices) <= memory_bytes
        self._block_traces = max(1, int(memory_bytes / (_BLOCKS_IN_MEMORY * trace_bytes)))
        self._whole: Block | None = None

    def __len__(self) -> int:
        return len(self._indices)

    def steps(self, unit: int) -> int:
        """Steps of an epoch in which all devices take so many traces together."""
        return -(-len(self) // unit)

    def load(self) -> None:
        """Read the traces now, and not with the first batch, if they are to be in memory."""
        if self.in_memory and self._whole is None:
            self._whole = _InPieces(self._reading(np.arange(len(self)), self._arrays(len(self)))).whole()

    def shuffled(self, *, seed: int, epoch: int, unit: int) -> list[np.ndarray]:
        """The order of an epoch, as positions of block after block; a function of the arguments and of the set alone.

        Args:
            seed: seed of the run.
            epoch: epochs done before this one.
            unit: each block but the last holds a multiple of this number of traces: those that all devices take in a step.
        """
        generator = np.random.default_rng([seed, epoch])
        if self.in_memory:
            return [generator.permutation(len(self))]
        chunk_of = self._store.chunk_of(self._indices)
        chunks = generator.permutation(np.unique(chunk_of))
        rank = np.empty(chunk_of[-1] + 1, dtype=np.int64)
        rank[chunks] = np.arange(len(chunks))
        by_chunk = np.argsort(rank[chunk_of], kind="stable")
        return [generator.permutation(block) for block in self._cut(by_chunk, unit)]

    def in_order(self) -> list[np.ndarray]:
        """All positions, ascending, block after block."""
        everything = np.arange(len(self))
        return [everything] if self.in_memory else self._cut(everything, 1)

    def batches(self, order: Sequence[np.ndarray], size: int) -> Iterator[Batch]:
        """The traces in an order, in batches of a size; the last batch of each block may be smaller.

        Raises:
            ValueError: if the store is damaged.
        """
        self.load()
        if self._whole is not None:
            for positions in order:
                yield from (self._whole.batch(part) for part in _parts(positions, size))
            return
        largest = max(map(len, order))
        # Read into in turn: fresh arrays for every block would scatter over the heap.
        arrays = self._arrays(largest), self._arrays(largest)
        with ThreadPoolExecutor(1, thread_name_prefix="noble-read") as pool:

            def reading(number: int) -> _Coming:
                block = self._reading(np.unique(order[number]), arrays[number % 2])
                return _InPieces(block) if self._store.place.is_local else _ByThread(block, pool)

            block = reading(0).whole()
            for number, positions in enumerate(order):
                coming = reading(number + 1) if number + 1 < len(order) else None
                for part in _parts(positions, size):
                    yield block.batch(part)
                    if coming is not None:
                        coming.go_on(len(part) / len(positions))
                if coming is not None:
                    block = coming.whole()

    def _cut(self, order: np.ndarray, unit: int) -> list[np.ndarray]:
        size = max(1, self._block_traces // unit) * unit
        return [order[start : start + size] for start in range(0, len(order), size)]

    def _arrays(self, traces: int) -> tuple[np.ndarray, np.ndarray]:
        shape = (traces, self._store.grid.count)
        return np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)

    def _reading(self, positions: np.ndarray, arrays: tuple[np.ndarray, np.ndarray]) -> _Reading:
        """The traces at ascending positions, chunk by chunk, so that no more than a chunk is in memory twice."""
        voltage_mv, current_na = (array[: len(positions)] for array in arrays)
        indices = self._indices[positions]
        trains: list[np.ndarray] = []
        done = 0
        for rows in self._store.by_chunk(indices):
            traces = self._store.read(rows)
            part = slice(done, done + len(rows))
            voltage_mv[part], current_na[part] = traces.voltage_mv, traces.current_na
            trains += [traces.spikes[train] for train in range(len(rows))]
            done += len(rows)
            yield done / len(positions)
        features = self._table[self._store.model_index[indices]]
        return Block(
            positions,
            torch.as_tensor(features, dtype=torch.float32),
            torch.from_numpy(current_na),
            torch.from_numpy(voltage_mv),
            torch.as_tensor(SpikeTrains.of(trains).table()),
            self.window,
        )


class TraceSets:
    """Several sets of traces, whose windows differ in length, as one; positions count through them in the order given.

    A step takes traces of one set, and of longer ones fewer, so that all steps see about as many samples.

    Args:
        sets: at least one.
    """

    def __init__(self, sets: Sequence[TraceSet]) -> None:
        self._sets = tuple(sets)
        lengths = [len(part) for part in sets]
        self._starts = np.cumsum([0, *lengths])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def steps(self, unit: int) -> int:
        """See `TraceSet.steps`; the unit is that of the first set."""
        return sum(part.steps(self._size(part, unit)) for part in self._sets)

    def load(self) -> None:
        """See `TraceSet.load`."""
        for part in self._sets:
            part.load()

    def shuffled(self, *, seed: int, epoch: int, unit: int) -> list[np.ndarray]:
        """See `TraceSet.shuffled`; what is in memory comes a step at a time, so that the sets take turns."""
        blocks: list[np.ndarray] = []
        for part, start in zip(self._sets, self._starts, strict=False):
            size = self._size(part, unit)
            for block in part.shuffled(seed=seed, epoch=epoch, unit=size):
                cuts = range(size, len(block), size) if part.in_memory else ()
                blocks += [start + piece for piece in np.split(block, list(cuts))]
        turns = np.random.default_rng([seed, epoch, _TURNS_STREAM]).permutation(len(blocks))
        return [blocks[turn] for turn in turns]

    def in_order(self) -> list[np.ndarray]:
        """See `TraceSet.in_order`."""
        pairs = zip(self._sets, self._starts, strict=False)
        return [start + block for part, start in pairs for block in part.in_order()]

    def batches(self, order: Sequence[np.ndarray], size: int) -> Iterator[Batch]:
        """See `TraceSet.batches`; each block of the order is of one set, and the size is that of the first set."""
        order = [block for block in order if len(block)]
        owners = [int(np.searchsorted(self._starts, block[0], side="right")) - 1 for block in order]
        sizes = [self._size(part, size) for part in self._sets]
        coming = [
            part.batches(
                [block - start for block, owner in zip(order, owners, strict=True) if owner == number], sizes[number]
            )
            for number, (part, start) in enumerate(zip(self._sets, self._starts, strict=False))
        ]
        for block, owner in zip(order, owners, strict=True):
            for _ in range(-(-len(block) // sizes[owner])):
                batch = next(coming[owner])
                yield replace(batch, index=batch.index + int(self._starts[owner]))

    def _size(self, part: TraceSet, size: int) -> int:
        return max(1, round(size * self._sets[0].window.count / part.window.count))


def _parts(positions: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Some positions, so many at a time."""
    return (positions[start : start + size] for start in range(0, len(positions), size))
