"""Neurons halfway between two models that the operator has seen, judged by the recording's z-scores as the hall's models are.

Halfway in *features* an operator answers; halfway in *parameters* a simulator does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from noble.evaluation.answers import answer
from noble.features.neurons import Neurons
from noble.progress import Progress
from noble.recordings import NEGLIGIBLE_HOLDING_NA
from noble.results import Result

if TYPE_CHECKING:
    import pandas as pd

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


@dataclass(frozen=True, repr=False)
class Population(Result):
    """How far some neurons are from the recording.

    Attributes:
        neurons: number of neurons.
        median_mean_abs_z, worst_mean_abs_z: median and largest of their mean |z|.
        within_worst_percent: share of those whose mean |z| is no larger than that of the worst simulated member.
        mean_abs_z: mean |z| of each.
        features: the median neuron's mean |z| of each feature over the steps.
    """

    neurons: int
    median_mean_abs_z: float
    worst_mean_abs_z: float
    within_worst_percent: float
    mean_abs_z: tuple[float, ...]
    features: Mapping[str, float]


@dataclass(frozen=True, repr=False)
class HalfwayComparison(Result):
    """Neurons halfway between the same pairs of models in features and in parameters.

    Attributes:
        hall, targets: names of hall and targets.
        pairs: the models of each pair, by their indices in the hall.
        mean: how parameters were averaged; features are averaged plainly.
        steps_na: amplitudes of the steps that count, nA.
        left_out_na: amplitudes of the steps that the operator was not trained on, nA.
        populations: who is judged, by the names of `POPULATIONS`.
    """

    hall: str
    targets: str
    pairs: tuple[tuple[int, int], ...]
    mean: str
    steps_na: tuple[float, ...]
    left_out_na: tuple[float, ...]
    populations: Mapping[str, Population]

    def to_frame(self) -> pd.DataFrame:
        """A row a population, with its numbers."""
        import pandas as pd

        columns = ("neurons", "median_mean_abs_z", "worst_mean_abs_z", "within_worst_percent")
        rows = {name: [getattr(row, column) for column in columns] for name, row in self.populations.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(columns)).rename_axis("population")


def operator_scores(
    operator: Operator, cell: Cell, targets: Targets, neurons: Neurons, *, progress: Progress | None = None
) -> list[Score]:
    """Scores of neurons by an operator's answers to the targets' steps, of their full length: as an assay scores models.

    Args:
        operator: the operator; one that is not causal answers only steps as long as those of its training.
        cell: whose models it learned.
        targets: of the recording.
        neurons: features by name.
        progress: called with neurons done and neurons in all.

    Raises:
        ValueError: if a step was recorded under another holding current than the operator's models are held by.
    """
    from noble.evolve.assay import Assay
    from noble.simulators import SolverSettings

    for step in targets.steps:
        if abs(step.held_na - operator.holding_na) > NEGLIGIBLE_HOLDING_NA:
            raise ValueError(
                f"{step.label} of {targets.name} was recorded under a holding current of {step.held_na:.3g} nA, but the "
                f"operator's models are held by {operator.holding_na:.3g} nA; leave the step out of the targets."
            )
    assay, report = Assay(cell, targets, SolverSettings()), progress or (lambda done, total: None)
    scores: list[Score] = []
    report(0, len(neurons))
    for start in range(0, len(neurons), _AT_ONCE):
        rows = range(start, min(start + _AT_ONCE, len(neurons)))
        stimuli = [assay.protocol.stimulus(step.amplitude_na) for step in targets.steps for _ in rows]
        answers = answer(operator, neurons.take([*rows] * len(targets.steps)), stimuli, assay.protocol.grid)
        scores += assay.score_traces(answers)
        report(len(scores), len(neurons))
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
) -> HalfwayComparison:
    """Neurons halfway in features between the same pairs of training models that were interpolated in parameters.

    Args:
        operator: the operator.
        hall: the models that it learned.
        targets: of the recording, those that the parameters were scored against.
        parameters: of `noble.evolve.interpolate.interpolate_parameters` for `training_models(hall)`.
        range_na: currents that the operator was trained on, nA. Steps outside are left out of every score; none if None.
        progress: called with neurons answered for and neurons in all.

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
    everyone = Neurons(operator.feature_names, np.concatenate([members, halfway]))
    answers = operator_scores(operator, hall.cell, replace(targets, steps=known), everyone, progress=progress)
    scores = {
        "members_simulated": parameters.members,
        "members_predicted": answers[: len(members)],
        "halfway_features": answers[len(members) :],
        "halfway_parameters": parameters.halfway,
    }
    worst = max(_mean_abs_z(parameters.members, known))
    return HalfwayComparison(
        hall=hall.name,
        targets=targets.name,
        pairs=tuple((hall.train[one], hall.train[other]) for one, other in parameters.pairs),
        mean=parameters.mean,
        steps_na=tuple(step.amplitude_na for step in known),
        left_out_na=tuple(step.amplitude_na for step in targets.steps if step not in known),
        populations={name: _population(group, known, worst) for name, group in scores.items()},
    )


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


def _population(scores: Sequence[Score], steps: Sequence[StepTargets], worst: float) -> Population:
    """One row of the comparison."""
    deviations = _mean_abs_z(scores, steps)
    return Population(
        neurons=len(deviations),
        median_mean_abs_z=float(np.median(deviations)),
        worst_mean_abs_z=max(deviations),
        within_worst_percent=100 * float(np.mean(np.array(deviations) <= worst + 1e-9)),
        mean_abs_z=tuple(deviations),
        features={
            name: float(np.median([np.mean([score.z[key] for key in keys]) for score in scores]))
            for name, keys in _keys(steps).items()
        },
    )
