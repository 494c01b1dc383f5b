import hashlib
import json
import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from fake_family import FakeHall, OhmicResponder, small_config

from noble.data import StimulusMix, Store, TraceCounts, check_store, generate, migrate


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
    part = group["parts/0"]
    voltage = part["voltage"]
    facts = voltage.attrs
    by_hand = voltage[5].astype(float) * facts["scale"] + facts["offset"]
    assert np.allclose(by_hand, Store.open(made).voltage_mv([5])[0], atol=1e-5)
    kind = part.attrs["stimulus_kinds"][int(part["stimulus_kind"][5])]
    assert kind["name"] == "Step"
    values = dict(zip(kind["parameters"], part["stimulus_parameters"][5], strict=False))
    assert values["amplitude_na"] == Store.open(made).stimulus(5).amplitude_na  # type: ignore[attr-defined]
    digest = hashlib.sha256()
    for name in ("stimulus_kind", "stimulus_parameters", "model_index", "split", "seed"):
        array = part[name]
        digest.update(f"{name}:{array.dtype}:{array.shape}\n".encode() + array[...].tobytes())
    assert digest.hexdigest() == part.attrs["plan_digest"]
    for chunk in range(10):
        content = (made / f"parts/0/voltage/c/{chunk}/0").read_bytes()
        assert hashlib.sha256(content).digest() == part["index/chunk_sha256"][chunk].tobytes()
    offsets, times = part["index/spike_offsets"][...], part["index/spike_times_ms"][...]
    assert times[offsets[5] : offsets[6]].tolist() == Store.open(made).spikes([5])[0].tolist()


def rewrite(path, name, values):
    """Other values for an array of a part, as Zarr writes them."""
    zarr.open_group(path / "parts/0", mode="r+")[name][...] = values  # type: ignore[index]


BROKEN = {
    "another version": (
        lambda path: edit_attributes(path, lambda a: a.update(schema_version=3)),
        "schema version 3; this noble reads versions 1 and 2",
    ),
    "another schema": (lambda path: edit_attributes(path, lambda a: a.update(schema="x")), "not a noble-store"),
    "an attribute lost": (lambda path: edit_attributes(path, lambda a: a.pop("protocol")), "no attribute protocol"),
    "an attribute of the part lost": (
        lambda path: edit_attributes(path, lambda a: a.pop("seed"), "parts/0"),
        "no attribute seed",
    ),
    "the scale changed": (
        lambda path: edit_attributes(path, lambda a: a.update(scale=0.008), "parts/0/voltage"),
        "'scale': 0.008",
    ),
    "the configuration changed": (
        lambda path: edit_attributes(path, lambda a: a["config"]["amplitude"].update(high_na=0.5), "parts/0"),
        "not those that were written",
    ),
    "the hall changed": (
        lambda path: edit_attributes(path, lambda a: a["hall"].update(digest="1" * 64)),
        "not those that were written",
    ),
    "a feature renamed": (
        lambda path: edit_attributes(path, lambda a: a.update(names=["s_thr", "i_thr", "x"]), "model_features"),
        "not those that were written",
    ),
    "names and units apart": (
        lambda path: edit_attributes(path, lambda a: a.update(names=["s_thr"]), "model_features"),
        "names",
    ),
    "chunks lost": (lambda path: (path / "parts/0/voltage/c/9/0").unlink(), "run noble generate again to finish"),
    "index lost": (lambda path: shutil.rmtree(path / "parts/0/index"), "index"),
    "digests lost": (lambda path: (path / "parts/0/index/chunk_sha256/c/0/0").unlink(), "has lost or changed a part"),
    "no digests": (
        lambda path: edit_attributes(path, lambda a: a.pop("content_sha256"), "parts/0/index"),
        "has lost or changed a part",
    ),
    "an array lost": (lambda path: shutil.rmtree(path / "parts/0/voltage"), "no array voltage"),
    "plan lost": (lambda path: (path / "parts/0/model_index/c/0").unlink(), "plan"),
    "plan changed": (lambda path: rewrite(path, "seed", 1), "lost or changed a part of its plan"),
    "plan damaged": (lambda path: (path / "parts/0/seed/c/0").write_bytes(b"abc"), "seed of .* cannot be read"),
    "features lost": (lambda path: (path / "model_features/c/0/0").unlink(), "not finite"),
    "no metadata": (lambda path: (path / "zarr.json").unlink(), "not a readable Zarr group"),
    "no parts": (lambda path: shutil.rmtree(path / "parts/0"), "has no parts"),
    "nothing": (lambda path: shutil.rmtree(path), "not a folder"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_stores_say_so(copy, name):
    damage, message = BROKEN[name]
    damage(copy)
    with pytest.raises(ValueError, match=message) as caught:
        Store.open(copy)
    assert "\n" not in str(caught.value)
    assert any(re.search(message, problem) for problem in check_store(copy))


def test_a_chunk_that_is_anothers_is_found(copy):
    files = [copy / f"parts/0/voltage/c/{chunk}/0" for chunk in (2, 3)]
    files[0].write_bytes(files[1].read_bytes())
    store = Store.open(copy)
    store.voltage_mv([0])
    with pytest.raises(ValueError, match=r"voltage chunk 2 of .* is not the one that was written; delete its file"):
        store.voltage_mv([9])
    assert len(check_store(copy)) == 1
    # As it says: the file is deleted, and generation makes the chunk again.
    files[0].unlink()
    whole = generate(small_config(), FakeHall(), copy, responder_factory=OhmicResponder())
    assert whole.voltage_mv([9]).shape == (1, 530)
    assert check_store(copy) == []


def test_a_damaged_chunk_is_one_sentence(copy):
    for content in (b"", b"abc", (copy / "parts/0/voltage/c/2/0").read_bytes()[:-9]):
        (copy / "parts/0/voltage/c/2/0").write_bytes(content)
        with pytest.raises(ValueError, match=r"chunk 2 of .* is not the one that was written|is cut short"):
            Store.open(copy).voltage_mv([9])


# --- version 1

ARCHIVE = Path(__file__).parents[1] / "archive" / "store-schema-1.zarr"
DIGEST_1 = "fb74cc7534de63aab083b4efdca87318fbbac08b9d7bccd1d590b6965a4c5b34"
KINDS_1 = ["Step", "Chirp", "Ramp", "OrnsteinUhlenbeck", "OrnsteinUhlenbeck", "Chirp", "Step", "Chirp", "Step"]


def same_as_archive(store: Store) -> None:
    """What the code of version 1 wrote: Ohm's law around -80 mV."""
    assert store.digest == DIGEST_1
    assert [type(store.stimulus(row)).__name__ for row in range(9)] == KINDS_1
    assert [store.indices(split).size for split in ("train", "validation", "test", "unseen_models")] == [8, 2, 2, 2]
    resistance = store.feature_table[store.model_index, store.feature_names.index("input_resistance")][:, None]
    current = store.current_na(range(14))
    assert np.abs(current).max(axis=1).min() > 0
    assert np.abs(store.voltage_mv(range(14)) - (-80 + resistance * current)).max() < 0.005
    assert store.spikes(range(14)).counts.tolist() == [0] * 14
    assert store.grid.count == 60
    assert store.attributes["config"]["seed"] == store.attributes["seed"] == 7


def test_a_store_of_version_1_is_read():
    same_as_archive(Store.open(ARCHIVE))
    assert check_store(ARCHIVE) == []


def test_a_store_of_version_1_is_migrated(tmp_path):
    seen = []
    migrate(ARCHIVE, tmp_path / "new.zarr", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 4) for done in range(5)]
    same_as_archive(Store.open(tmp_path / "new.zarr"))
    assert check_store(tmp_path / "new.zarr") == []
    for chunk in range(4):
        old, new = (path / f"voltage/c/{chunk}/0" for path in (ARCHIVE, tmp_path / "new.zarr/parts/0"))
        assert old.read_bytes() == new.read_bytes()
    with pytest.raises(ValueError, match="exists; give the migrated store a new name"):
        migrate(ARCHIVE, tmp_path / "new.zarr")
    with pytest.raises(ValueError, match="is of schema version 2; only version 1 is migrated"):
        migrate(tmp_path / "new.zarr", tmp_path / "newer.zarr")


def archived_config(**changes):
    window = {"onset_ms": 5.0, "step_ms": 40.0, "window_ms": 55.0, "tail_margin_ms": 5.0}
    mix = StimulusMix(step=1, ramp=1, chirp=1, ornstein_uhlenbeck=1)
    traces = TraceCounts(train=8, validation=2, test=2, unseen_models=2)
    return small_config(**{"mix": mix, "traces": traces, **window, **changes})


def test_a_store_of_version_1_goes_on_after_migration(tmp_path):
    old = shutil.copytree(ARCHIVE, tmp_path / "old.zarr")
    assert len(generate(archived_config(), FakeHall(), old)) == 14  # complete: nothing to do
    with pytest.raises(ValueError, match="earlier schema version; run noble migrate"):
        generate(archived_config(seed=8), FakeHall(), old, responder_factory=OhmicResponder(), append=True)
    (old / "voltage/c/2/0").unlink()
    with pytest.raises(ValueError, match=r"earlier schema version and not complete .* Run noble migrate"):
        generate(archived_config(), FakeHall(), old, responder_factory=OhmicResponder())
    migrate(old, tmp_path / "new.zarr")
    generate(archived_config(), FakeHall(), tmp_path / "new.zarr", responder_factory=OhmicResponder())
    same_as_archive(Store.open(tmp_path / "new.zarr"))
    generate(
        archived_config(seed=8), FakeHall(), tmp_path / "new.zarr", responder_factory=OhmicResponder(), append=True
    )
    assert check_store(tmp_path / "new.zarr") == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
@pytest.mark.parametrize("file", ["zarr.json", "parts/0/split/zarr.json", "parts/0/voltage/zarr.json"])
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(copy, file):
    (copy / file).unlink()
    os.mkfifo(copy / file)
    with pytest.raises(ValueError, match="is no regular file"):
        Store.open(copy)
