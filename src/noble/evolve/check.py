"""The final check of what was evolved: whole steps at every amplitude, and the rules for coming into a hall."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from noble.cells import Cell
from noble.evolve.assay import Assay, Score
from noble.evolve.config import HallRules
from noble.evolve.evaluator import evaluate
from noble.evolve.evolution import Candidate, Evolution
from noble.files import read_json, write_json
from noble.jobs import Pool
from noble.simulators import SolverSettings
from noble.targets.targets import Targets

NameT = TypeVar("NameT")

# Checks and measurements are saved after so many candidates.
AT_ONCE: Final = 8
_SILENT: Final = SolverSettings(dt_ms=0.06)


def check_candidates(
    evolution: Evolution, seed: int, pool: Pool, *, progress: Callable[[int, int], None] | None = None
) -> list[Candidate]:
    """A seed's most promising distinct candidates, simulated at every amplitude and for the whole step.

    Checking ends when as many as the hall wants have passed, times the rules' `surplus`, or after `candidates`. The results are
    kept in `check.json` of the seed, so that an interrupted check goes on.

    Args:
        evolution: finished.
        seed: whose candidates.
        pool: where they are simulated.
        progress: called with candidates that passed and candidates wanted.

    Returns:
        Those that were checked, with the scores of the check.
    """
    rules, targets = evolution.config.hall, evolution.check_targets
    file = evolution.seed_folder(seed) / "check.json"
    known = _read_check(file, targets.digest)
    chosen = _promising(evolution, seed)
    checked: list[Candidate] = []
    for start in range(0, len(chosen), AT_ONCE):
        part = chosen[start : start + AT_ONCE]
        missing = [item for item in part if not _is_checked(known.get(record_key(item)), targets, rules)]
        scores = full_scores(
            evolution.cell,
            targets,
            [item.values for item in missing],
            pool,
            data_folder=evolution.data_folder,
            hopeless=lambda score: bool(_reasons_at_steps(score, targets, rules)),
        )
        known |= {record_key(item): replace(item, score=score) for item, score in zip(missing, scores, strict=True)}
        if missing:
            write_json(file, {"targets_digest": targets.digest, "checked": [item.to_dict() for item in known.values()]})
        checked += [known[record_key(item)] for item in part]
        passed = sum(not reasons_against(item, targets, rules) for item in checked)
        if progress is not None:
            progress(min(passed, rules.wanted), rules.wanted)
        if passed >= rules.wanted:
            break
    return checked


def _is_checked(known: Candidate | None, targets: Targets, rules: HallRules) -> bool:
    """Whether a record says all that these rules ask: one that was spared steps as hopeless may not be so by looser rules."""
    if known is None:
        return False
    return bool(_reasons_at_steps(known.score, targets, rules)) or len(known.score.spike_counts) == len(targets.steps)


def full_scores(
    cell: Cell,
    targets: Targets,
    values: Sequence[Mapping[str, float]],
    pool: Pool,
    *,
    data_folder: Path | str | None = None,
    hopeless: Callable[[Score], bool] = lambda score: False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Score]:
    """Scores at all steps of the targets: those that fire integrated as a data set is, the silent ones three times coarser.

    Below threshold 0.06 ms instead of 0.02 moves the voltage by less than 0.02 mV (LOG.md).

    Args:
        cell: whose models are scored.
        targets: at every step, of the full length.
        values: parameter values of each model.
        pool: where they are simulated.
        data_folder: where the cell's SWC file is.
        hopeless: a model whose score at the steps that fire it refuses is spared the others.
        progress: called with models done and models in all; a model half of whose steps are done counts as half a one.
    """
    scores, rows = [Score({})] * len(values), list(range(len(values)))
    parts = [item for item in ((targets.firing, SolverSettings()), (targets.silent, _SILENT)) if item[0]]
    for part, (steps, numerics) in enumerate(parts):
        rows = [row for row in rows if not hopeless(scores[row])]

        def report(done: int, total: int, part: int = part) -> None:
            if progress is not None:
                progress((part * len(values) + len(values) * done // total) // len(parts), len(values))

        if rows:
            assay = Assay(cell, replace(targets, steps=steps), numerics, data_folder)
            found = evaluate(assay, [values[row] for row in rows], pool, per_run=1, progress=report)
            for row, score in zip(rows, found, strict=True):
                scores[row] = _joined([scores[row], score])
    return scores


def _joined(scores: Sequence[Score]) -> Score:
    """One candidate's scores at different steps as one."""
    return Score(
        z={key: z for score in scores for key, z in score.z.items()},
        spike_counts={amplitude: count for score in scores for amplitude, count in score.spike_counts.items()},
        blocked=tuple(amplitude for score in scores for amplitude in score.blocked),
        failure=next((score.failure for score in scores if score.failure is not None), None),
    )


def reasons_against(candidate: Candidate, targets: Targets, rules: HallRules) -> list[str]:
    """What keeps a checked model out of the hall; empty if nothing does."""
    score = candidate.score
    reasons = _reasons_at_steps(score, targets, rules)
    if score.failure is None and score.mean > rules.accept:
        reasons.append(f"mean |z| {score.mean:.2f}")
    return reasons


def _reasons_at_steps(score: Score, targets: Targets, rules: HallRules) -> list[str]:
    """What speaks against a model at the steps that it has been simulated at."""
    if score.failure is not None:
        return [score.failure]
    blocked = [f"blocked at {amplitude} nA" for amplitude in score.blocked]
    return blocked + _reasons_against_counts(score.spike_counts, targets, rules)


def _reasons_against_counts(counts: Mapping[str, float], targets: Targets, rules: HallRules) -> list[str]:
    """Which spike counts are off, of those steps that have one."""
    reasons, fires_though_silent = [], 0
    for step in targets.steps:
        wanted, count = step.typical_count, counts.get(f"{step.amplitude_na:g}")
        if count is None:
            continue
        if wanted == 0:
            fires_though_silent += count > 0
        elif abs(count - wanted) > rules.count_tolerance(wanted):
            reasons.append(f"{count:g} spikes at {step.amplitude_na:g} nA instead of {wanted:g}")
    if fires_though_silent > rules.boundary:
        reasons.append(f"fires at {fires_though_silent} steps at which the recording is silent")
    return reasons


def _promising(evolution: Evolution, seed: int) -> list[Candidate]:
    """Distinct candidates of a seed, by how many spike counts are likely to be wrong in the check, then by mean |z|.

    With a surplus, those that are likely to pass come in the order in which they differ most.

    By mean |z| alone, models would come first that miss a count and do well otherwise. Counts are taken to the
    check's longer step as those of the recording are, which may speed up or adapt.
    """
    rules, targets = evolution.config.hall, evolution.check_targets
    longer = {
        f"{step.amplitude_na:g}": float(
            np.mean(targets.step(step.amplitude_na).spike_counts) / np.mean(step.spike_counts)
        )
        for step in evolution.targets.firing
    }

    def rank(item: Candidate) -> tuple[int, float]:
        counts = {amplitude: count * longer.get(amplitude, 1.0) for amplitude, count in item.score.spike_counts.items()}
        return len(_reasons_against_counts(counts, targets, rules)) + len(item.score.blocked), item.score.mean

    ranked = sorted(((rank(item), item) for item in evolution.candidates(seed)), key=lambda pair: pair[0])
    candidates = [item for _, item in ranked]
    if rules.surplus > 1:
        likely = sum(wrong == 0 and mean <= rules.accept for (wrong, mean), _ in ranked)
        candidates[:likely] = most_different(candidates[:likely], evolution.targets)
    return _distinct(candidates, rules)


def most_different(candidates: Sequence[Candidate], targets: Targets) -> list[Candidate]:
    """The first one, then always the one whose F-I curve is farthest from all those before it.

    Best-first alone makes a narrow family, since an optimiser moves towards the recording from one side of its tolerances. The
    distance is Euclidean between the spike counts where threshold and slope show, each in standard deviations over the
    candidates: at the recording's last silent step and its first two that fire. Measuring threshold and slope themselves
    takes twenty simulations a model. Where no step fires, the order stays.

    Args:
        candidates: with their spike counts at the targets' steps.
        targets: that they answered to.
    """
    silent = [step.amplitude_na for step in targets.silent if step.amplitude_na > 0]
    near_threshold = [*sorted(silent)[-1:], *sorted(step.amplitude_na for step in targets.firing)[:2]]
    known = [f"{a:g}" for a in near_threshold if all(f"{a:g}" in item.score.spike_counts for item in candidates)]
    if not (candidates and targets.firing and known):
        return list(candidates)
    counts = in_spreads(
        np.array([[item.score.spike_counts[step] for step in known] for item in candidates], dtype=float)
    )
    order, nearest = [0], np.linalg.norm(counts - counts[0], axis=1)
    while len(order) < len(candidates):
        nearest[order] = -1.0
        order.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.linalg.norm(counts - counts[order[-1]], axis=1))
    return [candidates[index] for index in order]


def in_spreads(table: np.ndarray) -> np.ndarray:
    """Columns as distances from their mean in standard deviations; a column that does not vary is zero."""
    centred, spread = table - table.mean(axis=0), table.std(axis=0)
    return centred / np.where(spread > 0, spread, 1.0)


def _distinct(candidates: Sequence[Candidate], rules: HallRules) -> list[Candidate]:
    """In their order, each at a distance from all before."""
    chosen: list[Candidate] = []
    for item in candidates:
        if len(chosen) == rules.candidates:
            break
        point = np.array(item.point)
        if all(np.sqrt(np.mean((point - np.array(other.point)) ** 2)) >= rules.distance for other in chosen):
            chosen.append(item)
    return chosen


def _read_check(file: Path, digest: str) -> dict[str, Candidate]:
    """Candidates checked before against the same targets."""
    if not file.exists():
        return {}
    content = read_record(file)
    if content.get("targets_digest") != digest:
        return {}
    try:
        return {record_key(item): item for item in map(Candidate.from_dict, content["checked"])}
    except (ValueError, LookupError, TypeError) as error:
        raise damaged(file, error) from error


def record_key(candidate: Candidate) -> str:
    """What a candidate is known by in the records of its seed."""
    return json.dumps(candidate.values, sort_keys=True)


def read_record(file: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ValueError: if it is damaged.
    """
    try:
        content = read_json(file, expected="a record")
    except ValueError as error:
        raise damaged(file, error) from error
    if not isinstance(content, dict):
        raise damaged(file, "it holds no JSON object")
    return content


def models_done(
    file: Path, key: str, *, named: Callable[[str], NameT], checked: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[NameT, dict[str, Any]]:
    """What an interrupted job has done, model by model; nothing if its record is of another job, or is not there.

    Args:
        file: the record.
        key: of the job.
        named: makes a model's name of its key in the record.
        checked: refuses what is not what the job writes of a model.

    Raises:
        ValueError: if it is damaged.
    """
    if not file.exists():
        return {}
    content = read_record(file)
    if content.get("key") != key:
        return {}
    try:
        return {named(name): checked(item) for name, item in content["models"].items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise damaged(file, error) from error


def damaged(file: Path, why: object) -> ValueError:
    """What is said of a record that cannot be used."""
    return ValueError(f"{file} is damaged ({why}); delete it, and what it held is computed again.")
