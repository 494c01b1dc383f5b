"""`noble map`: a feature over the latent plane."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from noble.cli.app import ASK, app
from noble.cli.options import Bundle, Json
from noble.cli.output import in_unit, shown, write_figure, write_numbers
from noble.cli.progress import console, tracked
from noble.cli.stimulus_options import Onset, Sampling, StepLength, Window
from noble.protocols import StepProtocol

if TYPE_CHECKING:
    from noble.studies import FeatureMap


@app.command("map", rich_help_panel=ASK)
def draw_map(
    bundle: Bundle,
    feature: Annotated[str, typer.Option(help="An e-feature by its eFEL name; see `noble features`.")] = "AP1_width",
    step: Annotated[float, typer.Option(help="Amplitude of the step, nA.")] = 0.25,
    size: Annotated[int, typer.Option(min=2, help="Points along each axis.")] = 60,
    onset: Onset = 15.0,
    length: StepLength = 400.0,
    window: Window = 515.0,
    dt: Sampling = 0.02,
    json: Json = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for a figure, map-FEATURE.png.", show_default=False)
    ] = None,
) -> None:
    """Map an e-feature over threshold and slope: heat map and surface, with hull and training models. Needs no simulator.

    Sampled finely, since at 0.06 ms the width of a spike moves by up to 0.02 ms with where the samples happen to fall.
    """
    from noble.operator import Operator
    from noble.studies import feature_map

    operator = Operator.load(bundle)
    protocol = StepProtocol(onset_ms=onset, step_ms=length, window_ms=window, dt_ms=dt)
    with tracked(f"mapping {feature}") as progress:
        found = feature_map(operator, feature, step, protocol, size=size, progress=progress)
    _print(found)
    write_numbers(found, json, bundle)
    if output is not None:
        from noble.plots.family import map_figure

        write_figure(map_figure(found), output / f"map-{feature}.png")


def _print(found: FeatureMap) -> None:
    """The feature's spread within the hull of the training models and outside it."""
    size = f"{found.first.size} x {found.second.size} neurons"
    title = f"{found.feature}{in_unit(found.unit)} of {size} at {found.amplitude_na:g} nA in {found.seconds:.1f} s"
    table = Table("hull of the training models", "points", "without it", "lowest", "median", "highest", title=title)
    for where, row in found.summary().items():
        table.add_row(where, str(row.points), str(row.missing), *map(shown, (row.lowest, row.median, row.highest)))
    console.print(table)
