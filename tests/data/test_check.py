import json
import re
import shutil

import numpy as np
import pytest
import zarr
from fake_family import FakeHall, OhmicResponder, small_config

from noble.data import check_store, generate
from noble.data.store import open_group, read_arrays, read_plan


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("check") / "a.zarr"
    generate(small_config(), FakeHall(), path, responder_factory=OhmicResponder())
    return path


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy.zarr")


def write(path, name, index, value):
    """Change one entry and, for the plan, its digest, so that only the value itself can be noticed."""
    group = zarr.open_group(path, mode="r+")
    group[name][index] = value  # type: ignore[index]
    group.attrs["plan_digest"] = read_plan(read_arrays(open_group(path), path)).digest


def test_a_good_store_has_no_problem(made):
    assert check_store(made) == []


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("voltage", (9, 3), -32768, "sample 9: 1 voltages are missing"),
        ("voltage", (9, 3), 32767, "sample 9: the voltage leaves -150 to 100 mV"),
        ("model_index", 0, 5, r"split train has models \[5\]"),
        ("model_index", 39, 0, r"split unseen_models has models \[0\]"),
        ("split", 2, 7, "codes outside 0 to 3"),
        ("stimulus_kind", 6, 9, "sample 6: stimulus kind 9 is unknown"),
        ("stimulus_kind", 6, 1, "sample 6: a Ramp has parameters"),
        ("stimulus_parameters", (7, 1), 520.0, "sample 7: the stimulus ends at 520 ms"),
        ("stimulus_parameters", (7, 5), 1.0, "sample 7: more parameters than a Step has"),
        ("model_features", (0, 0), np.nan, "model_features"),
    ],
)
def test_each_problem_is_found(copy, name, index, value, message):
    write(copy, name, index, value)
    problems = check_store(copy)
    assert len(problems) == 1
    assert re.search(message, problems[0])


def test_leaked_samples_are_found(copy):
    plan = read_plan(read_arrays(open_group(copy), copy))
    test = int(np.flatnonzero(plan.split == 2)[0])
    write(copy, "model_index", test, int(plan.model_index[0]))
    write(copy, "stimulus_parameters", test, plan.stimulus_parameters[0])
    assert check_store(copy) == ["1 test samples have model and stimulus of a training or validation sample."]


def test_a_changed_plan_is_found(copy):
    zarr.open_group(copy, mode="r+")["seed"][3] = 1  # type: ignore[index]
    assert ["digest" in problem for problem in check_store(copy)] == [True]


def test_damaged_bytes_are_found(copy):
    file = copy / "voltage/c/2/0"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(bytes(content))
    assert [problem[:30] for problem in check_store(copy)] == ["voltage chunk 2 cannot be read"]


@pytest.mark.parametrize("key", ["grid", "hall", "splits", "stimulus_kinds"])
@pytest.mark.parametrize("value", [None, 3, [], {}])
def test_nonsense_attributes_are_a_problem_not_a_crash(copy, key, value):
    content = json.loads((copy / "zarr.json").read_text())
    content["attributes"][key] = value
    (copy / "zarr.json").write_text(json.dumps(content))
    assert check_store(copy)


@pytest.mark.parametrize(
    ("part", "key"),
    [("grid", "count"), ("grid", "dt_ms"), ("protocol", "window_ms"), ("protocol", "onset_ms")]
    + [("hall", key) for key in ("models", "train", "held_out")],
)
@pytest.mark.parametrize("value", ["absent", None, "text", [[]], {}])
def test_nonsense_inside_an_attribute_is_a_problem_not_a_crash(copy, part, key, value):
    content = json.loads((copy / "zarr.json").read_text())
    if value == "absent":
        del content["attributes"][part][key]
    else:
        content["attributes"][part][key] = value
    (copy / "zarr.json").write_text(json.dumps(content))
    problems = check_store(copy)
    # The protocol's numbers have defaults, and those of the paper are these.
    assert problems or (part == "protocol" and value == "absent")


@pytest.mark.parametrize("name", ["voltage", "stimulus_parameters", "model_features", "split"])
@pytest.mark.parametrize("shape", [(40,), (40, 2, 2)])
def test_arrays_with_other_axes_are_a_problem_not_a_crash(copy, name, shape):
    if name == "split" and shape == (40,):
        shape = ()
    group = zarr.open_group(copy, mode="r+")
    attributes, dtype = dict(group[name].attrs), group[name].dtype
    del group[name]
    group.create_array(name, shape=shape, dtype=dtype, attributes=attributes)
    assert re.search(f"{name} has shape .* expected [12] axes", check_store(copy)[0])


@pytest.mark.parametrize("name", ["voltage", "split"])
@pytest.mark.parametrize("text", ["[]", "{}", "no JSON", '{"zarr_format": 3, "node_type": "array", "shape": "x"}'])
def test_damaged_metadata_of_an_array_is_a_problem_not_a_crash(copy, name, text):
    (copy / name / "zarr.json").write_text(text)
    assert check_store(copy)


def test_what_was_found_before_a_check_broke_off_is_kept(copy):
    content = json.loads((copy / "zarr.json").read_text())
    content["attributes"]["splits"] = ["train"]
    content["attributes"]["hall"] = None
    (copy / "zarr.json").write_text(json.dumps(content))
    assert [problem[:9] for problem in check_store(copy)] == ["splits is", "the attri"]
