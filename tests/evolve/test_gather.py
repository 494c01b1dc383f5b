"""From what was tried to a hall: which candidates are checked, which pass, and which are held out."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from small_runs import ACTIVE_STAGE, Landscape, assert_one_sentence, landscape_score, small_config, small_targets

from noble.cells import HallOfFame
from noble.evolve import (
    Candidate,
    Evolution,
    HallRules,
    check_candidates,
    draw_held_out,
    gather_hall,
    reasons_against,
    with_seeds,
)
from noble.evolve.assay import Score
from noble.evolve.check import most_different
from noble.evolve.gather import measure_best
from noble.features.catalogue import HALL_FEATURES
from noble.jobs import Failed, Pool
from noble.simulators import SolverSettings
from noble.targets import StepTargets

POOL = Pool(workers=0)
ROOMY = {"per_seed": 5, "candidates": 20, "distance": 0.05, "accept": 20.0, "held_out": 3}


# --- the rules


def step(amplitude_na: float, *counts: int) -> StepTargets:
    return StepTargets(amplitude_na, 0.0, counts, {}, {})


RECORDING = small_targets(
    step(-0.1, 0, 0), step(0.05, 0, 0), step(0.1, 0, 0, 1), step(0.2, 10, 10, 11), step(0.3, 39, 41)
)
COUNTS = {"-0.1": 0, "0.05": 0, "0.1": 0, "0.2": 10, "0.3": 40}


def against(rules: HallRules | None = None, **facts: Any) -> list[str]:
    """What speaks against a candidate that is as the recording but for some facts."""
    counts = COUNTS | facts.pop("counts", {})
    z = facts.pop("z", {"a@0.2": 1.0, "b@0.2": 2.0})
    candidate = Candidate((0.0,), {}, Score(z, counts, **facts))
    return reasons_against(candidate, RECORDING, rules or HallRules())


def test_nothing_speaks_against_a_model_like_the_recording():
    assert against() == []


@pytest.mark.parametrize(
    ("counts", "passes"),
    [
        ({"0.2": 8}, True),  # two spikes off
        ({"0.2": 12}, True),
        ({"0.2": 7}, False),
        ({"0.2": 13}, False),
        ({"0.3": 34}, True),  # 15 % of 40 off
        ({"0.3": 46}, True),
        ({"0.3": 33}, False),
        ({"0.3": 47}, False),
        ({"0.2": 0}, False),
        ({"0.05": 3}, True),  # one silent step may fire
        ({"0.1": 1}, True),
        ({"0.05": 1, "0.1": 3}, False),
        ({"-0.1": 1, "0.1": 3}, False),
    ],
)
def test_spike_counts_follow_the_recording(counts, passes):
    reasons = against(counts=counts)
    assert (reasons == []) == passes
    assert len(reasons) <= 1


def test_a_count_that_is_off_is_named():
    assert against(counts={"0.2": 5, "0.3": 60}) == [
        "5 spikes at 0.2 nA instead of 10",
        "60 spikes at 0.3 nA instead of 40",
    ]


@pytest.mark.parametrize(("boundary", "allowed"), [(0, 0), (1, 1), (2, 2), (3, 3)])
def test_the_boundary_is_a_number_of_steps(boundary, allowed):
    rules = HallRules(boundary=boundary)
    silent = ["-0.1", "0.05", "0.1"]
    verdicts = [against(rules, counts=dict.fromkeys(silent[:fires], 4)) == [] for fires in range(4)]
    assert verdicts == [fires <= allowed for fires in range(4)]


def test_tolerances_are_the_rules():
    assert against(HallRules(count_absolute=0, count_relative=0.0), counts={"0.2": 10, "0.3": 40}) == []
    assert against(HallRules(count_absolute=0, count_relative=0.0), counts={"0.2": 11}) != []
    assert against(HallRules(count_absolute=5, count_relative=0.0), counts={"0.2": 15}) == []
    assert against(HallRules(count_absolute=0, count_relative=0.5), counts={"0.2": 5}) == []


def test_a_block_at_any_step_is_too_much():
    [reason] = against(blocked=("0.3",))
    assert "blocked" in reason
    assert "0.3 nA" in reason


@pytest.mark.parametrize(("mean", "passes"), [(2.9, True), (3.0, True), (3.1, False)])
def test_a_mean_distance_too_large_is_refused(mean, passes):
    reasons = against(z={"a@0.2": mean - 1, "b@0.2": mean + 1})
    assert (reasons == []) == passes
    assert passes or "3.10" in reasons[0]


def test_a_failure_says_all():
    failed = Candidate((0.0,), {}, Score({"a@0.2": 20.0}, failure="diverged"))
    assert reasons_against(failed, RECORDING, HallRules()) == ["diverged"]


# --- held out


def cloud(count: int = 40) -> list[dict[str, float]]:
    """Thresholds of a tenth of a nA and slopes of hundreds of Hz/nA, as halls have them."""
    draws = np.random.default_rng(3).standard_normal((count, 2))
    return [{"rheobase": 0.1 + 0.01 * x, "fi_gain": 400 + 50 * y} for x, y in draws]


def test_what_is_held_out_lies_inside_the_hull_of_the_rest():
    features = cloud()
    plane = np.array([[row["rheobase"] / 0.01, row["fi_gain"] / 50] for row in features])
    for seed in range(20):
        held_out = draw_held_out(features, 10, seed)
        assert len(held_out) == 10
        rest = [index for index in range(40) if index not in held_out]
        sides = ConvexHull(plane[rest]).equations  # normals outwards, then offsets
        assert np.all(plane[sorted(held_out)] @ sides[:, :2].T + sides[:, 2] <= 1e-9)


def test_the_draw_is_seeded():
    features = cloud()
    assert draw_held_out(features, 10, 5) == draw_held_out(features, 10, 5)
    assert len({frozenset(draw_held_out(features, 10, seed)) for seed in range(5)}) == 5
    assert all(type(index) is int for index in draw_held_out(features, 10, 5))


def test_nothing_may_be_held_out():
    assert draw_held_out(cloud(5), 0, 0) == set()


@pytest.mark.parametrize(("models", "count"), [(40, 39), (4, 2), (3, 1), (2, 1), (1, 1)])
def test_corners_are_never_held_out(models, count):
    with pytest.raises(ValueError, match=f"inside the hull; {count} are to be held out") as caught:
        draw_held_out(cloud(models), count, 0)
    assert_one_sentence(caught.value)


# --- the final check


@pytest.fixture
def landscape(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Landscape]:
    """Puts a formula in the place of simulations, in stages and in the check, from now on; returns the check's."""

    def install(before: Callable[[int], None] | None = None) -> Landscape:
        made = Landscape(before)
        monkeypatch.setattr("noble.evolve.evolution.evaluate", Landscape())
        monkeypatch.setattr("noble.evolve.check.evaluate", made)
        return made

    return install


def evolved(folder: Any, run: str = "run", **changes: Any) -> Evolution:
    config = small_config(folder, **{"hall": ROOMY, "stages": [ACTIVE_STAGE | {"generations": 5}]} | changes)
    evolution = Evolution(config, folder / run)
    evolution.run(POOL)
    return evolution


def distance(left: Candidate, right: Candidate) -> float:
    return float(np.sqrt(np.mean((np.array(left.point) - np.array(right.point)) ** 2)))


@pytest.mark.parametrize("least", [0.05, 0.6, 1.1])
def test_the_best_distinct_candidates_are_checked(tmp_path, landscape, least):
    landscape()
    rules = ROOMY | {"distance": least, "per_seed": 20, "candidates": 20}
    evolution = evolved(tmp_path, hall=rules)
    tried = sorted(evolution.candidates(1), key=lambda item: item.score.mean)
    checked = check_candidates(evolution, 1, POOL)
    by_stage = {item.point: item.score.mean for item in tried}
    ranks = [by_stage[item.point] for item in checked]
    assert 1 < len(checked) <= 20
    assert ranks == sorted(ranks)
    assert ranks[0] == tried[0].score.mean
    near = [distance(a, b) for rank, a in enumerate(checked) for b in checked[:rank]]
    assert min(near) >= least
    for item in tried:  # whoever was passed over is close to a better one, or comes too late
        better = [other for other in checked if by_stage[other.point] <= item.score.mean]
        assert (
            item.point in [other.point for other in checked]
            or len(better) == 20
            or min(distance(item, other) for other in better) < least
        )


def test_candidates_with_the_right_spike_counts_are_checked_first(tmp_path, monkeypatch):
    targets = small_targets()
    long = replace(targets, step_ms=2 * targets.step_ms)
    long = replace(long, steps=tuple(replace(s, spike_counts=tuple(2 * c for c in s.spike_counts)) for s in long.steps))
    long.save(tmp_path / "long.json")
    evolution = Evolution(small_config(tmp_path, hall=ROOMY | {"held_out": 0}, check="long.json"), tmp_path / "run")
    right = {f"{step.amplitude_na:g}": int(step.typical_count) for step in targets.steps}
    wrong = {amplitude: count + 5 if count else 0 for amplitude, count in right.items()}
    assert wrong != right
    made = [
        replace(item, score=Score({"a@0.1": mean}, item.score.spike_counts))
        for item, mean in zip(checked(evolution, [wrong, right, wrong, right]), (0.1, 2.0, 0.2, 1.0), strict=True)
    ]
    monkeypatch.setattr(evolution, "candidates", lambda seed: made)
    asked: list[Any] = []

    def answer(assay: Any, values: Sequence[Any], pool: Pool, **_: Any) -> list[Score]:
        asked.extend(values)
        return [Score({"a@0.1": 1.0}, wrong) for _ in values]

    monkeypatch.setattr("noble.evolve.check.evaluate", answer)
    check_candidates(evolution, 1, POOL)
    assert asked[:4] == [made[index].values for index in (3, 1, 0, 2)]


def test_the_check_is_at_all_of_its_own_steps(tmp_path, landscape):
    """Not at the stage's, and as finely as a data set where the recording fires."""
    record = landscape()
    full = small_targets(step_ms=100.0)
    full.save(tmp_path / "full.json")
    stage = ACTIVE_STAGE | {"generations": 2, "amplitudes_na": [0.3]}
    evolution = evolved(tmp_path, stages=[stage], check="full.json")
    checked = check_candidates(evolution, 1, POOL)
    steps = {step.amplitude_na: assay for assay in record.assays for step in assay.targets.steps}
    assert set(steps) == {-0.1, 0.3}
    assert steps[0.3].numerics == SolverSettings()
    assert {assay.targets.step_ms for assay in record.assays} == {100.0}
    for item in checked:
        assert set(item.score.z) == set(landscape_score(full, item.values).z)
        assert item.score.z == landscape_score(full, item.values).z
        assert item.score.spike_counts == {"-0.1": 0, "0.3": 4}


def test_a_candidate_that_fails_where_it_fires_is_not_asked_where_it_is_silent(tmp_path, landscape, monkeypatch):
    landscape()
    evolution = evolved(tmp_path, hall=ROOMY | {"per_seed": 20})
    odd = {json.dumps(item.values) for item in evolution.candidates(1)[::2]}
    asked: dict[float, list[str]] = {}

    def answer(assay: Any, values: Sequence[Any], pool: Pool, **_: Any) -> list[Score]:
        [step] = assay.targets.steps
        asked.setdefault(step.amplitude_na, []).extend(map(json.dumps, values))
        scores = [landscape_score(assay.targets, row) for row in values]
        return [
            replace(score, spike_counts={"0.3": 40}) if step.amplitude_na > 0 and json.dumps(row) in odd else score
            for score, row in zip(scores, values, strict=True)
        ]

    monkeypatch.setattr("noble.evolve.check.evaluate", answer)
    checked = check_candidates(evolution, 1, POOL)
    failed = {json.dumps(item.values) for item in checked} & odd
    assert 0 < len(failed) < len(checked)
    assert set(asked[0.3]) - set(asked[-0.1]) == failed
    for item in checked:
        reasons = reasons_against(item, evolution.check_targets, evolution.config.hall)
        assert reasons == (["40 spikes at 0.3 nA instead of 4"] if json.dumps(item.values) in odd else [])


def test_looser_rules_ask_a_spared_candidate_for_the_rest(tmp_path, monkeypatch):
    targets = small_targets()
    evolution = Evolution(small_config(tmp_path, hall=ROOMY | {"held_out": 0}), tmp_path / "run")
    made = checked(evolution, [{"-0.1": 0, "0.3": 4}] * 5)
    monkeypatch.setattr(evolution, "candidates", lambda seed: made)
    asked: list[float] = []

    def answer(assay: Any, values: Sequence[Any], pool: Pool, **_: Any) -> list[Score]:
        asked.extend(step.amplitude_na for step in assay.targets.steps)
        counts = {f"{step.amplitude_na:g}": 9 if step.amplitude_na > 0 else 0 for step in assay.targets.steps}
        return [Score({"a@0.3": 1.0}, counts) for _ in values]

    monkeypatch.setattr("noble.evolve.check.evaluate", answer)
    assert all(reasons_against(item, targets, evolution.config.hall) for item in check_candidates(evolution, 1, POOL))
    assert asked == [0.3]
    looser = evolution.config.hall.model_copy(update={"count_absolute": 5})
    monkeypatch.setattr(evolution, "config", evolution.config.model_copy(update={"hall": looser}))
    again = check_candidates(evolution, 1, POOL)
    assert asked == [0.3, 0.3, -0.1]
    assert all(not reasons_against(item, targets, looser) and len(item.score.spike_counts) == 2 for item in again)


def test_checking_ends_when_enough_have_passed(tmp_path, landscape):
    record = landscape()
    evolution = evolved(tmp_path, hall=ROOMY | {"per_seed": 3, "held_out": 0})
    told: list[tuple[int, int]] = []
    checked = check_candidates(evolution, 1, POOL, progress=lambda done, wanted: told.append((done, wanted)))
    assert 3 <= len(checked) < 20
    assert told[-1] == (3, 3)
    simulated = {json.dumps(row) for call in record.calls for row in call}
    assert len(simulated) == len(checked)


def test_a_surplus_checks_on(tmp_path, landscape):
    landscape()
    rules = ROOMY | {"per_seed": 3, "held_out": 0}
    enough = check_candidates(evolved(tmp_path, "enough", hall=rules), 1, POOL)
    told: list[tuple[int, int]] = []
    evolution = evolved(tmp_path, "more", hall=rules | {"surplus": 4})
    more = check_candidates(evolution, 1, POOL, progress=lambda done, wanted: told.append((done, wanted)))
    assert more[: len(enough)] == enough
    assert len(more) >= 12 > len(enough)
    assert told[-1] == (12, 12)


def test_where_none_passes_all_candidates_are_checked(tmp_path, landscape):
    landscape()
    evolution = evolved(tmp_path, hall=ROOMY | {"accept": 1e-6})
    assert len(check_candidates(evolution, 1, POOL)) == 20


class StoppedError(Exception):
    """Stands for whatever ends a process."""


@pytest.mark.parametrize("stop", [0, 1, 2, 3, 4, 5])
def test_an_interrupted_check_goes_on(tmp_path, landscape, stop):
    landscape()
    evolution = evolved(tmp_path, hall=ROOMY | {"accept": 1e-6})
    Evolution(evolution.config, tmp_path / "unbroken").run(POOL)
    unbroken = check_candidates(Evolution(evolution.config, tmp_path / "unbroken"), 1, POOL)

    def stopping(call: int) -> None:
        if call == stop:
            raise StoppedError

    first = landscape(stopping)
    with pytest.raises(StoppedError):
        check_candidates(evolution, 1, POOL)
    file = evolution.folder / "seed-1" / "check.json"
    kept = len(json.loads(file.read_text())["checked"]) if file.exists() else 0
    assert kept >= 8 * (stop // 2)  # two kinds of steps for eight candidates each
    second = landscape()
    assert check_candidates(evolution, 1, POOL) == unbroken
    again = {json.dumps(row) for call in second.calls for row in call}
    assert len(again) == 20 - kept
    assert len(first.calls) == stop
    third = landscape()
    assert check_candidates(evolution, 1, POOL) == unbroken
    assert third.calls == []


def test_a_check_against_other_targets_begins_anew(tmp_path, landscape):
    landscape()
    small_targets(step_ms=100.0).save(tmp_path / "one.json")
    small_targets(step_ms=120.0).save(tmp_path / "other.json")
    evolution = evolved(tmp_path, check="one.json")
    before = check_candidates(evolution, 1, POOL)
    record = landscape()
    after = check_candidates(evolved(tmp_path, check="other.json"), 1, POOL)
    assert [item.point for item in after] == [item.point for item in before]
    assert {assay.targets.step_ms for assay in record.assays} == {120.0}
    assert len({json.dumps(row) for call in record.calls for row in call}) == len(after)


def test_after_more_generations_only_new_candidates_are_checked(tmp_path, landscape):
    landscape()
    evolution = evolved(tmp_path, hall=ROOMY | {"accept": 1e-6})
    before = {item.point for item in check_candidates(evolution, 1, POOL)}
    longer = Evolution(with_seeds(evolution.config, [1], generations=8), evolution.folder)
    longer.run(POOL)
    record = landscape()
    after = {item.point for item in check_candidates(longer, 1, POOL)}
    new = {json.dumps(row) for call in record.calls for row in call}
    assert 0 < len(new) == len(after - before) < len(after)


# --- the hall


def made_up_features(
    evolution: Evolution, seed: int, passed: Sequence[Candidate], pool: Pool
) -> list[tuple[Candidate, dict[str, float]]]:
    """A cloud of thresholds and slopes, and a feature that tells whose row it is."""
    rest = dict.fromkeys(HALL_FEATURES, 1.0)
    chosen = passed[: evolution.config.hall.per_seed]
    return [
        (item, rest | row | {"latency": item.values["gbar_NaV.soma"]})
        for item, row in zip(chosen, cloud(len(chosen)), strict=True)
    ]


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noble.evolve.gather.measure_best", made_up_features)


def test_a_hall_has_the_best_that_pass_of_every_seed(tmp_path, landscape, unmeasured):
    landscape()
    evolution = evolved(tmp_path, seeds=[1, 2, 5])
    hall = gather_hall(evolution, POOL, provenance={"command": "noble evolve small.yaml"})
    rules = evolution.config.hall
    assert [sum(model.seed == seed for model in hall.models) for seed in (1, 2, 5)] == [5, 5, 5]
    assert len(hall) == 15
    assert len(hall.held_out) == 3
    scores = [model.score for model in hall.models]
    assert scores == sorted(scores)
    for seed in (1, 2, 5):
        checked = check_candidates(evolution, seed, POOL)
        passed = sorted(
            item.score.mean for item in checked if not reasons_against(item, evolution.check_targets, rules)
        )
        assert [model.score for model in hall.models if model.seed == seed] == pytest.approx(passed[:5], abs=1e-4)
    for model in hall.models:
        score = Score.from_dict(model.check or {})
        assert model.score == pytest.approx(score.mean, abs=1e-4)
        assert score.z == landscape_score(evolution.check_targets, model.values).z
        assert set(model.features) == set(HALL_FEATURES)
        assert model.features["latency"] == model.values["gbar_NaV.soma"]


def test_the_held_out_models_are_those_drawn(tmp_path, landscape, unmeasured):
    landscape()
    hall = gather_hall(evolved(tmp_path, seeds=[1, 2]), POOL, provenance={})
    assert set(hall.held_out) == draw_held_out([model.features for model in hall.models], 3, 0)
    other = gather_hall(evolved(tmp_path, seeds=[1, 2], hall=ROOMY | {"seed": 4}), POOL, provenance={})
    assert set(other.held_out) == draw_held_out([model.features for model in other.models], 3, 4)
    assert [model.values for model in other.models] == [model.values for model in hall.models]


def test_a_hall_says_where_it_comes_from_and_is_a_file(tmp_path, landscape, unmeasured):
    landscape()
    evolution = evolved(tmp_path, seeds=[2], source="made up", hall=ROOMY | {"held_out": 0})
    hall = gather_hall(evolution, POOL, provenance={"command": "noble evolve small.yaml"})
    assert hall.name == "small"
    assert hall.cell == evolution.cell
    assert hall.provenance["command"] == "noble evolve small.yaml"
    assert hall.provenance["seeds"] == [2]
    assert hall.provenance["targets"]["source"] == "made up"
    assert hall.provenance["configuration_digest"] == evolution.config.digest
    assert hall.provenance["recording"] == {
        "source": "small.nwb",
        "step_ms": 60.0,
        "spike_counts": {"-0.1": 0.0, "0.3": 4.0},
    }
    hall.save(tmp_path / "hall.json")
    assert HallOfFame.load(tmp_path / "hall.json") == hall


def test_the_same_evolution_gives_the_same_hall(tmp_path, landscape, unmeasured):
    landscape()
    halls = [gather_hall(evolved(tmp_path, run, seeds=[1, 2]), POOL, provenance={}) for run in ("a", "b")]
    assert halls[0] == halls[1]
    assert halls[0].digest == halls[1].digest


def test_a_seed_with_too_few_models_is_named_with_what_they_fail(tmp_path, landscape, unmeasured):
    landscape()
    evolution = evolved(tmp_path, seeds=[1, 2], hall=ROOMY | {"accept": 1e-6})
    with pytest.raises(ValueError, match=r"seed 1 has 0 models of 20 .* 5 are wanted .*mean \|z\|") as caught:
        gather_hall(evolution, POOL, provenance={})
    assert_one_sentence(caught.value)


def test_a_seed_with_too_few_distinct_candidates_is_named(tmp_path, landscape, unmeasured):
    landscape()
    evolution = evolved(tmp_path, hall=ROOMY | {"distance": 50.0, "held_out": 0})
    with pytest.raises(
        ValueError, match=r"seed 1 has 1 models of 1 .*no more distinct candidates.*smaller distance"
    ) as caught:
        gather_hall(evolution, POOL, provenance={})
    assert_one_sentence(caught.value)


# --- the most different of those that pass


def with_counts(*counts: tuple[int, int, int]) -> list[Candidate]:
    """Spikes at the recording's last silent step and its two that fire."""
    steps = ("0.1", "0.2", "0.3")
    return [Candidate((float(i),), {}, Score({}, dict(zip(steps, row, strict=True)))) for i, row in enumerate(counts)]


def order_of(candidates: list[Candidate], targets: Any = RECORDING) -> list[int]:
    return [candidates.index(item) for item in most_different(candidates, targets)]


def test_the_most_different_come_first():
    assert order_of(with_counts((0, 10, 20), (0, 11, 22), (0, 12, 24), (0, 20, 40), (0, 30, 60))) == [0, 4, 3, 2, 1]


def test_one_that_fires_where_the_recording_is_silent_differs():
    assert order_of(with_counts((0, 10, 20), (0, 11, 22), (4, 10, 20), (0, 9, 18), (0, 11, 22)))[1] == 2


def test_equal_curves_keep_their_order():
    assert order_of(with_counts((0, 10, 20), (0, 10, 20), (0, 10, 20))) == [0, 1, 2]
    assert most_different([], RECORDING) == []


def test_where_nothing_fires_the_order_stays():
    candidates = with_counts((0, 10, 20), (0, 11, 22), (0, 30, 60))
    assert order_of(candidates, small_targets(step(-0.1, 0, 0), step(0.1, 0, 0))) == [0, 1, 2]


def test_a_surplus_takes_those_at_the_edge_of_the_plane(tmp_path, landscape, monkeypatch):
    """Of all that pass, in the order in which they came; the best are taken without one."""
    landscape()

    def measured(
        evolution: Evolution, seed: int, passed: Sequence[Candidate], pool: Pool
    ) -> list[tuple[Candidate, dict[str, float]]]:
        return list(zip(passed[: evolution.config.hall.wanted], cloud(), strict=False))

    monkeypatch.setattr("noble.evolve.gather.measure_best", measured)
    rules = ROOMY | {"held_out": 0}
    best = gather_hall(evolved(tmp_path, "best", hall=rules), POOL, provenance={})
    wide = gather_hall(evolved(tmp_path, "wide", hall=rules | {"surplus": 3}), POOL, provenance={})
    assert len(best) == len(wide) == 5
    offered = np.array([[row["rheobase"], row["fi_gain"]] for row in cloud()[:15]])
    away = np.linalg.norm((offered - offered.mean(axis=0)) / offered.std(axis=0), axis=1)
    taken = {model.features["rheobase"] for model in wide.models}
    assert taken == set(offered[np.argsort(away)[-5:], 0])


# --- measuring


class Recorder:
    """A pool that only looks at what it is given."""

    def __init__(self, failed: Sequence[float]) -> None:
        self.tasks: list[Any] = []
        self._failed = failed

    def map(self, function: Callable, items: Sequence[Any], **_: Any) -> list[Any]:
        pickle.dumps((function, items))  # workers are other processes
        self.tasks += items
        rests = [model.values["e_pas.all"] for model, _ in items]
        whole = dict.fromkeys(HALL_FEATURES, 1.0)
        return [
            Failed("ValueError: no threshold") if rest in self._failed else whole | {"rheobase": rest} for rest in rests
        ]


def looking(failed: Sequence[float] = ()) -> Any:
    return Recorder(failed)


def checked(evolution: Evolution, counts: Sequence[dict[str, int]]) -> list[Candidate]:
    space = evolution.space
    rows = []
    for number, count in enumerate(counts):
        point = np.full(len(space.axes), 0.1 * number)
        rows.append(Candidate(tuple(point), space.values(point), Score({"a@0.1": 1.0}, count)))
    return rows


def test_the_first_models_are_measured_in_their_order_from_a_bracket_of_their_thresholds(tmp_path):
    evolution = Evolution(small_config(tmp_path, hall=ROOMY), tmp_path / "run")
    late, early = (
        {"-0.1": 0, "0.1": 0, "0.15": 0, "0.2": 6, "0.3": 9},
        {"-0.1": 0, "0.1": 0, "0.15": 2, "0.2": 7, "0.3": 9},
    )
    candidates = checked(evolution, [late, late, early, late, early, late])
    pool = looking()
    measured = measure_best(evolution, 1, candidates, pool)
    assert [item for item, _ in measured] == candidates[:5]
    assert [row["rheobase"] for _, row in measured] == [item.values["e_pas.all"] for item in candidates[:5]]
    # From the last silent step to the one after the first that fires, since the check's step may be longer.
    assert [bracket for _, bracket in pool.tasks] == [(0.15, 0.3), (0.15, 0.3), (0.1, 0.2), (0.15, 0.3), (0.1, 0.2)]


def test_a_model_that_fires_at_the_first_step_is_bracketed_from_zero(tmp_path):
    evolution = Evolution(small_config(tmp_path), tmp_path / "run")
    pool = looking()
    measure_best(evolution, 1, checked(evolution, [{"-0.1": 0, "0.1": 2}]), pool)
    [(_, bracket)] = pool.tasks
    assert bracket == (0.0, 0.2)


def test_a_model_that_cannot_be_measured_makes_way_for_the_next(tmp_path):
    evolution = Evolution(small_config(tmp_path, hall=ROOMY), tmp_path / "run")
    candidates = checked(evolution, [{"0.1": 0, "0.2": 5}] * 8)
    pool = looking(failed=[candidates[1].values["e_pas.all"], candidates[5].values["e_pas.all"]])
    measured = measure_best(evolution, 1, candidates, pool)
    assert [item for item, _ in measured] == [candidates[index] for index in (0, 2, 3, 4, 6)]
    assert len(pool.tasks) == 7


def test_what_is_measured_is_not_measured_again(tmp_path):
    evolution = Evolution(small_config(tmp_path, hall=ROOMY), tmp_path / "run")
    candidates = checked(evolution, [{"0.1": 0, "0.2": 5}] * 6)
    first = measure_best(evolution, 1, candidates[:3], looking())
    again = looking()
    assert measure_best(evolution, 1, candidates, again)[:3] == first
    assert [model.values for model, _ in again.tasks] == [item.values for item in candidates[3:5]]
    other_seed = looking()
    measure_best(evolution, 2, candidates, other_seed)
    assert len(other_seed.tasks) == 5


def test_a_measurement_that_lacks_a_feature_is_made_again(tmp_path):
    evolution = Evolution(small_config(tmp_path, hall=ROOMY), tmp_path / "run")
    candidates = checked(evolution, [{"0.1": 0, "0.2": 5}] * 5)
    measure_best(evolution, 1, candidates, looking())
    file = evolution.folder / "seed-1" / "measured.json"
    record = json.loads(file.read_text())
    del next(iter(record.values()))["rise_time_63"]
    file.write_text(json.dumps(record))
    again = looking()
    measured = measure_best(evolution, 1, candidates, again)
    assert len(again.tasks) == 1
    assert all(set(features) == set(HALL_FEATURES) for _, features in measured)


def test_measurements_under_former_names_are_not_made_again(tmp_path):
    evolution = Evolution(small_config(tmp_path, hall=ROOMY), tmp_path / "run")
    candidates = checked(evolution, [{"0.1": 0, "0.2": 5}] * 5)
    before = measure_best(evolution, 1, candidates, looking())
    file = evolution.folder / "seed-1" / "measured.json"
    former = {"rheobase": "i_thr", "fi_gain": "s_thr", "rise_time_63": "time_constant"}
    record = {
        key: {former.get(name, name.replace("_rheobase_plus_", "_")): value for name, value in features.items()}
        for key, features in json.loads(file.read_text()).items()
    }
    assert all("rate_50pA" in features for features in record.values())
    file.write_text(json.dumps(record))
    again = looking()
    assert measure_best(evolution, 1, candidates, again) == before
    assert not again.tasks


def test_a_damaged_record_of_measurements_is_refused_by_name(tmp_path):
    evolution = Evolution(small_config(tmp_path, hall=ROOMY), tmp_path / "run")
    file = evolution.folder / "seed-1" / "measured.json"
    file.parent.mkdir(parents=True)
    file.write_text("{")
    with pytest.raises(ValueError, match=r"measured\.json is damaged .* delete it"):
        measure_best(evolution, 1, checked(evolution, [{"0.1": 0, "0.2": 5}]), looking())
