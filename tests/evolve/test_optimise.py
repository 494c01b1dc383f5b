"""The three optimisers on formulas: how often they ask, where, and that they depend on nothing but seed and scores."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from noble.evolve import Stage
from noble.evolve.optimise import optimise

OPTIMISERS = ("IBEA", "CMA", "MO-CMA")
SIZE, COORDINATES = 12, 5
LOW, HIGH = np.array([-3.0, -3, -3, -1, 0]), np.array([3.0, 3, 3, 1, 0.5])
GOAL = np.array([0.5, -0.5, 1.0, 0.9, 0.01])


@pytest.fixture(autouse=True)
def quick_hypervolume(monkeypatch: pytest.MonkeyPatch) -> None:
    """MO-CMA estimates hypervolumes from a million samples, over a second a generation; a few do for a parabola."""
    from bluepyopt.deapext import hype

    full = hype.hypeIndicatorSampled
    monkeypatch.setattr(hype, "hypeIndicatorSampled", lambda **given: full(**given | {"nrOfSamples": 2000}))


def squares(points: np.ndarray) -> np.ndarray:
    """One parabola a coordinate."""
    return (points - GOAL) ** 2


def flat(points: np.ndarray) -> np.ndarray:
    """What a generation of nothing but failures scores."""
    return np.full(points.shape, 20.0)


def first_generation(seed: int = 0) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).standard_normal((SIZE, COORDINATES)) - 1, LOW, HIGH)


def run(
    optimiser: str,
    generations: int,
    *,
    seed: int = 7,
    score: Callable[[np.ndarray], np.ndarray] = squares,
    first: np.ndarray | None = None,
) -> list[np.ndarray]:
    """The points of every generation."""
    asked: list[np.ndarray] = []

    def answer(generation: int, points: np.ndarray) -> np.ndarray:
        assert generation == len(asked) < generations, "one generation too many"
        asked.append(points.copy())
        return score(points)

    stage = Stage.model_validate(
        {"name": "toy", "optimiser": optimiser, "population": SIZE, "generations": generations}
    )
    start = first_generation() if first is None else first
    optimise(stage, start, LOW, HIGH, answer, objectives=COORDINATES, seed=seed)
    return asked


def same(left: list[np.ndarray], right: list[np.ndarray]) -> bool:
    """Whether all generations are equal to the last bit."""
    return len(left) == len(right) and all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("generations", [1, 2, 3, 12])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_every_generation_that_was_asked_for_and_no_other(optimiser, generations):
    asked = run(optimiser, generations)
    assert [points.shape for points in asked] == [(SIZE, COORDINATES)] * generations


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_points_stay_within_bounds(optimiser):
    """The goal of two coordinates lies close to a bound, so many steps would leave the box."""
    points = np.concatenate(run(optimiser, 12))
    assert np.all(points >= LOW)
    assert np.all(points <= HIGH)
    assert len(np.unique(points, axis=0)) > 0.7 * len(points)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_parabola_is_descended(optimiser):
    asked = run(optimiser, 30)
    totals = [squares(points).sum(axis=1) for points in asked]
    assert min(map(np.min, totals)) < 0.2 * np.min(totals[0])
    assert np.median(totals[-1]) < 0.6 * np.median(totals[0])  # of many objectives, a front and no point is wanted


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_nothing_but_failures_ends_no_stage_early(optimiser):
    """Later generations may find the first model that answers, and a stage has as many as its configuration says."""
    assert len(run(optimiser, 15, score=flat)) == 15


@pytest.mark.parametrize("optimiser", ["IBEA", "MO-CMA"])
def test_the_first_generation_is_the_one_given(optimiser):
    np.testing.assert_allclose(run(optimiser, 1)[0], first_generation(), atol=1e-12)


def test_cma_starts_from_the_mean_and_spread_of_the_first_generation():
    first = np.clip(np.random.default_rng(1).normal(0.2, 0.03, (SIZE, COORDINATES)), LOW, HIGH)
    near = run("CMA", 1, first=first)[0]
    np.testing.assert_allclose(near.mean(axis=0), first.mean(axis=0), atol=0.1)
    assert np.all(near.std(axis=0) < 0.15)
    assert len(np.unique(near, axis=0)) == SIZE


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_longer_run_begins_like_a_shorter_one(optimiser):
    """So a finished run can be extended."""
    assert same(run(optimiser, 9)[:4], run(optimiser, 4))


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_the_seed_decides(optimiser):
    asked = run(optimiser, 4)
    assert same(asked, run(optimiser, 4))
    assert not same(asked[1:], run(optimiser, 4, seed=8)[1:])


@pytest.mark.parametrize("seed", [0, 2**32, 2**40])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_seed_may_be_large(optimiser, seed):
    assert len(run(optimiser, 2, seed=seed)) == 2


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_whoever_else_draws_random_numbers_does_not_matter(optimiser):
    asked = run(optimiser, 4)

    def drawing(draws: Iterator[int]) -> Callable[[np.ndarray], np.ndarray]:
        def score(points: np.ndarray) -> np.ndarray:
            for _ in range(next(draws)):
                random.random()
                np.random.random()  # noqa: NPY002 - the generator that DEAP uses
            return squares(points)

        return score

    random.seed(123)
    np.random.seed(123)  # noqa: NPY002
    assert same(asked, run(optimiser, 4, score=drawing(iter([3, 0, 5, 1]))))


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_scores_decide_too(optimiser):
    """Or replaying a record would prove nothing."""
    other = run(optimiser, 4, score=lambda points: (points - LOW) ** 2)
    asked = run(optimiser, 4)
    assert same(asked[:1], other[:1])
    assert not np.array_equal(asked[3], other[3])
