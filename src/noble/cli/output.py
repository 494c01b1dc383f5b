"""What a command leaves behind: tables, and figures and files that know the command and the bundle that made them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.table import Column, Table

from noble.cli.progress import console
from noble.files import write_json
from noble.results import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from noble.evaluation import Summary
    from noble.recordings.survey import SweepSurvey


_FEW_SWEEPS: Final = 4


def command_line() -> str:
    """The command as it was typed."""
    return shlex.join(["noble", *sys.argv[1:]])


def shown(value: float | None) -> str:
    """A number for a table; a dash where there is none."""
    return "-" if value is None else f"{value:.4g}"


def in_unit(unit: str) -> str:
    """A unit behind a name, in brackets; nothing for what has none."""
    return "" if unit == "1" else f" ({unit})"


def print_metrics(summaries: Mapping[str, Summary], title: str | None = None) -> None:
    """A table of the stable numbers, a column a subset or a regime."""
    from noble.evaluation import STABLE_KEYS

    table = Table(Column("quantity", no_wrap=True), *(name.replace("_", " ") for name in summaries), title=title)
    for key in ("traces", *STABLE_KEYS):
        table.add_row(key, *(shown(summary.number(key)) for summary in summaries.values()))
    console.print(table)


def print_unusable(unusable: Mapping[str, str]) -> None:
    """A line a sweep of a recording that is not used."""
    for name, reason in unusable.items():
        console.print(f"not used: {name}: {reason}", highlight=False)


def print_doubts(sweeps: Sequence[SweepSurvey]) -> None:
    """A line a reason to doubt sweeps, with those that it holds for."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for sweep in sweeps:
        if sweep.verdict != "good":
            reasons.setdefault((sweep.verdict, sweep.reason), []).append(sweep.name)
    for (verdict, reason), names in reasons.items():
        more = f" and {len(names) - _FEW_SWEEPS} more" if len(names) > _FEW_SWEEPS else ""
        shown_names = ", ".join(names[:_FEW_SWEEPS])
        console.print(f"{verdict}: {shown_names}{more}: {reason}", highlight=False, markup=False)


def write_figure(figure: Figure, path: Path) -> None:
    """Save a figure together with the command, and say so."""
    from noble.plots.style import save_figure

    console.print(f"wrote {save_figure(figure, path, command=command_line())}")


def write_numbers(result: Result, path: Path | None, bundle: Path | str) -> None:
    """Save what was measured on a bundle as JSON, with `made_by`: the command, and which weights and hall it was."""
    from noble.operator.bundle import identity

    if path is not None:
        made_by = {"command": command_line(), "bundle": identity(bundle)}
        write_json(path, {**result.to_dict(), "made_by": made_by})
