"""`noble ablate` as a user types it."""

import json
from pathlib import Path

import pytest

VARIANTS = """
train:
  operator: {kind: spike-phase, width: 12, hidden: 12, blocks: 1, slow_width: 12, filters: 8, shapes: 3, shape_width: 12}
  epochs: 1
  batch_size: 8
  max_shift_ms: 4.0
  loss: {waveform_points: 32}
  validation_limit: 8
variants:
  none: {features: []}
  2 models: {models: 2}
"""


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_each_variant_is_trained_once_and_compared(noble, place):
    command = ("ablate", "variants.yaml", "store.zarr", "-o", "out")
    Path("variants.yaml").write_text(VARIANTS.replace("epochs: 1", "epochs: 1\n  traces: 100000"))
    assert "ask for fewer" in noble(*command).error  # and then fewer may be asked for in the same folder
    Path("variants.yaml").write_text(VARIANTS)
    result = noble(*command, "--json", "out.json")
    assert result.code == 0, result.err
    for text in ("training none (1 of 2)", "training 2 models (2 of 2)", "errors, unseen models", "missed, %"):
        assert text in result.out
    found = json.loads(Path("out.json").read_text())
    none, two = found["variants"]["none"], found["variants"]["2 models"]
    assert none["features"] == 0 < two["features"]
    assert two["models"] == 2 < none["models"]
    assert none["metrics"]["unseen_models"]["traces"] > 0
    assert Path("out/ablation.png").stat().st_size > 10_000

    again = noble(*command)
    assert again.code == 0, again.err
    assert "training" not in again.out  # what is there is not made again
    assert json.loads(Path("out/ablation.json").read_text()) == found

    # Interrupted between training and evaluation, a bundle has no metrics: it is evaluated, not trained again.
    record = Path("out/none/bundle/metrics.json")
    record.write_text("{}")
    assert "evaluating none" in noble(*command).out
    assert json.loads(Path("out/ablation.json").read_text()) == found

    Path("variants.yaml").write_text(VARIANTS.replace("epochs: 1", "epochs: 2"))
    assert "holds a run of another configuration or store" in noble(*command).error


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_settings_are_chosen_on_validation_alone(noble, place):
    Path("variants.yaml").write_text(VARIANTS)
    result = noble("ablate", "variants.yaml", "store.zarr", "-o", "chosen", "--validation", "--json", "chosen.json")
    assert result.code == 0, result.err
    assert "validation split" in result.out
    assert "evaluating" not in result.out
    for found in json.loads(Path("chosen.json").read_text())["variants"].values():
        assert found["metrics"] == {}
        assert found["validation"]["val/score"] == pytest.approx(found["training_run"]["validation_score"], rel=1e-5)
    # Later the same runs can be compared on the test splits without training again.
    after = noble("ablate", "variants.yaml", "store.zarr", "-o", "chosen")
    assert after.code == 0, after.err
    assert "errors, unseen models" in after.out
