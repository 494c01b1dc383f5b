"""The whole way, from a cell to an operator that answers, in minutes: simulate, train, evaluate, and a page that shows it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.data import GenerationConfig
from noble.evaluation.answers import answer, outside_hull_expected, store_traces
from noble.evaluation.results import Evaluation
from noble.features.excitability import fi_curve
from noble.files import write_json
from noble.plots.operator import fi_figure, latent_plane_figure, traces_figure, training_figure
from noble.plots.style import save_figure
from noble.progress import Tracking, untracked
from noble.protocols import StepProtocol
from noble.report.page import PageFigure, write_index
from noble.studies.training import BUNDLE, Trained, train_and_evaluate
from noble.traces import TraceBatch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from noble.cells import CellModel, HallOfFame
    from noble.data import Store
    from noble.operator import Operator
    from noble.responders import Responder
    from noble.train import TrainConfig

# Sized for ten minutes on two cores; `noble generate` and `noble train` take any size.
_GENERATION: Final[dict[str, Any]] = {
    "hall": "stylised-pv",
    "amplitude": {"uniform": 0.2},
    "traces": {"train": 720, "validation": 64, "test": 96, "unseen_models": 48},
    "seed": 7,
}
_TRAINING: Final[dict[str, Any]] = {"epochs": 56, "validation_limit": 64, "validate_every": 4}
_FIGURES: Final = 5


@dataclass(frozen=True)
class Demo:
    """What the demo leaves.

    Attributes:
        page: its page.
        evaluation: of the operator.
        seconds: time that this run took, s.
    """

    page: Path
    evaluation: Evaluation
    seconds: float


def demo_configs(scale: float) -> tuple[GenerationConfig, TrainConfig]:
    """The demo's two configurations, with a share of the usual traces and epochs.

    Raises:
        ValueError: for a share that is not above 0 and at most 1.
    """
    from noble.train import TrainConfig

    if not 0 < scale <= 1:
        raise ValueError(f"scale is {scale:g}; expected a share above 0, at most 1.")
    traces = {split: max(8, round(count * scale)) for split, count in _GENERATION["traces"].items()}
    epochs = max(2, round(_TRAINING["epochs"] * scale))
    training = {**_TRAINING, "epochs": epochs, "validate_every": min(_TRAINING["validate_every"], epochs)}
    return GenerationConfig.model_validate({**_GENERATION, "traces": traces}), TrainConfig.model_validate(training)


def run_demo(output: Path, *, scale: float = 1.0, tracking: Tracking = untracked) -> Demo:
    """Simulate a small data set with Arbor, train an operator, evaluate it, and show it; run again, go on where it stopped.

    Args:
        output: folder for `metrics.json`, a `bundle`, figures and an `index.html`.
        scale: share of the usual traces and epochs, 0 to 1.
        tracking: lends a progress to each part of the work.

    Raises:
        ValueError: for a share out of range.
    """
    from noble.cells import HallOfFame
    from noble.data import generate
    from noble.simulators import ArborFactory

    started = time.monotonic()
    generation, training = demo_configs(scale)
    hall = HallOfFame.load(generation.hall)
    with tracking(f"1/4 simulating {hall.name} with Arbor") as progress:
        factory = ArborFactory.for_hall(hall, simulation_dt_ms=generation.simulation_dt_ms)
        store = generate(generation, hall, output / "store.zarr", responder_factory=factory, progress=progress)
    simulated = time.monotonic()
    titles = ("2/4 training", "3/4 evaluating")
    trained = train_and_evaluate(training, store.path, output, titles=titles, resume=True, tracking=tracking)
    assert trained is not None  # one device, so this is the first process
    assert trained.evaluation is not None
    write_json(output / "metrics.json", trained.evaluation.to_dict())
    figures = []
    with tracking("4/4 drawing") as progress, outside_hull_expected():
        for name, caption, figure in _figures(trained.operator, store, hall, output):
            save_figure(figure, output / name)
            figures.append(PageFigure(name, caption, "noble demo"))
            progress(len(figures), _FIGURES)
    seconds = time.monotonic() - started
    page = _write_page(output, hall, store, trained, figures, simulation_s=simulated - started, seconds=seconds)
    return Demo(page, trained.evaluation, seconds)


def _write_page(
    output: Path,
    hall: HallOfFame,
    store: Store,
    trained: Trained,
    figures: list[PageFigure],
    *,
    simulation_s: float,
    seconds: float,
) -> Path:
    from noble.train import training_seconds
    from noble.train.curves import CURVES

    return write_index(
        output,
        f"noble demo: {hall.name}",
        trained.evaluation,
        figures=figures,
        summary=(
            "A hall of fame of biophysical models, simulated with Arbor, and one operator trained on it in minutes. "
            "Black: simulated. Colour: predicted, on currents and models that were not trained on."
        ),
        facts={
            "traces simulated": len(store),
            "simulation": f"{simulation_s:.0f} s, less if it was there",
            "training": f"{training_seconds(output / CURVES):.0f} s",
            "this run": f"{seconds:.0f} s",
            "parameters": f"{sum(item.numel() for item in trained.operator.parameters()):,}",
            "bundle": f"{BUNDLE}/",
        },
    )


def _figures(operator: Operator, store: Store, hall: HallOfFame, output: Path) -> Iterator[tuple[str, str, Figure]]:
    """File, caption and figure, one after another."""
    from noble.simulators import ArborSimulator
    from noble.train import read_curves
    from noble.train.curves import CURVES

    for split, words in (("test", "training models, unseen currents"), ("unseen_models", "models never trained on")):
        caption = f"Predicted over simulated traces: {words}."
        yield f"traces_{split}.png", caption, _traces(operator, store, split)
    curves = _fi_curves(operator, hall, ArborSimulator())
    yield "fi_curves.png", "F-I curves of six models, the last two held out.", curves
    yield "training.png", "Loss on training and validation traces.", training_figure(read_curves(output / CURVES))
    held_out = np.array([model.held_out for model in hall.models])
    names, units = operator.feature_names, operator.spec.units
    plane = latent_plane_figure(hall.feature_table(names), names, units, held_out)
    yield "latent_plane.png", "The latent plane: models of the hall, and the training models' hull.", plane


def _traces(operator: Operator, store: Store, split: str) -> Figure:
    """Six traces of a split, spread over its amplitudes."""
    indices, grid = store.indices(split), store.protocol.grid
    peaks = np.array([np.max(store.current_na([int(index)])) for index in indices])
    ranks = (np.linspace(0.05, 0.97, 6) * (indices.size - 1)).astype(int)
    chosen = indices[np.argsort(peaks)[ranks]]
    known = store_traces(store, operator.feature_names)(chosen)
    predicted = answer(operator, known.neurons, known.stimuli, grid)
    reference = TraceBatch(grid, known.voltage_mv, predicted.current_na)
    return traces_figure(reference, predicted, titles=[f"model {store.model_index[index]}" for index in chosen])


def _fi_curves(operator: Operator, hall: HallOfFame, simulator: Responder[CellModel]) -> Figure:
    """F-I curves of four training and two held-out models, simulated now and predicted."""
    spread = np.linspace(0, len(hall.train) - 1, 4).astype(int)
    chosen = [*(hall.train[index] for index in spread), *hall.held_out[:2]]
    amplitudes, protocol = np.linspace(0.05, 0.28, 12), StepProtocol()
    simulated = fi_curve(simulator, [hall.cell_model(index) for index in chosen], amplitudes, protocol)
    predicted = fi_curve(operator, hall.neurons(operator.feature_names, chosen), amplitudes, protocol)
    titles = [f"model {index}" + (" (held out)" if hall.models[index].held_out else "") for index in chosen]
    return fi_figure(amplitudes, simulated.rates_hz, predicted.rates_hz, titles=titles, columns=3)
