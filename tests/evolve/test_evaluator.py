"""Who is simulated with whom, and what a run that fails costs."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from small_runs import small_targets

from noble.cells import builtin_cell
from noble.evolve.assay import LARGEST_Z, Assay, Score
from noble.evolve.evaluator import evaluate
from noble.jobs import Failed
from noble.simulators import SolverSettings


@dataclass
class FakeAssay:
    """Scores a candidate by its number; one that diverges answers so."""

    def score(self, values: Sequence[dict[str, float]]) -> list[Score]:
        return [Score({"f@0.1": row["x"]}, failure="diverged" if row["x"] < 0 else None) for row in values]

    def failed(self, reason: str) -> Score:
        return Score({"f@0.1": LARGEST_Z}, failure=reason)


@dataclass
class FakePool:
    """Computes backwards, as a pool of many workers may; a run with a culprit fails, as a crash does after its attempts."""

    culprits: tuple[float, ...] = ()
    maps: list[list[list[float]]] = field(default_factory=list)

    def map(self, function: Callable, items: Sequence[Any], *, progress: Callable | None = None) -> list[Any]:
        self.maps.append([[row["x"] for row in item] for item in items])
        if progress is not None:
            progress(len(items), len(items))
        answers = {}
        for index in reversed(range(len(items))):
            found = [row["x"] for row in items[index] if row["x"] in self.culprits]
            answers[index] = Failed(f"{found[0]:g} crashed") if found else function(items[index])
        return [answers[index] for index in range(len(items))]


def fakes(*culprits: float) -> tuple[Any, Any]:
    """An assay and a pool."""
    return FakeAssay(), FakePool(culprits)


def rows(count: int) -> list[dict[str, float]]:
    return [{"x": float(number)} for number in range(count)]


@pytest.mark.parametrize("per_run", [1, 3, 4, 10, 99])
def test_scores_come_in_the_order_of_the_candidates(per_run):
    assay, pool = fakes()
    scores = evaluate(assay, rows(10), pool, per_run=per_run)
    assert [score.mean for score in scores] == list(range(10))
    assert len(pool.maps) == 1
    assert [number for group in pool.maps[0] for number in group] == list(range(10))
    assert max(map(len, pool.maps[0])) == min(per_run, 10)


def test_a_run_that_fails_is_split_and_only_the_culprit_pays():
    assay, pool = fakes(5.0)
    scores = evaluate(assay, rows(10), pool, per_run=4)
    assert [score.failure for score in scores] == [None] * 5 + ["5 crashed"] + [None] * 4
    assert [score.mean for score in scores] == [0, 1, 2, 3, 4, LARGEST_Z, 6, 7, 8, 9]
    # Only the failed run is repeated, one by one.
    assert pool.maps == [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]], [[4], [5], [6], [7]]]


def test_several_culprits_in_several_runs():
    assay, pool = fakes(0.0, 1.0, 9.0)
    scores = evaluate(assay, rows(10), pool, per_run=4)
    assert [number for number, score in enumerate(scores) if score.failure] == [0, 1, 9]
    assert [scores[number].failure for number in (0, 1, 9)] == ["0 crashed", "1 crashed", "9 crashed"]


def test_a_single_candidate_is_not_tried_again():
    assay, pool = fakes(1.0)
    scores = evaluate(assay, rows(3), pool, per_run=1)
    assert [score.failure for score in scores] == [None, "1 crashed", None]
    assert len(pool.maps) == 1


def test_progress_is_of_runs():
    told: list[tuple[int, int]] = []
    assay, pool = fakes()
    evaluate(assay, rows(10), pool, per_run=4, progress=lambda done, total: told.append((done, total)))
    assert told == [(3, 3)]


def test_when_nobody_answers_the_set_up_is_wrong():
    """A missing file or an impossible step of integration is no property of the candidates, and no score."""
    assay, pool = fakes(*range(6))
    with pytest.raises(ValueError, match=r"none of 6 candidates could be simulated.* 0 crashed"):
        evaluate(assay, rows(6), pool, per_run=4)


def test_a_generation_may_diverge_altogether():
    assay, pool = fakes()
    scores = evaluate(assay, [{"x": -1.0}, {"x": -2.0}], pool)
    assert [score.failure for score in scores] == ["diverged", "diverged"]


def test_one_candidate_alone_may_fail():
    assay, pool = fakes(0)
    assert evaluate(assay, rows(1), pool)[0].failure == "0 crashed"


def test_an_assay_travels():
    assay = Assay(builtin_cell("stylised-pv"), small_targets(), SolverSettings(dt_ms=0.06), "folder")
    assert pickle.loads(pickle.dumps(assay)) == assay
