"""A hall checked again: new scores and features, who is left out, resumption, provenance."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from checked_hall import PLANE, RECORDED, check_of, checked_hall, targets
from killing import killed_everywhere
from noble.cells import HallOfFame
from noble.evolve import HallRules, recheck_hall
from noble.evolve.assay import Score
from noble.evolve.recheck import Measurement
from noble.features.catalogue import HALL_FEATURES
from noble.jobs import Failed, Pool

POOL = Pool(workers=0)
NOBODY_OUT = HallRules(held_out=1)


class Simulation:
    """Stands in for Arbor: a worse hall turned upside down, so that the last is the best now."""

    def __init__(self, hall: HallOfFame) -> None:
        self.order = {json.dumps(hall.cell_model(index).values): index for index in range(len(hall))}
        self.simulated: list[int] = []
        self.changes: dict[int, dict[str, Any]] = {}
        self.unmeasured: set[int] = set()
        self.dies_at: int | None = None

    def scores(self, cell: Any, targets: Any, values: Any, pool: Any, **_: Any) -> list[Score]:
        indices = [self.order[json.dumps(row)] for row in values]
        if self.dies_at in indices:
            raise KeyboardInterrupt
        self.simulated += indices
        return [Score.from_dict(check_of(2.0 - 0.1 * index) | self.changes.get(index, {})) for index in indices]

    def measure(self, work: Measurement, tasks: Any) -> list[Any]:
        found = []
        for model, (low, high) in tasks:
            assert (low, high) == (0.1, 0.4)  # of the check's counts: silent at 0.1, fires at 0.3
            index = self.order[json.dumps(model.values)]
            plane = {"rheobase": 10 * PLANE[index][0], "fi_gain": PLANE[index][1]}
            failed = Failed("latency cannot be measured")
            found.append(failed if index in self.unmeasured else dict.fromkeys(HALL_FEATURES, 1.0) | plane)
        return found


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> Simulation:
    made = Simulation(checked_hall())
    monkeypatch.setattr("noble.evolve.recheck.full_scores", made.scores)
    monkeypatch.setattr(POOL, "map", made.measure, raising=False)
    monkeypatch.setattr("noble.evolve.recheck.AT_ONCE", 2)
    return made


Check = Callable[..., Any]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    def run(hall: HallOfFame | None = None, rules: HallRules = NOBODY_OUT, **changes: Any) -> Any:
        record = tmp_path / "hall.json.partial"
        return recheck_hall(hall or checked_hall(), targets(), POOL, **{"record": record, "rules": rules, **changes})

    return run


def test_scores_features_order_and_held_out_are_new(simulation: Simulation, check: Check) -> None:
    former, found = checked_hall(), check()
    assert found.left_out == {}
    assert [model.values for model in found.hall.models] == [model.values for model in reversed(former.models)]
    assert [model.score for model in found.hall.models] == pytest.approx([1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0])
    for model, index in zip(found.hall.models, reversed(range(7)), strict=True):
        assert set(model.features) == set(HALL_FEATURES)
        assert (model.features["rheobase"], model.features["fi_gain"]) == (10 * PLANE[index][0], PLANE[index][1])
        assert model.check == Score.from_dict(check_of(2.0 - 0.1 * index)).to_dict()
        assert model.seed == former.models[index].seed
    corners = set(PLANE[:4])
    [held_out] = found.hall.held_out
    features = found.hall.models[held_out].features
    assert (features["rheobase"] / 10, features["fi_gain"]) not in corners
    assert check(rules=HallRules(held_out=3)).hall.held_out == (0, 1, 2)  # the three inner ones


def test_the_new_hall_says_what_happened(simulation: Simulation, check: Check) -> None:
    former = checked_hall()
    provenance: Mapping[str, Any] = check(provenance={"command": "noble hall check"}).hall.provenance
    assert provenance["command"] == former.provenance["command"]  # how the models were found
    again = provenance["checked_again"]
    assert (again["command"], again["former_digest"]) == ("noble hall check", former.digest)
    assert set(again["versions"]) >= {"arbor", "noble-neuro", "efel"}
    assert provenance["check"] == {"digest": targets().digest}
    assert provenance["recording"]["spike_counts"] == RECORDED


@pytest.mark.parametrize(
    ("changes", "unmeasured", "reason"),
    [
        ({2: {"spike_counts": {**RECORDED, "0.4": 40}}}, set(), "40 spikes at 0.4 nA instead of 20"),
        ({2: {"blocked": ["0.4"]}}, set(), "blocked at 0.4 nA"),
        ({2: {"z": {"voltage_base@0.3": 4.0}}}, set(), "mean |z| 4.00"),
        ({}, {2}, "latency cannot be measured"),
    ],
)
def test_who_does_not_pass_is_left_out_and_named(
    simulation: Simulation, check: Check, changes: dict[int, dict[str, Any]], unmeasured: set[int], reason: str
) -> None:
    simulation.changes, simulation.unmeasured = changes, unmeasured
    found = check(rules=HallRules(held_out=0))
    assert found.left_out == {2: [reason]}
    gone = checked_hall().models[2].values
    assert len(found.hall) == 6
    assert gone not in [model.values for model in found.hall.models]


def test_a_hall_of_which_nobody_passes_is_refused(simulation: Simulation, check: Check) -> None:
    with pytest.raises(ValueError, match=r"no model of made passes; the first fails by mean \|z\| 2.00"):
        check(rules=HallRules(held_out=0, accept=0.1))


def test_an_interrupted_check_goes_on(simulation: Simulation, check: Check, tmp_path: Path) -> None:
    unbroken = check(record=tmp_path / "other.partial").hall
    simulation.simulated.clear()
    simulation.dies_at = 4
    with pytest.raises(KeyboardInterrupt):
        check()
    assert simulation.simulated == [0, 1, 2, 3]
    simulation.dies_at = None
    told: list[tuple[int, int]] = []
    assert check(progress=lambda done, total: told.append((done, total))).hall == unbroken
    assert simulation.simulated == [0, 1, 2, 3, 4, 5, 6]
    assert (told[0], told[-1]) == ((4, 7), (7, 7))
    assert (tmp_path / "hall.json.partial").exists()  # until the hall is saved


def test_killed_before_any_file_operation_the_hall_is_the_same(
    simulation: Simulation, check: Check, tmp_path: Path
) -> None:
    def work(run: Path) -> None:
        found = check(record=run / "hall.json.partial")
        found.hall.save(run / "hall.json")
        (run / "hall.json.partial").unlink()

    assert killed_everywhere(work, tmp_path) > 10


@pytest.mark.parametrize(
    "damage",
    [
        "[]",
        "{",
        '{"key": KEY, "models": []}',
        '{"key": KEY, "models": {"x": {}}}',
        '{"key": KEY, "models": {"0": {"check": {"z": {"a": "b"}, "spike_counts": {}}, "failed": ""}}}',
        '{"key": KEY, "models": {"0": {"check": {"z": {"a": 1}, "spike_counts": {}}, "features": {"i_thr": null}}}}',
    ],
)
def test_a_damaged_record_is_refused_by_name(simulation: Simulation, check: Check, tmp_path: Path, damage: str) -> None:
    check()
    record = tmp_path / "hall.json.partial"
    record.write_text(damage.replace("KEY", json.dumps(json.loads(record.read_text())["key"])))
    with pytest.raises(ValueError, match=r"hall\.json\.partial is damaged .*; delete it, and what it held is computed"):
        check()


def test_what_another_hall_left_behind_is_not_taken(simulation: Simulation, check: Check) -> None:
    simulation.dies_at = 4
    with pytest.raises(KeyboardInterrupt):
        check()
    simulation.dies_at = None
    simulation.simulated.clear()
    check(replace(checked_hall(), name="another"))
    assert simulation.simulated == [0, 1, 2, 3, 4, 5, 6]
