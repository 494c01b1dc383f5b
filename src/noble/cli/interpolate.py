"""`noble interpolate`: neurons between the models, in features and in parameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from noble.cli.app import app
from noble.cli.evaluate import Bundle, hall_of, shown
from noble.cli.output import write_figure, write_numbers
from noble.cli.progress import console, tracked


@app.command()
def interpolate(
    bundle: Bundle,
    targets: Annotated[
        Path,
        typer.Option(
            help="Targets of the hall's recording, as `noble targets` writes them; best those of its final check."
        ),
    ],
    pairs: Annotated[int, typer.Option(min=1, help="Random pairs of distinct training models.")] = 50,
    points: Annotated[int, typer.Option(min=1, help="Neurons round each held-out model.")] = 50,
    radius: Annotated[float, typer.Option(help="Of their disc, in units of the training models' range.")] = 0.1,
    step: Annotated[list[float], typer.Option(help="Amplitude of a step for the discs, nA; repeat for several.")] = [  # noqa: B006
        -0.05,
        0.2,
        0.28,
    ],
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    mean: Annotated[
        Literal["arithmetic", "geometric"],
        typer.Option(help="How parameters are averaged; geometric is halfway in their logarithms, potentials apart."),
    ] = "arithmetic",
    hall: Annotated[str | None, typer.Option(help="Hall; the bundle's own by default.", show_default=False)] = None,
    data_folder: Annotated[Path | None, typer.Option(help="Folder with SWC files.", show_default=False)] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; all cores by default, 0 for none.", show_default=False)
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write all numbers as JSON.", show_default=False)] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for figures, discs.png and halfway.png.", show_default=False),
    ] = None,
) -> None:
    """Compare neurons round held-out models with these, and neurons halfway between two models with the recording."""
    from noble.evolve import interpolate_parameters
    from noble.evolve.interpolate import draw_pairs
    from noble.jobs import Pool
    from noble.operator import Operator
    from noble.simulators import ArborSimulator
    from noble.studies.interpolation import compare_halfway, disc_errors, summarise_discs, training_models
    from noble.targets import Targets

    operator, wanted = Operator.load(bundle), Targets.load(targets)
    known = hall_of(operator, hall)
    training = training_models(known)
    draw_pairs(len(training), pairs, seed)  # refuses too many before anything is simulated
    with tracked("neurons round held-out models") as progress:
        discs = disc_errors(
            operator,
            known,
            ArborSimulator(data_folder=data_folder),
            amplitudes_na=step,
            points=points,
            radius=radius,
            seed=seed,
            progress=progress,
        )
    with tracked("simulating halfway in parameters") as progress, Pool(workers=workers) as pool:
        parameters = interpolate_parameters(
            training, wanted, pool, pairs=pairs, seed=seed, mean=mean, data_folder=data_folder, progress=progress
        )
    with tracked("predicting halfway in features") as progress:
        found = compare_halfway(
            operator, known, wanted, parameters, range_na=_trained_range_na(operator), progress=progress
        )
    summary = {
        "seed": seed,
        "discs": {"points_each": points, "radius": radius, "amplitudes_na": list(step), **summarise_discs(discs)},
        "halfway": found,
    }
    _print_discs(summary["discs"])
    _print_halfway(found)
    if json is not None:
        write_numbers(summary, json, bundle)
    if output is not None:
        from noble.plots.studies import disc_figure, halfway_figure
        from noble.studies.interpolation import POPULATIONS

        drawn = [(f"model {disc.model}", disc.simulated, disc.predicted) for disc in discs]
        deviations = {label: found["populations"][name]["mean_abs_z"] for name, label in POPULATIONS.items()}
        for figure, name in ((disc_figure(drawn), "discs.png"), (halfway_figure(deviations), "halfway.png")):
            write_figure(figure, output / name)


def _trained_range_na(operator: Any) -> tuple[float, float] | None:
    """Currents that an operator's data were drawn from, nA, if it records them."""
    amplitude = (operator.provenance.get("generation") or {}).get("amplitude")
    return None if amplitude is None else (amplitude["low_na"], amplitude["high_na"])


def _print_discs(discs: Mapping[str, Any]) -> None:
    """The neurons round held-out models, and the operator's answers for these models themselves."""
    columns = {
        "traces": "traces",
        "relative_l2_percent": "relative\nL2 (%)",
        "spike_count_error_percent": "count\n(%)",
        "spike_time_median_ms": "timing\n(ms)",
        "ap1_width_error_percent": "AP1\nwidth (%)",
        "mean_ap_amplitude_error_percent": "AP ampli-\ntude (%)",
        "steady_state_voltage_error_percent": "steady\nstate (%)",
    }
    table = Table("against the held-out model", *columns.values(), title=f"{len(discs['models'])} held-out models")
    rows = ((f"{discs['points_each']} points round it", "points"), ("its own features", "centre"))
    for label, key in rows:
        table.add_row(label, *(shown(discs[key][column]) for column in columns))
    console.print(table)


def _print_halfway(found: Mapping[str, Any]) -> None:
    """Who stays within the recording's z-scores as the hall does."""
    from noble.studies.interpolation import POPULATIONS

    title = f"against {found['targets']}, {len(found['steps_na'])} steps"
    table = Table(
        "who", "neurons", "within the hall's\nworst mean |z| (%)", "median\nmean |z|", "worst\nmean |z|", title=title
    )
    for name, label in POPULATIONS.items():
        row = found["populations"][name]
        numbers = row["within_worst_percent"], row["median_mean_abs_z"], row["worst_mean_abs_z"]
        table.add_row(label, str(row["neurons"]), *map(shown, numbers))
    console.print(table)
    if found["left_out_na"]:
        amplitudes = ", ".join(f"{amplitude:g}" for amplitude in found["left_out_na"])
        console.print(f"Left out of every score, since the operator was not trained there: {amplitudes} nA.")
