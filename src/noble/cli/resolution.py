"""`noble resolution`: how an operator answers at sampling intervals that it was not trained at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from noble.cli.app import OPERATORS, app
from noble.cli.options import Bundle, DataFolder, HallName, Json, Seed
from noble.cli.output import shown, write_figure, write_numbers
from noble.cli.progress import console, tracked

if TYPE_CHECKING:
    from noble.studies import ResolutionStudy

# Columns of the table; the file holds all numbers.
_SHOWN: Final = {
    "relative_l2_percent": "rel. L2\n(%)",
    "spike_count_error_percent": "count\n(%)",
    "spike_time_median_ms": "timing\n(ms)",
    "coincidence_1ms": "coinci-\ndence",
    "ap1_width_error_percent": "AP1\nwidth (%)",
    "mean_ap_amplitude_error_percent": "AP ampli-\ntude (%)",
    "steady_state_voltage_error_percent": "steady\nstate (%)",
}


@app.command(rich_help_panel=OPERATORS)
def resolution(
    bundle: Bundle,
    dt: Annotated[list[float], typer.Option(help="Sampling interval, ms; repeat for several.")] = [  # noqa: B006
        0.02,
        0.03,
        0.06,
        0.12,
    ],
    traces: Annotated[int, typer.Option(min=1, help="Fresh traces of training models, each simulated once.")] = 100,
    seed: Seed = 0,
    hall: HallName = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Generation YAML: range and window; the bundle's own by default.", show_default=False),
    ] = None,
    data_folder: DataFolder = None,
    json: Json = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for a figure, resolution.png.", show_default=False)
    ] = None,
) -> None:
    """Answer the same currents at several sampling intervals, each against the simulation at that interval."""
    from noble.evaluation.source import fresh_source
    from noble.operator import Operator
    from noble.simulators import ArborSimulator, SolverSettings
    from noble.studies import resolution_study

    operator = Operator.load(bundle)
    known, settings = fresh_source(operator, hall=hall, config=config)
    simulator = ArborSimulator(numerics=SolverSettings(dt_ms=settings.simulation_dt_ms), data_folder=data_folder)
    with tracked("simulating and predicting") as progress:
        found = resolution_study(
            operator, known, simulator, dts_ms=dt, count=traces, seed=seed, config=settings, progress=progress
        )
    _print(found)
    write_numbers(found, json, bundle)
    if output is not None:
        from noble.plots.studies import resolution_figure

        write_figure(resolution_figure(found), output / "resolution.png")


def _print(found: ResolutionStudy) -> None:
    """A row a sampling interval."""
    trained, simulated = f"trained at {found.trained_dt_ms:g} ms", f"simulated at {found.simulated_dt_ms:g} ms"
    table = Table("dt (ms)", *_SHOWN.values(), title=f"{found.traces} traces; {trained}, {simulated}")
    for row in found.resolutions:
        table.add_row(f"{row.dt_ms:g}", *(shown(row.errors.number(key)) for key in _SHOWN))
    console.print(table)
