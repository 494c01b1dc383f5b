"""`noble evaluate` and `noble predict`: what a trained operator says, and how right it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Column, Table

from noble.cli.app import app
from noble.cli.progress import console, tracked
from noble.cli.simulate import report_traces
from noble.cli.stimulus_options import (
    Figure,
    Onset,
    Output,
    Sampling,
    StepLength,
    Steps,
    StimulusFile,
    Window,
    stimuli_of,
)
from noble.files import write_json
from noble.protocols import StepProtocol

if TYPE_CHECKING:
    from noble.cells import HallOfFame
    from noble.data import GenerationConfig
    from noble.operator import Operator

Bundle = Annotated[Path, typer.Argument(help="A shipped bundle by name, or the folder of one.")]


@app.command()
def evaluate(
    bundle: Bundle,
    store: Annotated[
        Path | None, typer.Argument(help="Store with the test splits; or use --fresh.", show_default=False)
    ] = None,
    fresh: Annotated[
        int | None, typer.Option(help="Simulate so many new traces a section instead.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the fresh traces.")] = 0,
    hall: Annotated[
        str | None, typer.Option(help="Hall for --fresh; the bundle's own by default.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Generation YAML for --fresh: range and window.", show_default=False)
    ] = None,
    data_folder: Annotated[Path | None, typer.Option(help="Folder with SWC files.", show_default=False)] = None,
    by_regime: Annotated[
        bool, typer.Option("--by-regime", help="Also sub-threshold, near-threshold and spiking traces apart.")
    ] = False,
    json: Annotated[Path | None, typer.Option("--json", help="Write all numbers as JSON.", show_default=False)] = None,
) -> None:
    """Measure an operator on unseen currents and unseen models: spikes, timing and voltage, misses counted."""
    from noble.operator import Operator

    operator = Operator.load(bundle)
    if fresh is not None and store is not None:
        raise ValueError("both a store and --fresh were given; leave one of them out.")
    if fresh is not None:
        metrics = _evaluate_fresh(operator, fresh, seed=seed, hall=hall, config=config, data_folder=data_folder)
    elif store is not None:
        from noble.data import Store
        from noble.evaluation import evaluate as evaluate_store

        data = Store.open(store)
        _check_hall(operator, data.attributes["hall"]["digest"], f"the store {store}")
        with tracked("evaluating") as progress:
            metrics = evaluate_store(operator, data, progress=progress)
    else:
        raise ValueError("nothing to evaluate on; name a store, or use --fresh N to simulate new traces.")
    print_metrics(metrics)
    if by_regime:
        for section, summary in metrics.items():
            print_metrics(summary["regimes"], title=section.replace("_", " "))
    if json is not None:
        write_json(json, metrics)


def _evaluate_fresh(
    operator: Any, count: int, *, seed: int, hall: str | None, config: Path | None, data_folder: Path | None
) -> dict[str, Any]:
    from noble.evaluation import evaluate_fresh
    from noble.simulators import ArborSimulator, SolverSettings

    settings = generation_of(operator, config)
    chosen = hall_of(operator, hall or settings.hall)
    responder = ArborSimulator(numerics=SolverSettings(dt_ms=settings.simulation_dt_ms), data_folder=data_folder)
    with tracked("simulating and evaluating") as progress:
        return evaluate_fresh(
            operator, chosen, responder, count=count, seed=seed, config=settings, batch_size=32, progress=progress
        )


def generation_of(operator: Operator, config: Path | None) -> GenerationConfig:
    """What an operator's training data were drawn from, by its own record or as named: fresh traces are drawn likewise.

    Raises:
        ValueError: if it is nowhere.
    """
    from noble.data import GenerationConfig

    if config is not None:
        return GenerationConfig.load(config)
    recorded = operator.provenance.get("generation")
    if recorded is None:
        raise ValueError("the bundle does not record how its data were drawn; name a generation YAML with --config.")
    return GenerationConfig.model_validate(recorded)


def hall_of(operator: Operator, hall: str | None) -> HallOfFame:
    """The hall that an operator learned, by its own record or as named.

    Raises:
        ValueError: if it is nowhere, or holds other models.
    """
    from noble.cells import HallOfFame

    name = hall or (operator.provenance.get("hall") or {}).get("name")
    if name is None:
        raise ValueError("the bundle does not record its hall; name it with --hall.")
    try:
        found = HallOfFame.load(name)
    except FileNotFoundError as error:
        raise ValueError(f"{error} Name the file of the hall that the bundle was trained on with --hall.") from error
    _check_hall(operator, found.digest, f"the hall {name}")
    return found


def _check_hall(operator: Any, digest: str, what: str) -> None:
    """Refuse models that are not those the operator learned: which of them it has seen would be unknown."""
    trained_on = (operator.provenance.get("hall") or {}).get("digest")
    if trained_on is not None and trained_on != digest:
        raise ValueError(
            f"{what} holds other models (digest {digest[:12]}…) than the bundle was trained on ({trained_on[:12]}…), so "
            "which of them it has seen is unknown; use the hall of its training."
        )


def print_metrics(metrics: Mapping[str, Any], title: str | None = None) -> None:
    """A table of the stable keys, a column a section or a regime."""
    from noble.evaluation.metrics import STABLE_KEYS

    sections = list(metrics)
    table = Table(Column("quantity", no_wrap=True), *(section.replace("_", " ") for section in sections), title=title)
    for key in ("traces", *STABLE_KEYS):
        values = [metrics[section].get(key) for section in sections]
        table.add_row(key, *map(shown, values))
    console.print(table)


def shown(value: float | None) -> str:
    """A number for a table; a dash where there is none."""
    return "-" if value is None else f"{value:.4g}"


@app.command()
def predict(
    bundle: Bundle,
    features: Annotated[
        str | None,
        typer.Option(help="A neuron by its features, for example rheobase=0.16,fi_gain=600.", show_default=False),
    ] = None,
    hall: Annotated[str | None, typer.Option(help="Take the features of a hall's model.", show_default=False)] = None,
    model: Annotated[int, typer.Option(help="Which model of the hall.")] = 0,
    step: Steps = None,
    stimulus: StimulusFile = None,
    onset: Onset = 15.0,
    length: StepLength = 400.0,
    window: Window = 515.0,
    dt: Sampling = 0.06,
    output: Output = None,
    figure: Figure = None,
) -> None:
    """Predict the voltage of one neuron under one or more stimuli. Needs no simulator."""
    from noble.operator import Operator

    operator = Operator.load(bundle)
    protocol = StepProtocol(onset_ms=onset, step_ms=length, window_ms=window, dt_ms=dt)
    stimuli = stimuli_of(step, stimulus, protocol)
    vector = _features_of(operator, features, hall, model)
    batch = operator.predict(np.tile(vector, (len(stimuli), 1)), stimuli, protocol.grid)
    report_traces(batch, output=output, figure=figure)


def _features_of(operator: Any, features: str | None, hall: str | None, model: int) -> np.ndarray:
    """The feature vector that the options name."""
    from noble.features import Neurons

    if hall is not None:
        from noble.cells import HallOfFame

        table = HallOfFame.load(hall).feature_table(operator.feature_names)
        if not 0 <= model < len(table):
            raise ValueError(f"hall {hall} has models 0 to {len(table) - 1}; {model} was asked for.")
        return table[model]
    wanted = ", ".join(f"{name} ({unit})" for name, unit in zip(operator.spec.names, operator.spec.units, strict=True))
    if features is None:
        raise ValueError(f"no neuron was named; use --hall HALL --model K, or --features with {wanted}.")
    given: dict[str, float] = {}
    for part in features.split(","):
        name, _, value = part.partition("=")
        try:
            given[name.strip()] = float(value)
        except ValueError as error:
            raise ValueError(f"{part!r} in --features is not NAME=NUMBER.") from error
    neurons = Neurons.of(given, also=operator.feature_names)
    latent = operator.spec.latent_features
    for names in (operator.feature_names, latent):
        if set(neurons.names) == set(names):
            return neurons.table(names)[0]
    short = "" if latent == operator.feature_names else f", or {' and '.join(latent)} alone"
    raise ValueError(f"--features names {', '.join(neurons.names)}; this operator expects {wanted}{short}.")
