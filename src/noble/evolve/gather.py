"""From an evolution to a hall of fame: checked candidates, measured features, models held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from noble.cells import CellModel, HallModel, HallOfFame
from noble.evolve.check import AT_ONCE, check_candidates, damaged, in_spreads, read_record, reasons_against, record_key
from noble.evolve.config import HallRules
from noble.evolve.evolution import Candidate, Evolution
from noble.features.catalogue import HALL_FEATURES, LATENT_FEATURES, canonical
from noble.features.hall_features import measure_features
from noble.files import locked, numbers_by_name, write_json
from noble.jobs import Failed, Pool
from noble.simulators import ArborSimulator
from noble.targets.targets import Targets


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
    with locked(evolution.folder, who=f"the check of {evolution.config.name}"):
        chosen = [item for seed in evolution.config.seeds for item in _chosen_of(evolution, seed, pool, progress)]
    chosen.sort(key=lambda item: item[1].score.mean)
    models = [
        HallModel(
            values=item.values,
            features=features,
            score=round(item.score.mean, 4),
            seed=seed,
            check=item.score.to_dict(),
        )
        for seed, item, features in chosen
    ]
    return HallOfFame(
        name=evolution.config.name,
        cell=evolution.cell,
        models=with_held_out(models, rules.held_out, rules.seed),
        provenance={**provenance, **evolution.provenance(), "recording": recording_summary(targets)},
    )


def _chosen_of(
    evolution: Evolution, seed: int, pool: Pool, progress: Callable[[int, int], None] | None
) -> list[tuple[int, Candidate, dict[str, float]]]:
    """The models of a seed that come into the hall: seed, candidate and features of each."""
    rules, targets = evolution.config.hall, evolution.check_targets
    checked = check_candidates(evolution, seed, pool, progress=progress)
    passed = [item for item in checked if not reasons_against(item, targets, rules)]
    if rules.surplus == 1:  # otherwise they come in the order in which they differ most
        passed.sort(key=lambda item: item.score.mean)
    measured = measure_best(evolution, seed, passed, pool)
    if len(measured) < rules.per_seed:
        raise ValueError(_too_few(seed, len(measured), checked, targets, rules))
    if rules.surplus > 1:
        measured = farthest_from_the_middle(measured, rules.per_seed)
    return [(seed, item, features) for item, features in measured]


def farthest_from_the_middle(
    measured: Sequence[tuple[Candidate, dict[str, float]]], count: int
) -> list[tuple[Candidate, dict[str, float]]]:
    """Those whose rheobase and F-I gain are farthest from the mean, each in standard deviations, in their order.

    What a family spreads over is decided at its edges; between them an operator interpolates.
    """
    latent = np.array([[features[name] for name in LATENT_FEATURES] for _, features in measured])
    distance = np.linalg.norm(in_spreads(latent), axis=1)
    chosen = np.sort(np.argsort(-distance, kind="stable")[:count])
    return [measured[index] for index in chosen]


def draw_held_out(features: Sequence[Mapping[str, float]], count: int, seed: int) -> set[int]:
    """Models to hold out: a seeded draw among those that are no corner of the hull in (rheobase, F-I gain).

    Every corner stays in training, so that each held-out model lies inside the hull of the training models and predicting it is
    interpolation.

    Raises:
        ValueError: if fewer lie inside.
    """
    from scipy.spatial import ConvexHull

    if count == 0:
        return set()
    latent = np.array([[row[name] for name in LATENT_FEATURES] for row in features])
    spread = latent.std(axis=0)
    flat = len(latent) <= 3 or not np.all(spread > 0)
    corners = set(range(len(latent))) if flat else set(ConvexHull(latent / spread).vertices.tolist())
    inner = [index for index in range(len(features)) if index not in corners]
    if len(inner) < count:
        raise ValueError(
            f"only {len(inner)} models lie inside the hull; {count} are to be held out. Hold out fewer, or gather more models."
        )
    drawn = np.random.default_rng(seed).choice(inner, size=count, replace=False)
    return {int(index) for index in drawn}


def with_held_out(models: Sequence[HallModel], count: int, seed: int) -> tuple[HallModel, ...]:
    """The models in their order, so many of them held out as `draw_held_out` draws them, and no others."""
    drawn = draw_held_out([model.features for model in models], count, seed)
    return tuple(replace(model, held_out=index in drawn) for index, model in enumerate(models))


@dataclass(frozen=True)
class Measurement:
    """Measures a model in a worker, given a bracket of its rheobase; a callable object, so that the pool can send it."""

    data_folder: Path | str | None

    def __call__(self, task: tuple[CellModel, tuple[float, float]]) -> dict[str, float]:
        """Features of one model, see `measure_features`."""
        model, (low_na, high_na) = task
        responder = ArborSimulator(threads=1, data_folder=self.data_folder)
        return measure_features([model], responder, low_na=low_na, high_na=high_na)[0]


def measure_best(
    evolution: Evolution, seed: int, passed: Sequence[Candidate], pool: Pool
) -> list[tuple[Candidate, dict[str, float]]]:
    """The first of those that passed, as many as the hall wants of a seed to choose from, with their features.

    One that lacks a feature, for example since it is blocked at twice its rheobase, makes way for the next. What is measured
    is kept in `measured.json` of the seed.
    """
    file = evolution.seed_folder(seed) / "measured.json"
    known = _read_measured(file)
    measured: list[tuple[Candidate, dict[str, float]]] = []
    waiting = list(passed)
    while waiting and (missing := evolution.config.hall.wanted - len(measured)) > 0:
        size = min(missing, AT_ONCE)
        part, waiting = waiting[:size], waiting[size:]
        new = [item for item in part if record_key(item) not in known]
        tasks = [(evolution.cell.model(item.values), threshold_bracket(item.score.spike_counts)) for item in new]
        answers = pool.map(Measurement(evolution.data_folder), tasks) if tasks else []
        known |= {
            record_key(item): answer
            for item, answer in zip(new, answers, strict=True)
            if not isinstance(answer, Failed)
        }
        if tasks:
            write_json(file, known)
        measured += [(item, known[record_key(item)]) for item in part if record_key(item) in known]
    return measured


def _read_measured(file: Path) -> dict[str, dict[str, float]]:
    """Features measured before, by `record_key`; those of another version, which may lack some, are measured again."""
    if not file.exists():
        return {}
    record = read_record(file)
    try:
        record = {key: numbers_by_name(item, what="a model") for key, item in record.items()}
    except ValueError as error:
        raise damaged(file, error) from error
    # A record of another version may have features under their former names, too.
    named = {key: {canonical(name): value for name, value in row.items()} for key, row in record.items()}
    return {key: features for key, features in named.items() if set(features) == set(HALL_FEATURES)}


def threshold_bracket(spike_counts: Mapping[str, int]) -> tuple[float, float]:
    """Largest silent step below the first that fires, and the step after that one, nA.

    The check's step may be longer than the one that defines the rheobase, and a longer one fires at less current.
    """
    counts = sorted((float(amplitude), count) for amplitude, count in spike_counts.items() if float(amplitude) >= 0)
    fires = next((amplitude for amplitude, count in counts if count), counts[-1][0])
    silent = max((amplitude for amplitude, _ in counts if amplitude < fires), default=0.0)
    after = min((amplitude for amplitude, _ in counts if amplitude > fires), default=2 * fires)
    return silent, after


def _too_few(seed: int, good: int, checked: Sequence[Candidate], targets: Targets, rules: HallRules) -> str:
    """Why a seed does not give enough models."""
    against = [reasons[0] for item in checked if (reasons := reasons_against(item, targets, rules))]
    examples = "; ".join(dict.fromkeys(against[:4])) or "there are no more distinct candidates"
    return (
        f"seed {seed} has {good} models of {len(checked)} checked that pass and can be measured; {rules.per_seed} are wanted "
        f"({examples}). Evolve more generations, check more candidates, or accept a smaller distance."
    )


def recording_summary(targets: Targets) -> dict[str, Any]:
    """What the models were checked against, so that a hall can be judged by itself."""
    return {
        "source": targets.source,
        "step_ms": targets.step_ms,
        "spike_counts": {f"{step.amplitude_na:g}": step.typical_count for step in targets.steps},
    }
