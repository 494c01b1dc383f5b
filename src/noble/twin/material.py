"""What a recording gives to learn from: sweeps on one sampling interval, with their spikes, above the holding current.

Before its first sample a sweep was at rest, as far as anybody knows, so it is continued backwards by its first current.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from noble.recordings import NEGLIGIBLE_HOLDING_NA, RawSweep, Recording, survey
from noble.recordings.kinds import Kind
from noble.traces import TimeGrid

# What was recorded at several sampling intervals is learned at this one, ms.
_COMMON_DT_MS: Final = 0.1
# The current before a sweep is the median of so much of its start, ms.
_START_MS: Final = 1.0
_FEWEST_SPIKES: Final = 30
_SHORTEST_MS: Final = 2_000.0
_ENOUGH: Final = "a minute of fluctuating current under which it fires some five times a second is enough"


@dataclass(frozen=True, eq=False)
class Stretch:
    """A sweep, or a part of one, that counts.

    Attributes:
        sweep: its number among those of the material.
        start_ms, stop_ms: within the sweep, ms.
    """

    sweep: int
    start_ms: float
    stop_ms: float

    @property
    def duration_ms(self) -> float:
        """Its length, ms."""
        return self.stop_ms - self.start_ms


@dataclass(frozen=True, eq=False)
class Answered:
    """One sweep.

    Attributes:
        raw: the sweep as it was recorded.
        kind: what its current is made of.
        current_na: above the holding current, float32, shape (time,), nA.
        voltage_mv: float32, shape (time,), mV.
        spikes_ms: peaks, ascending, ms from its first sample.
    """

    raw: RawSweep
    kind: Kind
    current_na: np.ndarray
    voltage_mv: np.ndarray
    spikes_ms: np.ndarray

    @property
    def name(self) -> str:
        """Of the sweep in the file."""
        return self.raw.name


@dataclass(frozen=True, eq=False)
class Material:
    """What there is to learn from.

    Attributes:
        sweeps: in the order of the file.
        dt_ms: sampling interval of all of them, ms.
        holding_na: constant current that their currents come on top of, nA.
    """

    sweeps: tuple[Answered, ...]
    dt_ms: float
    holding_na: float

    @cached_property
    def duration_ms(self) -> float:
        """Of all sweeps, ms."""
        return sum(self._length_ms(sweep) for sweep in self.sweeps)

    @cached_property
    def spikes(self) -> int:
        """Of all sweeps."""
        return sum(sweep.spikes_ms.size for sweep in self.sweeps)

    @cached_property
    def rest_mv(self) -> float:
        """The median voltage, mV."""
        return float(np.median(np.concatenate([sweep.voltage_mv for sweep in self.sweeps])))

    @cached_property
    def range_na(self) -> tuple[float, float]:
        """Least and largest current above the holding current, nA."""
        return (
            min(float(sweep.current_na.min()) for sweep in self.sweeps),
            max(float(sweep.current_na.max()) for sweep in self.sweeps),
        )

    def split(self, held_back: float, pieces: int) -> tuple[tuple[Stretch, ...], tuple[Stretch, ...]]:
        """Stretches to learn from, and those held back: sweeps end to end, of which evenly spread pieces are taken out.

        Args:
            held_back: share of the time.
            pieces: how many are held back.
        """
        total = self.duration_ms
        middles = (np.arange(pieces) + 0.7) * total / pieces
        reach = held_back * total / pieces / 2
        cuts = [
            (0.0, False),
            *((edge, held) for at in middles for edge, held in ((at - reach, True), (at + reach, False))),
        ]
        learned: list[Stretch] = []
        held: list[Stretch] = []
        begin = 0.0
        for number, sweep in enumerate(self.sweeps):
            end = begin + self._length_ms(sweep)
            for (first, is_held), (last, _) in zip(cuts, [*cuts[1:], (total, False)], strict=True):
                start, stop = max(first, begin) - begin, min(last, end) - begin
                if stop - start >= self.dt_ms:
                    (held if is_held else learned).append(Stretch(number, start, stop))
            begin = end
        return tuple(learned), tuple(held)

    def grid(self, longest_ms: float) -> TimeGrid:
        """A window as long as the longest sweep, but no longer than this."""
        longest = max(self._length_ms(sweep) for sweep in self.sweeps)
        return TimeGrid.spanning(min(longest, longest_ms), dt_ms=self.dt_ms)

    def _length_ms(self, sweep: Answered) -> float:
        return sweep.current_na.size * self.dt_ms


def material_of(recording: Recording, *, sweeps: Sequence[int] | None = None, stop_ms: float | None = None) -> Material:
    """What a recording gives to learn from.

    Args:
        recording: as `read_recording` returns it.
        sweeps: positions of those to take, from 0 on; None is all.
        stop_ms: learn from the beginning of each sweep only, up to here, ms; None is all of it.

    Raises:
        ValueError: if there is no such sweep, the recording is too short, or the neuron hardly fires; it says what is enough.
    """
    chosen = recording.raw_at(sweeps)
    known = {id(item.raw): item for item in survey(recording).sweeps}
    found = [known[id(raw)] for raw in chosen]
    holding = _holding_na([item.holding_na for item in found if item.kind != "noise"])
    intervals = {round(raw.trace.grid.dt_ms, 9) for raw in chosen}
    dt_ms = intervals.pop() if len(intervals) == 1 else _COMMON_DT_MS
    made = Material(
        tuple(_answered(raw, item.kind, holding, dt_ms, stop_ms) for raw, item in zip(chosen, found, strict=True)),
        dt_ms,
        holding,
    )
    if made.duration_ms < _SHORTEST_MS or made.spikes < _FEWEST_SPIKES:
        raise ValueError(
            f"{recording.source} holds {made.duration_ms / 1e3:.3g} s with {made.spikes} spikes to learn from; expected at "
            f"least {_SHORTEST_MS / 1e3:g} s with {_FEWEST_SPIKES}; {_ENOUGH}."
        )
    return made


def _answered(raw: RawSweep, kind: Kind, holding_na: float, dt_ms: float, stop_ms: float | None) -> Answered:
    own_ms, count = raw.trace.grid.dt_ms, raw.trace.grid.count
    if stop_ms is not None:
        count = max(2, min(count, round(stop_ms / own_ms)))
    current, voltage = raw.commanded_na[:count] - holding_na, raw.trace.voltage_mv[:count]
    peaks = raw.peaks[raw.peaks < count] * own_ms
    if abs(own_ms - dt_ms) > 1e-9:
        times = np.arange(max(2, int(count * own_ms / dt_ms))) * dt_ms
        own = np.arange(count) * own_ms
        # The charge of each sample is kept, whether there are more of them or fewer.
        charge = np.concatenate([[0.0], np.cumsum(current)]) * own_ms
        edges = np.interp(np.append(times, times[-1] + dt_ms), np.arange(count + 1) * own_ms, charge)
        current, voltage = np.diff(edges) / dt_ms, np.interp(times, own, voltage)
    return Answered(raw, kind, current.astype(np.float32), voltage.astype(np.float32), peaks)


def _holding_na(found: Sequence[float]) -> float:
    """The holding current, if the sweeps have one in common, nA."""
    if not found:
        return 0.0
    middle = float(np.median(found))
    return round(middle, 4) if abs(middle) > NEGLIGIBLE_HOLDING_NA else 0.0


def before_na(sweep: Answered, dt_ms: float) -> float:
    """The current that a sweep is taken to have had before its first sample, nA."""
    return float(np.median(sweep.current_na[: max(1, round(_START_MS / dt_ms))]))
