"""`noble evaluate` and `noble predict`: what a trained operator says, and how right it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from noble.cli.app import ASK, OPERATORS, app
from noble.cli.options import Bundle, DataFolder, Json
from noble.cli.output import print_metrics
from noble.cli.progress import tracked
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
from noble.features.neurons import Neurons
from noble.files import write_json
from noble.protocols import StepProtocol
from noble.traces import TraceBatch

if TYPE_CHECKING:
    from noble.evaluation import Evaluation
    from noble.operator import Operator


@app.command(rich_help_panel=OPERATORS)
def evaluate(
    bundle: Bundle,
    store: Annotated[
        Path | None, typer.Argument(help="Store with the test splits; or use --fresh.", show_default=False)
    ] = None,
    fresh: Annotated[
        int | None, typer.Option(help="Simulate this number of new traces for each subset instead.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the fresh traces.")] = 0,
    hall: Annotated[
        str | None, typer.Option(help="Hall for --fresh; the bundle's own by default.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Generation YAML for --fresh: range and window.", show_default=False)
    ] = None,
    data_folder: DataFolder = None,
    currents: Annotated[
        str | None,
        typer.Option(
            help="With --fresh, also each kind of current apart: all, or some of step,noise,ramp,chirp,pulses,steps,held.",
            show_default=False,
        ),
    ] = None,
    by_regime: Annotated[
        bool,
        typer.Option(
            "--by-regime",
            help="Also apart by how traces fire, and by whether their mean current is above threshold.",
        ),
    ] = False,
    json: Json = None,
) -> None:
    """Measure an operator on unseen currents and unseen models: spikes, timing and voltage, misses counted."""
    from noble.operator import Operator

    operator = Operator.load(bundle)
    if fresh is not None and store is not None:
        raise ValueError("both a store and --fresh were given; leave one of them out.")
    if currents is not None and fresh is None:
        raise ValueError("--currents simulates traces of each kind; say how many a subset with --fresh N.")
    if fresh is not None:
        named = {"hall": hall, "config": config, "data_folder": data_folder, "currents": currents}
        found = _evaluate_fresh(operator, fresh, seed=seed, **named)
    elif store is not None:
        from noble.data import Store
        from noble.evaluation import evaluate as evaluate_store

        with tracked("evaluating") as progress:
            found = evaluate_store(operator, Store.open(store), progress=progress)
    else:
        raise ValueError("nothing to evaluate on; name a store, or use --fresh N to simulate new traces.")
    print_metrics(found.subsets)
    for kind, evaluation in found.currents.items():
        print_metrics(evaluation.subsets, title=kind)
    if by_regime:
        for kind, evaluation in {"": found, **found.currents}.items():
            for subset, summary in evaluation.subsets.items():
                print_metrics(summary.regimes or {}, title=f"{kind} {subset.replace('_', ' ')}".strip())
    if json is not None:
        write_json(json, found.to_dict())


def _evaluate_fresh(
    operator: Operator,
    count: int,
    *,
    seed: int,
    hall: str | None,
    config: Path | None,
    data_folder: Path | None,
    currents: str | None,
) -> Evaluation:
    """Evaluate on traces that Arbor simulates now; of an operator that learned steps among others, on steps."""
    from noble.evaluation import CURRENTS, Evaluation, check_kinds, evaluate_currents, evaluate_fresh, of_kind
    from noble.evaluation.source import fresh_source
    from noble.simulators import ArborSimulator, SolverSettings

    kinds = (
        tuple(CURRENTS) if currents == "all" else tuple(part.strip() for part in (currents or "").split(",") if part)
    )
    check_kinds(kinds)
    chosen, settings = fresh_source(operator, hall=hall, config=config)
    if config is None and settings.mix.step:
        settings = of_kind(settings, "step")
    responder = ArborSimulator(numerics=SolverSettings(dt_ms=settings.simulation_dt_ms), data_folder=data_folder)
    given = {"count": count, "seed": seed, "config": settings}
    with tracked("simulating and evaluating") as progress:
        steps = evaluate_fresh(operator, chosen, responder, **given, batch_size=32, progress=progress)
    if not kinds:
        return steps
    finer = ArborSimulator(numerics=SolverSettings(dt_ms=settings.simulation_dt_ms / 2), data_folder=data_folder)
    with tracked("simulating and evaluating each kind") as progress:
        apart = evaluate_currents(operator, chosen, responder, kinds, **given, finer=finer, progress=progress)
    return Evaluation(steps.subsets, apart)


@app.command(rich_help_panel=ASK)
def predict(
    bundle: Bundle,
    features: Annotated[
        str | None,
        typer.Option(
            help="A neuron by its features, for example rheobase=0.16,fi_gain=600.",
            show_default=False,
        ),
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
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Draw so many trials of each answer by chance, instead of the most likely one; of spike-feedback operators.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the trials.")] = 0,
) -> None:
    """Predict the voltage of one neuron under one or more stimuli. Needs no simulator."""
    from noble.operator import Operator

    operator = Operator.load(bundle)
    protocol = StepProtocol(onset_ms=onset, step_ms=length, window_ms=window, dt_ms=dt)
    stimuli = stimuli_of(step, stimulus, protocol)
    neuron = _neuron(operator, features, hall, model)
    if trials is None:
        batch = operator.respond(neuron.take([0] * len(stimuli)), stimuli, protocol.grid)
    else:
        drawn = operator.predict(neuron, stimuli, duration_ms=window, dt_ms=dt, trials=trials, seed=seed)
        voltage_mv = drawn["voltage"].values.reshape(-1, protocol.grid.count)
        batch = TraceBatch(protocol.grid, voltage_mv, np.repeat(drawn["current"].values, trials, axis=0))
    report_traces(batch, trials=trials, output=output, figure=figure)


def _neuron(operator: Operator, features: str | None, hall: str | None, model: int) -> Neurons:
    """The neuron that the options name; of an operator of one neuron none may be named."""
    if operator.spec.one_neuron and hall is not None:
        raise ValueError(
            f"--hall {hall} was given, but this operator has no features: it is one neuron. Leave --hall out."
        )
    if operator.spec.one_neuron and features is None:
        return operator.neurons()
    if hall is not None:
        from noble.cells import HallOfFame

        known = HallOfFame.load(hall)
        if not 0 <= model < len(known):
            raise ValueError(f"hall {hall} has models 0 to {len(known) - 1}; {model} was asked for.")
        return known.neurons(operator.feature_names, [model])
    if features is None:
        wanted = ", ".join(
            f"{name} ({unit})" for name, unit in zip(operator.spec.names, operator.spec.units, strict=True)
        )
        raise ValueError(f"no neuron was named; use --hall HALL --model K, or --features with some of {wanted}.")
    given: dict[str, float] = {}
    for part in features.split(","):
        name, _, value = part.partition("=")
        try:
            given[name.strip()] = float(value)
        except ValueError as error:
            raise ValueError(f"{part!r} in --features is not NAME=NUMBER.") from error
    return operator.neurons(given)
