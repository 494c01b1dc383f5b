"""From an evolution to a hall of fame: distinct candidates, the final check, measured features, models held out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from noble.cells import CellModel, HallModel, HallOfFame
from noble.evolve.assay import Assay, Score
from noble.evolve.config import HallRules
from noble.evolve.evaluator import evaluate
from noble.evolve.evolution import Candidate, Evolution
from noble.evolve.measure import measure_features
from noble.evolve.pool import Failed, Pool
from noble.evolve.targets import Targets
from noble.files import write_json
from noble.simulate import ArborSimulator, Numerics

# Checks and measurements are saved after so many candidates.
_AT_ONCE: Final = 8
_SILENT: Final = Numerics(dt_ms=0.06)


def check_candidates(
    evolution: Evolution, seed: int, pool: Pool, *, progress: Callable[[int, int], None] | None = None
) -> list[Candidate]:
    """A seed's most promising distinct candidates, simulated at every amplitude and for the whole step.

    Checking ends when as many as the hall wants have passed, or after the rules' `candidates`. The results are kept in
    `check.json` of the seed, so that an interrupted check goes on.

    Args:
        evolution: finished.
        seed: whose candidates.
        pool: where they are simulated.
        progress: called with candidates that passed and candidates wanted.

    Returns:
        Those that were checked, with the scores of the check.
    """
    rules, targets = evolution.config.hall, evolution.check_targets
    file = evolution.folder / f"seed-{seed}" / "check.json"
    known = _read_check(file, targets.digest)
    chosen = _promising(evolution, seed)
    checked: list[Candidate] = []
    for start in range(0, len(chosen), _AT_ONCE):
        part = chosen[start : start + _AT_ONCE]
        missing = [item for item in part if _key(item) not in known]
        scores = _check_scores(evolution, [item.values for item in missing], pool)
        known |= {_key(item): replace(item, score=score) for item, score in zip(missing, scores, strict=True)}
        if missing:
            write_json(file, {"targets_digest": targets.digest, "checked": [item.to_dict() for item in known.values()]})
        checked += [known[_key(item)] for item in part]
        passed = sum(not reasons_against(item, targets, rules) for item in checked)
        if progress is not None:
            progress(min(passed, rules.per_seed), rules.per_seed)
        if passed >= rules.per_seed:
            break
    return checked


def _check_scores(evolution: Evolution, values: Sequence[Mapping[str, float]], pool: Pool) -> list[Score]:
    """Scores at all steps of the check: those that fire integrated as a data set is, the silent ones three times coarser.

    Below threshold 0.06 ms instead of 0.02 moves the voltage by less than 0.02 mV (LOG.md).
    """
    if not values:
        return []
    targets = evolution.check_targets
    parts = []
    for steps, numerics in ((targets.firing, Numerics()), (targets.silent, _SILENT)):
        if steps:
            assay = Assay(evolution.cell, replace(targets, steps=steps), numerics, evolution.data_folder)
            parts.append(evaluate(assay, values, pool, per_run=1))
    return [_joined(scores) for scores in zip(*parts, strict=True)]


def _joined(scores: Sequence[Score]) -> Score:
    """One candidate's scores at different steps as one."""
    return Score(
        z={key: z for score in scores for key, z in score.z.items()},
        spike_counts={amplitude: count for score in scores for amplitude, count in score.spike_counts.items()},
        blocked=tuple(amplitude for score in scores for amplitude in score.blocked),
        failure=next((score.failure for score in scores if score.failure is not None), None),
    )


def gather_hall(
    evolution: Evolution,
    pool: Pool,
    *,
    provenance: Mapping[str, Any],
    progress: Callable[[int, int], None] | None = None,
) -> HallOfFame:
    """The best checked models of every seed, measured, some of them held out.

    Args:
        evolution: finished for all seeds of its configuration.
        pool: where models are checked and measured.
        provenance: what the hall says of its making besides what the evolution knows (command, ...).
        progress: called with candidates that passed the check and candidates wanted, seed by seed.

    Raises:
        ValueError: if a seed has fewer models that pass the rules than the hall wants of it, with what the others fail.
    """
    rules, targets = evolution.config.hall, evolution.check_targets
    chosen: list[tuple[int, Candidate, dict[str, float]]] = []
    for seed in evolution.config.seeds:
        checked = check_candidates(evolution, seed, pool, progress=progress)
        passed = sorted((c for c in checked if not reasons_against(c, targets, rules)), key=lambda c: c.score.mean)
        measured = measure_best(evolution, seed, passed, pool)
        if len(measured) < rules.per_seed:
            raise ValueError(_too_few(seed, len(measured), checked, targets, rules))
        chosen += [(seed, item, features) for item, features in measured]
    chosen.sort(key=lambda item: item[1].score.mean)
    held_out = draw_held_out([features for _, _, features in chosen], rules.held_out, rules.seed)
    return HallOfFame(
        name=evolution.config.name,
        cell=evolution.cell,
        models=tuple(
            HallModel(
                values=item.values,
                features=features,
                score=round(item.score.mean, 4),
                seed=seed,
                held_out=rank in held_out,
                check=item.score.to_dict(),
            )
            for rank, (seed, item, features) in enumerate(chosen)
        ),
        provenance={**provenance, **evolution.provenance(), "recording": _recording(targets)},
    )


def reasons_against(candidate: Candidate, targets: Targets, rules: HallRules) -> list[str]:
    """What keeps a checked model out of the hall; empty if nothing does."""
    score = candidate.score
    if score.failure is not None:
        return [score.failure]
    reasons = [f"blocked at {amplitude} nA" for amplitude in score.blocked]
    if score.mean > rules.accept:
        reasons.append(f"mean |z| {score.mean:.2f}")
    return reasons + _reasons_against_counts(score.spike_counts, targets, rules)


def _reasons_against_counts(counts: Mapping[str, float], targets: Targets, rules: HallRules) -> list[str]:
    """Which spike counts are off, of those steps that have one."""
    reasons, fires_though_silent = [], 0
    for step in targets.steps:
        wanted, count = step.typical_count, counts.get(f"{step.amplitude_na:g}")
        if count is None:
            continue
        if wanted == 0:
            fires_though_silent += count > 0
        elif abs(count - wanted) > max(rules.count_absolute, rules.count_relative * wanted):
            reasons.append(f"{count:g} spikes at {step.amplitude_na:g} nA instead of {wanted:g}")
    if fires_though_silent > rules.boundary:
        reasons.append(f"fires at {fires_though_silent} steps at which the recording is silent")
    return reasons


def draw_held_out(features: Sequence[Mapping[str, float]], count: int, seed: int) -> set[int]:
    """Models to hold out: a seeded draw among those that are no corner of the hull in (i_thr, s_thr).

    Every corner stays in training, so that each held-out model lies inside the hull of the training models and predicting it is
    interpolation.

    Raises:
        ValueError: if fewer lie inside.
    """
    from scipy.spatial import ConvexHull

    if count == 0:
        return set()
    plane = np.array([[row["i_thr"], row["s_thr"]] for row in features])
    spread = plane.std(axis=0)
    flat = len(plane) <= 3 or not np.all(spread > 0)
    corners = set(range(len(plane))) if flat else set(ConvexHull(plane / spread).vertices.tolist())
    inner = [index for index in range(len(features)) if index not in corners]
    if len(inner) < count:
        raise ValueError(
            f"only {len(inner)} models lie inside the hull; {count} are to be held out. Hold out fewer, or gather more models."
        )
    drawn = np.random.default_rng(seed).choice(inner, size=count, replace=False)
    return {int(index) for index in drawn}


@dataclass(frozen=True)
class _Measurement:
    """Measures a model in a worker, given a bracket of its threshold."""

    data_folder: Path | str | None

    def __call__(self, task: tuple[CellModel, tuple[float, float]]) -> dict[str, float]:
        model, (low_na, high_na) = task
        responder = ArborSimulator(threads=1, data_folder=self.data_folder)
        return measure_features([model], responder, low_na=low_na, high_na=high_na)[0]


def measure_best(
    evolution: Evolution, seed: int, passed: Sequence[Candidate], pool: Pool
) -> list[tuple[Candidate, dict[str, float]]]:
    """The first of those that passed, as many as the hall wants of a seed, with their features.

    One that lacks a feature, for example since it is blocked at twice its threshold, makes way for the next. What is measured
    is kept in `measured.json` of the seed.
    """
    file = evolution.folder / f"seed-{seed}" / "measured.json"
    known: dict[str, dict[str, float]] = _read_json(file) if file.exists() else {}
    measured: list[tuple[Candidate, dict[str, float]]] = []
    waiting = list(passed)
    while waiting and (missing := evolution.config.hall.per_seed - len(measured)) > 0:
        size = min(missing, _AT_ONCE)
        part, waiting = waiting[:size], waiting[size:]
        new = [item for item in part if _key(item) not in known]
        tasks = [(evolution.cell.model(item.values), _threshold_bracket(item.score.spike_counts)) for item in new]
        answers = pool.map(_Measurement(evolution.data_folder), tasks) if tasks else []
        known |= {
            _key(item): answer for item, answer in zip(new, answers, strict=True) if not isinstance(answer, Failed)
        }
        if tasks:
            write_json(file, known)
        measured += [(item, known[_key(item)]) for item in part if _key(item) in known]
    return measured


def _threshold_bracket(spike_counts: Mapping[str, int]) -> tuple[float, float]:
    """Largest silent step below the first that fires, and the step after that one, nA.

    The check's step may be longer than the one that defines the threshold, and a longer one fires at less current.
    """
    counts = sorted((float(amplitude), count) for amplitude, count in spike_counts.items() if float(amplitude) >= 0)
    fires = next((amplitude for amplitude, count in counts if count), counts[-1][0])
    silent = max((amplitude for amplitude, _ in counts if amplitude < fires), default=0.0)
    after = min((amplitude for amplitude, _ in counts if amplitude > fires), default=2 * fires)
    return silent, after


def _promising(evolution: Evolution, seed: int) -> list[Candidate]:
    """Distinct candidates of a seed, by how many spike counts are likely to be wrong in the check, then by mean |z|.

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

    return _distinct(sorted(evolution.candidates(seed), key=rank), rules)


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


def _too_few(seed: int, good: int, checked: Sequence[Candidate], targets: Targets, rules: HallRules) -> str:
    """Why a seed does not give enough models."""
    against = [reasons[0] for item in checked if (reasons := reasons_against(item, targets, rules))]
    examples = "; ".join(dict.fromkeys(against[:4])) or "there are no more distinct candidates"
    return (
        f"seed {seed} has {good} models of {len(checked)} checked that pass and can be measured; {rules.per_seed} are wanted "
        f"({examples}). Evolve more generations, check more candidates, or accept a smaller distance."
    )


def _recording(targets: Targets) -> dict[str, Any]:
    """What the models were checked against, so that a hall can be judged by itself."""
    return {
        "source": targets.source,
        "step_ms": targets.step_ms,
        "spike_counts": {f"{step.amplitude_na:g}": step.typical_count for step in targets.steps},
    }


def _key(candidate: Candidate) -> str:
    return json.dumps(candidate.values, sort_keys=True)


def _read_check(file: Path, digest: str) -> dict[str, Candidate]:
    """Candidates checked before against the same targets."""
    if not file.exists():
        return {}
    content = _read_json(file)
    if content.get("targets_digest") != digest:
        return {}
    return {_key(item): item for item in map(Candidate.from_dict, content["checked"])}


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file} is damaged ({error}); delete it, and what it held is computed again.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} holds no JSON object; delete it, and what it held is computed again.")
    return content
