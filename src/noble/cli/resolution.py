"""`noble resolution`: how an operator answers at sampling intervals that it was not trained at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from noble.cli.app import app
from noble.cli.evaluate import Bundle, generation_of, hall_of, shown
from noble.cli.output import write_figure, write_numbers
from noble.cli.progress import console, tracked

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


@app.command()
def resolution(
    bundle: Bundle,
    dt: Annotated[list[float], typer.Option(help="Sampling interval, ms; repeat for several.")] = [  # noqa: B006
        0.02,
        0.03,
        0.06,
        0.12,
    ],
    traces: Annotated[int, typer.Option(min=1, help="Fresh traces of training models, each simulated once.")] = 100,
    seed: Annotated[int, typer.Option(help="Of their draw.")] = 0,
    hall: Annotated[str | None, typer.Option(help="Hall; the bundle's own by default.", show_default=False)] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Generation YAML: range and window; the bundle's own by default.", show_default=False),
    ] = None,
    data_folder: Annotated[Path | None, typer.Option(help="Folder with SWC files.", show_default=False)] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write all numbers as JSON.", show_default=False)] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for a figure, resolution.png.", show_default=False)
    ] = None,
) -> None:
    """Answer the same currents at several sampling intervals, each against the simulation at that interval."""
    from noble.operator import Operator
    from noble.simulators import ArborSimulator, SolverSettings
    from noble.studies.resolution import resolution_errors

    operator = Operator.load(bundle)
    settings = generation_of(operator, config)
    simulator = ArborSimulator(numerics=SolverSettings(dt_ms=settings.simulation_dt_ms), data_folder=data_folder)
    with tracked("simulating and predicting") as progress:
        found = resolution_errors(
            operator,
            hall_of(operator, hall or settings.hall),
            simulator,
            dts_ms=dt,
            count=traces,
            seed=seed,
            config=settings,
            progress=progress,
        )
    summary = {"trained_dt_ms": operator.grid.dt_ms, **found}
    title = f"{traces} traces; trained at {operator.grid.dt_ms:g} ms, simulated at {found['simulated_dt_ms']:g} ms"
    table = Table("dt (ms)", *_SHOWN.values(), title=title)
    for row in found["resolutions"]:
        table.add_row(f"{row['dt_ms']:g}", *(shown(row[key]) for key in _SHOWN))
    console.print(table)
    if json is not None:
        write_numbers(summary, json, bundle)
    if output is not None:
        from noble.plots.studies import resolution_figure

        write_figure(resolution_figure(summary), output / "resolution.png")
