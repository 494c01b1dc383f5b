"""Neurons round models that the operator has not seen: how far their answers are from those models' simulations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from noble.evaluation.answers import answer
from noble.evaluation.metrics import TraceTable, concatenate, summarise, trace_table
from noble.evaluation.results import Summary
from noble.family.neurons import family_features
from noble.features import FEATURE_NAMES
from noble.progress import Progress
from noble.protocols import StepProtocol
from noble.responders import Responder
from noble.results import Result
from noble.traces import TraceBatch

if TYPE_CHECKING:
    from noble.cells import HallOfFame
    from noble.operator import Operator


@dataclass(frozen=True)
class Disc:
    """Answers of neurons round one model, next to that model.

    Attributes:
        model: index in the hall.
        simulated: the model's own traces, one an amplitude.
        predicted: for each amplitude the answers of the disc's points.
        points: these against the simulation, amplitude by amplitude.
        centre: the operator's answers for the model's own features against the simulation, one an amplitude.
    """

    model: int
    simulated: TraceBatch
    predicted: tuple[TraceBatch, ...]
    points: TraceTable
    centre: TraceTable


@dataclass(frozen=True, repr=False)
class ModelErrors(Result):
    """Errors round one held-out model.

    Attributes:
        model: index in the hall.
        points: errors of the neurons round it.
        centre: errors of the operator's answers for its own features.
    """

    model: int
    points: Summary
    centre: Summary


@dataclass(frozen=True, repr=False)
class DiscErrors(Result):
    """Errors round all held-out models.

    Attributes:
        points_each: number of neurons round each model.
        radius: radius of the disc, in units of the training models' range.
        amplitudes_na: amplitudes of the steps, nA.
        points, centre: errors of all discs together.
        models: errors of each disc.
    """

    points_each: int
    radius: float
    amplitudes_na: tuple[float, ...]
    points: Summary
    centre: Summary
    models: tuple[ModelErrors, ...]


def disc_answers(
    operator: Operator,
    hall: HallOfFame,
    responder: Responder[Any],
    *,
    amplitudes_na: Sequence[float],
    points: int = 50,
    radius: float = 0.1,
    seed: int = 0,
    protocol: StepProtocol | None = None,
    feature_names: Sequence[str] = FEATURE_NAMES,
    progress: Progress | None = None,
) -> list[Disc]:
    """Answer steps with neurons drawn round each held-out model, and compare them with that model's simulation.

    Args:
        operator: the operator.
        hall: the models that it learned, and those held out.
        responder: simulates the latter.
        amplitudes_na: amplitudes of the steps, nA.
        points: neurons round each model.
        radius: radius of the disc, in units of the training models' range.
        seed: seed of the draw.
        protocol: the step; the paper's if None.
        feature_names: e-features to compare.
        progress: called with models done and models in all.

    Raises:
        ValueError: for no amplitude, fewer than one point, a radius that is not positive, or a hall that holds out no model.
    """
    if not hall.held_out or not len(amplitudes_na) or points < 1:
        raise ValueError(
            f"hall {hall.name} holds out {len(hall.held_out)} models, and {points} points round each and {len(amplitudes_na)} "
            "amplitudes were asked for; expected at least one of each."
        )
    protocol, report = protocol or StepProtocol(), progress or (lambda done, total: None)
    stimuli = [protocol.stimulus(amplitude) for amplitude in amplitudes_na]
    known = hall.neurons(operator.feature_names)
    discs = []
    report(0, len(hall.held_out))
    for done, model in enumerate(hall.held_out, 1):
        simulated = responder.respond([hall.cell_model(model)] * len(stimuli), stimuli, protocol.grid)
        drawn = family_features(operator.spec, hall, f"disc:{model}:{radius}", count=points, seed=seed + model)
        # The disc of a model at the edge, and the model itself, may lie outside the hull.
        predicted = tuple(answer(operator, drawn, stimulus, protocol.grid) for stimulus in stimuli)
        own = answer(operator, known.take([model] * len(stimuli)), stimuli, protocol.grid)
        rheobase_na = hall.models[model].features.get("rheobase", np.nan)
        tables = [
            _compared(batch, simulated.take([row] * points), rheobase_na, protocol, feature_names)
            for row, batch in enumerate(predicted)
        ]
        centre = _compared(own, simulated, rheobase_na, protocol, feature_names)
        discs.append(Disc(model, simulated, predicted, concatenate(tables), centre))
        report(done, len(hall.held_out))
    return discs


def _compared(
    predicted: TraceBatch,
    simulated: TraceBatch,
    rheobase_na: float,
    protocol: StepProtocol,
    feature_names: Sequence[str],
) -> TraceTable:
    """Answers against traces of one model."""
    edges = {"onset_ms": protocol.onset_ms, "offset_ms": protocol.offset_ms, "feature_names": feature_names}
    return trace_table(predicted, simulated, rheobase_na=np.full(len(simulated), rheobase_na), **edges)


def summarise_discs(discs: Sequence[Disc], *, radius: float, amplitudes_na: Sequence[float]) -> DiscErrors:
    """Errors of some discs of this radius (in units of the training models' range) at these steps (nA)."""
    return DiscErrors(
        points_each=len(discs[0].predicted[0]),
        radius=radius,
        amplitudes_na=tuple(amplitudes_na),
        points=summarise(concatenate([disc.points for disc in discs])),
        centre=summarise(concatenate([disc.centre for disc in discs])),
        models=tuple(ModelErrors(disc.model, summarise(disc.points), summarise(disc.centre)) for disc in discs),
    )
