"""A hall from models that others found: who comes in, who is left out and why, resumption, what the hall says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from found_fits import allen_fit, write_fits
from killing import killed_everywhere
from noble.cells import FoundModels, HallOfFame, found_in_allen_fits
from noble.evolve import HallRules, import_hall
from noble.evolve.gather import draw_held_out
from noble.evolve.importing import Trial, _doubling
from noble.features.catalogue import HALL_FEATURES
from noble.jobs import Failed, Pool

POOL = Pool(workers=0)
# Corners and inner points of a hull in rheobase (nA) and F-I gain (Hz/nA), by the leak of the model.
PLANE = ((0.1, 200.0), (0.2, 200.0), (0.1, 400.0), (0.2, 400.0), (0.14, 290.0), (0.15, 300.0), (0.16, 310.0))


@pytest.fixture
def found(tmp_path: Path) -> FoundModels:
    """Seven models that differ in their leak."""
    names = {f"seed_{1 + index % 2}_hof_{index}.json": allen_fit(g_pas=1e-3 + 1e-5 * index) for index in range(7)}
    swc = write_fits(tmp_path / "fits", names)
    return found_in_allen_fits(tmp_path / "fits", swc)


class Simulation:
    """Stands in for Arbor: a model is a place in `PLANE`, or left out."""

    def __init__(self) -> None:
        self.left_out: dict[str, str] = {}
        self.tried: list[str] = []
        self.dies_at: str | None = None
        self.ends_at: str | None = None

    def stream(self, trial: Trial, models: Any) -> Any:
        for position, model in enumerate(models):
            if model.name == self.dies_at:
                raise KeyboardInterrupt
            self.tried.append(model.name)
            if model.name == self.ends_at:
                yield position, Failed("the process ended 3 times")
            elif model.name in self.left_out:
                yield position, {"left_out": self.left_out[model.name]}
            else:
                index = round((model.values["g_pas.soma"] - 1e-3) / 1e-5)
                plane = {"rheobase": PLANE[index][0], "fi_gain": PLANE[index][1]}
                yield position, {"features": dict.fromkeys(HALL_FEATURES, 1.0) | plane}


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> Simulation:
    made = Simulation()
    monkeypatch.setattr(POOL, "stream", made.stream, raising=False)
    return made


def imported(found: FoundModels, folder: Path, **changes: Any) -> Any:
    return import_hall(found, POOL, **{"name": "theirs", "record": folder / "hall.json.partial", **changes})


def test_the_models_come_in_their_order_with_features_and_without_scores(
    found: FoundModels, simulation: Simulation, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    made = imported(
        found, tmp_path, provenance={"command": "noble hall import"}, progress=lambda *done: told.append(done)
    )
    assert made.left_out == {}
    hall = made.hall
    assert [model.values for model in hall.models] == [item.values for item in found.models]
    assert [(model.score, model.check) for model in hall.models] == [(None, None)] * 7
    assert [model.seed for model in hall.models] == [item.seed for item in found.models]
    assert set(hall.models[0].features) == set(HALL_FEATURES)
    assert hall.provenance["command"] == "noble hall import"
    assert hall.provenance["imported"]["models"] == [item.label for item in found.models]
    assert hall.provenance["imported"]["junction_potential_mv"] == 14.0
    assert set(hall.provenance["versions"]) >= {"arbor", "noble-neuro"}
    assert (told[0], told[-1]) == ((0, 7), (7, 7))
    hall.save(tmp_path / "hall.json")
    assert HallOfFame.load(tmp_path / "hall.json") == hall


def test_held_out_models_are_those_that_an_evolved_hall_would_draw(
    found: FoundModels, simulation: Simulation, tmp_path: Path
) -> None:
    assert len(imported(found, tmp_path).hall.held_out) == 1  # a sixth
    hall = imported(found, tmp_path, held_out=2, seed=3).hall
    expected = draw_held_out([model.features for model in hall.models], 2, HallRules(held_out=2, seed=3).seed)
    assert set(hall.held_out) == expected
    with pytest.raises(ValueError, match="only 3 models lie inside the hull"):
        imported(found, tmp_path, held_out=4)


def test_who_cannot_be_used_is_left_out_and_named(found: FoundModels, simulation: Simulation, tmp_path: Path) -> None:
    gone = {found.models[1].label: "never fires, up to 1 nA", found.models[4].label: "blocked at 0.3 nA"}
    simulation.left_out = gone
    made = imported(found, tmp_path, held_out=0)
    assert made.left_out == gone
    assert made.hall.provenance["imported"]["left_out"] == gone
    assert len(made.hall) == 5
    simulation.left_out = {item.label: "never fires, up to 1 nA" for item in found.models}
    with pytest.raises(ValueError, match=r"none of 7 models can be used; the first, seed_1_hof_0\.json: never fires"):
        imported(found, tmp_path / "other")


def test_an_interrupted_import_goes_on(found: FoundModels, simulation: Simulation, tmp_path: Path) -> None:
    unbroken = imported(found, tmp_path / "other").hall
    simulation.tried.clear()
    simulation.dies_at = found.models[3].label
    with pytest.raises(KeyboardInterrupt):
        imported(found, tmp_path)
    simulation.dies_at = None
    assert imported(found, tmp_path).hall == unbroken
    assert simulation.tried == [item.label for item in found.models]
    imported(found, tmp_path, largest_na=2.0)  # another question: everything is tried again
    assert len(simulation.tried) == 14


def test_a_model_whose_process_ended_is_tried_again_next_time(
    found: FoundModels, simulation: Simulation, tmp_path: Path
) -> None:
    simulation.ends_at = found.models[0].label
    assert imported(found, tmp_path, held_out=0).left_out == {found.models[0].label: "the process ended 3 times"}
    simulation.ends_at = None
    simulation.tried.clear()
    assert imported(found, tmp_path, held_out=0).left_out == {}
    assert simulation.tried == [found.models[0].label]


def test_killed_before_any_file_operation_the_hall_is_the_same(
    found: FoundModels, simulation: Simulation, tmp_path: Path
) -> None:
    few = replace(found, models=found.models[:3])

    def work(run: Path) -> None:
        imported(few, run).hall.save(run / "hall.json")
        (run / "hall.json.partial").unlink()

    assert killed_everywhere(work, tmp_path) > 10


@pytest.mark.parametrize("content", ['{"key": ', "[]"])
def test_a_damaged_record_is_named(content: str, found: FoundModels, simulation: Simulation, tmp_path: Path) -> None:
    (tmp_path / "hall.json.partial").write_text(content)
    with pytest.raises(ValueError, match=r"hall\.json\.partial is damaged .* delete it"):
        imported(found, tmp_path)


def test_what_cannot_be_simulated_is_refused_before_anything_is(
    simulation: Simulation, tmp_path: Path, found: FoundModels
) -> None:
    swc = write_fits(tmp_path / "kept", {"fit.json": allen_fit() | {"axon_morph": [{"delete_axon": []}]}})
    with pytest.raises(ValueError, match="no cm and no g_pas or any channel on region axon"):
        imported(found_in_allen_fits(tmp_path / "kept", swc), tmp_path)
    with pytest.raises(ValueError, match=r"the largest step is 0\.01 nA; expected at least 0\.05 nA"):
        imported(found, tmp_path, largest_na=0.01)
    with pytest.raises(ValueError, match="the largest step reaches 400 nA"):
        imported(found, tmp_path, largest_na=400.0)
    assert simulation.tried == []


def test_steps_double_up_to_the_largest() -> None:
    assert _doubling(1.0) == [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0]
    assert _doubling(0.05) == [0.0, 0.05]
    assert _doubling(0.4) == [0.0, 0.05, 0.1, 0.2, 0.4]


@pytest.mark.parametrize(
    ("genes", "outcome"),
    [
        ({}, "features"),
        ({"gbar_NaV": 1e-4}, "never fires, up to 0.4 nA"),
        ({"gbar_Kv3_1": 1e-4}, "blocked at 0.1"),
        ({"e_pas": -40.0}, "fires without a current"),
    ],
)
def test_a_model_is_simulated_around_its_own_rheobase(genes: dict[str, float], outcome: str, tmp_path: Path) -> None:
    pytest.importorskip("arbor")
    swc = write_fits(tmp_path, {"fit.json": allen_fit(**genes)})
    model = found_in_allen_fits(tmp_path, swc).cell_model(0)
    answer = Trial(0.4, tmp_path)(model)
    if outcome == "features":
        features = answer["features"]
        assert set(features) == set(HALL_FEATURES)
        assert 0.01 < features["rheobase"] < 0.4
        assert features["voltage_base"] == pytest.approx(-80.0, abs=3.0)
    else:
        assert outcome in answer["left_out"]
