"""A run and its folder: stages, replay, extension, refusals. Scores are a formula; one test at the end simulates."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import (
    ACTIVE_STAGE,
    FIRING_STEP,
    GOALS,
    PASSIVE_STAGE,
    PASSIVE_STEP,
    START,
    Landscape,
    assert_one_sentence,
    one_stage,
    small_config,
    small_targets,
)

from killing import killed_before
from noble.evolve import Evolution, EvolutionConfig, Generation, gather_hall, with_seeds
from noble.evolve.assay import Score
from noble.evolve.config import Stage
from noble.evolve.evolution import BEST_OF_A_STAGE, _objectives
from noble.features.catalogue import HALL_FEATURES
from noble.files import locked
from noble.jobs import Pool
from noble.targets import StepTargets, Target

POOL = Pool(workers=0)


class MadeUpMeasurement:
    """Stands in for the measurement of a model: every feature a number that depends on the model."""

    def __init__(self, data_folder: Any) -> None:
        pass

    def __call__(self, task: tuple[Any, Any]) -> dict[str, float]:
        return {name: index + sum(task[0].values.values()) for index, name in enumerate(HALL_FEATURES)}


# A stick: soma, stub of an axon, one dendrite.
SWC = "1 1 0 0 0 7 -1\n2 2 0 7 0 1 1\n3 2 0 60 0 1 2\n4 3 7 0 0 1 1\n5 3 {length} 0 0 1 4\n"


@pytest.fixture(autouse=True)
def quick_hypervolume(monkeypatch: pytest.MonkeyPatch) -> None:
    """MO-CMA's million samples would take over a second a generation."""
    from bluepyopt.deapext import hype

    full = hype.hypeIndicatorSampled
    monkeypatch.setattr(hype, "hypeIndicatorSampled", lambda **given: full(**given | {"nrOfSamples": 2000}))


@pytest.fixture
def landscape(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Landscape]:
    """Puts a formula in the place of simulations, from now on."""

    def install(before: Callable[[int], None] | None = None) -> Landscape:
        made = Landscape(before)
        monkeypatch.setattr("noble.evolve.evolution.evaluate", made)
        return made

    return install


def stages(optimiser: str, *, generations: int = 3, **active: Any) -> list[dict[str, Any]]:
    return [
        PASSIVE_STAGE | {"optimiser": optimiser},
        ACTIVE_STAGE | {"optimiser": optimiser, "generations": generations} | active,
    ]


def files_of(run: Path) -> dict[str, bytes]:
    """Every file of a run but run.json, by its path; nothing hidden is left out."""
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


def everything_in(run: Path) -> dict[str, bytes]:
    return files_of(run) | {"run.json": (run / "run.json").read_bytes()}


def evolved(config: EvolutionConfig, run: Path, **options: Any) -> Evolution:
    evolution = Evolution(config, run)
    evolution.run(POOL, **options)
    return evolution


def refusal(config: EvolutionConfig, run: Path, **options: Any) -> str:
    """The sentence with which a run is refused, and nothing in its folder changes."""
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        evolved(config, run, **options)
    assert_one_sentence(caught.value)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    return str(caught.value)


# --- what a run does


def test_models_are_held_by_the_current_that_the_neuron_was_recorded_under(tmp_path, landscape):
    landscape()
    for name in ("held", "free"):
        (tmp_path / name).mkdir()
    held = small_targets(replace(PASSIVE_STEP, holding_na=0.02), replace(FIRING_STEP, holding_na=0.022))
    evolution = Evolution(small_config(tmp_path / "held", targets=held), tmp_path / "run")
    assert evolution.cell.holding_na == 0.021
    assert Evolution(small_config(tmp_path / "free"), tmp_path / "other").cell.holding_na == 0.0


def test_every_generation_of_every_stage_and_seed_is_a_file(tmp_path, landscape):
    record = landscape()
    evolution = evolved(small_config(tmp_path, seeds=[1, 4]), tmp_path / "run")
    expected = {
        f"seed-{seed}/{stage}/generation-{number:03d}.json"
        for seed in (1, 4)
        for stage, count in (("passive", 2), ("active", 3))
        for number in range(count)
    }
    assert set(files_of(tmp_path / "run")) == expected
    assert [len(call) for call in record.calls] == [8] * 10
    assert len(evolution.candidates(1)) == len(evolution.candidates(4, "active")) == 24
    assert len(evolution.candidates(4, "passive")) == 16
    assert [len(generation) for generation in evolution.generations(1, "active")] == [8, 8, 8]
    with pytest.raises(ValueError, match=r"seed-9/active/generation-000\.json is missing; expected 3 generations"):
        evolution.candidates(9)


def test_values_scores_and_points_belong_together(tmp_path, landscape):
    record = landscape()
    evolution = evolved(small_config(tmp_path), tmp_path / "run")
    candidates = evolution.candidates(1, "passive") + evolution.candidates(1, "active")
    assert [dict(item.values) for item in candidates] == [row for call in record.calls for row in call]
    for item in candidates:
        assert item.values == evolution.space.values(item.point)
        evolution.cell.model(item.values)
        rest = item.values["e_pas.all"]
        assert item.score.z["voltage_base@-0.1"] == pytest.approx(min(abs(rest + 84.0), 20.0), abs=1e-4)


@pytest.mark.parametrize("optimiser", ["IBEA", "CMA", "MO-CMA"])
def test_scores_improve(tmp_path, landscape, optimiser):
    landscape()
    evolution = evolved(small_config(tmp_path, stages=stages(optimiser, generations=12)), tmp_path / "run")
    generations = [min(item.score.mean for item in part) for part in evolution.generations(1, "active")]
    assert min(generations) < 0.75 * generations[0]
    assert min(item.score.mean for item in evolution.candidates(1)) < 1.0


def test_a_stage_is_scored_by_its_own_steps_and_features(tmp_path, landscape):
    record = landscape()
    both = [PASSIVE_STAGE, ACTIVE_STAGE | {"features": ["AP1_peak", "voltage_base"]}]
    config = small_config(tmp_path, stages=both)
    evolution = evolved(config, tmp_path / "run")
    assert [assay.score_names() for assay in record.assays] == [
        *[["voltage_base@-0.1", "voltage_deflection_vb_ssse@-0.1"]] * 2,
        *[["voltage_base@-0.1", "AP1_peak@0.3"]] * 3,
    ]
    assert set(evolution.candidates(1)[0].score.z) == {"voltage_base@-0.1", "AP1_peak@0.3"}
    assert record.assays[0].numerics == config.stages[0].numerics


def test_weights_scale_what_the_optimiser_sees_and_no_score(tmp_path, landscape, monkeypatch):
    def first_answer(weights: dict[str, float]) -> tuple[np.ndarray, list[float]]:
        landscape()
        config = small_config(tmp_path, stages=one_stage(weights=weights, generations=1))
        evolution = Evolution(config, tmp_path / f"run-{len(weights)}")
        seen: list[np.ndarray] = []

        def look(stage: Any, first: np.ndarray, low: Any, high: Any, answer: Any, **_: Any) -> None:
            seen.append(answer(0, first))

        monkeypatch.setattr("noble.evolve.evolution.optimise", look)
        evolution.run(POOL)
        return seen[0], [item.score.mean for item in evolution.candidates(1)]

    plain, scores = first_answer({})
    weighted, same_scores = first_answer({"AP1_peak": 3.0})
    # One objective a feature, in the order of the targets: two at the passive step, Spikecount, AP1_peak.
    np.testing.assert_allclose(weighted, plain * [1.0, 1.0, 1.0, 3.0])
    assert same_scores == scores


def test_the_passive_stage_moves_its_quantities_only(tmp_path, landscape):
    landscape()
    evolution = evolved(small_config(tmp_path), tmp_path / "run")
    moved = evolution.space.moving(["e_pas", "g_pas"])
    points = np.array([item.point for item in evolution.candidates(1, "passive")])
    others = np.setdiff1d(np.arange(points.shape[1]), moved)
    assert len(moved) == 2
    assert np.all(points[:, moved].std(axis=0) > 0.1)
    np.testing.assert_array_equal(points[:, others], 0)
    for name, (centre, _) in START.items():
        if name not in ("e_pas.all", "g_pas.all"):
            assert [item.values[name] for item in evolution.candidates(1, "passive")] == pytest.approx([centre] * 16)


@pytest.mark.parametrize("optimiser", ["IBEA", "MO-CMA"])
def test_the_active_stage_starts_from_the_best_of_the_passive_one(tmp_path, landscape, optimiser):
    landscape()
    evolution = evolved(small_config(tmp_path, stages=stages(optimiser)), tmp_path / "run")
    fitted = evolution.space.moving(["e_pas", "g_pas"])
    ranked = sorted(evolution.candidates(1, "passive"), key=lambda item: item.score.mean)
    best = np.array([item.point for item in ranked[:BEST_OF_A_STAGE]])[:, fitted]
    assert len(ranked) > BEST_OF_A_STAGE
    first = np.array([item.point for item in next(evolution.generations(1, "active"))])
    for row in first[:, fitted]:
        assert np.min(np.abs(best - row).max(axis=1)) < 1e-9, "not one of the best"
    assert len(np.unique(first[:, fitted].round(9), axis=0)) > 2
    rest = np.setdiff1d(np.arange(first.shape[1]), fitted)
    assert np.all(first[:, rest].std(axis=0) > 0.1)


@pytest.mark.parametrize("confine", [0.0, 0.5])
@pytest.mark.parametrize("optimiser", ["IBEA", "CMA", "MO-CMA"])
def test_the_active_stage_is_confined_near_the_best_of_the_passive_one(tmp_path, landscape, optimiser, confine):
    landscape()
    config = small_config(tmp_path, stages=stages(optimiser, generations=6, confine=confine))
    evolution = evolved(config, tmp_path / "run")
    fitted = evolution.space.moving(["e_pas", "g_pas"])
    ranked = sorted(evolution.candidates(1, "passive"), key=lambda item: item.score.mean)
    best = np.array([item.point for item in ranked[:BEST_OF_A_STAGE]])[:, fitted]
    points = np.array([item.point for item in evolution.candidates(1)])
    assert np.all(points[:, fitted] >= best.min(axis=0) - confine - 1e-8)
    assert np.all(points[:, fitted] <= best.max(axis=0) + confine + 1e-8)
    assert np.all(points >= evolution.space.low)
    assert np.all(points <= evolution.space.high)


def test_what_no_later_stage_moves_stays_at_the_best(tmp_path, landscape):
    landscape()
    evolution = evolved(
        small_config(tmp_path, stages=[PASSIVE_STAGE, ACTIVE_STAGE | {"free": ["gbar_NaV"]}]), tmp_path / "run"
    )
    best = min(evolution.candidates(1, "passive"), key=lambda item: item.score.mean)
    moved = evolution.space.moving(["gbar_NaV"])
    points = np.array([item.point for item in evolution.candidates(1)])
    others = np.setdiff1d(np.arange(points.shape[1]), moved)
    np.testing.assert_array_equal(points[:, others], np.tile(np.array(best.point)[others], (len(points), 1)))
    assert np.all(points[:, moved].std(axis=0) > 0.1)


def test_progress_tells_of_every_generation(tmp_path, landscape):
    landscape()
    told: list[Generation] = []
    config = small_config(tmp_path)
    evolution = evolved(config, tmp_path / "run", progress=told.append)
    where = [(item.seed, item.stage, item.number, item.generations) for item in told]
    assert where == [(1, "passive", n, 2) for n in (1, 2)] + [(1, "active", n, 3) for n in (1, 2, 3)]
    assert [item.simulated for item in told] == [8, 8, 16, 16, 16]  # one step, then two
    assert [len(item.scores) for item in told] == [8, 16, 8, 16, 24]
    assert list(told[-1].scores) == sorted(item.score.mean for item in evolution.candidates(1))
    again: list[Generation] = []
    evolved(config, tmp_path / "run", progress=again.append)
    assert [item.simulated for item in again] == [0] * 5
    assert [item.scores for item in again] == [item.scores for item in told]


# --- the same again


@pytest.mark.parametrize("optimiser", ["IBEA", "CMA", "MO-CMA"])
def test_the_same_seed_gives_the_same_run(tmp_path, landscape, optimiser):
    landscape()
    config = small_config(tmp_path, stages=stages(optimiser), seeds=[1, 2])
    evolved(config, tmp_path / "a")
    np.random.seed(99)  # noqa: NPY002 - the generator that DEAP uses
    evolved(config.model_copy(update={"models_per_run": 3}), tmp_path / "b")
    left, right = files_of(tmp_path / "a"), files_of(tmp_path / "b")
    assert left == right
    assert left["seed-1/active/generation-000.json"] != left["seed-2/active/generation-000.json"]


def test_seeds_do_not_know_of_each_other(tmp_path, landscape):
    landscape()
    config = small_config(tmp_path, seeds=[1, 2])
    evolved(config, tmp_path / "both")
    for seeds in ([2], [2, 1]):
        evolved(with_seeds(config, seeds), tmp_path / "one-by-one")
    assert files_of(tmp_path / "one-by-one") == files_of(tmp_path / "both")


class StoppedError(Exception):
    """Stands for whatever ends a process."""


@pytest.mark.parametrize("optimiser", ["IBEA", "CMA", "MO-CMA"])
def test_resumed_after_any_generation_a_run_is_the_unbroken_one(tmp_path, landscape, optimiser):
    config = small_config(tmp_path, stages=stages(optimiser))
    landscape()
    evolved(config, tmp_path / "unbroken")
    unbroken = files_of(tmp_path / "unbroken")
    for stop in range(1, 6):
        run, told = tmp_path / f"stop-{stop}", []

        def stopping(generation: Generation, told: list = told, stop: int = stop) -> None:
            told.append(generation)
            if len(told) == stop:
                raise StoppedError

        with pytest.raises(StoppedError):
            evolved(config, run, progress=stopping)
        assert len(files_of(run)) == stop
        record = landscape()
        evolved(config, run)
        assert len(record.calls) == 5 - stop  # nothing is computed again
        assert files_of(run) == unbroken


@pytest.mark.parametrize("error", [StoppedError, KeyboardInterrupt])
def test_resumed_after_an_interruption_within_a_generation(tmp_path, landscape, error):
    config = small_config(tmp_path)
    landscape()
    evolved(config, tmp_path / "unbroken")
    for stop in range(5):
        run = tmp_path / f"stop-{stop}"

        def stopping(call: int, stop: int = stop) -> None:
            if call == stop:
                raise error

        landscape(stopping)
        with pytest.raises(error):
            evolved(config, run)
        assert len(files_of(run)) == stop
        landscape()
        evolved(config, run)
        assert files_of(run) == files_of(tmp_path / "unbroken")


def test_interrupted_again_and_again(tmp_path, landscape):
    """Every attempt gets one generation further."""
    config = small_config(tmp_path)

    def once(call: int) -> None:
        if call == 1:
            raise StoppedError

    for done in range(1, 5):
        landscape(once)
        with pytest.raises(StoppedError):
            evolved(config, tmp_path / "run")
        assert len(files_of(tmp_path / "run")) == done
    landscape()
    evolved(config, tmp_path / "run")
    evolved(config, tmp_path / "unbroken")
    assert files_of(tmp_path / "run") == files_of(tmp_path / "unbroken")


def test_a_lost_generation_is_computed_again(tmp_path, landscape):
    config = small_config(tmp_path)
    landscape()
    evolved(config, tmp_path / "run")
    before = files_of(tmp_path / "run")
    (tmp_path / "run" / "seed-1" / "passive" / "generation-001.json").unlink()
    record = landscape()
    evolved(config, tmp_path / "run")
    assert len(record.calls) == 1
    assert files_of(tmp_path / "run") == before


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_full_disk_loses_nothing_and_the_run_goes_on_later(tmp_path, landscape, monkeypatch, number):
    """The disk fills up in the middle of a generation's file."""
    config, run = small_config(tmp_path), tmp_path / "run"
    landscape()
    evolved(config, tmp_path / "unbroken")
    unbroken, write = files_of(tmp_path / "unbroken"), Path.write_text
    names = sorted(unbroken, key=lambda name: ("active" in name, name))
    full_at = names[number]

    def filling(self: Path, text: str, *args: Any, **options: Any) -> int:
        if self.parent == (run / full_at).parent and Path(full_at).name in self.name:
            write(self, text[: len(text) // 2], *args, **options)
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, text, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", filling)
        for _ in range(2):  # resumed while the disk is still full, nothing is lost either
            with pytest.raises(OSError, match="No space left"):
                evolved(config, run)
            assert files_of(run) == {name: unbroken[name] for name in names[:number]}
    record = landscape()
    evolved(config, run)
    assert len(record.calls) == 5 - number
    assert files_of(run) == unbroken


def test_a_full_disk_at_the_start_leaves_the_run_as_it_was(tmp_path, landscape, monkeypatch):
    config, run = small_config(tmp_path), tmp_path / "run"
    landscape()
    evolved(config, run)
    before = (run / "run.json").read_bytes()

    def full(*_: Any, **__: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space left"):
            Evolution(with_seeds(config, [1, 2]), run)
    assert (run / "run.json").read_bytes() == before


def test_what_a_killed_process_left_half_written_is_not_read(tmp_path, landscape):
    config, run = small_config(tmp_path), tmp_path / "run"
    landscape()
    evolved(config, tmp_path / "unbroken")
    (run / "seed-1" / "passive").mkdir(parents=True)
    half = run / "seed-1" / "passive" / ".generation-000.json.123.partial"
    half.write_text('[{"point": [0.1')
    evolution = evolved(config, run)
    assert len(evolution.candidates(1, "passive")) == 16
    files = files_of(run)
    files.pop(half.relative_to(run).as_posix(), None)
    assert files == files_of(tmp_path / "unbroken")


def test_killed_before_any_file_operation_and_again_the_product_is_the_same(tmp_path, landscape, monkeypatch):
    """From the first generation to the hall; the second kill comes a few operations after the first."""
    simulated = landscape()
    monkeypatch.setattr("noble.evolve.check.evaluate", simulated)
    monkeypatch.setattr("noble.evolve.gather.Measurement", MadeUpMeasurement)
    rules = {"per_seed": 2, "candidates": 10, "distance": 0.0, "held_out": 0, "accept": 20, "count_absolute": 99}
    config = small_config(tmp_path, stages=one_stage(generations=2, population=8), hall=rules)

    def work(run: Path) -> None:
        hall = gather_hall(evolved(config, run), POOL, provenance={})
        hall.save(run / "hall.json")

    work(tmp_path / "unbroken")
    wanted = everything_in(tmp_path / "unbroken")
    operation = 0
    while killed_before(operation, lambda run=tmp_path / f"run-{operation}": work(run), tmp_path):
        run = tmp_path / f"run-{operation}"
        killed_before(4, lambda run=run: work(run), tmp_path)
        work(run)
        assert everything_in(run) == wanted, f"killed before operation {operation}"
        operation += 1
    assert operation > 20
    assert [path.name for path in tmp_path.glob(".*")] == []  # no lock of a killed process


def test_a_second_evolution_in_the_folder_is_told_of_the_first(tmp_path, landscape):
    config, run = small_config(tmp_path), tmp_path / "run"
    landscape()
    with locked(run, who="the evolution of small"), pytest.raises(ValueError, match="in use by the evolution of small"):
        evolved(config, run)


def test_a_generation_that_was_removed_is_missed_and_computed_again(tmp_path, landscape):
    landscape()
    config, run = small_config(tmp_path), tmp_path / "run"
    evolution = evolved(config, run)
    before = files_of(run)
    (run / "seed-1" / "active" / "generation-001.json").unlink()
    with pytest.raises(ValueError, match=r"active/generation-001\.json is missing; .* Run the evolution again"):
        evolution.candidates(1)
    evolved(config, run)
    assert files_of(run) == before


# --- more of the same


@pytest.mark.parametrize("optimiser", ["IBEA", "CMA", "MO-CMA"])
def test_extended_by_generations_a_run_is_the_one_that_had_them_from_the_start(tmp_path, landscape, optimiser):
    landscape()
    config = small_config(tmp_path, stages=stages(optimiser, generations=2), seeds=[1, 2])
    evolved(config, tmp_path / "run")
    record = landscape()
    evolved(with_seeds(config, [1, 2], generations=5), tmp_path / "run")
    assert len(record.calls) == 2 * 3
    evolved(with_seeds(config, [1, 2], generations=5), tmp_path / "at-once")
    assert files_of(tmp_path / "run") == files_of(tmp_path / "at-once")


def test_extended_by_a_seed_a_run_is_the_one_that_had_it_from_the_start(tmp_path, landscape):
    landscape()
    config = small_config(tmp_path)
    evolved(config, tmp_path / "run")
    evolved(with_seeds(config, [1, 2]), tmp_path / "run")
    evolved(with_seeds(config, [1, 2]), tmp_path / "at-once")
    assert files_of(tmp_path / "run") == files_of(tmp_path / "at-once")


def test_the_halls_rules_may_change_and_the_targets_file_may_move(tmp_path, landscape):
    landscape()
    evolved(small_config(tmp_path), tmp_path / "run")
    (tmp_path / "other").mkdir()
    moved = small_config(
        tmp_path / "other", hall={"per_seed": 1, "held_out": 0}, source="said better", models_per_run=1
    )
    record = landscape()
    evolved(moved, tmp_path / "run")
    assert record.calls == []


# --- what is refused


def test_another_configuration_is_refused(tmp_path, landscape):
    record = landscape()
    evolved(small_config(tmp_path), tmp_path / "run")
    others = [
        {"start": START | {"e_pas.all": [-80.0, 2.0]}},
        {"stages": [PASSIVE_STAGE, ACTIVE_STAGE | {"population": 10}]},
        {"stages": [PASSIVE_STAGE | {"generations": 4}, ACTIVE_STAGE]},
        {"stages": one_stage()},
        {"cell": "stylised-vip"},
        {"reach": 2.0},
    ]
    for changes in others:
        message = refusal(small_config(tmp_path, **changes), tmp_path / "run")
        assert "another configuration" in message
        assert str(tmp_path / "run") in message
    assert len(record.calls) == 5


def test_other_targets_are_refused(tmp_path, landscape):
    landscape()
    evolved(small_config(tmp_path), tmp_path / "run")
    features = {**PASSIVE_STEP.features, "voltage_base": Target(-83.0, 1.0, 2)}
    step = type(PASSIVE_STEP)(-0.1, 0.0, (0, 0), features, {})
    others = small_targets(step, *small_targets().steps[1:])
    assert "another targets file" in refusal(small_config(tmp_path, targets=others), tmp_path / "run")


def test_another_morphology_of_the_same_name_is_refused(tmp_path, landscape):
    landscape()
    for name, length in (("a", 150), ("b", 200)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "stick.swc").write_text(SWC.format(length=length))
    evolved(small_config(tmp_path / "a", cell="stick.swc"), tmp_path / "run")
    evolved(small_config(tmp_path / "a", cell="stick.swc"), tmp_path / "run")
    refusal(small_config(tmp_path / "b", cell="stick.swc"), tmp_path / "run")


def test_the_generations_of_another_seed_are_refused(tmp_path, landscape):
    landscape()
    config = small_config(tmp_path)
    evolved(config, tmp_path / "run")
    shutil.copytree(tmp_path / "run" / "seed-1", tmp_path / "run" / "seed-2")
    Evolution(with_seeds(config, [1, 2]), tmp_path / "run")
    message = refusal(with_seeds(config, [1, 2]), tmp_path / "run")
    assert "seed-2" in message
    assert "generation-000.json" in message
    assert "another seed" in message


@pytest.mark.parametrize(
    "text",
    [
        '[{"point": [0.1',
        "[]",
        "{}",
        '[{"point": [0.1], "values": {}}]',
        '[{"point": [0.1], "values": {}, "z": {}, "spike_counts": {}}]',
    ],
)
def test_a_damaged_generation_is_refused_by_name(tmp_path, landscape, text):
    landscape()
    config = small_config(tmp_path)
    evolved(config, tmp_path / "run")
    (tmp_path / "run" / "seed-1" / "active" / "generation-001.json").write_text(text)
    assert "generation-001.json" in refusal(config, tmp_path / "run")


@pytest.mark.parametrize("text", ['{"configuration_digest": ', "[]", "{}"])
def test_a_damaged_run_file_is_refused_by_name(tmp_path, landscape, text):
    landscape()
    config = small_config(tmp_path)
    evolved(config, tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(text)
    message = refusal(config, tmp_path / "run")
    assert "run.json" in message or "another configuration" in message


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ({"free": ["gbar_Foo"]}, ["gbar_Foo", "stylised-pv", "gbar_NaV"]),
        ({"features": ["AP1_peak", "AP9_peak"]}, ["AP9_peak", "AP1_peak", "Spikecount"]),
        ({"amplitudes_na": [0.3, 0.31]}, ["0.31 nA", "-0.1, 0.3 nA"]),
        ({"features": ["AP1_peak"], "amplitudes_na": [-0.1]}, ["AP1_peak"]),
        ({"dt_ms": 0.025}, ["0.025", "0.06"]),
    ],
)
def test_a_stage_that_cannot_be_is_refused_before_anything_is_simulated(tmp_path, landscape, stage, words):
    """In the second stage, too, and with nothing left behind that would refuse the corrected configuration."""
    record = landscape()
    bad = small_config(tmp_path, stages=[PASSIVE_STAGE, ACTIVE_STAGE | stage])
    with pytest.raises(ValueError, match=r".") as caught:
        Evolution(bad, tmp_path / "run")
    assert_one_sentence(caught.value)
    assert [word for word in words if word not in str(caught.value)] == []
    evolved(small_config(tmp_path), tmp_path / "run")
    assert len(record.calls) == 5


def test_a_run_that_never_began_may_be_configured_anew(tmp_path, landscape):
    def interrupt(call: int) -> None:
        raise StoppedError

    landscape(interrupt)
    with pytest.raises(StoppedError):
        evolved(small_config(tmp_path), tmp_path / "run")
    landscape()
    other = small_config(tmp_path, stages=one_stage())
    evolved(other, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["configuration_digest"] == other.digest


def test_missing_targets_are_named(tmp_path, landscape):
    config = small_config(tmp_path)
    Path(config.targets).unlink()
    with pytest.raises(FileNotFoundError, match=r"targets\.json") as caught:
        Evolution(config, tmp_path / "run")
    assert_one_sentence(caught.value)


def test_the_folder_says_what_is_evolved_and_with_what(tmp_path, landscape):
    landscape()
    config = small_config(tmp_path, seeds=[3])
    evolution = evolved(config, tmp_path / "run")
    content = json.loads((tmp_path / "run" / "run.json").read_text())
    assert content["configuration_digest"] == config.digest
    assert content["configuration"]["seeds"] == [3]
    assert content["provenance"] == evolution.provenance()
    assert {"arbor", "bluepyopt", "deap", "efel", "numpy", "noble-neuro"} <= set(content["provenance"]["versions"])
    assert content["provenance"]["targets"]["digest"] == small_targets().digest
    Evolution(with_seeds(config, [3, 4]), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["configuration"]["seeds"] == [3, 4]


# --- stages that aim beside the recording

AIMED = ACTIVE_STAGE | {"name": "aimed", "aim": {0.3: 6.0}, "generations": 2}


def test_an_aim_takes_the_place_of_the_recordings_count_for_the_optimiser_alone():
    aimed = Stage.model_validate(AIMED | {"weights": {"Spikecount": 2.0}})
    plain = aimed.model_copy(update={"aim": {}})
    step = StepTargets(
        0.3, 0.0, (4, 4), {"Spikecount": Target(4.0, 0.5, 2), "mean_frequency": Target(10.0, 1.0, 2)}, {}
    )
    targets = small_targets(step)
    near, far = (
        Score({"Spikecount@0.3": z, "mean_frequency@0.3": 1.5}, {"0.3": count}) for z, count in ((0.0, 4), (4.0, 6))
    )
    lost = Score({"Spikecount@0.3": 20.0, "mean_frequency@0.3": 20.0}, {})
    np.testing.assert_allclose(_objectives([near, far, lost], plain, targets), [[0, 1.5], [8, 1.5], [40, 20]])
    np.testing.assert_allclose(_objectives([near, far, lost], aimed, targets), [[8], [0], [40]])


def test_aimed_stages_give_candidates_and_change_nothing_before_them(tmp_path, landscape):
    landscape()
    plain = evolved(
        small_config(tmp_path, stages=[PASSIVE_STAGE, ACTIVE_STAGE, ACTIVE_STAGE | {"name": "on"}]), tmp_path / "a"
    )
    both = evolved(
        small_config(tmp_path, stages=[PASSIVE_STAGE, ACTIVE_STAGE, AIMED, ACTIVE_STAGE | {"name": "on"}]),
        tmp_path / "b",
    )
    for stage in ("passive", "active"):
        assert both.candidates(1, stage) == plain.candidates(1, stage)
    assert len(both.candidates(1)) == 8 * (3 + 2 + 3)
    assert len(plain.candidates(1)) == 8 * (3 + 3)


def test_an_aim_at_a_step_without_a_count_is_refused(tmp_path):
    message = refusal(small_config(tmp_path, stages=[AIMED | {"aim": {-0.1: 3, 0.3: 4}}]), tmp_path / "run")
    assert "stage aimed aims at spike counts at -0.1 nA" in message
    assert "scores by Spikecount are 0.3" in message


# --- with the simulator


def test_a_cell_beside_its_configuration_is_known_to_whoever_simulates(tmp_path, monkeypatch):
    """Workers are other processes, which have not read the file before."""
    monkeypatch.delenv("NOBLE_DATA", raising=False)
    (tmp_path / "stick.swc").write_text(SWC.format(length=150))
    config = small_config(tmp_path, cell="stick.swc", stages=[PASSIVE_STAGE | {"generations": 1}])
    evolution = Evolution(config, tmp_path / "run")
    monkeypatch.setattr("noble.cells.cell._SEEN_FILES", {})
    evolution.run(POOL)
    assert [item.score.failure for item in evolution.candidates(1)] == [None] * 8


def test_a_set_up_that_cannot_be_simulated_leaves_no_scores(tmp_path, monkeypatch):
    monkeypatch.delenv("NOBLE_DATA", raising=False)
    (tmp_path / "stick.swc").write_text(SWC.format(length=150))
    config = small_config(tmp_path, cell="stick.swc", stages=[PASSIVE_STAGE])
    evolution = Evolution(config, tmp_path / "run")
    monkeypatch.setattr("noble.cells.cell._SEEN_FILES", {})
    (tmp_path / "stick.swc").unlink()
    with pytest.raises(ValueError, match=r"stick\.swc"):
        evolution.run(POOL)
    assert files_of(tmp_path / "run") == {}


@pytest.mark.slow
def test_points_and_scores_do_not_depend_on_the_number_of_workers(tmp_path):
    """Two runs with other processes and other batches: equal to the last bit."""
    for name, workers, per_run in (("here", 0, 8), ("there", 2, 3)):
        config = small_config(tmp_path, stages=one_stage(generations=2), models_per_run=per_run)
        with Pool(workers=workers) as pool:
            Evolution(config, tmp_path / name).run(pool)
    here = files_of(tmp_path / "here")
    assert len(here) == 2
    assert here == files_of(tmp_path / "there")
    scores = [item["z"] for item in json.loads(here["seed-1/active/generation-001.json"])]
    assert len({tuple(z.values()) for z in scores}) > 4
    assert set(scores[0]) == {f"{name}@{'0.3' if name in ('Spikecount', 'AP1_peak') else '-0.1'}" for name in GOALS}
