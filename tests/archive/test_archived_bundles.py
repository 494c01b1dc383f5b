"""A bundle of every older schema, written by the release of its time, is read on every run.

`bundle-schema-2` is an untrained spike-phase operator that noble 0.1 saved; `bundle-schema-2.json` holds what that release
predicted with it: every fifth sample of the voltage, and spike times.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from noble.files import file_sha256
from noble.operator import Operator, Scope, bundle
from noble.stimuli import from_dict
from noble.traces import TimeGrid

HERE = Path(__file__).parent
WEIGHTS_SHA256 = "a8d5935d4c86f6dd54246a6d389f12e7c85db3012890cc34a6866e169657b6f9"


@pytest.fixture
def archived(tmp_path: Path) -> Path:
    return Path(shutil.copytree(HERE / "bundle-schema-2", tmp_path / "made-up"))


def check_golden(operator: Operator) -> None:
    golden = json.loads((HERE / "bundle-schema-2.json").read_text())
    neurons = [dict(zip(golden["names"], row, strict=True)) for row in golden["features"]]
    grid = TimeGrid.spanning(golden["window_ms"], dt_ms=golden["dt_ms"])
    stimuli = [from_dict(stimulus) for stimulus in golden["stimuli"]]
    voltage_mv = operator.respond(neurons, stimuli, grid).voltage_mv[:, :: golden["every"]]
    np.testing.assert_allclose(voltage_mv, golden["voltage_mv"], atol=2e-3)
    trains = operator.spike_times(neurons, stimuli, grid)
    for found, expected in zip(trains, golden["spike_times_ms"], strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-3)
    assert len(trains[0]) > 5


def test_a_bundle_of_schema_2_answers_as_it_did(archived: Path) -> None:
    assert json.loads((archived / "config.json").read_text())["schema_version"] == 2
    operator = Operator.load(archived)
    check_golden(operator)
    # Recorded then as the configuration of the data set.
    assert operator.scope == Scope(
        kinds=("Step",), lowest_na=-0.11, highest_na=0.28, duration_ms=515.0, step_ms=400.0, dt_ms=0.06
    )
    assert operator.provenance["models"] == [0, 1, 2, 3, 4]
    expected = {"name": "made-up", "weights_sha256": WEIGHTS_SHA256, "hall": "made-up", "hall_digest": "b" * 64}
    assert bundle.identity(archived) == expected


def test_upgrading_changes_no_weight_and_no_answer(archived: Path) -> None:
    before = {path.name: path.read_bytes() for path in archived.iterdir()}
    identity, scope = bundle.identity(archived), Operator.load(archived).scope
    bundle.upgrade(archived)
    assert {path.name for path in archived.iterdir()} == {*before, "manifest.json"}
    for name in ("model.safetensors", "card.md", "metrics.json"):
        assert (archived / name).read_bytes() == before[name]
    config = json.loads((archived / "config.json").read_text())
    assert config["schema_version"] == 3
    assert config["provenance"] == json.loads(before["config.json"])["provenance"]
    assert bundle.identity(archived) == identity
    upgraded = Operator.load(archived)
    assert upgraded.scope == scope
    check_golden(upgraded)
    manifest = json.loads((archived / "manifest.json").read_text())["files"]
    assert {name: entry["sha256"] for name, entry in manifest.items()} == {
        name: file_sha256(archived / name) for name in manifest
    }


def test_upgrading_twice_is_upgrading_once(archived: Path) -> None:
    bundle.upgrade(archived)
    once = {path.name: path.read_bytes() for path in archived.iterdir()}
    bundle.upgrade(archived)
    assert {path.name: path.read_bytes() for path in archived.iterdir()} == once


def test_damaged_weights_of_schema_2_are_found(archived: Path) -> None:
    content = bytearray((archived / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (archived / "model.safetensors").write_bytes(bytes(content))
    with pytest.raises(ValueError, match="its SHA-256 differs"):
        Operator.load(archived)


def test_a_bundle_that_does_not_record_its_data_has_no_scope(archived: Path) -> None:
    config = json.loads((archived / "config.json").read_text())
    del config["provenance"]["generation"]
    (archived / "config.json").write_text(json.dumps(config))
    assert Operator.load(archived).scope is None
    config["provenance"]["generation"] = {"amplitude": {}}
    (archived / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"config.json: provenance.generation: .* amplitude.low_na: Field required"):
        Operator.load(archived)
