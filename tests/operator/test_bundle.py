import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from noble.files import file_sha256
from noble.operator import FeatureSpec, FnoConfig, Operator, bundle
from noble.stimuli import Step
from noble.traces import TimeGrid

SPEC = FeatureSpec.fit(np.array([[0.1, 100.0], [1 / 3, 100.0], [0.1, 300.0]]), ("i_thr", "s_thr"), ("nA", "Hz/nA"))
GRID = TimeGrid.spanning(100.0, dt_ms=0.7)
METRICS = {"unseen_currents": {"relative_l2_percent": np.float32(2.5), "coincidence_1ms": float("nan")}}


@pytest.fixture
def operator() -> Operator:
    return Operator.build(FnoConfig(layers=2, width=8, modes=16), SPEC, GRID, seed=1, provenance={"store": "abc"})


@pytest.fixture
def folder(operator, tmp_path) -> Path:
    operator.save(tmp_path / "runs" / "bundle", card="# A card\n", metrics=METRICS)
    return tmp_path / "runs" / "bundle"


def test_a_bundle_knows_the_current_that_its_models_are_held_by(operator, tmp_path):
    assert operator.holding_na == 0.0
    operator.provenance["hall"] = {"name": "held", "digest": "0" * 64, "holding_na": -0.02}
    operator.save(tmp_path / "held", card="# A card\n", metrics=METRICS)
    assert Operator.load(tmp_path / "held").holding_na == -0.02
    operator.provenance["hall"]["holding_na"] = "much"
    with pytest.raises(ValueError, match="holding_na"):
        operator.save(tmp_path / "wrong", card="# A card\n", metrics=METRICS)


def test_a_round_trip_is_bit_exact(operator, folder):
    loaded = Operator.load(folder)
    assert (loaded.config, loaded.spec, loaded.grid) == (operator.config, operator.spec, operator.grid)
    assert loaded.provenance == operator.provenance
    assert not loaded.training
    for name, value in operator.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    neuron, stimuli = {"rheobase": 0.15, "fi_gain": 150.0}, [Step(start_ms=10.0, stop_ms=60.0, amplitude_na=0.2)]
    before, after = (operator.respond(neuron, stimuli, GRID).voltage_mv for operator in (operator, loaded))
    np.testing.assert_array_equal(before, after)


def test_a_bundle_is_told_from_another_of_its_name(operator, folder, tmp_path):
    digest = file_sha256(folder / "model.safetensors")
    assert bundle.identity(folder) == {"name": "bundle", "weights_sha256": digest, "hall": None, "hall_digest": None}
    operator.provenance = {"hall": {"name": "made", "digest": "d" * 64}}
    operator.double().save(tmp_path / "other" / "bundle")
    other = bundle.identity(tmp_path / "other" / "bundle")
    assert (other["name"], other["hall"], other["hall_digest"]) == ("bundle", "made", "d" * 64)
    assert other["weights_sha256"] != digest
    with pytest.raises(FileNotFoundError, match="there is no bundle 'absent'"):
        bundle.identity("absent")


def test_double_precision_survives(operator, tmp_path):
    operator.double().save(tmp_path / "bundle")
    assert next(Operator.load(tmp_path / "bundle").parameters()).dtype == torch.float64


def test_a_bundle_is_five_readable_files(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.md",
        "config.json",
        "manifest.json",
        "metrics.json",
        "model.safetensors",
    ]
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]
    assert (folder / "card.md").read_text() == "# A card\n"
    assert bundle.read_metrics(folder) == {"unseen_currents": {"relative_l2_percent": 2.5, "coincidence_1ms": None}}
    config = json.loads((folder / "config.json").read_text())
    assert config["schema_version"] == 3
    assert config["units"] == {"time": "ms", "voltage": "mV", "current": "nA"}
    assert config["grid"] == {"dt_ms": 0.7, "count": 142}
    assert config["provenance"]["seed"] == 1
    assert config["provenance"]["store"] == "abc"
    assert set(config["provenance"]["versions"]) == {"noble-neuro", "torch", "numpy"}


def test_saving_again_replaces_the_older_bundle(operator, folder):
    operator.save(folder, card="# Another\n")
    assert (folder / "card.md").read_text() == "# Another\n"
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]
    Operator.load(folder)


def test_a_save_that_fails_leaves_the_older_bundle(operator, folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(TypeError):
        operator.save(folder, metrics={"unseen_currents": object()})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]


def test_a_folder_that_is_no_bundle_is_never_replaced(operator, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"holds thesis.tex, which is no part of a bundle"):
        operator.save(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "card.md", "metrics.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=f"not a complete bundle: {name} missing"):
        Operator.load(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no bundle '.*nowhere': no such folder, and not one of the shipped"):
        Operator.load(tmp_path / "nowhere")


def test_a_shipped_bundle_is_loaded_by_name(operator, tmp_path, monkeypatch):
    operator.save(tmp_path / "bundles" / "some-cell", metrics={"unseen_currents": {"traces": 3}})
    monkeypatch.setattr("noble.operator.bundle.locating.resources.files", lambda package: tmp_path)
    assert bundle.shipped_bundles() == ("some-cell",)
    assert torch.equal(next(Operator.load("some-cell").parameters()), next(operator.parameters()))
    assert bundle.read_metrics("some-cell") == {"unseen_currents": {"traces": 3}}
    with pytest.raises(FileNotFoundError, match=r"shipped bundles \(some-cell\)"):
        Operator.load("another-cell")


def test_loading_needs_neither_simulator_nor_trainer(folder):
    program = (
        "import sys; from noble.operator import Operator; Operator.load(sys.argv[1]); "
        "print(sorted({'arbor', 'neuron', 'lightning_fabric', 'zarr', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
