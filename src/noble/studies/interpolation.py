"""Between the models: neurons round one that the operator has not seen, and neurons halfway between two that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from noble.progress import Tracking, untracked
from noble.responders import Responder
from noble.results import UNWRITTEN, Result
from noble.studies.discs import Disc, DiscErrors, disc_answers, summarise_discs
from noble.studies.halfway import HalfwayComparison, compare_halfway, training_models

if TYPE_CHECKING:
    from noble.cells import CellModel, HallOfFame
    from noble.evolve.interpolate import Mean
    from noble.operator import Operator
    from noble.targets import Targets

AMPLITUDES_NA: Final = (-0.05, 0.2, 0.28)
"""Steps that the neurons round a model answer unless told otherwise, nA."""


@dataclass(frozen=True, repr=False)
class InterpolationStudy(Result):
    """What an operator makes of neurons between the models.

    Attributes:
        seed: seed of the draws.
        discs: errors of neurons round held-out models.
        halfway: neurons halfway between two training models, in features and in parameters.
        answers: traces of the neurons round each held-out model.
    """

    seed: int
    discs: DiscErrors
    halfway: HalfwayComparison
    answers: tuple[Disc, ...] = field(metadata=UNWRITTEN)


def interpolation_study(
    operator: Operator,
    hall: HallOfFame,
    targets: Targets,
    *,
    simulator: Responder[CellModel],
    pairs: int = 50,
    points: int = 50,
    radius: float = 0.1,
    amplitudes_na: Sequence[float] = AMPLITUDES_NA,
    seed: int = 0,
    mean: Mean = "arithmetic",
    data_folder: Path | None = None,
    workers: int | None = None,
    tracking: Tracking = untracked,
) -> InterpolationStudy:
    """Compare neurons round held-out models with these, and neurons halfway between two models with the recording.

    Args:
        operator: who answers.
        hall: the models that it learned.
        targets: targets of the hall's recording, best those of its final check.
        simulator: simulates the held-out models.
        pairs: number of random pairs of training models.
        points: neurons round each held-out model.
        radius: radius of their disc, in units of the training models' range.
        amplitudes_na: steps that they answer, nA.
        seed: seed of the draws.
        mean: how parameters are averaged, `arithmetic` or `geometric`.
        data_folder: folder with SWC files.
        workers: processes that simulate halfway models; all cores if None, this process for 0.
        tracking: lends a progress to each part of the work.

    Raises:
        ValueError: if there are fewer pairs than are wanted, before anything is simulated; or as `disc_answers` and
            `compare_halfway` do.
    """
    from noble.evolve.interpolate import draw_pairs, interpolate_parameters
    from noble.jobs import Pool

    operator.spec.check_family("an interpolation")
    training = training_models(hall)
    draw_pairs(len(training), pairs, seed)  # refuses too many
    drawn = {"points": points, "radius": radius, "amplitudes_na": amplitudes_na, "seed": seed}
    with tracking("neurons round held-out models") as progress:
        discs = disc_answers(operator, hall, simulator, progress=progress, **drawn)
    with tracking("simulating halfway in parameters") as progress, Pool(workers=workers) as pool:
        options = {"pairs": pairs, "seed": seed, "mean": mean, "data_folder": data_folder}
        parameters = interpolate_parameters(training, targets, pool, progress=progress, **options)
    with tracking("predicting halfway in features") as progress:
        scope = operator.scope
        range_na = None if scope is None else (scope.lowest_na, scope.highest_na)
        halfway = compare_halfway(operator, hall, targets, parameters, range_na=range_na, progress=progress)
    errors = summarise_discs(discs, radius=radius, amplitudes_na=amplitudes_na)
    return InterpolationStudy(seed, errors, halfway, tuple(discs))
