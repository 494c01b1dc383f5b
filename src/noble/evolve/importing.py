"""A hall of fame from models that others found: each simulated and measured as those of an evolved hall are."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from noble.cells import CellModel, HallModel, HallOfFame
from noble.cells.found import FoundModels
from noble.evolve.assay import DIVERGED, measure_with_blocks, spikes_in_step
from noble.evolve.check import models_done
from noble.evolve.evolution import versions
from noble.evolve.gather import Measurement, with_held_out
from noble.features.catalogue import HALL_FEATURES
from noble.features.excitability import rheobase
from noble.features.records import CURVE_PA
from noble.files import content_sha256, locked, numbers_by_name, write_json
from noble.jobs import Failed, Pool
from noble.machine import give_memory_back
from noble.progress import Progress
from noble.protocols import StepProtocol
from noble.simulators import ArborSimulator
from noble.simulators.numerics import check_membrane
from noble.traces import TraceBatch
from noble.units import check_current_na

# The first step that is tried; each further one is twice as large, up to the largest.
FIRST_STEP_NA: Final = 0.05
LARGEST_STEP_NA: Final = 1.0
# One model of so many is held out unless told otherwise, as of evolved halls of sixty.
ONE_HELD_OUT_OF: Final = 6


@dataclass(frozen=True)
class Imported:
    """What became of the models.

    Attributes:
        hall: those that can be used, in the order in which they were found, or best first where all have a score.
        left_out: why a model is not in it, by its label.
    """

    hall: HallOfFame
    left_out: Mapping[str, str]


def import_hall(
    found: FoundModels,
    pool: Pool,
    *,
    name: str,
    record: Path,
    largest_na: float = LARGEST_STEP_NA,
    held_out: int | None = None,
    seed: int = 0,
    data_folder: Path | str | None = None,
    provenance: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Simulate every model around its own rheobase, measure its features, and make a hall of those that fire.

    A model is left out if it fires without a current, does not fire up to the largest step, is blocked where its features are
    measured, or lacks one of them, as evolved halls leave it out.

    Args:
        found: the models.
        pool: where they are simulated.
        name: of the hall.
        record: JSON file that keeps what is done, so that an interrupted import goes on; to be deleted once the hall is saved.
        largest_na: largest step that is tried, nA.
        held_out: models kept from training, drawn as `draw_held_out` draws them; a sixth of those that fire if None.
        seed: of that draw.
        data_folder: where the cell's SWC file is.
        provenance: what the hall says of its making besides (command, ...).
        progress: called with models done and models in all.

    Raises:
        ValueError: if a model says nothing of a region that its morphology has, no model can be used, or too few lie inside the
            hull of the others to be held out; if another process imports with the same record, or the record is damaged.
    """
    if not largest_na >= FIRST_STEP_NA:
        raise ValueError(
            f"the largest step is {largest_na:g} nA; expected at least {FIRST_STEP_NA:g} nA, the first one."
        )
    check_current_na(largest_na, what="the largest step")
    regions = found.cell.morphology.load(data_folder).regions
    for index in range(len(found)):
        check_membrane(found.cell_model(index), regions)
    swc = found.cell.morphology.find(data_folder)
    # Workers look for the file themselves, and know no folder but this one.
    trial = Trial(largest_na, data_folder if swc is None else swc.resolve().parent)
    with locked(record, who=f"the import of hall {name}"):
        done = _try_all(found, trial, pool, record, progress or (lambda done, total: None))
    left_out = {label: item["left_out"] for label, item in done.items() if "left_out" in item}
    kept = [item for item in found.models if item.label not in left_out]
    if not kept:
        label = found.models[0].label
        raise ValueError(f"none of {len(found)} models can be used; the first, {label}: {left_out[label]}.")
    if all(item.score is not None for item in kept):
        kept.sort(key=lambda item: item.score or 0.0)
    models = [HallModel(item.values, done[item.label]["features"], item.score, item.seed) for item in kept]
    count = len(models) // ONE_HELD_OUT_OF if held_out is None else held_out
    imported = {
        "models": [item.label for item in kept],
        "left_out": left_out,
        "largest_step_na": largest_na,
        "held_out_seed": seed,
        **found.facts,
    }
    hall = HallOfFame(
        name,
        found.cell,
        with_held_out(models, count, seed),
        {**(provenance or {}), "imported": imported, "versions": versions()},
    )
    return Imported(hall, left_out)


@dataclass(frozen=True)
class Trial:
    """What a model goes through, in a worker; a callable object, so that the pool can send it.

    Attributes:
        largest_na: largest step that is tried, nA.
        data_folder: where the cell's SWC file is.
    """

    largest_na: float
    data_folder: Path | str | None = None

    def __call__(self, model: CellModel) -> dict[str, Any]:
        """`features` of a model, or `left_out`, what keeps it out."""
        try:
            features = self._features(model, self._bracket(model))
            self._check_blocks(model, features["rheobase"])
            return {"features": features}
        except UnfitError as reason:
            return {"left_out": str(reason)}
        finally:
            give_memory_back()

    def _bracket(self, model: CellModel) -> tuple[float, float]:
        """A step that is silent and one that fires, nA."""
        silent_na, blocked_na = 0.0, None
        for amplitude_na in _doubling(self.largest_na):
            answer = self._answer(model, [amplitude_na])
            if spikes_in_step(answer, StepProtocol())[0]:
                if amplitude_na == 0:
                    raise UnfitError("fires without a current")
                return silent_na, amplitude_na
            if blocked_na is None and _blocked(answer)[0]:
                blocked_na = amplitude_na
            silent_na = amplitude_na
        if blocked_na is not None:
            raise UnfitError(f"blocked at {blocked_na:g} nA without having fired")
        raise UnfitError(f"never fires, up to {self.largest_na:g} nA")

    def _features(self, model: CellModel, bracket: tuple[float, float]) -> dict[str, float]:
        """As those of evolved halls are measured."""
        try:
            return Measurement(self.data_folder)((replace(model, name="it"), bracket))
        except ValueError as error:
            low_na, high_na = bracket
            found = rheobase(self._responder(), [model], low_na=low_na, high_na=high_na)[0]
            if np.isfinite(found):  # a block says more than the feature that it leaves without a value
                self._check_blocks(model, float(found))
            raise UnfitError(str(error).partition(";")[0]) from error

    def _check_blocks(self, model: CellModel, rheobase_na: float) -> None:
        """Refuse a model that is blocked at one of the larger steps at which a hall's features are measured."""
        amplitudes = sorted({2 * rheobase_na, *(rheobase_na + 1e-3 * above for above in CURVE_PA if above >= 50)})
        blocked = _blocked(self._answer(model, amplitudes))
        if np.any(blocked):
            at = amplitudes[int(np.argmax(blocked))]
            raise UnfitError(f"blocked at {at:.3g} nA (rheobase {rheobase_na:.3g} nA)")

    def _answer(self, model: CellModel, amplitudes_na: list[float]) -> TraceBatch:
        protocol = StepProtocol()
        stimuli = [protocol.stimulus(amplitude) for amplitude in amplitudes_na]
        answer = self._responder().respond([model] * len(stimuli), stimuli, protocol.grid)
        if not np.all(np.isfinite(answer.voltage_mv)):
            raise UnfitError(f"{DIVERGED} at {amplitudes_na[-1]:.3g} nA or less")
        return answer

    def _responder(self) -> ArborSimulator:
        return ArborSimulator(threads=1, data_folder=self.data_folder)


class UnfitError(Exception):
    """Why a model cannot be in a hall."""


def _doubling(largest_na: float) -> list[float]:
    """No current, then steps twice as large as the one before, the last one the largest."""
    steps, step = [0.0], FIRST_STEP_NA
    while step < largest_na:
        steps.append(step)
        step *= 2
    return [*steps, largest_na]


def _blocked(answers: TraceBatch) -> np.ndarray:
    return measure_with_blocks(answers, StepProtocol(), ["depol_block"])["depol_block"] == 1


def _try_all(
    found: FoundModels, trial: Trial, pool: Pool, record: Path, progress: Progress
) -> dict[str, dict[str, Any]]:
    """What became of every model by its label, as far as possible from the record, which grows with each model."""
    key = content_sha256([found.digest, trial.largest_na, sorted(HALL_FEATURES), versions()])
    done = models_done(record, key, named=str, checked=_checked_item)
    missing = [index for index in range(len(found)) if found.models[index].label not in done]
    final = dict(done)
    progress(len(done), len(found))
    with closing(pool.stream(trial, [found.cell_model(index) for index in missing])) as answers:
        for position, answer in answers:
            label = found.models[missing[position]].label
            done[label] = {"left_out": answer.reason} if isinstance(answer, Failed) else answer
            if (
                not isinstance(answer, Failed) or answer.error is not None
            ):  # a process that ended may do better next time
                final[label] = done[label]
                write_json(record, {"key": key, "models": final})
            progress(len(done), len(found))
    return {item.label: done[item.label] for item in found.models}


def _checked_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of one model, refused if it is not what `_try_all` writes."""
    if not isinstance(item.get("left_out"), str):
        numbers_by_name(item.get("features"), what="features of a model")
    return dict(item)
