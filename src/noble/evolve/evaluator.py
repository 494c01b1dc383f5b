"""Candidates to scores, over a pool of workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from noble.evolve.assay import DIVERGED, Assay, Score
from noble.jobs import Failed, Pool
from noble.machine import give_memory_back


@dataclass(frozen=True)
class _Run:
    """One batched run of a worker; a callable object, so that the pool can send it."""

    assay: Assay

    def __call__(self, values: Sequence[Mapping[str, float]]) -> list[Score]:
        scores = self.assay.score(values)
        give_memory_back()
        return scores


def evaluate(
    assay: Assay,
    values: Sequence[Mapping[str, float]],
    pool: Pool,
    *,
    per_run: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> list[Score]:
    """Scores of candidates, in their order, whoever computes them.

    A run that fails for good is repeated candidate by candidate, so that one that takes its process along costs only itself.

    Args:
        assay: what they go through.
        values: parameter values of each candidate.
        pool: where they go through it.
        per_run: candidates in one batched run.
        progress: called with runs done and runs in all.

    Raises:
        ValueError: if not one of several candidates could be simulated: then the set-up is wrong, not they.
    """
    run = _Run(assay)
    groups = [list(values[start : start + per_run]) for start in range(0, len(values), per_run)]
    scores: list[Score] = []
    for group, answer in zip(groups, pool.map(run, groups, progress=progress), strict=True):
        if isinstance(answer, Failed):
            alone = pool.map(run, [[item] for item in group]) if len(group) > 1 else [answer]
            scores += [assay.failed(item.reason) if isinstance(item, Failed) else item[0] for item in alone]
        else:
            scores += answer
    reasons = [score.failure for score in scores if score.failure not in (None, DIVERGED)]
    if len(reasons) == len(scores) > 1:
        raise ValueError(f"none of {len(scores)} candidates could be simulated; the first says: {reasons[0]}")
    return scores
