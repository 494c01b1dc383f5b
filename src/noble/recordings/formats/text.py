"""Recordings in columns of text: a time, and pairs of voltage and current with their units in the header."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from noble.recordings.formats import Options, Sweeps
from noble.recordings.raw import RawSweep, checked_sweep
from noble.traces.columns import TextSweep, read_text_sweeps
from noble.traces.grid import uniform_interval

# No amplifier samples faster, ms, and no recorded membrane stays so near to zero, mV: the unit is another one.
_SHORTEST_INTERVAL_MS: Final = 0.001
_SMALLEST_VOLTAGE_MV: Final = 0.5


def read(path: Path, options: Options) -> Sweeps:
    """The sweeps of a file.

    Raises:
        ValueError: if it is no table with units in its header, or has no voltage of the name that is asked for.
    """
    sweeps = read_text_sweeps(path, expected="a table of text")
    names = [sweep.name for sweep in sweeps]
    if options.electrode is not None and options.electrode not in names:
        raise ValueError(f"{path} has no voltage {options.electrode!r}; expected one of {', '.join(names[:20])}.")
    for number, sweep in enumerate(sweeps):
        if options.electrode not in (None, sweep.name):
            continue
        name = sweep.name if names.count(sweep.name) == 1 else f"{sweep.name} ({number})"
        try:
            yield _sweep(name, number, sweep, options)
        except ValueError as error:
            yield name, str(error)


def _sweep(name: str, number: int, sweep: TextSweep, options: Options) -> RawSweep:
    if (wrong := np.flatnonzero(~np.isfinite(sweep.times_ms))).size:
        raise ValueError(f"its time in row {wrong[0] + 1} is not finite; expected a number in every row.")
    try:
        dt_ms = uniform_interval(sweep.times_ms)
    except ValueError as error:
        raise ValueError(f"its times {error}; resample it.") from error
    if dt_ms < _SHORTEST_INTERVAL_MS:
        raise ValueError(
            f"its samples are {dt_ms:g} ms apart; expected the unit of its time in the header, which may be s."
        )
    largest_mv = np.max(np.abs(sweep.voltage_mv), where=np.isfinite(sweep.voltage_mv), initial=0.0)
    if 0 < largest_mv < _SMALLEST_VOLTAGE_MV:
        raise ValueError(
            f"its voltage reaches {largest_mv:g} mV; expected a membrane's, and its unit in the header, which may be V."
        )
    return checked_sweep(
        name,
        number,
        "",
        sweep.voltage_mv,
        sweep.current_na,
        dt_ms,
        junction_potential_mv=options.junction_potential_mv,
        start_ms=float(sweep.times_ms[0]),
    )
