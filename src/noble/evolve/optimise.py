"""BluePyOpt's optimisers over a batched evaluator; the record of scores is the checkpoint.

An optimiser is a deterministic function of its seed and of the scores it is given. So nothing of its state is saved: to resume,
it starts again from the seed and is answered from the record until the record ends. That makes a resumed run equal to an
unbroken one by construction, and lets a finished run be extended by more generations.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from noble.evolve.config import Stage

# One row of coordinates in, one tuple of objectives (smaller is better) out, for a whole generation.
Answer = Callable[[int, np.ndarray], np.ndarray]

_CMA_SELECTORS: Final = {"CMA": "single_objective", "MO-CMA": "multi_objective"}


def optimise(
    stage: Stage, first: np.ndarray, low: np.ndarray, high: np.ndarray, answer: Answer, *, objectives: int, seed: int
) -> None:
    """Run a stage's optimiser to its last generation.

    Args:
        stage: optimiser, population, generations.
        first: the first generation, shape (population, coordinates). CMA starts from its mean and spread, MO-CMA from
            each of its points.
        low, high: bounds, shape (coordinates,).
        answer: called with the generation (from 0) and its points, shape (points, coordinates); returns their objectives,
            shape (points, objectives).
        objectives: how many.
        seed: of every random draw.
    """
    generation = 0

    def evaluate_all(_: Any, points: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
        nonlocal generation
        if not len(points):
            return []
        scores = answer(generation, np.array([list(point) for point in points], dtype=float))
        generation += 1
        # Whatever drew random numbers meanwhile must not matter, nor whether there was anything to compute.
        _reseed(seed, generation)
        return [tuple(map(float, row)) for row in scores]

    class Enough:
        """What BluePyOpt asks before every generation; its own counts differ by one between its optimisers."""

        def is_set(self) -> bool:
            return generation >= stage.generations

    evaluator, enough = _evaluator(low, high, objectives), Enough()
    if stage.optimiser == "IBEA":
        from bluepyopt.deapext.optimisations import IBEADEAPOptimisation

        optimiser: Any = IBEADEAPOptimisation(
            evaluator, seed=_state(seed), offspring_size=stage.population, eta=stage.eta, map_function=evaluate_all
        )
        _reseed(seed, 0)
        optimiser.run(max_ngen=stage.generations, parent_population=first.tolist(), terminator=enough)
    else:
        from bluepyopt.deapext.optimisationsCMA import DEAPOptimisationCMA

        several = stage.optimiser == "MO-CMA"
        optimiser = DEAPOptimisationCMA(
            evaluator,
            seed=_state(seed),
            offspring_size=stage.population,
            centroids=first.tolist() if several else [first.mean(axis=0).tolist()],
            sigma=float(np.median(first.std(axis=0) / ((high - low) / 2))),
            map_function=evaluate_all,
            selector_name=_CMA_SELECTORS[stage.optimiser],
            use_stagnation_criterion=False,
            fitness_reduce=_sum_of_squares,
        )
        _reseed(seed, 0)
        if not several:
            optimiser.cma_creator = _endless(optimiser.cma_creator)
        optimiser.run(max_ngen=stage.generations, terminator=enough)


def _endless(strategy: type) -> type:
    """A CMA without criteria of its own, which end a stage early and silently, for example when all scores are equal."""

    class Endless(strategy):
        def check_termination(self, gen: int) -> None:
            pass

    return Endless


def _sum_of_squares(objectives: Sequence[float]) -> float:
    """What CMA minimises: chi-square, so that one feature far off counts more than several that are a little off.

    The sign is kept, since DEAP ranks by the objectives times their weights of -1.
    """
    values = np.asarray(objectives, dtype=float)
    return float(np.sum(values * np.abs(values)))


def _state(*entropy: int) -> int:
    """A seed that every generator takes, from numbers of any size."""
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def _reseed(seed: int, generation: int) -> None:
    """Set the global generators that DEAP draws from."""
    state = _state(seed, generation)
    random.seed(state)
    np.random.seed(state)  # noqa: NPY002 - DEAP's CMA draws from the global generator


def _evaluator(low: np.ndarray, high: np.ndarray, objectives: int) -> Any:
    """What BluePyOpt asks for bounds and the number of objectives; candidates are evaluated by the map, all at once."""
    from bluepyopt.evaluators import Evaluator
    from bluepyopt.objectives import Objective
    from bluepyopt.parameters import Parameter

    class Bounds(Evaluator):
        def init_simulator_and_evaluate_with_lists(self, _: Sequence[float]) -> list[float]:
            raise AssertionError("the map evaluates whole generations and never calls this")

    return Bounds(
        objectives=[Objective(f"objective {index}") for index in range(objectives)],
        params=[
            Parameter(f"coordinate {index}", bounds=bounds)
            for index, bounds in enumerate(zip(low.tolist(), high.tolist(), strict=True))
        ],
    )
