"""Traces as files: CSV, which spreadsheets and other programs read and write."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from noble.files import write_text
from noble.traces.batch import TraceBatch
from noble.traces.columns import TextSweep, read_text_sweeps
from noble.traces.grid import TimeGrid, uniform_interval

# No time in ms, current in nA or voltage in mV comes near it.
_LARGEST_VALUE: Final = 1e9


def write_traces(batch: TraceBatch, path: Path) -> None:
    """Write a CSV file with columns time_ms, then current_na_K and voltage_mv_K of each trace K, to seven digits."""
    names = ["time_ms"]
    columns = [batch.grid.times_ms]
    for index, trace in enumerate(batch):
        names += [f"current_na_{index}", f"voltage_mv_{index}"]
        columns += [trace.current_na, trace.voltage_mv]
    rows = [",".join(f"{value:.7g}" for value in row) for row in np.column_stack(columns)]
    write_text(path, ",".join(names) + "\n" + "\n".join(rows) + "\n")


def read_traces(path: Path) -> TraceBatch:
    """Read what `write_traces` wrote, or any table of text with a time, voltages and currents and their units in the header.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if columns are missing, a value is not finite, or the time is not uniform.
    """
    return read_timed_traces(path)[0]


def read_timed_traces(path: Path) -> tuple[TraceBatch, float]:
    """What `read_traces` reads, and the time of its first sample, ms, which a grid does not know.

    Raises:
        FileNotFoundError, ValueError: as `read_traces` does.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}; write one with `noble simulate ... -o {path}`.")
    sweeps = read_text_sweeps(path, expected="a CSV file of traces")
    for sweep in sweeps:
        _check(sweep, path)
    grids = {(float(sweep.times_ms[0]), _interval_ms(sweep, path), sweep.times_ms.size) for sweep in sweeps}
    if len(grids) != 1:
        raise ValueError(f"{path} has {len(sweeps)} traces of {len(grids)} time axes; expected one for all.")
    [(start_ms, dt_ms, count)] = grids
    voltages, currents = (np.stack([getattr(sweep, name) for sweep in sweeps]) for name in ("voltage_mv", "current_na"))
    return TraceBatch(TimeGrid(dt_ms, count), voltages, currents), start_ms


def _interval_ms(sweep: TextSweep, path: Path) -> float:
    try:
        return uniform_interval(sweep.times_ms)
    except ValueError as error:
        raise ValueError(f"the times in {path} {error}; resample the traces.") from error


def _check(sweep: TextSweep, path: Path) -> None:
    """Refuse what is no number of ms, mV or nA, with its time."""
    for what, values in (("time", sweep.times_ms), ("voltage", sweep.voltage_mv), ("current", sweep.current_na)):
        wrong = np.flatnonzero(~(np.abs(values) < _LARGEST_VALUE))  # NaN is not smaller either
        if wrong.size:
            where = f"row {wrong[0] + 1}" if what == "time" else f"{sweep.times_ms[wrong[0]]:.10g} ms"
            raise ValueError(
                f"{path} has a {what} at {where} that is not finite, or beyond {_LARGEST_VALUE:g}; expected ms, nA and mV."
            )
