"""Which stimulus belongs to which response, where a file does not say so."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

from noble.recordings.formats.hdf5 import Series

# Starting times that differ by less than about this, s, are one time written twice.
_SAME_TIME_DIGITS: Final = 3
_MOST_PARTS: Final = 8


def matched(responses: Sequence[Series], stimuli: Sequence[Series]) -> dict[int, Series]:
    """Stimuli by the `id` of their response, where one alone of each has the same key at the same electrode.

    The keys are tried in order of trust: sweep number, name, numbers in the name, the one part of it that tells the names apart,
    starting time. Two series of different sweep numbers are no pair, whatever their names. A stimulus without electrode belongs
    to the only one.
    """
    electrodes = {item.electrode for item in responses}
    only = electrodes.pop() if len(electrodes) == 1 else None
    found: dict[int, Series] = {}
    left, right = list(responses), list(stimuli)
    for key in (_sweep, _name, _numbers, *_telling_parts(responses, stimuli), _starting_time):
        of_key = _by_key(key, right, only)
        for value, same in _by_key(key, left, only).items():
            others = of_key.get(value, [])
            if len(same) == len(others) == 1 and not _of_other_sweeps(same[0], others[0]):
                found[id(same[0])] = others[0]
                left.remove(same[0])
                right.remove(others[0])
    return found


def _by_key(
    key: Callable[[Series], Hashable], series: Sequence[Series], only: str | None
) -> dict[tuple[Any, Hashable], list[Series]]:
    """The series that have the key, by electrode and key."""
    groups: dict[tuple[Any, Hashable], list[Series]] = {}
    for item in series:
        if (value := key(item)) is not None:
            groups.setdefault((item.electrode or only, value), []).append(item)
    return groups


def _of_other_sweeps(response: Series, stimulus: Series) -> bool:
    numbers = response.sweep, stimulus.sweep
    return None not in numbers and numbers[0] != numbers[1]


def _sweep(series: Series) -> int | None:
    return series.sweep


def _name(series: Series) -> str:
    return series.name


def _numbers(series: Series) -> tuple[str, ...] | None:
    """`(3, 0)` of `data_00003_AD0` as of `data_00003_DA0`."""
    return tuple(part for part in _parts(series) if part.isdecimal()) or None


def _parts(series: Series) -> list[str]:
    """`data`, `3`, `ad`, `0` of `data_00003_AD0`: numbers without leading zeros, and words in lower case."""
    found = re.findall(r"\d+|[^\W\d_]+", series.name)
    return [part.lstrip("0") or "0" if part.isdecimal() else part.lower() for part in found]


def _telling_parts(responses: Sequence[Series], stimuli: Sequence[Series]) -> list[Callable[[Series], Hashable]]:
    """The parts of a name, counted from either end, each if it differs between all responses, and between all stimuli.

    Of `data_00003_AD0` the last part says the channel, which many sweeps share, and the second the sweep.
    """

    def at(place: int) -> Callable[[Series], Hashable]:
        def part(series: Series) -> str | None:
            parts = _parts(series)
            return parts[place] if -len(parts) <= place < len(parts) else None

        return part

    def tells(key: Callable[[Series], Hashable]) -> bool:
        for series in (responses, stimuli):
            keys = [(item.electrode, key(item)) for item in series]
            if len(keys) < 2 or len(set(keys)) < len(keys):
                return False
        return True

    places = [place for count in range(_MOST_PARTS) for place in (-1 - count, count)]
    return [key for key in map(at, places) if tells(key)]


def _starting_time(series: Series) -> float | None:
    start = series.starting_time_s
    return None if start is None else round(start, _SAME_TIME_DIGITS)
