"""Sweeps in columns of text, told by the units in their header: what spreadsheets, numpy and other programs write."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np

from noble.files import read_text
from noble.units import base_unit

EXPECTED: Final = (
    "time_ms, and a voltage and a current a sweep with their units, such as V_mV and I_pA, or V (mV) and I (nA)"
)

# A CSV file of 100 traces of 5 s at 0.06 ms has 150 MiB.
_LARGEST_BYTES: Final = 512 * 2**20
# So much text may stand before the numbers, and so many sweeps below one another.
_LONGEST_PREFACE: Final = 2**16
_MOST_SWEEPS: Final = 10_000
# Units of this package, in units of the base.
_OURS: Final = {"s": 1e-3, "V": 1e-3, "A": 1e-9}
_SEPARATORS: Final = ("\t", ";", ",")
_NUMBER: Final = re.compile(r"[-+]?(\d+[.,]?\d*|[.,]\d+)([eE][-+]?\d+)?|nan|[-+]?inf(inity)?|", re.IGNORECASE)
_BRACKETS: Final = re.compile(r"[(\[{]\s*([^()\[\]{}]*?)\s*[)\]}]")
# `s`, `V` and `A` after a word are units only of what these words name.
_LETTERS: Final = {
    "s": {"t", "time", "times"},
    "V": {"v", "vm", "voltage", "potential", "membrane", "response", "soma"},
    "A": {"i", "im", "current", "stimulus", "stim", "command", "cmd", "injected", "iinj"},
}
_SYMBOLS: Final = {symbol.lower(): symbol for symbol in ("ms", "us", "mV", "uV", "nA", "pA", "uA", "mA")}
_SWEEP: Final = re.compile(r"(sweep|trial|episode|trace)s?[ _-]*(number|index|no\.?|id|#)?", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class TextSweep:
    """A sweep as the text has it, in ms, mV and nA.

    Attributes:
        name: of its voltage column, or its value in the column of sweeps.
        times_ms, voltage_mv, current_na: shape (time,); NaN where a field is empty.
    """

    name: str
    times_ms: np.ndarray
    voltage_mv: np.ndarray
    current_na: np.ndarray


@dataclass(frozen=True, eq=False)
class _Column:
    """A column in our unit of its base; the base is empty where the header names no unit."""

    name: str
    base: str
    values: np.ndarray


def read_text_sweeps(path: Path, *, expected: str) -> list[TextSweep]:
    """The sweeps of a table of text: pairs of columns of voltage and current, or such a pair with a column of sweeps.

    Separators are tabs, semicolons, commas or blanks; commas may be decimal after tabs and semicolons. Lines before the header
    do not count, nor lines that begin with `#`; the header itself may. Columns without unit do not count.

    Args:
        path: of the file.
        expected: what it should be, for messages.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is no table of numbers under a header with units.
    """
    text = read_text(path, expected=expected, limit_bytes=_LARGEST_BYTES)
    text = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    preface, start = _preface(text, path)
    first_row = text[start:].partition("\n")[0]
    separator = next((one for one in _SEPARATORS if one in first_row), None)
    names = _header(preface, len(_split(first_row, separator)), separator, path)
    table = _table(text[start:], separator, len(names), path)
    columns = []
    for name, values in zip(names, table.T, strict=True):
        base, factor = _unit(name)
        scale = factor / _OURS[base] if base else 1.0
        columns.append(_Column(name, base, values if scale == 1.0 else values * scale))
    return _sweeps(columns, path)


def _preface(text: str, path: Path) -> tuple[list[str], int]:
    """The lines before the first row of numbers, without marks of comments and blank ones, and where that row begins."""
    lines, at = [], 0
    while at < min(len(text), _LONGEST_PREFACE):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end].strip()
        fields = [field.strip(" \"'") for field in re.split(r"[\t;,]|\s+", line)]
        if any(fields) and all(_NUMBER.fullmatch(field) for field in fields):
            return lines, at
        if stripped := line.lstrip("#;%/ ").rstrip(";, "):
            lines.append(stripped)
        at = end + 1
    raise ValueError(f"{path} has no row of numbers; expected {EXPECTED}.")


def _header(lines: Sequence[str], count: int, separator: str | None, path: Path) -> list[str]:
    """Names of the columns: the last line before them, or the last two if the last holds units alone.

    Args:
        lines: before the first row of numbers.
        count: of numbers in that row.
        separator: in that row; the header, if it is a comment, may have another.
        path: for messages.
    """
    for one in dict.fromkeys((separator, *_SEPARATORS, None)) if lines else ():
        names = _split(lines[-1], one)
        if len(names) == count or (one == separator and len(names) > 1):
            above = (
                _split(lines[-2], one)
                if len(lines) > 1 and all(_symbol(name.strip("()[] "))[0] for name in names)
                else []
            )
            if len(above) == len(names):
                return [f"{name} ({unit.strip('()[] ')})" for name, unit in zip(above, names, strict=True)]
            return names
    held = f"the header {lines[-1][:80]!r} over {count} columns" if lines else "no header"
    raise ValueError(f"{path} has {held}; expected {EXPECTED}.")


def _split(line: str, separator: str | None) -> list[str]:
    """The fields of a line. Where blanks separate them, a unit in brackets belongs to what is before it."""
    fields = line.strip(" ").split(separator) if separator else re.findall(r"\S+(?:\s+[(\[{][^)\]}]*[)\]}])?", line)
    fields = [field.strip().strip("\"'").strip() for field in fields]
    return fields[:-1] if len(fields) > 1 and not fields[-1] else fields


def _table(rows: str, separator: str | None, count: int, path: Path) -> np.ndarray:
    """The numbers, shape (rows, columns); NaN where a field is empty."""
    import pandas as pd

    decimal = "," if separator in ("\t", ";") and "," in rows else "."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # which would leave numbers out
            frame = pd.read_csv(
                BytesIO(rows.encode()),
                sep=separator or r"\s+",
                header=None,
                names=range(count + 1),  # one more, for rows that end with a separator
                index_col=False,
                decimal=decimal,
                comment="#",
                skipinitialspace=True,
                dtype=np.float64,
            )
    except (ValueError, OverflowError, pd.errors.ParserWarning) as error:
        raise ValueError(f"{path} is not a table of numbers ({' '.join(str(error).split())[:200]}).") from error
    table = frame.to_numpy()
    filled = np.flatnonzero(~np.all(np.isnan(table), axis=0))
    width = int(filled[-1]) + 1 if filled.size else 0
    if width != count:
        raise ValueError(f"{path} has rows of {width} numbers under {count} names; expected one a column.")
    return table[:, :count]


def _unit(name: str) -> tuple[str, float]:
    """Base and factor of the unit that a column's name holds: in brackets, after a slash, or as a part of the name."""
    candidates = _BRACKETS.findall(name)
    if "/" in name:
        candidates.append(name.rpartition("/")[2])
    for candidate in candidates:
        if (found := _symbol(candidate))[0]:
            return found
    parts = [part for part in re.split(r"[\s_.\-]+", _BRACKETS.sub(" ", name)) if part]
    for place in range(len(parts) - 1, -1, -1):
        part, words = parts[place], [re.sub(r"\d+$", "", other).lower() for other in parts[:place]]
        if len(part) > 1 and (found := _symbol(part))[0]:
            return found
        for letter, of in _LETTERS.items():
            named = [word for word in words if word in of]
            if named and (part == letter or (part.upper() == letter.upper() and len(named[-1]) > 2)):
                return letter, 1.0
    return "", float("nan")


def _symbol(text: str) -> tuple[str, float]:
    """Base and factor of a unit; the usual symbols in any case."""
    found = base_unit(text)
    return found if found[0] else base_unit(_SYMBOLS.get(text.strip().lower(), ""))


def _sweeps(columns: Sequence[_Column], path: Path) -> list[TextSweep]:
    times, voltages, currents = ([column for column in columns if column.base == base] for base in ("s", "V", "A"))
    if not (times and voltages and currents):
        held = ", ".join(column.name[:40] for column in columns[:6])
        raise ValueError(f"{path} has columns {held}; expected {EXPECTED}.")
    currents = _partners(voltages, currents, "currents", path)
    times = _partners(voltages, times, "times", path)
    numbers = [column for column in columns if not column.base and _SWEEP.fullmatch(column.name)]
    found = []
    for voltage, current, time in zip(voltages, currents, times, strict=True):
        for name, rows in _rows(numbers[0] if numbers else None, voltage, path):
            parts = (time.values[rows], voltage.values[rows], current.values[rows])
            held = np.flatnonzero(~np.all(np.isnan(parts), axis=0))
            stop = int(held[-1]) + 1 if held.size else 0
            found.append(TextSweep(name, *(part[:stop] for part in parts)))
    return found


def _rows(numbers: _Column | None, voltage: _Column, path: Path) -> list[tuple[str, np.ndarray | slice]]:
    """Name and rows of each sweep of a pair of columns."""
    if numbers is None:
        return [(voltage.name, slice(None))]
    values, first = np.unique(numbers.values[~np.isnan(numbers.values)], return_index=True)
    if values.size > _MOST_SWEEPS:
        raise ValueError(
            f"{path} has {values.size} sweeps in its column {numbers.name}; expected {_MOST_SWEEPS} at most."
        )
    ordered = values[np.argsort(first)]
    return [(f"{numbers.name} {value:g}", np.flatnonzero(numbers.values == value)) for value in ordered]


def _partners(voltages: Sequence[_Column], others: Sequence[_Column], what: str, path: Path) -> list[_Column]:
    """The current or time of each voltage: the only one, that of the same numbers in its name, or that of the same place."""
    if len(others) == 1:
        return [others[0]] * len(voltages)
    ours, theirs = [_numbers(column) for column in voltages], {_numbers(column): column for column in others}
    if all(ours) and len(set(ours)) == len(ours) and set(ours) <= set(theirs):
        return [theirs[one] for one in ours]
    if len(others) != len(voltages) or (all(ours) and all(theirs) and len(theirs) == len(others)):
        held, beside = (", ".join(column.name[:40] for column in columns[:6]) for columns in (voltages, others))
        raise ValueError(
            f"{path} has the voltages {held} and the {what} {beside}; expected one each a sweep, with one number in both names."
        )
    return list(others)


def _numbers(column: _Column) -> tuple[str, ...]:
    """`1` of `V1 (mV)` and of `I_pA_1`."""
    return tuple(re.findall(r"\d+", _BRACKETS.sub("", column.name)))
