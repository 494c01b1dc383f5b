"""`noble ensemble`: how a family of neurons answers one current."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer
from rich.table import Column, Table

from noble.cli.app import app
from noble.cli.evaluate import Bundle, hall_of, shown
from noble.cli.family_options import Count, DataFolder, HallName, Json, Models, Seed
from noble.cli.output import write_figure, write_numbers
from noble.cli.progress import console, tracked
from noble.cli.stimulus_options import Onset, Sampling, StepLength, Window
from noble.features import extract, unit_of
from noble.protocols import StepProtocol
from noble.traces import TraceBatch

if TYPE_CHECKING:
    from noble.cells import HallOfFame
    from noble.stimuli import Stimulus
    from noble.traces import TimeGrid

# Between two reports of progress; as many as there are cores on most machines.
_SIMULATED_AT_ONCE: Final = 8


@app.command()
def ensemble(
    bundle: Bundle,
    step: Annotated[float, typer.Option(help="Amplitude of the step, nA.")] = 0.2,
    models: Models = "hall",
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
    from noble.evaluation import outside_hull_expected
    from noble.family import family_features, family_models
    from noble.operator import Operator
    from noble.studies import compare_features

    operator = Operator.load(bundle)
    known = hall_of(operator, hall)
    neurons = family_features(operator.spec, known, models, count=n, seed=seed).values
    protocol = StepProtocol(onset_ms=onset, step_ms=length, window_ms=window, dt_ms=dt)
    stimulus, grid = protocol.stimulus(step), protocol.grid
    with outside_hull_expected():
        operator.predict(neurons[:1], [stimulus], grid)  # tables and threads are made at the first answer
        started = time.perf_counter()
        answers = operator.predict(neurons, [stimulus] * len(neurons), grid)
        seconds = time.perf_counter() - started

    def measured(batch: TraceBatch) -> dict[str, np.ndarray]:
        return extract(batch, onset_ms=protocol.onset_ms, offset_ms=protocol.offset_ms)

    reference = plausible = drawn = None
    if simulate:
        among = family_models(known, models)
        simulated_models = list(dict.fromkeys((*known.train, *among)))  # a disc may lie round a held-out model
        simulated = _simulated(known, simulated_models, stimulus, grid, data_folder)
        rows = [simulated_models.index(model) for model in among]
        drawn = simulated.take(rows)
        known_features = measured(simulated)
        reference = {name: values[rows] for name, values in known_features.items()}
        # One model has no range, so the training models say what is plausible round a single one, too.
        plausible = {name: values[: len(known.train)] for name, values in known_features.items()}
    elif models != "hall":  # which would be compared with itself
        trained = family_features(operator.spec, known, "hall", count=0, seed=0).values
        plausible = reference = measured(operator.predict(trained, [stimulus] * len(trained), grid))
        if models != "hull":  # a disc is compared with its centre
            centre = known.feature_table(operator.spec.names)[list(family_models(known, models))]
            with outside_hull_expected():
                reference = measured(operator.predict(centre, [stimulus], grid))
    comparison = compare_features(measured(answers), reference, plausible=plausible)
    summary = {
        "models": models,
        "neurons": len(neurons),
        "step_na": step,
        "seed": seed,
        "seconds": seconds,
        "outside_hull_share": float(np.mean(operator.spec.hull.outside(neurons[:, operator.spec.latent_columns]))),
        "reference": _reference(simulate, models),
        "plausible": None if plausible is None else f"{'simulations' if simulate else 'operator'}, training models",
        **comparison,
    }
    _print(summary)
    if json is not None:
        write_numbers(summary, json, bundle)
    if output is not None:
        from noble.plots.family import ensemble_figure

        write_figure(ensemble_figure(answers, drawn), output / "ensemble.png")


def _print(summary: dict[str, Any]) -> None:
    """A row a feature, compared with the reference where there is one."""
    title = "{neurons} neurons ({models}) at {step_na:g} nA in {seconds:.2f} s".format(**summary)
    table = Table(Column("feature", overflow="fold"), "% having it", "median", "5 to 95 %", title=title)
    compared = summary["reference"] is not None
    if compared:
        table.add_column(f"median of the {summary['reference']}")
        table.add_column("Wasserstein")
    else:
        table.caption = "compared with nothing: these are the training models themselves; add --simulate"
    for name, row in summary["features"].items():
        unit = "" if unit_of(name) == "1" else f" ({unit_of(name)})"
        band = "-" if row["q05"] is None else f"{shown(row['q05'])} to {shown(row['q95'])}"
        against = (shown(row["reference_median"]), shown(row["wasserstein"])) if compared else ()
        having = f"{100 * (row['having_share'] or 0):.0f}"
        if compared:
            having += f" / {100 * (row['reference_having_share'] or 0):.0f}"
        table.add_row(name + unit, having, shown(row["median"]), band, *against)
    console.print(table)
    if compared:
        console.print(
            f"implausible: {100 * summary['implausible_share']:.1f} % of the traces (a feature missing, or outside the range of "
            f"the {summary['plausible']}, by more than its width)"
        )
    if summary["outside_hull_share"] > 0:
        console.print(
            f"extrapolated: {100 * summary['outside_hull_share']:.0f} % of the neurons lie outside the training models' hull"
        )


def _reference(simulate: bool, models: str) -> str | None:
    """What a family is compared with."""
    if simulate:
        return "simulation"
    return {"hall": None, "hull": "operator on the training models"}.get(models, "operator on the disc's centre")


def _simulated(
    hall: HallOfFame, models: Sequence[int], stimulus: Stimulus, grid: TimeGrid, data_folder: Path | None
) -> TraceBatch:
    """Simulations of some of the hall's models."""
    from noble.simulators import ArborSimulator

    cells = [hall.cell_model(index) for index in models]
    simulator, parts = ArborSimulator(data_folder=data_folder), []
    with tracked("simulating") as progress:
        for start in range(0, len(cells), _SIMULATED_AT_ONCE):
            part = cells[start : start + _SIMULATED_AT_ONCE]
            parts.append(simulator.respond(part, [stimulus] * len(part), grid))
            progress(start + len(part), len(cells))
    return TraceBatch.join(parts)
