"""How a whole family of neurons answers one step, beside simulations or beside the models that the operator learned."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from noble.evaluation.answers import answer
from noble.family import family_features, family_models
from noble.features import extract
from noble.progress import NotedProgress, Tracking, untracked
from noble.protocols import StepProtocol
from noble.responders import Responder
from noble.results import INLINE, UNWRITTEN, Result
from noble.studies.feature_distributions import FamilyComparison, compare_features
from noble.traces import TraceBatch

if TYPE_CHECKING:
    from noble.cells import CellModel, HallOfFame
    from noble.operator import Operator
    from noble.stimuli import Step

# Between two reports of progress; as many as there are cores on most machines.
_SIMULATED_AT_ONCE: Final = 8


@dataclass(frozen=True, repr=False)
class EnsembleStudy(Result):
    """A family's answers to one step, and how its e-features compare.

    Attributes:
        models: the family: `hall`, `hull` or `disc:MODEL:RADIUS`.
        neurons: number of neurons.
        step_na: amplitude of the step, nA.
        seed: seed of their draw.
        seconds: time that the prediction took, s.
        outside_hull_share: share of the neurons outside the training models' hull.
        reference: who the family is compared with, in words; None if with nobody.
        plausible: whose traces say what is plausible, in words; None if nobody's.
        comparison: the e-features beside those of the reference.
        answers: the predicted traces.
        simulated: the simulated traces of the reference; None where nothing was simulated.
    """

    models: str
    neurons: int
    step_na: float
    seed: int
    seconds: float
    outside_hull_share: float
    reference: str | None
    plausible: str | None
    comparison: FamilyComparison = field(metadata=INLINE)
    answers: TraceBatch = field(metadata=UNWRITTEN)
    simulated: TraceBatch | None = field(metadata=UNWRITTEN)


@dataclass(frozen=True)
class _Beside:
    """What a family is compared with, and in which words."""

    words: str | None = None
    features: Mapping[str, np.ndarray] | None = None
    plausible_words: str | None = None
    plausible: Mapping[str, np.ndarray] | None = None
    simulated: TraceBatch | None = None


def ensemble_study(
    operator: Operator,
    hall: HallOfFame,
    *,
    step_na: float = 0.2,
    models: str = "hall",
    count: int = 200,
    seed: int = 0,
    simulator: Responder[CellModel] | None = None,
    protocol: StepProtocol | None = None,
    tracking: Tracking = untracked,
) -> EnsembleStudy:
    """Let a family answer one step, and compare its e-features.

    With a simulator, the family is compared with simulations of the training models, or of the disc's model. Without one, a
    hull is compared with the operator's answers for the training models, a disc with those for its centre, and the hall, which
    would be compared with itself, with nobody.

    Args:
        operator: who answers.
        hall: the models that it learned.
        step_na: amplitude of the step, nA.
        models: the family: `hall` (its training models), `hull`, or `disc:MODEL:RADIUS`; see `noble.family.family_features`.
        count: neurons to draw from hull or disc.
        seed: seed of their draw.
        simulator: simulates the models; None compares without simulations.
        protocol: onset and length of the step, and window; the paper's if None.
        tracking: lends a progress to the simulations.

    Raises:
        ValueError: for a family that does not exist, or an operator of one neuron.
    """
    step = protocol or StepProtocol()
    stimulus, grid = step.stimulus(step_na), step.grid
    operator.spec.check_family("an ensemble")
    neurons = family_features(operator.spec, hall, models, count=count, seed=seed)
    answer(operator, neurons[:1], stimulus, grid)  # tables and threads are made at the first answer
    started = time.perf_counter()
    answers = answer(operator, neurons, stimulus, grid)
    seconds = time.perf_counter() - started
    if simulator is not None:
        beside = _simulations(simulator, hall, models, stimulus, step, tracking)
    elif models != "hall":
        beside = _predictions(operator, hall, models, stimulus, step)
    else:
        beside = _Beside()
    return EnsembleStudy(
        models=models,
        neurons=len(neurons),
        step_na=step_na,
        seed=seed,
        seconds=seconds,
        outside_hull_share=float(np.mean(operator.spec.hull.outside(neurons.table(operator.spec.latent_features)))),
        reference=beside.words,
        plausible=beside.plausible_words,
        comparison=compare_features(_measured(answers, step), beside.features, plausible=beside.plausible),
        answers=answers,
        simulated=beside.simulated,
    )


def _measured(batch: TraceBatch, step: StepProtocol) -> dict[str, np.ndarray]:
    """The sixteen e-features of each trace."""
    return extract(batch, onset_ms=step.onset_ms, offset_ms=step.offset_ms)


def _simulations(
    simulator: Responder[CellModel],
    hall: HallOfFame,
    models: str,
    stimulus: Step,
    step: StepProtocol,
    tracking: Tracking,
) -> _Beside:
    """Simulations of the training models or of the disc's model.

    One model has no range, so the training models say what is plausible round a single one, too.
    """
    among = family_models(hall, models)
    every = list(dict.fromkeys((*hall.train, *among)))  # a disc may lie round a held-out model
    with tracking("simulating") as progress:
        simulated = _simulated(simulator, [hall.cell_model(model) for model in every], stimulus, step, progress)
    rows = [every.index(model) for model in among]
    features = _measured(simulated, step)
    return _Beside(
        words="simulation",
        features={name: values[rows] for name, values in features.items()},
        plausible_words="simulations, training models",
        plausible={name: values[: len(hall.train)] for name, values in features.items()},
        simulated=simulated.take(rows),
    )


def _predictions(operator: Operator, hall: HallOfFame, models: str, stimulus: Step, step: StepProtocol) -> _Beside:
    """The operator's answers for the training models, or for the centre of a disc."""
    known = hall.neurons(operator.feature_names)
    trained = _measured(answer(operator, known.take(hall.train), stimulus, step.grid), step)
    words, plausible_words = "operator on the training models", "operator, training models"
    if models == "hull":
        return _Beside(words, trained, plausible_words, trained)
    centre = answer(operator, known.take(family_models(hall, models)), stimulus, step.grid)
    return _Beside("operator on the disc's centre", _measured(centre, step), plausible_words, trained)


def _simulated(
    simulator: Responder[CellModel],
    cells: list[CellModel],
    stimulus: Step,
    step: StepProtocol,
    progress: NotedProgress,
) -> TraceBatch:
    """Simulations of some cells, a few at once."""
    parts = []
    for start in range(0, len(cells), _SIMULATED_AT_ONCE):
        part = cells[start : start + _SIMULATED_AT_ONCE]
        parts.append(simulator.respond(part, [stimulus] * len(part), step.grid))
        progress(start + len(part), len(cells))
    return TraceBatch.join(parts)
