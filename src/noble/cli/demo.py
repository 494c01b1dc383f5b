"""`noble demo`: the whole way, from a cell to an operator that answers, in minutes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from noble.cli.app import app
from noble.cli.progress import console, tracked

if TYPE_CHECKING:
    from noble.cells import HallOfFame
    from noble.data import Store
    from noble.operator import Operator

# Sized for ten minutes on two cores; `noble generate` and `noble train` take any size.
_GENERATION: dict[str, Any] = {
    "hall": "stylised-pv",
    "amplitude": {"uniform": 0.2},
    "traces": {"train": 720, "validation": 64, "test": 96, "unseen_models": 48},
    "seed": 7,
}
_TRAINING: dict[str, Any] = {"epochs": 56, "validation_limit": 64, "validate_every": 4}


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run.")] = Path("runs/demo"),
    scale: Annotated[
        float, typer.Option(help="Traces and epochs as a share of the usual ones, 0 to 1; 0.05 for a glance.")
    ] = 1.0,
) -> None:
    """Run the main job once: simulate a small data set with Arbor, train an operator, evaluate it, show it.

    Writes `metrics.json`, a `bundle`, figures and an `index.html`. Run again, it goes on where it stopped.
    """
    from noble.cells import HallOfFame
    from noble.cli.evaluate import print_metrics
    from noble.cli.train import BUNDLE, train_and_evaluate
    from noble.data import GenerationConfig, generate
    from noble.evaluation import outside_hull_expected
    from noble.files import write_json
    from noble.report.page import write_index
    from noble.train import TrainConfig, training_seconds
    from noble.train.curves import CURVES

    started = time.monotonic()
    generation, training = _scaled(scale)
    hall = HallOfFame.load(generation["hall"])
    with tracked(f"1/4 simulating {hall.name} with Arbor") as progress:
        store = generate(GenerationConfig.model_validate(generation), hall, output / "store.zarr", progress=progress)
    simulated = time.monotonic()
    trained = train_and_evaluate(
        TrainConfig.model_validate(training),
        store.path,
        output,
        titles=("2/4 training", "3/4 evaluating"),
        resume=True,
    )
    assert trained is not None  # one device, so this is the first process
    operator, metrics = trained
    write_json(output / "metrics.json", metrics)
    with tracked("4/4 drawing") as progress, outside_hull_expected():
        figures = _draw(operator, store, hall, output, progress)
    page = write_index(
        output,
        f"noble demo: {hall.name}",
        metrics,
        figures,
        summary=(
            "A hall of fame of biophysical models, simulated with Arbor, and one operator trained on it in minutes. "
            "Black: simulated. Colour: predicted, on currents and models that were not trained on."
        ),
        facts={
            "traces simulated": len(store),
            "simulation": f"{simulated - started:.0f} s, less if it was there",
            "training": f"{training_seconds(output / CURVES):.0f} s",
            "this run": f"{time.monotonic() - started:.0f} s",
            "parameters": f"{sum(item.numel() for item in operator.parameters()):,}",
            "bundle": f"{BUNDLE}/",
        },
    )
    print_metrics(metrics)
    console.print(f"open {page} ({time.monotonic() - started:.0f} s)")


def _scaled(scale: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """The demo's two configurations at a share of their size."""
    if not 0 < scale <= 1:
        raise ValueError(f"scale is {scale:g}; expected a share above 0, at most 1.")
    traces = {split: max(8, round(count * scale)) for split, count in _GENERATION["traces"].items()}
    epochs = max(2, round(_TRAINING["epochs"] * scale))
    training = {**_TRAINING, "epochs": epochs, "validate_every": min(_TRAINING["validate_every"], epochs)}
    return {**_GENERATION, "traces": traces}, training


def _draw(
    operator: Operator, store: Store, hall: HallOfFame, output: Path, progress: Any
) -> list[tuple[str, str, str]]:
    """The demo's figures; returns file, caption and command of each."""
    from noble.plots.operator import latent_plane_figure, training_figure
    from noble.plots.style import save_figure
    from noble.train import read_curves

    total = 5
    figures = []
    for split, words in (("test", "training models, unseen currents"), ("unseen_models", "models never trained on")):
        figure = _traces(operator, store, split)
        save_figure(figure, output / f"traces_{split}.png")
        figures.append((f"traces_{split}.png", f"Predicted over simulated traces: {words}.", "noble demo"))
        progress(len(figures), total)
    save_figure(_fi_curves(operator, hall), output / "fi_curves.png")
    figures.append(("fi_curves.png", "F-I curves of six models, the last two held out.", "noble demo"))
    progress(3, total)
    save_figure(training_figure(read_curves(output / "curves.csv")), output / "training.png")
    figures.append(("training.png", "Loss on training and validation traces.", "noble demo"))
    progress(4, total)
    table = hall.feature_table(operator.feature_names)
    held_out = np.array([model.held_out for model in hall.models])
    plane = latent_plane_figure(table, operator.feature_names, operator.spec.units, held_out)
    save_figure(plane, output / "latent_plane.png")
    figures.append(
        ("latent_plane.png", "The latent plane: models of the hall, and the training models' hull.", "noble demo")
    )
    progress(5, total)
    return figures


def _traces(operator: Operator, store: Store, split: str) -> Any:
    """Six traces of a split, spread over its amplitudes."""
    from noble.plots.operator import traces_figure
    from noble.traces import TraceBatch

    indices = store.indices(split)
    peaks = np.array([np.max(store.current_na([int(index)])) for index in indices])
    ranks = (np.linspace(0.05, 0.97, 6) * (indices.size - 1)).astype(int)
    chosen = indices[np.argsort(peaks)[ranks]]
    grid = store.protocol.grid
    columns = [store.feature_names.index(name) for name in operator.feature_names]
    stimuli = [store.stimulus(int(index)) for index in chosen]
    features = store.feature_table[store.model_index[chosen]][:, columns]
    predicted = operator.predict(features, stimuli, grid)
    reference = TraceBatch(grid, store.voltage_mv(chosen)[:, : grid.count], predicted.current_na)
    return traces_figure(reference, predicted, titles=[f"model {store.model_index[index]}" for index in chosen])


def _fi_curves(operator: Operator, hall: HallOfFame) -> Any:
    """F-I curves of four training and two held-out models, simulated now and predicted."""
    from noble.features.excitability import firing_curve
    from noble.plots.operator import fi_figure
    from noble.protocols import StepProtocol
    from noble.simulators.arbor import ArborSimulator

    spread = np.linspace(0, len(hall.train) - 1, 4).astype(int)
    chosen = [*(hall.train[index] for index in spread), *hall.held_out[:2]]
    amplitudes = np.linspace(0.05, 0.28, 12)
    protocol = StepProtocol()
    simulated = firing_curve(ArborSimulator(), [hall.cell_model(index) for index in chosen], amplitudes, protocol)
    table = hall.feature_table(operator.feature_names)
    predicted = firing_curve(operator, [table[index] for index in chosen], amplitudes, protocol)
    titles = [f"model {index}" + (" (held out)" if hall.models[index].held_out else "") for index in chosen]
    return fi_figure(amplitudes, simulated.rates_hz, predicted.rates_hz, titles=titles, columns=3)
