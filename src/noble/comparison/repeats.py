"""Sweeps of a recording that answer one frozen current."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from noble.recordings import RawSweep, Recording
from noble.traces import TimeGrid
from noble.traces.stretches import block_means

# Currents are alike if they differ by no more than this part of how far they move, and what measuring them adds, at 1 ms.
_BLOCK_MS: Final = 1.0
_SAME_SHARE: Final = 0.04
_MEASURED_NA: Final = 0.002
# Of the pauses between steps, or of no current at all, nothing is to be learned about when a neuron fires.
_LEAST_MOVED_NA: Final = 0.004


@dataclass(frozen=True, eq=False)
class Repeats:
    """Answers to one current.

    Attributes:
        source: name of the recording.
        sweeps: at least two, in the order of the file.
        start_ms, stop_ms: the part of them that is looked at.
    """

    source: str
    sweeps: tuple[RawSweep, ...]
    start_ms: float
    stop_ms: float

    @property
    def grid(self) -> TimeGrid:
        """Instants of the sweeps, from their first to the end of the part that is looked at."""
        dt_ms = self.sweeps[0].trace.grid.dt_ms
        return TimeGrid(dt_ms, round(self.stop_ms / dt_ms))

    @property
    def duration_ms(self) -> float:
        """Of the part that is looked at."""
        return self.stop_ms - self.start_ms

    @cached_property
    def current_na(self) -> np.ndarray:
        """The current, as the mean of what was measured in all repeats says it, shape (time,), nA."""
        return np.mean([sweep.commanded_na[: self.grid.count] for sweep in self.sweeps], axis=0)

    @cached_property
    def voltage_mv(self) -> np.ndarray:
        """Shape (repeat, time), from the first sample of the sweeps on, mV."""
        return np.stack([sweep.trace.voltage_mv[: self.grid.count] for sweep in self.sweeps])

    @cached_property
    def spikes_ms(self) -> tuple[np.ndarray, ...]:
        """Spike times of each repeat in the part that is looked at, from its start, ms."""
        return tuple(self.counted(sweep.peaks * self.grid.dt_ms) for sweep in self.sweeps)

    def counted(self, times_ms: np.ndarray) -> np.ndarray:
        """Of spike times from the start of a sweep those in the part that is looked at, from its start, ms."""
        return times_ms[(times_ms >= self.start_ms) & (times_ms < self.stop_ms)] - self.start_ms


def repeats_of(
    recording: Recording,
    *,
    sweeps: Sequence[int] | None = None,
    start_ms: float = 0.0,
    stop_ms: float | None = None,
) -> Repeats:
    """The sweeps that answer one frozen current; of several such currents the one under which most spikes were fired.

    Args:
        recording: as `read_recording` returns it.
        sweeps: positions of the sweeps to look among, from 0 on; None is all.
        start_ms, stop_ms: the part of them to look at, ms from their first sample; None is their end.

    Raises:
        ValueError: if there is no such sweep, no current comes twice, or the part is none.
    """
    chosen = recording.raw_at(sweeps)
    several = [group for group in _alike(chosen) if len(group) > 1]
    if not several:
        raise ValueError(
            f"none of the {len(chosen)} sweeps of {recording.source} repeats the current of another; expected at least two "
            "answers to one frozen current."
        )
    best = max(several, key=lambda group: sum(sweep.peaks.size for sweep in group))
    length_ms = best[0].trace.grid.count * best[0].trace.grid.dt_ms
    stop = length_ms if stop_ms is None else min(stop_ms, length_ms)
    if not 0 <= start_ms < stop:
        raise ValueError(
            f"from {start_ms:g} to {stop:g} ms is no part of sweeps of {length_ms:g} ms; expected start < stop."
        )
    return Repeats(recording.source, tuple(best), start_ms, stop)


def _alike(sweeps: Sequence[RawSweep]) -> list[list[RawSweep]]:
    """Sweeps in groups of one current; those whose current hardly moves are left out."""
    groups: list[tuple[np.ndarray, list[RawSweep]]] = []
    for sweep in sweeps:
        grid = sweep.trace.grid
        blocks = block_means(sweep.commanded_na, max(1, round(_BLOCK_MS / grid.dt_ms)))
        if np.std(blocks) < _LEAST_MOVED_NA:
            continue
        for reference, members in groups:
            if members[0].trace.grid == grid and _same(reference, blocks):
                members.append(sweep)
                break
        else:
            groups.append((blocks, [sweep]))
    return [members for _, members in groups]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    allowed = max(_MEASURED_NA, _SAME_SHARE * float(np.std(one)))
    return float(np.sqrt(np.mean(np.square(one - other)))) <= allowed
