"""What a configuration says and refuses; every refusal is one sentence that names the culprit."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_runs import ACTIVE_STAGE, PASSIVE_STAGE, START, assert_one_sentence, one_stage, small_config

from noble.cells import builtin_cell
from noble.evolve import EvolutionConfig, with_seeds

# A stick: soma, stub of an axon, one dendrite.
SWC = "1 1 0 0 0 7 -1\n2 2 0 7 0 1 1\n3 2 0 60 0 1 2\n4 3 7 0 0 1 1\n5 3 150 0 0 1 4\n"


def refused(folder: Path, **changes: Any) -> str:
    """The sentence with which a configuration is refused, at the latest when its cell is built."""
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        small_config(folder, **changes).build_cell()
    assert_one_sentence(caught.value)
    return str(caught.value)


# --- reading


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    config = small_config(tmp_path, check="sub/check.json")
    assert config.targets == str(tmp_path / "targets.json")
    assert config.check == str(tmp_path / "sub" / "check.json")
    assert config.cell == "stylised-pv"


def test_a_cell_beside_the_file_is_found_and_a_name_waits_for_the_data_folder(tmp_path):
    (tmp_path / "data").mkdir()
    assert small_config(tmp_path, cell="stick.swc").cell == "stick.swc"
    (tmp_path / "data" / "stick.swc").write_text(SWC)
    config = small_config(tmp_path, cell="stick.swc", start={})
    assert config.build_cell(tmp_path / "data").morphology.sha256 is not None
    (tmp_path / "stick.swc").write_text(SWC)
    beside = small_config(tmp_path, cell="stick.swc", start={})
    assert beside.cell == str(tmp_path / "stick.swc")
    assert beside.build_cell() == config.build_cell(tmp_path / "data")


def test_the_axon_of_a_reconstruction_may_be_kept_or_deleted(tmp_path):
    (tmp_path / "stick.swc").write_text(SWC)
    stub, without = (small_config(tmp_path, cell="stick.swc", start={}, axon=axon) for axon in ("stub", "none"))
    assert stub.digest == small_config(tmp_path, cell="stick.swc", start={}).digest != without.digest
    cell = without.build_cell()
    assert cell.morphology.axon == "none"
    assert "axon" not in {parameter.region for parameter in cell.parameters}
    assert "axon is 'none', but the built-in cell stylised-pv has the stub" in refused(tmp_path, axon="none")


def test_a_cell_that_is_nowhere_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("NOBLE_DATA", raising=False)
    assert "nowhere.swc" in refused(tmp_path, cell="nowhere.swc")
    message = refused(tmp_path, cell="stylised-pvc")
    assert "stylised-pvc" in message
    assert "stylised-vip" in message


def test_stages_have_their_numerics(tmp_path):
    passive, active = small_config(tmp_path).stages
    assert (passive.numerics.dt_ms, passive.numerics.equilibration_ms) == (0.06, 20)
    assert (passive.optimiser, active.eta, active.confine) == ("IBEA", 10.0, 0.5)
    assert active.free is active.amplitudes_na is active.features is None


# --- what is refused


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"populaton": 3}, ["populaton", "stages"]),
        ({"stages": one_stage(generation=3)}, ["generation", "generations"]),
        ({"stages": one_stage(optimiser="CMAES")}, ["CMAES", "MO-CMA"]),
        ({"stages": one_stage(name="Two words")}, ["Two words"]),
        ({"stages": one_stage(population=9)}, ["population", "9"]),
        ({"stages": one_stage(generations=0)}, ["generations", "0"]),
        ({"stages": one_stage(dt_ms=0)}, ["dt_ms", "0"]),
        ({"stages": []}, ["stages"]),
        ({"stages": [ACTIVE_STAGE, ACTIVE_STAGE]}, ["stages", "active", "once"]),
        ({"seeds": []}, ["seeds"]),
        ({"seeds": [1, 2, 1]}, ["seeds", "1, 2, 1", "once"]),
        ({"models_per_run": 0}, ["models_per_run", "0"]),
        ({"reach": 0}, ["reach", "0"]),
        ({"hall": {"per_sed": 3}}, ["hall.per_sed", "per_seed"]),
        ({"hall": {"seed": -1}}, ["hall.seed", "-1"]),
        ({"bounds": {"gbar_Foo.soma": [0, 1]}}, ["bounds", "gbar_Foo.soma", "stylised-pv", "gbar_NaV.soma"]),
        ({"start": {"gbar_NaV.dend": [0.01, 1]}}, ["start", "gbar_NaV.dend", "stylised-pv", "gbar_NaV.soma"]),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path, changes, words):
    message = refused(tmp_path, **changes)
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize("bounds", [[2.0, 1.0], [1.0, 1.0], [1.0, float("nan")]])
def test_reversed_bounds_are_refused_by_name(tmp_path, bounds):
    message = refused(tmp_path, bounds={"gbar_NaV.soma": bounds})
    assert "reversed" in message
    assert "gbar_NaV.soma" in message


@pytest.mark.parametrize("bounds", [[0.0, float("inf")], [float("-inf"), 1.0]])
def test_bounds_are_finite(tmp_path, bounds):
    assert "gbar_NaV.soma" in refused(tmp_path, bounds={"gbar_NaV.soma": bounds})


@pytest.mark.parametrize("key", ["free", "amplitudes_na", "features"])
def test_a_stage_without_anything_to_do_is_refused(tmp_path, key):
    assert key in refused(tmp_path, stages=one_stage(**{key: []}))


def test_a_negative_seed_is_refused(tmp_path):
    assert "-1" in refused(tmp_path, seeds=[1, -1])


@pytest.mark.parametrize(
    ("hall", "words"),
    [
        ({"per_seed": 30, "candidates": 20, "held_out": 0}, ["30", "20"]),
        ({"per_seed": 4, "held_out": 4}, ["4 of 4"]),
        ({"per_seed": 4, "held_out": 5}, ["5 of 4"]),
    ],
)
def test_a_hall_that_cannot_be_filled_is_refused_before_anything_is_evolved(tmp_path, hall, words):
    message = refused(tmp_path, hall=hall)
    assert [word for word in words if word not in message] == []


# --- the cell


def test_bounds_replace_those_of_the_cell_and_no_others(tmp_path):
    cell = small_config(tmp_path, bounds={"gbar_NaV.soma": [0.01, 2.0], "e_pas.all": [-95, -70]}).build_cell()
    before = {item.name: (item.low, item.high) for item in builtin_cell("stylised-pv").parameters}
    after = {item.name: (item.low, item.high) for item in cell.parameters}
    assert list(after) == list(before)
    changed = {name: bounds for name, bounds in after.items() if bounds != before[name]}
    assert changed == {"gbar_NaV.soma": (0.01, 2.0), "e_pas.all": (-95.0, -70.0)}


# --- which runs are the same


def test_the_digest_stays_where_a_run_may_be_extended(tmp_path):
    digest = small_config(tmp_path).digest
    same = [
        {"seeds": [4, 5]},
        {"hall": {"per_seed": 7, "held_out": 3, "distance": 0.1}},
        {"models_per_run": 9},
        {"source": "another sentence"},
        {"stages": [PASSIVE_STAGE, ACTIVE_STAGE | {"generations": 30}]},
    ]
    assert [small_config(tmp_path, **changes).digest for changes in same] == [digest] * len(same)


def test_the_digest_changes_with_what_a_score_means_and_how_points_move(tmp_path):
    passive, active = PASSIVE_STAGE, ACTIVE_STAGE
    others = [
        {"cell": "stylised-vip"},
        {"start": START | {"e_pas.all": [-81.0, 2.1]}},
        {"bounds": {"gbar_NaV.soma": [0.01, 2.0]}},
        {"reach": 2.9},
        {"stages": [passive | {"generations": 3}, active]},
        {"stages": [active]},
    ]
    changes = {"population": 10, "dt_ms": 0.03, "equilibration_ms": 30, "eta": 12.0, "confine": 0.4, "optimiser": "CMA"}
    changes |= {"free": ["e_pas"], "features": ["AP1_peak"], "amplitudes_na": [0.3], "name": "other"}
    others += [{"stages": [passive, active | {key: value}]} for key, value in changes.items()]
    digests = [small_config(tmp_path, **changes).digest for changes in others]
    assert len({*digests, small_config(tmp_path).digest}) == len(others) + 1


def test_the_order_of_keys_in_the_file_does_not_matter(tmp_path):
    turned = dict(reversed(START.items()))
    assert list(turned) != list(START)
    assert small_config(tmp_path, start=turned).digest == small_config(tmp_path).digest


def test_another_folder_is_the_same_run(tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    assert small_config(other).digest == small_config(tmp_path).digest


# --- other seeds and more generations


def test_seeds_and_generations_are_replaced_and_checked(tmp_path):
    config = small_config(tmp_path)
    more = with_seeds(config, [3, 4], generations=9)
    assert more.seeds == (3, 4)
    assert [stage.generations for stage in more.stages] == [2, 9]
    assert more.digest == config.digest
    assert with_seeds(config, config.seeds) == config
    for seeds, generations in (([3, 3], None), ([], None), ([1], 0)):
        with pytest.raises(ValueError, match=r"seeds|generations"):
            with_seeds(config, seeds, generations)


def test_a_configuration_can_be_written_and_read_back(tmp_path):
    config = small_config(tmp_path, bounds={"e_pas.all": [-95, -70]})
    content = copy.deepcopy(config.model_dump(mode="json"))
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(content))
    assert EvolutionConfig.load(tmp_path / "again.yaml") == config
