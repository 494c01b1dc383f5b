"""`noble ensemble`: how a family of neurons answers one current."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from noble.cli.app import ASK, app
from noble.cli.options import Bundle, Count, DataFolder, HallName, Json, Models, Seed
from noble.cli.output import in_unit, shown, write_figure, write_numbers
from noble.cli.progress import console, tracked
from noble.cli.stimulus_options import Onset, Sampling, StepLength, Window
from noble.features import unit_of
from noble.protocols import StepProtocol

if TYPE_CHECKING:
    from noble.studies import EnsembleStudy


@app.command(rich_help_panel=ASK)
def ensemble(
    bundle: Bundle,
    step: Annotated[float, typer.Option(help="Amplitude of the step, nA.")] = 0.2,
    models: Models = None,
    n: Count = 200,
    seed: Seed = 0,
    simulate: Annotated[
        bool,
        typer.Option("--simulate", help="Compare with simulations of the training models, or of the disc's model."),
    ] = False,
    onset: Onset = 15.0,
    length: StepLength = 400.0,
    window: Window = 515.0,
    dt: Sampling = 0.06,
    hall: HallName = None,
    data_folder: DataFolder = None,
    json: Json = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for a figure, ensemble.png.", show_default=False)
    ] = None,
) -> None:
    """Answer one step with a whole family: the training models, neurons between them, or neurons round one of them."""
    from noble.evaluation import hall_of
    from noble.operator import Operator
    from noble.simulators import ArborSimulator
    from noble.studies import ensemble_study

    operator = Operator.load(bundle)
    found = ensemble_study(
        operator,
        hall_of(operator, hall),
        step_na=step,
        models=models or "hall",
        count=n,
        seed=seed,
        simulator=ArborSimulator(data_folder=data_folder) if simulate else None,
        protocol=StepProtocol(onset_ms=onset, step_ms=length, window_ms=window, dt_ms=dt),
        tracking=tracked,
    )
    _print(found)
    write_numbers(found, json, bundle)
    if output is not None:
        from noble.plots.family import ensemble_figure

        write_figure(ensemble_figure(found.answers, found.simulated), output / "ensemble.png")


def _print(found: EnsembleStudy) -> None:
    """A row a feature, compared with the reference where there is one."""
    title = f"{found.neurons} neurons ({found.models}) at {found.step_na:g} nA in {found.seconds:.2f} s"
    table = Table(Column("feature", overflow="fold"), "% having it", "median", "5 to 95 %", title=title)
    compared = found.reference is not None
    if compared:
        table.add_column(f"median of the {found.reference}")
        table.add_column("Wasserstein")
    else:
        table.caption = "compared with nothing: these are the training models themselves; add --simulate"
    for name, row in found.comparison.features.items():
        band = "-" if row.q05 is None else f"{shown(row.q05)} to {shown(row.q95)}"
        against = (shown(row.reference_median), shown(row.wasserstein)) if compared else ()
        having = f"{100 * (row.having_share or 0):.0f}"
        if compared:
            having += f" / {100 * (row.reference_having_share or 0):.0f}"
        table.add_row(name + in_unit(unit_of(name)), having, shown(row.median), band, *against)
    console.print(table)
    if found.comparison.implausible_share is not None:
        share = f"{100 * found.comparison.implausible_share:.1f} %"
        console.print(
            f"implausible: {share} of the traces (a feature missing, or outside the range of the {found.plausible}, by more than "
            "its width)"
        )
    if found.outside_hull_share > 0:
        share = f"{100 * found.outside_hull_share:.0f} %"
        console.print(f"extrapolated: {share} of the neurons lie outside the training models' hull")
