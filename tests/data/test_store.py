import hashlib
import json
import pickle
import shutil

import numpy as np
import pytest
import zarr
from fake_family import FakeHall, OhmicResponder, small_config

from noble.data import Store, check_store, generate


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "a.zarr"
    generate(small_config(), FakeHall(), path, responder_factory=OhmicResponder())
    return path


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy.zarr")


def edit_attributes(path, change, array=""):
    file = path / array / "zarr.json"
    content = json.loads(file.read_text())
    change(content["attributes"])
    file.write_text(json.dumps(content))


def test_reads_any_samples_in_any_order(made):
    store = Store.open(made)
    everything = store.voltage_mv(range(40))
    assert everything.dtype == np.float32
    wanted = np.array([39, 0, 17, 17, 4])
    assert np.array_equal(store.voltage_mv(wanted), everything[wanted])
    assert np.array_equal(store.current_na(wanted), store.current_na(range(40))[wanted])
    assert store.voltage_mv([]).shape == (0, store.grid.count)
    for bad in ([40], [-1], [0.5]):
        with pytest.raises(ValueError, match="whole numbers from 0 to 39"):
            store.voltage_mv(bad)


def test_rows_of_one_chunk_keep_the_order_asked_for(made):
    store = Store.open(made)
    everything = store.voltage_mv(range(40))
    wanted = np.array([3, 1, 2, 0, 1, 7, 4])  # chunks of 4
    assert np.array_equal(store.voltage_mv(wanted), everything[wanted])
    assert len({trace.tobytes() for trace in everything[[0, 1, 2, 3]]}) == 4


def test_a_split_can_be_read_in_batches(made):
    store = Store.open(made)
    whole = store.read(store.indices("train"))
    assert np.array_equal(whole.rows, np.arange(20))
    for most, sizes in ((None, [4] * 5), (3, [3, 1] * 5)):
        batches = list(store.batches("train", most=most))
        assert [len(batch) for batch in batches] == sizes
        for name in ("rows", "voltage_mv", "current_na", "model_index"):
            assert np.array_equal(np.concatenate([getattr(b, name) for b in batches]), getattr(whole, name))
    assert [rows.tolist() for rows in store.by_chunk([9, 1, 8, 0])] == [[0, 1], [8, 9]]


def test_splits(made):
    store = Store.open(made)
    assert [store.indices(split).size for split in ("train", "validation", "test", "unseen_models")] == [20, 6, 6, 8]
    with pytest.raises(ValueError, match="split 'tets' is unknown"):
        store.indices("tets")


def test_window_facts(made):
    store = Store.open(made)
    assert (store.protocol.onset_ms, store.protocol.offset_ms, store.protocol.window_ms) == (15, 415, 515)
    assert (store.grid.count, store.protocol.grid.count) == (530, 515)
    assert store.protocol.simulated_grid == store.grid


def test_digest_follows_the_data_not_the_place(made, copy, tmp_path):
    assert Store.open(copy).digest == Store.open(made).digest
    other = generate(small_config(seed=1), FakeHall(), tmp_path / "b.zarr", responder_factory=OhmicResponder())
    assert other.digest != Store.open(made).digest


def test_goes_to_loader_processes(made):
    store = pickle.loads(pickle.dumps(Store.open(made)))
    assert np.array_equal(store.voltage_mv([3]), Store.open(made).voltage_mv([3]))


def test_any_zarr_reader_can_follow_the_specification(made):
    """Reads with Zarr alone, by docs/store.md."""
    group = zarr.open_group(made, mode="r")
    voltage = group["voltage"]
    facts = voltage.attrs
    by_hand = voltage[5].astype(float) * facts["scale"] + facts["offset"]
    assert np.allclose(by_hand, Store.open(made).voltage_mv([5])[0], atol=1e-5)
    kind = group.attrs["stimulus_kinds"][int(group["stimulus_kind"][5])]
    assert kind["name"] == "Step"
    values = dict(zip(kind["parameters"], group["stimulus_parameters"][5], strict=False))
    assert values["amplitude_na"] == Store.open(made).stimulus(5).amplitude_na  # type: ignore[attr-defined]
    digest = hashlib.sha256()
    for name in ("stimulus_kind", "stimulus_parameters", "model_index", "split", "seed"):
        array = group[name]
        digest.update(f"{name}:{array.dtype}:{array.shape}\n".encode() + array[...].tobytes())
    assert digest.hexdigest() == group.attrs["plan_digest"]


BROKEN = {
    "another version": (
        lambda path: edit_attributes(path, lambda a: a.update(schema_version=2)),
        "schema version 2; this noble reads version 1",
    ),
    "another schema": (lambda path: edit_attributes(path, lambda a: a.update(schema="x")), "not a noble-store"),
    "an attribute lost": (lambda path: edit_attributes(path, lambda a: a.pop("protocol")), "no attribute protocol"),
    "chunks lost": (lambda path: (path / "voltage/c/9/0").unlink(), "run noble generate again to finish"),
    "an array lost": (lambda path: shutil.rmtree(path / "voltage"), "no array voltage"),
    "plan lost": (lambda path: (path / "model_index/c/0").unlink(), "plan"),
    "features lost": (lambda path: (path / "model_features/c/0/0").unlink(), "not finite"),
    "no metadata": (lambda path: (path / "zarr.json").unlink(), "not a readable Zarr group"),
    "nothing": (lambda path: shutil.rmtree(path), "not a folder"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_stores_say_so(copy, name):
    damage, message = BROKEN[name]
    damage(copy)
    with pytest.raises(ValueError, match=message):
        Store.open(copy)
    assert any(message in problem for problem in check_store(copy))
