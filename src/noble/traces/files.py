"""Traces as files: CSV, which spreadsheets and other programs read and write."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Final

import numpy as np

from noble.files import read_text, write_text
from noble.traces.batch import Trace, TraceBatch
from noble.traces.grid import TimeGrid

# A CSV file of 100 traces of 5 s at 0.06 ms has 150 MiB.
_LARGEST_BYTES: Final = 512 * 2**20
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
    """Read what `write_traces` wrote, or any CSV with columns time_ms, current_na[_K] and voltage_mv[_K].

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if columns are missing or the time is not uniform.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}; write one with `noble simulate ... -o {path}`.")
    text = read_text(path, expected="a CSV file of traces", limit_bytes=_LARGEST_BYTES)
    header, _, rows = text.partition("\n")
    names = [name.strip() for name in header.split(",")]
    voltages = [name for name in names if name.startswith("voltage_mv")]
    currents = [name.replace("voltage_mv", "current_na") for name in voltages]
    if "time_ms" not in names or not voltages or set(currents) - set(names):
        raise ValueError(
            f"{path} has columns {', '.join(name[:40] for name in names[:6])}; "
            "expected time_ms, and current_na_K and voltage_mv_K for each trace."
        )
    try:
        table = np.loadtxt(StringIO(rows), delimiter=",", ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path} is not a table of numbers ({error}).") from error
    if table.shape[1] != len(names):
        raise ValueError(
            f"{path} has rows of {table.shape[1]} numbers under {len(names)} names; expected one a column."
        )
    if not np.all(np.abs(table) < _LARGEST_VALUE):  # NaN is not either
        raise ValueError(
            f"{path} has a value that is not finite, or beyond {_LARGEST_VALUE:g}; expected ms, nA and mV."
        )
    times = table[:, names.index("time_ms")]
    steps = np.diff(times)
    if steps.size == 0 or not steps.mean() > 0 or np.any(np.abs(steps - steps.mean()) > 1e-3 * steps.mean()):
        raise ValueError(f"the times in {path} are not uniform; resample the traces.")
    traces = [
        Trace(
            TimeGrid(float((times[-1] - times[0]) / steps.size), times.size),
            table[:, names.index(voltage)],
            table[:, names.index(current)],
        )
        for voltage, current in zip(voltages, currents, strict=True)
    ]
    return TraceBatch(
        traces[0].grid,
        np.stack([trace.voltage_mv for trace in traces]),
        np.stack([trace.current_na for trace in traces]),
    )
