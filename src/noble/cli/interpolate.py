"""`noble interpolate`: neurons between the models, in features and in parameters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer
from rich.table import Table

from noble.cli.app import ASK, app
from noble.cli.options import Bundle, DataFolder, HallName, Json, Seed, Workers
from noble.cli.output import shown, write_figure, write_numbers
from noble.cli.progress import console, tracked

if TYPE_CHECKING:
    from noble.studies import InterpolationStudy
    from noble.studies.discs import DiscErrors
    from noble.studies.halfway import HalfwayComparison

# Columns of the table of discs; the file holds all numbers.
_SHOWN: Final = {
    "traces": "traces",
    "relative_l2_percent": "relative\nL2 (%)",
    "spike_count_error_percent": "count\n(%)",
    "spike_time_median_ms": "timing\n(ms)",
    "ap1_width_error_percent": "AP1\nwidth (%)",
    "mean_ap_amplitude_error_percent": "AP ampli-\ntude (%)",
    "steady_state_voltage_error_percent": "steady\nstate (%)",
}


@app.command(rich_help_panel=ASK)
def interpolate(
    bundle: Bundle,
    targets: Annotated[
        Path,
        typer.Option(
            help="Targets of the hall's recording, as `noble targets` writes them; best those of its final check."
        ),
    ],
    pairs: Annotated[int, typer.Option(min=1, help="Number of random pairs of distinct training models.")] = 50,
    points: Annotated[int, typer.Option(min=1, help="Number of neurons round each held-out model.")] = 50,
    radius: Annotated[float, typer.Option(help="Radius of their disc, in units of the training models' range.")] = 0.1,
    step: Annotated[list[float], typer.Option(help="Amplitude of a step for the discs, nA; repeat for several.")] = [  # noqa: B006
        -0.05,
        0.2,
        0.28,
    ],
    seed: Seed = 0,
    mean: Annotated[
        Literal["arithmetic", "geometric"],
        typer.Option(help="How parameters are averaged; geometric is halfway in their logarithms, potentials apart."),
    ] = "arithmetic",
    hall: HallName = None,
    data_folder: DataFolder = None,
    workers: Workers = None,
    json: Json = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for figures, discs.png and halfway.png.", show_default=False),
    ] = None,
) -> None:
    """Compare neurons round held-out models with these, and neurons halfway between two models with the recording."""
    from noble.evaluation import hall_of
    from noble.operator import Operator
    from noble.simulators import ArborSimulator
    from noble.studies import interpolation_study
    from noble.targets import Targets

    operator, wanted = Operator.load(bundle), Targets.load(targets)
    found = interpolation_study(
        operator,
        hall_of(operator, hall),
        wanted,
        simulator=ArborSimulator(data_folder=data_folder),
        pairs=pairs,
        points=points,
        radius=radius,
        amplitudes_na=step,
        seed=seed,
        mean=mean,
        data_folder=data_folder,
        workers=workers,
        tracking=tracked,
    )
    _print_discs(found.discs)
    _print_halfway(found.halfway)
    write_numbers(found, json, bundle)
    if output is not None:
        _draw(found, output)


def _draw(found: InterpolationStudy, output: Path) -> None:
    """The two figures."""
    from noble.plots.studies import disc_figure, halfway_figure
    from noble.studies.halfway import POPULATIONS

    discs = [(f"model {disc.model}", disc.simulated, disc.predicted) for disc in found.answers]
    populations = found.halfway.populations
    deviations = {label: populations[name].mean_abs_z for name, label in POPULATIONS.items()}
    write_figure(disc_figure(discs), output / "discs.png")
    write_figure(halfway_figure(deviations), output / "halfway.png")


def _print_discs(discs: DiscErrors) -> None:
    """The neurons round held-out models, and the operator's answers for these models themselves."""
    table = Table("against the held-out model", *_SHOWN.values(), title=f"{len(discs.models)} held-out models")
    rows = ((f"{discs.points_each} points round it", discs.points), ("its own features", discs.centre))
    for label, summary in rows:
        table.add_row(label, *(shown(summary.number(key)) for key in _SHOWN))
    console.print(table)


def _print_halfway(found: HalfwayComparison) -> None:
    """Who stays within the recording's z-scores as the hall does."""
    from noble.studies.halfway import POPULATIONS

    title = f"against {found.targets}, {len(found.steps_na)} steps"
    columns = ("within the hall's\nworst mean |z| (%)", "median\nmean |z|", "worst\nmean |z|")
    table = Table("who", "neurons", *columns, title=title)
    for name, label in POPULATIONS.items():
        row = found.populations[name]
        numbers = row.within_worst_percent, row.median_mean_abs_z, row.worst_mean_abs_z
        table.add_row(label, str(row.neurons), *map(shown, numbers))
    console.print(table)
    if found.left_out_na:
        amplitudes = ", ".join(f"{amplitude:g}" for amplitude in found.left_out_na)
        console.print(f"Left out of every score, since the operator was not trained there: {amplitudes} nA.")
