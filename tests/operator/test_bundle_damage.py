"""Bundles that are damaged, edited or hostile are refused in one sentence that names the file."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from broken_bundles import edit, seal
from safetensors.torch import load_file, save_file

from noble.operator import FeatureSpec, FnoConfig, Operator, bundle
from noble.operator.spiking.config import SpikePhaseConfig
from noble.traces import TimeGrid

SPEC = FeatureSpec.fit(np.array([[0.1, 100.0], [1 / 3, 100.0], [0.1, 300.0]]), ("i_thr", "s_thr"), ("nA", "Hz/nA"))
GATE = "core.network.layers.1.gate"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    grid = TimeGrid.spanning(100.0, dt_ms=0.7)
    operator = Operator.build(FnoConfig(layers=2, width=8, modes=16), SPEC, grid, seed=1)
    operator.save(tmp_path / "bundle", card="# A card\n", metrics={"unseen_currents": {"traces": 3}})
    return tmp_path / "bundle"


def refusal(folder: Path) -> str:
    """What loading a bundle says, which is one sentence after the file's name and what to do about it."""
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        Operator.load(folder)
    text = str(caught.value)
    assert type(caught.value) is ValueError
    assert len(text) < 700 + len(str(folder))
    return text


def give_gate(folder: Path, gate: torch.Tensor) -> None:
    save_file(load_file(folder / "model.safetensors") | {GATE: gate}, folder / "model.safetensors")
    seal(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "card.md", "metrics.json"])
def test_one_flipped_bit_is_found_in_every_file(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[-2] ^= 1
    (folder / name).write_bytes(bytes(content))
    assert name in refusal(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "card.md", "metrics.json"])
def test_a_file_of_another_bundle_is_found(folder, tmp_path, name):
    other = Operator.build(FnoConfig(layers=2, width=8, modes=16), SPEC, TimeGrid.spanning(100.0, dt_ms=0.7), seed=2)
    other.save(tmp_path / "other", card="# Another\n")
    (folder / name).write_bytes((tmp_path / "other" / name).read_bytes())
    assert f"{name} is not the file that the bundle was saved with (its SHA-256 differs)" in refusal(folder)


def test_a_manifest_that_is_missing_or_covers_less_is_refused(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]["card.md"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert "expected card.md, config.json, metrics.json, model.safetensors" in refusal(folder)
    (folder / "manifest.json").unlink()
    assert "manifest.json is missing" in refusal(folder)


def test_truncated_weights_are_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "its SHA-256 differs" in refusal(folder)
    seal(folder)
    assert "not a readable safetensors file" in refusal(folder)


def test_broken_json_is_refused(folder):
    path = folder / "config.json"
    path.write_text(path.read_text()[:-20])
    assert "it is not valid JSON" in refusal(folder)
    path.write_text("[]")
    assert "holds a JSON list; expected an object" in refusal(folder)
    path.write_text('{"a":' * 100_000 + "1" + "}" * 100_000)
    assert "nested too deeply" in refusal(folder)
    path.write_text('{"schema_version": NaN}')
    assert "NaN is not a number" in refusal(folder)


@pytest.mark.parametrize("version", [1, None, "2", "3", [3]])
def test_another_schema_version_is_refused(folder, version):
    edit(folder, schema_version=version)
    assert f"schema version {version}; this release reads versions 2 and 3" in refusal(folder)


def test_unknown_keys_are_refused_by_name(folder):
    edit(folder, colour="blue")
    assert "colour: Extra inputs are not permitted" in refusal(folder)


def test_unknown_operator_keys_and_kinds_are_refused(folder):
    operator = json.loads((folder / "config.json").read_text())["operator"]
    edit(folder, operator=operator | {"depth": 3})
    assert "operator.fno.depth: Extra inputs are not permitted" in refusal(folder)
    edit(folder, operator={"kind": "transformer"})
    assert "'transformer'" in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"grid": {"dt_ms": 0.06, "count": 10**12}}, "grid.count: Input should be less than or equal to 10000000"),
        ({"grid": {"dt_ms": 1e300, "count": 100}}, "grid.dt_ms"),
        ({"grid": {"dt_ms": 0, "count": 100}}, "grid.dt_ms"),
        ({"grid": {"dt_ms": None, "count": 100}}, "grid.dt_ms: Input should be a valid number"),
        ({"grid": {"dt_ms": "0.06", "count": 100}}, "grid.dt_ms: Input should be a valid number"),
        ({"grid": {"dt_ms": True, "count": 100}}, "grid.dt_ms: Input should be a valid number"),
        ({"grid": {"dt_ms": 0.06, "count": 100.5}}, "grid.count: Input should be a valid integer"),
        ({"units": {"time": "s", "voltage": "mV", "current": "nA"}}, "units are"),
        ({"provenance": {"hall": {"name": ["human-pv"]}}}, "provenance: hall.name: Input should be a valid string"),
        ({"provenance": None}, "provenance: Input should be"),
        ({"scope": {"kinds": []}}, "scope.kinds"),
        ({"operator": {"kind": "fno", "layers": 10**9}}, "operator.fno.layers: Input should be less than or equal to"),
        (
            {"operator": {"kind": "fno", "layers": 100, "width": 500, "modes": 10_000}},
            "operator.fno: 100 layers of 500 channels",
        ),
        ({"operator": {"kind": "spike-phase", "width": 10**12}}, "operator.spike-phase.width: Input should be less"),
        ({"operator": {"kind": "spike-phase", "token_ms": 1e-9}}, "operator.spike-phase.token_ms"),
        ({"operator": {"kind": "fno", "output_scale_mv": 1e300}}, "operator.fno.output_scale_mv"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_that_no_operator_has_are_refused(folder, changes, said):
    edit(folder, **changes)
    assert said in refusal(folder)


def test_weights_of_another_shape_are_refused(folder):
    operator = json.loads((folder / "config.json").read_text())["operator"]
    edit(folder, operator=operator | {"width": 9})
    assert "weight core.network.layers.0.gate is (8,), but config.json describes (9,)" in refusal(folder)


def test_weights_that_lack_a_tensor_are_refused(folder):
    weights = load_file(folder / "model.safetensors")
    del weights[GATE]
    save_file(weights, folder / "model.safetensors")
    seal(folder)
    assert "layers.1.gate is missing, but config.json describes (8,)" in refusal(folder)


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        (torch.full((8,), torch.nan), f"weight {GATE} holds nan; expected finite values up to 1e+06"),
        (torch.full((8,), -torch.inf), f"weight {GATE} holds inf"),
        (torch.full((8,), 1e30), f"weight {GATE} holds 1e+30"),
        (torch.ones(8, dtype=torch.int64), f"weight {GATE} is int64; expected float32"),
        (torch.ones(8, dtype=torch.float64), f"weight {GATE} is float64; expected float32"),
    ],
    ids=["nan", "infinite", "implausible", "whole", "double"],
)
def test_weights_that_no_training_gives_are_refused(folder, gate, said):
    give_gate(folder, gate)
    assert said in refusal(folder)


def test_weights_in_half_precision_are_refused(folder):
    weights = {name: value.half() for name, value in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors")
    seal(folder)
    assert "is float16; expected float32 or float64" in refusal(folder)


def test_a_weight_may_be_as_large_as_the_bound(folder):
    give_gate(folder, torch.full((8,), -1e6))
    assert torch.equal(Operator.load(folder).state_dict()[GATE], torch.full((8,), -1e6))


def test_a_pipe_or_a_folder_in_place_of_a_file_is_refused(folder):
    (folder / "card.md").unlink()
    os.mkfifo(folder / "card.md")
    assert "not a complete bundle: card.md missing" in refusal(folder)
    (folder / "card.md").unlink()
    (folder / "card.md").mkdir()
    assert "not a complete bundle: card.md missing" in refusal(folder)


def test_metrics_that_are_no_sections_are_refused(folder):
    (folder / "metrics.json").write_text('{"unseen_currents": 3}')
    seal(folder)
    assert "metrics.json: unseen_currents is int; expected a section" in refusal(folder)
    with pytest.raises(ValueError, match="unseen_models is str; expected a section"):
        bundle.revise(folder, metrics={"unseen_models": "good"})


def test_a_card_changed_by_hand_is_sealed_by_revise(folder):
    (folder / "card.md").write_text("# A better card\n")
    assert "card.md is not the file" in refusal(folder)
    before = (folder / "model.safetensors").read_bytes()
    bundle.revise(folder, card=(folder / "card.md").read_text())
    Operator.load(folder)
    assert (folder / "card.md").read_text() == "# A better card\n"
    assert (folder / "model.safetensors").read_bytes() == before
    assert bundle.read_metrics(folder) == {"unseen_currents": {"traces": 3}}


def test_revise_keeps_nothing_that_is_damaged(folder):
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(ValueError, match=r"metrics.json is not the file that the bundle was saved with"):
        bundle.revise(folder, card="# Another\n")
    assert (folder / "card.md").read_text() == "# A card\n"


@pytest.mark.parametrize("kind", [FnoConfig, SpikePhaseConfig])
def test_bounds_of_sizes_are_in_nobodys_way(kind):
    """Each size of the default may be four times as large, alone."""
    default = kind()
    for name, value in default.model_dump().items():
        if isinstance(value, int) and value:
            kind.model_validate({name: 4 * value})
