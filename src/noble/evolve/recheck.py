"""A hall's models checked and measured again: after the simulation has changed, or against another recording of the cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from noble.cells import HallModel, HallOfFame
from noble.evolve.assay import Score
from noble.evolve.check import AT_ONCE, full_scores, models_done, reasons_against
from noble.evolve.config import HallRules
from noble.evolve.evolution import Candidate, versions
from noble.evolve.gather import Measurement, recording_summary, threshold_bracket, with_held_out
from noble.features.catalogue import HALL_FEATURES
from noble.files import content_sha256, locked, numbers_by_name, write_json
from noble.jobs import Failed, Pool
from noble.targets.targets import Targets


@dataclass(frozen=True)
class Rechecked:
    """A hall after its check.

    Attributes:
        hall: the models that passed, best first, with their new scores and features.
        left_out: why a model is no longer in it, by its index in the former hall.
    """

    hall: HallOfFame
    left_out: Mapping[int, list[str]]


def recheck_hall(
    hall: HallOfFame,
    targets: Targets,
    pool: Pool,
    *,
    record: Path,
    rules: HallRules | None = None,
    data_folder: Path | str | None = None,
    provenance: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Rechecked:
    """Simulate every model of a hall at every step of the targets, score it, measure its features, and hold models out anew.

    Args:
        hall: any, of any making.
        targets: of the full length, see `full_scores`.
        pool: where models are simulated.
        record: JSON file that keeps what is done, so that an interrupted check goes on; to be deleted once the hall is saved.
        rules: `accept`, `count_relative`, `count_absolute` and `boundary` say who passes, `held_out` and `seed` who is held out.
        data_folder: where the cell's SWC file is.
        provenance: what the new hall says of this check (command, ...).
        progress: called with models done and models in all.

    Raises:
        ValueError: if nobody passes, or too few lie inside the hull of the others to be held out; if another process checks
            with the same record, or the record is damaged.
    """
    rules = rules or HallRules()
    with locked(record, who=f"the check of hall {hall.name}"):
        done = _check_all(hall, targets, pool, record, data_folder, progress or (lambda done, total: None))
    left_out: dict[int, list[str]] = {}
    passed: list[HallModel] = []
    for index, model in enumerate(hall.models):
        score = Score.from_dict(done[index]["check"])
        reasons = reasons_against(Candidate((), model.values, score), targets, rules)
        if "failed" in done[index]:
            reasons.append(done[index]["failed"])
        if reasons:
            left_out[index] = reasons
        else:
            passed.append(
                replace(model, features=done[index]["features"], score=round(score.mean, 4), check=score.to_dict())
            )
    if not passed:
        raise ValueError(f"no model of {hall.name} passes; the first fails by {'; '.join(left_out[0])}.")
    passed.sort(key=lambda item: item.rank)
    checked = replace(
        hall,
        models=with_held_out(passed, rules.held_out, rules.seed),
        provenance={
            **hall.provenance,
            "check": {"digest": targets.digest},
            "recording": recording_summary(targets),
            "checked_again": {**(provenance or {}), "former_digest": hall.digest, "versions": versions()},
        },
    )
    return Rechecked(checked, left_out)


def _check_all(
    hall: HallOfFame,
    targets: Targets,
    pool: Pool,
    record: Path,
    data_folder: Path | str | None,
    progress: Callable[[int, int], None],
) -> dict[int, dict[str, Any]]:
    """Score and features of every model by its index, as far as possible from the record; each few models the record grows."""
    key = content_sha256([hall.digest, targets.digest, sorted(HALL_FEATURES)])
    done = models_done(record, key, named=int, checked=_checked_item)
    missing = [index for index in range(len(hall)) if index not in done]
    for start in range(0, len(missing), AT_ONCE):
        progress(len(done), len(hall))
        part = [(index, hall.cell_model(index)) for index in missing[start : start + AT_ONCE]]
        scores = full_scores(hall.cell, targets, [model.values for _, model in part], pool, data_folder=data_folder)
        tasks = [(model, threshold_bracket(score.spike_counts)) for (_, model), score in zip(part, scores, strict=True)]
        measured = pool.map(Measurement(data_folder), tasks)
        for (index, _), score, features in zip(part, scores, measured, strict=True):
            done[index] = {"check": score.to_dict()}
            done[index] |= {"failed": features.reason} if isinstance(features, Failed) else {"features": features}
        write_json(record, {"key": key, "models": {str(index): item for index, item in sorted(done.items())}})
    progress(len(done), len(hall))
    return done


def _checked_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of one model, refused if it is not what `recheck_hall` writes."""
    Score.from_dict(item["check"])
    if not isinstance(item.get("failed"), str):
        numbers_by_name(item.get("features"), what="features of a model")
    return dict(item)
