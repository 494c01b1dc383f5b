"""Between the models: neurons round one that the operator has not seen, and neurons halfway between two that it has.

Halfway in *features* an operator answers; halfway in *parameters* a simulator does. Both are judged by the recording's z-scores,
as the hall's own models were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.evaluation.evaluate import outside_hull_expected
from noble.evaluation.metrics import TraceTable, concatenate, summarise, trace_table
from noble.family.neurons import family_features
from noble.features import FEATURE_NAMES
from noble.progress import Progress
from noble.protocols import StepProtocol
from noble.responders import Responder
from noble.traces import TraceBatch

if TYPE_CHECKING:
    from noble.cells import Cell, HallOfFame
    from noble.evolve import Interpolation
    from noble.evolve.assay import Score
    from noble.operator import Operator
    from noble.targets import StepTargets, Targets

POPULATIONS: Final[Mapping[str, str]] = {
    "members_simulated": "training models, simulated",
    "members_predicted": "training models, operator",
    "halfway_features": "halfway in features, operator",
    "halfway_parameters": "halfway in parameters, simulated",
}
"""What is judged by the recording, and what it is called."""

# Neurons answered at once: eleven steps of a second each are 18,583 samples a trace.
_AT_ONCE: Final = 8


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


def disc_errors(
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
        amplitudes_na: of the steps, nA.
        points: neurons round each model.
        radius: of the disc, in units of the training models' range.
        seed: of the draw.
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
    table = hall.feature_table(operator.spec.names)
    discs = []
    report(0, len(hall.held_out))
    for done, model in enumerate(hall.held_out, 1):
        simulated = responder.respond([hall.cell_model(model)] * len(stimuli), stimuli, protocol.grid)
        drawn = family_features(operator.spec, hall, f"disc:{model}:{radius}", count=points, seed=seed + model).values
        i_thr_na = hall.models[model].features.get("rheobase", np.nan)

        def compared(predicted: TraceBatch, reference: TraceBatch, i_thr_na: float = i_thr_na) -> TraceTable:
            thresholds = np.full(len(reference), i_thr_na)
            edges = {"onset_ms": protocol.onset_ms, "offset_ms": protocol.offset_ms, "feature_names": feature_names}
            return trace_table(predicted, reference, i_thr_na=thresholds, **edges)

        with outside_hull_expected():  # the disc of a model at the edge, and the model itself, may lie outside
            predicted = [operator.predict(drawn, [stimulus] * points, protocol.grid) for stimulus in stimuli]
            own = operator.predict(np.tile(table[model], (len(stimuli), 1)), stimuli, protocol.grid)
        repeated = [simulated.take([row] * points) for row in range(len(stimuli))]
        of_points = concatenate([compared(*pair) for pair in zip(predicted, repeated, strict=True)])
        discs.append(Disc(model, simulated, tuple(predicted), of_points, compared(own, simulated)))
        report(done, len(hall.held_out))
    return discs


def summarise_discs(discs: Sequence[Disc]) -> dict[str, Any]:
    """JSON-ready: `points` and `centre`, keys of `noble.evaluation.metrics.summarise` over all discs; `models`, each disc's."""
    return {
        "points": summarise(concatenate([disc.points for disc in discs])),
        "centre": summarise(concatenate([disc.centre for disc in discs])),
        "models": [
            {"model": disc.model, "points": summarise(disc.points), "centre": summarise(disc.centre)} for disc in discs
        ],
    }


def operator_scores(
    operator: Operator, cell: Cell, targets: Targets, features: np.ndarray, *, progress: Progress | None = None
) -> list[Score]:
    """Scores of neurons by an operator's answers to the targets' steps, of their full length: as an assay scores models.

    Args:
        operator: the operator; one that is not causal answers only steps as long as those of its training.
        cell: whose models it learned.
        targets: of the recording.
        features: shape (neurons, features), physical units.
        progress: called with neurons done and neurons in all.
    """
    from noble.evolve.assay import Assay
    from noble.simulators import SolverSettings

    assay, report = Assay(cell, targets, SolverSettings()), progress or (lambda done, total: None)
    scores: list[Score] = []
    report(0, len(features))
    for start in range(0, len(features), _AT_ONCE):
        rows = features[start : start + _AT_ONCE]
        stimuli = [assay.protocol.stimulus(step.amplitude_na) for step in targets.steps for _ in rows]
        with outside_hull_expected():
            answers = operator.predict(np.tile(rows, (len(targets.steps), 1)), stimuli, assay.protocol.grid)
        scores += assay.score_traces(answers)
        report(len(scores), len(features))
    return scores


def training_models(hall: HallOfFame) -> HallOfFame:
    """The hall without the models that it holds out."""
    return replace(hall, models=tuple(hall.models[index] for index in hall.train))


def compare_halfway(
    operator: Operator,
    hall: HallOfFame,
    targets: Targets,
    parameters: Interpolation,
    *,
    range_na: tuple[float, float] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Neurons halfway in features between the same pairs of training models that were interpolated in parameters.

    Args:
        operator: the operator.
        hall: the models that it learned.
        targets: of the recording, those that the parameters were scored against.
        parameters: of `noble.evolve.interpolate.interpolate_parameters` for `training_models(hall)`.
        range_na: currents that the operator was trained on, nA. Steps outside are left out of every score; none if None.
        progress: called with neurons answered for and neurons in all.

    Returns:
        JSON-ready: `hall`, `targets` (names), `pairs` (models of the hall), `mean` (of the parameters; features are averaged
        plainly), `steps_na`, `left_out_na`, and `populations`: for each of `POPULATIONS` its `neurons`, `median_mean_abs_z`,
        `worst_mean_abs_z`, `within_worst_percent`, those whose mean |z| is no larger than that of the worst simulated member,
        `mean_abs_z` of each, and
        `features`, the median neuron's mean |z| of each feature over the steps.

    Raises:
        ValueError: if the parameters are not of the hall's training models, or every step lies outside the range.
    """
    if len(parameters.members) != len(hall.train):
        raise ValueError(
            f"{len(parameters.members)} models were interpolated but hall {hall.name} has {len(hall.train)} training models; "
            "interpolate the parameters of these alone."
        )
    low_na, high_na = range_na or (-np.inf, np.inf)
    known = tuple(step for step in targets.steps if low_na - 1e-9 <= step.amplitude_na <= high_na + 1e-9)
    if not known:
        raise ValueError(
            f"no step of {targets.name} lies within {low_na:g} to {high_na:g} nA, where the operator was trained; train it on "
            "currents like the recording's."
        )
    members = hall.feature_table(operator.spec.names)[list(hall.train)]
    halfway = np.array([(members[one] + members[other]) / 2 for one, other in parameters.pairs])
    answers = operator_scores(
        operator, hall.cell, replace(targets, steps=known), np.concatenate([members, halfway]), progress=progress
    )
    scores = {
        "members_simulated": parameters.members,
        "members_predicted": answers[: len(members)],
        "halfway_features": answers[len(members) :],
        "halfway_parameters": parameters.halfway,
    }
    worst = max(_mean_abs_z(parameters.members, known))
    return {
        "hall": hall.name,
        "targets": targets.name,
        "pairs": [[hall.train[one], hall.train[other]] for one, other in parameters.pairs],
        "mean": parameters.mean,
        "steps_na": [step.amplitude_na for step in known],
        "left_out_na": [step.amplitude_na for step in targets.steps if step not in known],
        "populations": {name: _population(group, known, worst) for name, group in scores.items()},
    }


def _mean_abs_z(scores: Sequence[Score], steps: Sequence[StepTargets]) -> list[float]:
    """Mean |z| of each score over the targets of some steps."""
    keys = [key for keys in _keys(steps).values() for key in keys]
    return [float(np.mean([score.z[key] for key in keys])) for score in scores]


def _keys(steps: Sequence[StepTargets]) -> dict[str, list[str]]:
    """Keys of `Score.z` at some steps, by feature."""
    keys: dict[str, list[str]] = {}
    for step in steps:
        for name in step.features:
            keys.setdefault(name, []).append(f"{name}@{step.amplitude_na:g}")
    return keys


def _population(scores: Sequence[Score], steps: Sequence[StepTargets], worst: float) -> dict[str, Any]:
    """One row of the comparison."""
    deviations = _mean_abs_z(scores, steps)
    return {
        "neurons": len(deviations),
        "median_mean_abs_z": float(np.median(deviations)),
        "worst_mean_abs_z": max(deviations),
        "within_worst_percent": 100 * float(np.mean(np.array(deviations) <= worst + 1e-9)),
        "mean_abs_z": deviations,
        "features": {
            name: float(np.median([np.mean([score.z[key] for key in keys]) for score in scores]))
            for name, keys in _keys(steps).items()
        },
    }
