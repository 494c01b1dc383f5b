"""`noble subsampling`: which sampling interval a data set can have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.table import Column, Table

from noble.cli.app import DATA, app
from noble.cli.options import DataFolder, Json
from noble.cli.output import in_unit, shown, write_figure
from noble.cli.progress import console, tracked
from noble.files import write_json

if TYPE_CHECKING:
    from noble.studies import SubsamplingStudy
    from noble.studies.subsampling import SamplingError

Number = TypeVar("Number", int, float)


@app.command(rich_help_panel=DATA)
def subsampling(
    hall: Annotated[str, typer.Argument(help="A shipped hall by name, or a file.", show_default=False)],
    targets: Annotated[
        Path | None,
        typer.Option(
            help="Targets of the hall's recording, as `noble targets` writes them: they give the hall's own error, next to "
            "which a decimation error is negligible or not.",
            show_default=False,
        ),
    ] = None,
    factors: Annotated[str, typer.Option(help="Decimation factors, separated by commas.")] = "1,2,3,5,8,12",
    models: Annotated[int, typer.Option(min=1, help="Models, evenly spaced over the hall.")] = 10,
    amplitudes: Annotated[
        str | None,
        typer.Option(
            help="Steps, nA, separated by commas; by default those of the targets, or four of the paper's range.",
            show_default=False,
        ),
    ] = None,
    part: Annotated[
        float, typer.Option(help="Up to this part of the hall's error, a decimation error is negligible.")
    ] = 0.1,
    data_folder: DataFolder = None,
    json: Json = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for a figure, subsampling.png.", show_default=False)
    ] = None,
) -> None:
    """Decimate simulations, with low-pass and without, and compare each e-feature's error with the hall's own."""
    from noble.cells import HallOfFame
    from noble.simulators import ArborSimulator
    from noble.studies import subsampling_study
    from noble.targets import Targets

    with tracked("simulating and measuring") as progress:
        found = subsampling_study(
            HallOfFame.load(hall),
            ArborSimulator(data_folder=data_folder),
            targets=None if targets is None else Targets.load(targets),
            factors=_numbers(factors, int, "--factors"),
            models=models,
            amplitudes_na=None if amplitudes is None else _numbers(amplitudes, float, "--amplitudes"),
            part=part,
            progress=progress,
        )
    for low_pass in (True, False):
        console.print(_table(found, low_pass=low_pass))
    console.print(_verdict(found))
    if json is not None:
        write_json(json, found.to_dict())
    if output is not None:
        from noble.plots.studies import subsampling_figure

        write_figure(subsampling_figure(found), output / "subsampling.png")


def _numbers(text: str, kind: type[Number], option: str) -> list[Number]:
    """Numbers of a kind, separated by commas."""
    try:
        return [kind(item) for item in text.split(",")]
    except ValueError:
        expected = "whole numbers" if kind is int else "numbers"
        raise ValueError(f"{option} is {text!r}; expected {expected} separated by commas.") from None


def _table(found: SubsamplingStudy, *, low_pass: bool) -> Table:
    """Errors of decimation in units of the hall's where that is known, else in the feature's."""
    rows, judged = found.of(low_pass=low_pass), found.targets is not None
    title = f"{'low-pass and decimation' if low_pass else 'decimation alone'}: error" + (
        " in % of the hall's own" if judged else ""
    )
    table = Table(
        Column("feature", overflow="fold"), "hall's\nerror", *(f"{row.dt_ms:g} ms" for row in rows), title=title
    )
    for name, facts in found.features.items():
        cells = (_cell(row.features[name], judged) for row in rows)
        table.add_row(name + in_unit(facts.unit), shown(facts.hall_error), *cells)
    return table


def _cell(errors: SamplingError, judged: bool) -> str:
    """One number of the table; an exclamation mark where traces lost or gained the feature."""
    error, share = errors.error, errors.of_hall_error
    if judged and share is None and error:  # of no error at all there is no part
        number = "above"
    else:
        number = f"{100 * share:.1f}" if judged and share is not None else shown(error)
    return number + (" !" if errors.lost else "")


def _verdict(found: SubsamplingStudy) -> str:
    """Which dt is justified, and what speaks against the next larger one."""
    justified = found.justified_dt_ms
    if justified is None:
        return "Without --targets there is no error of the hall to compare with, so no dt is judged."
    lines = [
        f"Largest dt at which every feature's error is at most {100 * found.part:g} % of the hall's: "
        f"{justified.low_pass:g} ms with low-pass, {justified.decimation_alone:g} ms without."
    ]
    for low_pass, words in ((True, "with low-pass"), (False, "without")):
        rows = [row for row in found.of(low_pass=low_pass) if row.dt_ms > justified.of(low_pass=low_pass)]
        if rows:
            lines.append(f"Against {rows[0].dt_ms:g} ms {words}: {', '.join(rows[0].not_negligible or ())}.")
    return "\n".join(lines)
