"""Spike times from voltage, and the distance between two spike trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

# Both PV and VIP spikes peak above 0 mV, and no passive response of these cells reaches -30 mV.
THRESHOLD_MV: Final = -30.0


def spike_times_ms(voltage_mv: np.ndarray, *, dt_ms: float, threshold_mv: float = THRESHOLD_MV) -> np.ndarray:
    """Times of the action-potential peaks in one trace, refined below dt by a parabola through three samples.

    A spike is a maximal run of samples above the threshold that is entered from below; its time is its largest sample's.
    A trace that starts above the threshold counts that run only once it has come down and risen again.

    Args:
        voltage_mv: shape (time,), mV.
        dt_ms: sampling interval, ms.
        threshold_mv: voltage that a spike must cross upwards, mV.

    Returns:
        Peak times from the first sample on, shape (spikes,), ms.
    """
    above = voltage_mv > threshold_mv
    rises = np.flatnonzero(~above[:-1] & above[1:]) + 1
    falls = np.flatnonzero(above[:-1] & ~above[1:]) + 1
    times = []
    for rise in rises:
        later_falls = falls[falls > rise]
        stop = int(later_falls[0]) if later_falls.size else voltage_mv.size
        peak = int(rise) + int(np.argmax(voltage_mv[rise:stop]))
        times.append((peak + _parabola_offset(voltage_mv, peak)) * dt_ms)
    return np.asarray(times)


def within(times_ms: np.ndarray, start_ms: float, stop_ms: float) -> np.ndarray:
    """The times `t` with `start_ms <= t < stop_ms`, in their order, ms."""
    return times_ms[(times_ms >= start_ms) & (times_ms < stop_ms)]


@dataclass(frozen=True, eq=False)
class SpikeTrains:
    """Spike trains of several traces, one after the other in memory (a ragged array).

    Attributes:
        times_ms: shape (spikes of all traces,), float64, ms.
        offsets: shape (traces + 1,), int64; train `k` is `times_ms[offsets[k] : offsets[k + 1]]`.
    """

    times_ms: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, trains: Sequence[np.ndarray]) -> SpikeTrains:
        """The trains of a list, in its order."""
        counts = [train.size for train in trains]
        times = np.concatenate([np.empty(0), *trains])
        return cls(times, np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64))

    @classmethod
    def join(cls, several: Sequence[SpikeTrains]) -> SpikeTrains:
        """All trains of several, in order."""
        counts = np.concatenate([trains.counts for trains in several])
        return cls(
            np.concatenate([trains.times_ms for trains in several]),
            np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
        )

    @classmethod
    def detect(cls, voltage_mv: np.ndarray, *, dt_ms: float) -> SpikeTrains:
        """The spikes of traces, shape (traces, time), by `spike_times_ms`."""
        return cls.of([spike_times_ms(trace, dt_ms=dt_ms) for trace in voltage_mv])

    def __len__(self) -> int:
        return self.offsets.size - 1

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < len(self):
            raise IndexError(f"train {index} was asked for; there are {len(self)}.")
        return self.times_ms[self.offsets[index] : self.offsets[index + 1]]

    @property
    def counts(self) -> np.ndarray:
        """Number of spikes of each trace, shape (traces,)."""
        return np.diff(self.offsets)

    def take(self, rows: np.ndarray) -> SpikeTrains:
        """Some of the trains, in this order."""
        return SpikeTrains.of([self[int(row)] for row in rows])

    def table(self, *, columns: int | None = None) -> np.ndarray:
        """One row a trace, filled up with infinity, shape (traces, `columns` or at least 1), float32, ms.

        Raises:
            ValueError: if a trace has more spikes than `columns`.
        """
        most = int(self.counts.max(initial=0))
        width = max(1, most) if columns is None else columns
        if most > width:
            raise ValueError(f"a trace has {most} spikes; the table was asked for with {width} columns.")
        table = np.full((len(self), width), np.inf, dtype=np.float32)
        rows = np.repeat(np.arange(len(self)), self.counts)
        table[rows, np.arange(self.times_ms.size) - self.offsets[rows]] = self.times_ms
        return table


def _parabola_offset(values: np.ndarray, peak: int) -> float:
    """Where, in samples from `peak`, the parabola through it and its neighbours has its maximum."""
    if peak == 0 or peak == values.size - 1:
        return 0.0
    left, middle, right = (float(value) for value in values[peak - 1 : peak + 2])
    curvature = left - 2 * middle + right
    return 0.0 if curvature >= 0 else 0.5 * (left - right) / curvature


def matched_pairs(reference_ms: np.ndarray, other_ms: np.ndarray, *, window_ms: float) -> list[tuple[int, int]]:
    """Pairs (reference, other) closer than a window: each spike used at most once, in order of time."""
    pairs, start = [], 0
    for index, time in enumerate(reference_ms):
        while start < other_ms.size and other_ms[start] < time - window_ms:
            start += 1
        if start < other_ms.size and abs(other_ms[start] - time) <= window_ms:
            pairs.append((index, start))
            start += 1
    return pairs


def coincidence_factor(
    reference_ms: np.ndarray, other_ms: np.ndarray, *, duration_ms: float, window_ms: float = 1.0
) -> float:
    """Coincidence factor Gamma of Kistler, Gerstner and van Hemmen (Neural Comput. 9, 1997), eq. 3.1.

    1 for coincident trains, 0 for what a Poisson train of the same rate would reach, NaN where neither fires.

    Args:
        reference_ms: spike times of the reference, ms.
        other_ms: spike times compared with it, ms.
        duration_ms: time over which `other_ms` could have fired, ms.
        window_ms: largest distance of two coincident spikes, ms.
    """
    total = reference_ms.size + other_ms.size
    if total == 0:
        return float("nan")
    rate = other_ms.size / duration_ms
    expected = 2 * rate * window_ms * reference_ms.size
    normalisation = 1 - 2 * rate * window_ms
    if normalisation <= 0:  # so fast that any spike is within the window of another: no factor can be defined
        return float("nan")
    coincident = len(matched_pairs(reference_ms, other_ms, window_ms=window_ms))
    return float((coincident - expected) / (0.5 * total) / normalisation)
