"""`noble ensemble`: how a family of neurons answers one current."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from noble.cli.app import app
from noble.cli.evaluate import Bundle, hall_of, shown
from noble.cli.progress import console, tracked
from noble.cli.stimulus_options import Onset, Sampling, StepLength, Window
from noble.excitability import StepProtocol
from noble.files import write_json

if TYPE_CHECKING:
    from noble.cells import HallOfFame
    from noble.stimuli import Stimulus
    from noble.traces import TimeGrid, TraceBatch


@app.command()
def ensemble(
    bundle: Bundle,
    step: Annotated[float, typer.Option(help="Amplitude of the step, nA.")] = 0.2,
    models: Annotated[
        str, typer.Option(help="hall, hull, or disc:MODEL:RADIUS (in units of the training models' range).")
    ] = "hall",
    n: Annotated[int, typer.Option("--n", min=1, help="Neurons to draw from hull or disc.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    simulate: Annotated[
        bool,
        typer.Option("--simulate", help="Compare with simulations of the training models, or of the disc's model."),
    ] = False,
    onset: Onset = 15.0,
    length: StepLength = 400.0,
    window: Window = 515.0,
    dt: Sampling = 0.06,
    hall: Annotated[str | None, typer.Option(help="Hall; the bundle's own by default.", show_default=False)] = None,
    data_folder: Annotated[Path | None, typer.Option(help="Folder with SWC files.", show_default=False)] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write all numbers as JSON.", show_default=False)] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for a figure, ensemble.png.", show_default=False)
    ] = None,
) -> None:
    """Answer one step with a whole family: the training models, neurons between them, or neurons round one of them."""
    from noble.ensemble import compare_features, family_features, family_models, outside_hull_expected
    from noble.features import FEATURE_UNITS, extract
    from noble.operator import Noble

    noble = Noble.load(bundle)
    known = hall_of(noble, hall)
    neurons = family_features(noble.spec, known, models, count=n, seed=seed)
    protocol = StepProtocol(onset_ms=onset, step_ms=length, window_ms=window, dt_ms=dt)
    stimulus, grid = protocol.stimulus(step), protocol.grid
    with outside_hull_expected():
        noble.predict(neurons[:1], [stimulus], grid)  # tables and threads are made at the first answer
        started = time.perf_counter()
        answers = noble.predict(neurons, [stimulus] * len(neurons), grid)
        seconds = time.perf_counter() - started
    found = extract(answers, onset_ms=onset, offset_ms=onset + length)
    if simulate:
        standard = reference = _simulated(known, family_models(known, models), stimulus, grid, data_folder)
    else:  # the operator's own answers for the training models say what is plausible
        reference = None
        trained = family_features(noble.spec, known, "hall", count=0, seed=0)
        standard = noble.predict(trained, [stimulus] * len(trained), grid)
    comparison = compare_features(found, extract(standard, onset_ms=onset, offset_ms=onset + length))
    summary = {
        "models": models,
        "neurons": len(neurons),
        "step_na": step,
        "seed": seed,
        "seconds": seconds,
        "reference": "simulation" if simulate else "operator on the training models",
        **comparison,
    }
    title = f"{len(neurons)} neurons ({models}) at {step:g} nA in {seconds:.2f} s"
    table = Table("feature", "median", "5 to 95 %", f"median of the {summary['reference']}", "Wasserstein", title=title)
    for name, row in comparison["features"].items():
        unit = "" if FEATURE_UNITS[name] == "1" else f" ({FEATURE_UNITS[name]})"
        band = f"{shown(row['q05'])} to {shown(row['q95'])}"
        numbers = shown(row["median"]), band, shown(row["reference_median"]), shown(row["wasserstein"])
        table.add_row(name + unit, *numbers)
    console.print(table)
    console.print(f"implausible: {100 * comparison['implausible_share']:.1f} % of the traces")
    if json is not None:
        write_json(json, summary)
    if output is not None:
        from noble.plots import ensemble_figure, save_figure

        console.print(f"wrote {save_figure(ensemble_figure(answers, reference), output / 'ensemble.png')}")


def _simulated(
    hall: HallOfFame, models: Sequence[int], stimulus: Stimulus, grid: TimeGrid, data_folder: Path | None
) -> TraceBatch:
    """Simulations of some of the hall's models."""
    from noble.simulate import ArborSimulator

    cells = [hall.cell_model(index) for index in models]
    with tracked("simulating") as progress:
        answers = ArborSimulator(data_folder=data_folder).respond(cells, [stimulus] * len(cells), grid)
        progress(len(cells), len(cells))
    return answers
