"""Stimuli as command-line options, and traces as CSV files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from noble.files import write_text
from noble.protocols import StepProtocol
from noble.stimuli import Stimulus, from_dict
from noble.traces import TimeGrid, Trace, TraceBatch

Steps = Annotated[
    list[float] | None, typer.Option("--step", help="Amplitude of a step, nA; repeat for several.", show_default=False)
]
StimulusFile = Annotated[
    Path | None,
    typer.Option(
        "--stimulus",
        help='JSON of any stimulus, for example {"kind": "Ramp", "start_ms": 15, "stop_ms": 415, "start_na": 0, "stop_na": 0.3}.',
        show_default=False,
    ),
]
Onset = Annotated[float, typer.Option(help="Start of the step, ms.")]
StepLength = Annotated[float, typer.Option("--length", help="Length of the step, ms.")]
Window = Annotated[float, typer.Option(help="Length of the window, ms.")]
Sampling = Annotated[float, typer.Option("--dt", help="Sampling interval, ms.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="CSV file for the traces.", show_default=False)]
Figure = Annotated[
    Path | None, typer.Option("--figure", help="Figure of the traces (.png, .pdf, .svg).", show_default=False)
]


def stimuli_of(steps: list[float] | None, stimulus: Path | None, protocol: StepProtocol) -> list[Stimulus]:
    """The stimuli that the options ask for.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if they ask for none, or the file is no stimulus.
    """
    chosen: list[Stimulus] = [protocol.stimulus(amplitude) for amplitude in steps or []]
    if stimulus is not None:
        if not stimulus.is_file():
            raise FileNotFoundError(f"there is no stimulus file {stimulus}.")
        try:
            described = json.loads(stimulus.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{stimulus} is not JSON ({error}).") from error
        chosen += [from_dict(item) for item in (described if isinstance(described, list) else [described])]
    if not chosen:
        raise ValueError("no stimulus was given; use --step AMPLITUDE (nA) or --stimulus FILE.json.")
    return chosen


def write_traces(batch: TraceBatch, path: Path) -> None:
    """Write columns time_ms, then current_na_K and voltage_mv_K of each trace K."""
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
        ValueError: if columns are missing or the time is not uniform.
    """
    header, _, _ = path.read_text(encoding="utf-8").partition("\n")
    names = [name.strip() for name in header.split(",")]
    voltages = [name for name in names if name.startswith("voltage_mv")]
    currents = [name.replace("voltage_mv", "current_na") for name in voltages]
    if "time_ms" not in names or not voltages or set(currents) - set(names):
        raise ValueError(
            f"{path} has columns {', '.join(names[:6])}; expected time_ms, and current_na_K and voltage_mv_K for each trace."
        )
    try:
        table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path} is not a table of numbers ({error}).") from error
    if table.shape[1] != len(names):
        raise ValueError(
            f"{path} has rows of {table.shape[1]} numbers under {len(names)} names; expected one a column."
        )
    times = table[:, names.index("time_ms")]
    steps = np.diff(times)
    if steps.size == 0 or np.any(np.abs(steps - steps.mean()) > 1e-3 * steps.mean()):
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
