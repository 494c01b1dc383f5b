import hashlib
import json
import re
import shutil

import numpy as np
import pytest
import zarr
from fake_family import FakeHall, OhmicResponder, small_config

from noble.data import check_store, generate
from noble.data.part import features_sha256
from noble.data.place import Place
from noble.data.store import Store, open_unchecked
from noble.data.writing import write_index


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("check") / "a.zarr"
    generate(small_config(), FakeHall(), path, responder_factory=OhmicResponder())
    return path


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy.zarr")


def write(path, name, index, value):
    """Change one entry and seal the store anew, so that only the value itself can be noticed."""
    zarr.open_group(path / "parts/0", mode="r+")[name][index] = value  # type: ignore[index]
    seal_anew(path)


def seal_anew(path):
    part = path / "parts/0"
    arrays = zarr.open_group(part, mode="r")
    digest = hashlib.sha256()
    for name in ("stimulus_kind", "stimulus_parameters", "model_index", "split", "seed"):
        array = arrays[name]
        digest.update(f"{name}:{array.dtype}:{array.shape}\n".encode() + array[...].tobytes())  # type: ignore[index]
    zarr.open_group(part, mode="r+").attrs["plan_digest"] = digest.hexdigest()
    shutil.rmtree(part / "index")
    store = open_unchecked(Place.of(path))
    described = {"names": store.feature_names, "units": store.feature_units}
    write_index(store, store.parts[0], {}, features_sha256(store.feature_table, described))


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
    ],
)
def test_each_problem_is_found(copy, name, index, value, message):
    write(copy, name, index, value)
    problems = check_store(copy)
    assert len(problems) == 1
    assert re.search(message, problems[0])


def test_leaked_samples_are_found(copy):
    plan = Store.open(copy).plan
    test = int(np.flatnonzero(plan.split == 2)[0])
    write(copy, "model_index", test, int(plan.model_index[0]))
    write(copy, "stimulus_parameters", test, plan.stimuli.parameters[0])
    assert check_store(copy) == ["1 test samples have model and stimulus of a training or validation sample."]


def test_a_changed_plan_is_found(copy):
    zarr.open_group(copy / "parts/0", mode="r+")["seed"][3] = 1  # type: ignore[index]
    assert ["plan" in problem for problem in check_store(copy)] == [True]


def test_spikes_of_others_are_found(copy):
    index = copy / "parts/0/index"
    group = zarr.open_group(index, mode="r+")
    del group["spike_times_ms"], group["spike_offsets"]
    offsets = np.repeat([0, 1], [5, 36])
    group.create_array("spike_times_ms", data=np.array([3.0]))
    group.create_array("spike_offsets", data=offsets)
    arrays = (group["chunk_sha256"][...], offsets, np.array([3.0]))  # type: ignore[index]
    group.attrs["content_sha256"] = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
    assert [problem[:35] for problem in check_store(copy)] == ["the spikes of voltage chunk 1 of " + str(copy)[:2]]


def test_damaged_bytes_are_found(copy):
    file = copy / "parts/0/voltage/c/2/0"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(bytes(content))
    assert [problem[:15] for problem in check_store(copy)] == ["voltage chunk 2"]
    shutil.rmtree(copy / "parts/0/index")
    problems = check_store(copy)
    assert ["index" in problem or "chunk 2 of" in problem for problem in problems] == [True, True]
    assert "cannot be read" in problems[1]


@pytest.mark.parametrize(
    ("group", "key"),
    [("", key) for key in ("grid", "hall", "splits", "cell", "protocol")]
    + [("parts/0", key) for key in ("stimulus_kinds", "config", "seed", "plan_digest", "versions")],
)
@pytest.mark.parametrize("value", [None, -3, [], {}, [[1]]])
def test_nonsense_attributes_are_a_problem_not_a_crash(copy, group, key, value):
    content = json.loads((copy / group / "zarr.json").read_text())
    content["attributes"][key] = value
    (copy / group / "zarr.json").write_text(json.dumps(content))
    problems = check_store(copy)
    assert len(problems) == 1
    assert "\n" not in problems[0]
    with pytest.raises(ValueError, match=re.escape(problems[0])):
        Store.open(copy)


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
    assert len(problems) == 1 or (part == "protocol" and value == "absent")


@pytest.mark.parametrize("name", ["voltage", "stimulus_parameters", "model_features", "split"])
@pytest.mark.parametrize("shape", [(40,), (40, 2, 2)])
def test_arrays_with_other_axes_are_a_problem_not_a_crash(copy, name, shape):
    if name == "split" and shape == (40,):
        shape = ()
    group = zarr.open_group(copy if name == "model_features" else copy / "parts/0", mode="r+")
    attributes, dtype = dict(group[name].attrs), group[name].dtype
    del group[name]
    group.create_array(name, shape=shape, dtype=dtype, attributes=attributes)
    assert re.search(f"{name} of .* has shape .* expected", check_store(copy)[0])


@pytest.mark.parametrize("name", ["voltage", "split"])
@pytest.mark.parametrize("text", ["[]", "{}", "no JSON", '{"zarr_format": 3, "node_type": "array", "shape": "x"}'])
def test_damaged_metadata_of_an_array_is_a_problem_not_a_crash(copy, name, text):
    (copy / "parts/0" / name / "zarr.json").write_text(text)
    assert check_store(copy)
