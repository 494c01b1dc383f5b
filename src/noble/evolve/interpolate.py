"""The baseline that must fail: the models halfway between the parameters of two models of a hall.

Good parameter sets do not average: conductances make up for each other along curved valleys, and halfway between two points of
such a valley lies its slope (Golowasch et al., J. Neurophysiol. 87, 2002). An operator interpolates features instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from noble.cells import HallOfFame
from noble.evolve.assay import Score
from noble.evolve.check import full_scores
from noble.evolve.space import ADDITIVE
from noble.jobs import Pool
from noble.targets.targets import Targets

Mean = Literal["arithmetic", "geometric"]


@dataclass(frozen=True)
class Interpolation:
    """How halfway models did, next to the models they lie between.

    Attributes:
        pairs: indices of the two models of each.
        halfway: score of each.
        members: score of every model of the hall.
        mean: how parameters were averaged.
    """

    pairs: tuple[tuple[int, int], ...]
    halfway: tuple[Score, ...]
    members: tuple[Score, ...]
    mean: Mean

    def summary(self) -> dict[str, Any]:
        """JSON-ready.

        Returns:
            `pairs`: how many; `worse_than_worst`: those whose halfway model has a larger mean |z| than every model of the
            hall; `worst_member`, `median_member`, `median_pair`: mean |z|; `mean`: how parameters were averaged.
        """
        halfway, members = [score.mean for score in self.halfway], [score.mean for score in self.members]
        return {
            "pairs": len(self.pairs),
            "worse_than_worst": sum(value > max(members) for value in halfway),
            "worst_member": max(members),
            "median_member": float(np.median(members)),
            "median_pair": float(np.median(halfway)),
            "mean": self.mean,
        }


def halfway_values(hall: HallOfFame, one: int, other: int, mean: Mean = "arithmetic") -> dict[str, float]:
    """Parameter values halfway between two models.

    Args:
        hall: their hall.
        one, other: their indices.
        mean: `arithmetic`, as the paper does, or `geometric`, the midpoint of the logarithms in which an evolution moves;
            the potential `e_pas` is averaged arithmetically in both.

    Raises:
        ValueError: for another mean, or a model that the hall does not have.
    """
    if mean not in get_args(Mean):
        raise ValueError(f"mean is {mean!r}; expected {' or '.join(get_args(Mean))}.")
    left, right = hall.cell_model(one).values, hall.cell_model(other).values
    return {
        item.name: math.sqrt(left[item.name] * right[item.name])
        if mean == "geometric" and item.quantity not in ADDITIVE
        else (left[item.name] + right[item.name]) / 2
        for item in hall.cell.parameters
    }


def draw_pairs(models: int, count: int, seed: int) -> list[tuple[int, int]]:
    """Distinct pairs of distinct models, each pair at most once.

    Raises:
        ValueError: if there are not so many, or fewer than one is asked for.
    """
    possible = list(combinations(range(models), 2))
    if not 1 <= count <= len(possible):
        raise ValueError(
            f"{count} pairs are asked for; {models} models have {len(possible)}. Ask for 1 to {len(possible)}."
        )
    chosen = np.random.default_rng(seed).choice(len(possible), size=count, replace=False)
    return [possible[index] for index in chosen.tolist()]


def interpolate_parameters(
    hall: HallOfFame,
    targets: Targets,
    pool: Pool,
    *,
    pairs: int = 50,
    seed: int = 0,
    mean: Mean = "arithmetic",
    data_folder: Path | str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Interpolation:
    """Simulate models halfway between random pairs of a hall's, and score them as its models are scored.

    Where the targets are those of the hall's own final check, the models' scores are taken from there. Otherwise the models are
    simulated as well, so that both are always judged by the same targets.

    Args:
        hall: at least two models.
        targets: of the final check, at every step and of the full length.
        pool: where models are simulated.
        pairs: how many.
        seed: of their draw.
        mean: see `halfway_values`.
        data_folder: where the cell's SWC file is.
        progress: called with models simulated and models in all.

    Raises:
        ValueError: as `draw_pairs` and `halfway_values` do.
    """
    chosen = draw_pairs(len(hall), pairs, seed)
    values: list[Mapping[str, float]] = [halfway_values(hall, one, other, mean) for one, other in chosen]
    known = _checked_scores(hall, targets)
    if known is None:
        values += [hall.cell_model(index).values for index in range(len(hall))]
    scores = full_scores(hall.cell, targets, values, pool, data_folder=data_folder, progress=progress)
    members = tuple(scores[pairs:]) if known is None else known
    return Interpolation(tuple(chosen), tuple(scores[:pairs]), members, mean)


def _checked_scores(hall: HallOfFame, targets: Targets) -> tuple[Score, ...] | None:
    """Scores of the final check of a hall, if it was against these targets and of every model."""
    check = hall.provenance.get("check")
    digest = check.get("digest") if isinstance(check, Mapping) else None
    checks = [model.check for model in hall.models if model.check is not None]
    if digest != targets.digest or len(checks) < len(hall):
        return None
    return tuple(map(Score.from_dict, checks))
