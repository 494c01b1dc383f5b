"""What both versions of NWB have in common: series of samples in HDF5, with a unit, a factor and a clock.

HDF5 itself is asked, not a library of NWB: such a library refuses a file for any part of it that breaks the schema, or whose
extension it cannot build, while a recording needs little of what a file holds. Whatever is damaged is found where it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any, Final

import numpy as np

from noble.traces.grid import uniform_interval
from noble.units import MS_PER_SECOND, base_unit

Window = tuple[int, int]
"""First sample and number of samples; -1 for all there are."""

WHOLE: Final[Window] = (0, -1)
# Over three minutes at 100 kHz; a sweep that claims more is damaged, and would only fill memory.
_MOST_SAMPLES: Final = 20_000_000
# HDF5 tells where it failed at length.
_LONGEST_REASON: Final = 200
# What h5py raises where a file is damaged, or holds something else than it should.
_DAMAGE: Final = (OSError, KeyError, RuntimeError, TypeError, ValueError, OverflowError, AttributeError)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """An HDF5 file.

    Raises:
        ValueError: if it is none, or not whole.
    """
    import h5py

    try:
        file = h5py.File(path, "r")
    except _DAMAGE as error:
        reason = shorten(str(error), _LONGEST_REASON).rstrip(".")
        raise ValueError(f"{path} cannot be read as NWB ({reason}); expected a complete NWB 1 or 2 file.") from error
    with file:
        yield file


def member(group: Any, *names: str) -> Any:
    """A group or dataset by the names that lead to it; None if there is none, or none that can be reached."""
    import h5py

    for name in names:
        if not isinstance(group, h5py.Group):
            return None
        try:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink) and not _beside(group, link.filename).is_file():
                return None  # a pipe would be waited for
            group = group.get(name)
        except _DAMAGE:
            return None
    return group


def members(group: Any) -> Iterator[tuple[str, Any]]:
    """What is in a group, with its name; nothing if it is no group."""
    import h5py

    if isinstance(group, h5py.Group):
        try:
            names = list(group)
        except _DAMAGE:
            return
        for name in names:
            if (item := member(group, name)) is not None:
                yield name, item


def _beside(group: Any, name: str) -> Path:
    return Path(group.file.filename).parent / name


def attribute(item: Any, name: str) -> Any:
    """An attribute; None if there is none that can be read."""
    try:
        return item.attrs.get(name)
    except _DAMAGE:
        return None


def single(item: Any) -> Any:
    """What a dataset holds, if it is a single value, else None."""
    try:
        return item[()] if item.size == 1 else None
    except _DAMAGE:
        return None


def text(value: Any) -> str:
    """Text of bytes, text, or an array of one of them; empty for anything else."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size == 1 else None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip("\0 ")
    return str(value).strip() if isinstance(value, str) else ""


def number(value: Any) -> float | None:
    """A finite number, or an array of one; None for anything else."""
    try:
        found = float(np.asarray(value, dtype=float).reshape(()))
    except (TypeError, ValueError, OverflowError):
        return None
    return found if np.isfinite(found) else None


@dataclass(frozen=True, eq=False)
class Series:
    """A series of samples, as yet unread.

    Attributes:
        group: that holds `data`, and `starting_time` or `timestamps`.
        name: of the series.
        kind: type of NWB, such as `CurrentClampSeries`.
        electrode: its name; None if the file does not say.
        sweep: number of the sweep; None if the file does not say.
        protocol: what the file calls the stimulus.
    """

    group: Any
    name: str
    kind: str
    electrode: str | None = None
    sweep: int | None = None
    protocol: str = ""

    @property
    def unit(self) -> str:
        """What the file says."""
        return text(attribute(member(self.group, "data"), "unit"))

    @property
    def offset(self) -> float:
        """What the file adds to samples, in their unit: what a stored zero stands for."""
        return number(attribute(member(self.group, "data"), "offset")) or 0.0

    def scalar(self, name: str) -> float | None:
        """A number that the series has besides its samples."""
        return number(single(member(self.group, name)))

    @property
    def starting_time_s(self) -> float | None:
        """Time of the first sample of all, s."""
        if (start := self.scalar("starting_time")) is not None:
            return start
        try:
            return number(member(self.group, "timestamps")[0])
        except _DAMAGE:
            return None

    def samples(self, window: Window, base: str, *, conversion: float | None = None) -> np.ndarray:
        """Samples in V or A: what the file holds times its conversion plus its offset. `gain` is not applied, by NWB.

        Args:
            window: what to read.
            base: `V` or `A`.
            conversion: used instead of the file's.

        Raises:
            ValueError: if it is in another unit, or not what a series holds.
        """
        what = "response" if base == "V" else "stimulus"
        data = member(self.group, "data")
        if self.unit and base_unit(self.unit) != (base, 1.0):
            expected = {"V": "volts", "A": "amperes"}[base]
            raise ValueError(f"the unit of its {what} is {self.unit[:40]!r}; expected {expected}, as NWB demands.")
        raw = _read(data, window, f"data of its {what}")
        factor = number(attribute(data, "conversion")) if conversion is None else conversion
        return raw * (1.0 if factor is None else factor) + self.offset

    def clock_ms(self, window: Window, count: int) -> tuple[float, float]:
        """Time of the first sample of a window and sampling interval, ms, from the rate or from the window's timestamps.

        Raises:
            ValueError: if there is no rate, or if the timestamps within the window are not uniform.
        """
        timestamps = member(self.group, "timestamps")
        rate = attribute(member(self.group, "starting_time"), "rate")
        if rate is not None or timestamps is None:
            rate_hz = number(rate)
            if rate_hz is None or rate_hz <= 0:
                raise ValueError(f"the rate of {self.name} is {shorten(str(rate), 40)} Hz; expected a positive number.")
            dt_ms = MS_PER_SECOND / rate_hz
            return (self.starting_time_s or 0.0) * MS_PER_SECOND + window[0] * dt_ms, dt_ms
        times_ms = _read(timestamps, (window[0], count), f"timestamps of {self.name}") * MS_PER_SECOND
        try:
            return float(times_ms[0]), uniform_interval(times_ms)
        except ValueError as error:
            raise ValueError(f"its timestamps {error}; expected a constant sampling interval.") from error


def _read(data: Any, window: Window, what: str) -> np.ndarray:
    """A window of one row of numbers, as floats.

    Raises:
        ValueError: if it is none, or shorter than the window, or too long.
    """
    shape = getattr(data, "shape", None)
    if not shape or len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
        raise ValueError(f"the {what} have shape {shape}; expected one row of numbers.")
    if data.dtype.kind not in "iufb":
        raise ValueError(f"the {what} are of type {data.dtype}; expected numbers.")
    first, count = window
    there = shape[0] - first
    count = there if count < 0 else count
    if not (first >= 0 and 2 <= count <= min(there, _MOST_SAMPLES)):
        raise ValueError(
            f"the {what} were to be read from sample {first} for {count} samples, of {shape[0]}; expected 2 to "
            f"{_MOST_SAMPLES:,} of them."
        )
    try:
        return np.asarray(data[first : first + count], dtype=float).reshape(-1)
    except _DAMAGE as error:
        raise ValueError(f"the {what} cannot be read ({shorten(str(error), _LONGEST_REASON).rstrip('.')}).") from error
