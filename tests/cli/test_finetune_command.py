"""`noble finetune` as a user types it."""

import json
from pathlib import Path

import pytest

from noble.operator import Operator as Operator
from noble.operator.bundle import read_metrics


@pytest.fixture
def start(tmp_path, monkeypatch) -> Path:
    """A folder with a store of steps of both signs and an untrained bundle that fits it, as the current one."""
    from spiking_family import TINY_PHASE, make_store

    from noble.data import AmplitudeConfig
    from noble.train.dataset import StoreData

    monkeypatch.chdir(tmp_path)
    both = AmplitudeConfig(low_na=-0.2, high_na=0.2, mode_na=-0.02, skewness=0.0, scale_na=0.1)
    make_store(tmp_path / "store.zarr", amplitude=both)
    data = StoreData("store.zarr", features=("rheobase", "fi_gain"), validation_limit=8, seed=0)
    facts = {"hall": data.store.attributes["hall"]}
    Operator.build(TINY_PHASE, data.feature_spec(), data.window, seed=1, provenance=facts).save("bundle")
    return tmp_path


COMMAND = ("finetune", "bundle", "store.zarr", "--epochs", 2, "--feature", "voltage_base", "--weight", 9)


def test_three_operators_are_compared_and_two_are_kept(noble, start):
    result = noble(*COMMAND, "-o", "out", "--json", "out.json")
    assert result.code == 0, result.err
    for text in ("before", "control", "finetuned", "voltage_base, relative rms error (%)", "AP1_width (ms)"):
        assert text in result.out
    found = json.loads(Path("out.json").read_text())
    assert (found["feature"], found["weight"], found["epochs"]) == ("voltage_base", 9, 2)
    assert list(found["operators"]) == ["before", "control", "finetuned"]
    for label in ("control", "finetuned"):
        tuned = Operator.load(Path("out", label))
        facts = tuned.provenance["fine_tuning"]
        assert facts["config"]["weight"] == (0 if label == "control" else 9)
        assert read_metrics(Path("out", label)) == found["operators"][label]["metrics"]
        card = Path("out", label, "card.md").read_text()
        assert "target: `voltage_base` on hyperpolarising steps" in card
        assert ("(a control: the term was off)" in card) == (label == "control")
    assert Path("out/finetune.png").stat().st_size > 10_000
    for operator in found["operators"].values():
        accuracy = operator["target"]["unseen_currents"]
        theirs, ours = found["values"]["unseen_currents"], operator["values"]["unseen_currents"]
        assert accuracy["traces"] == len(theirs) == len(ours) > 0
        errors = [abs(one - two) for one, two in zip(theirs, ours, strict=True)]
        assert accuracy["mean_absolute_error"] == pytest.approx(sum(errors) / len(errors))
        squares = sum(error**2 for error in errors) / sum(one**2 for one in theirs)
        assert accuracy["root_mean_square_error_percent"] == pytest.approx(100 * squares**0.5)

    again = noble(*COMMAND, "-o", "out")
    assert again.error == "out/runs/control holds a training run already; resume it, or train into another folder."
    resumed = noble(*COMMAND, "-o", "out", "--json", "again.json", "--resume")
    assert resumed.code == 0, resumed.err
    assert json.loads(Path("again.json").read_text())["operators"] == found["operators"]


@pytest.mark.slow
def test_everything_else_can_be_watched_on_another_store(noble, start):
    from spiking_family import make_store

    from noble.data import TraceCounts

    make_store(start / "other.zarr", traces=TraceCounts(train=4, validation=4, test=9, unseen_models=5), seed=3)
    result = noble(*COMMAND, "--watch", "other.zarr", "-o", "out", "--json", "out.json")
    assert result.code == 0, result.err
    found = json.loads(Path("out.json").read_text())
    assert found["store"] != found["watch"]
    assert [found["operators"]["before"]["metrics"][s]["traces"] for s in ("unseen_currents", "unseen_models")] == [
        9,
        5,
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--feature", "AP1_width"), "feature 'AP1_width' cannot be targeted"),
        (("--learning-rate", "0"), "optimiser.learning_rate is 0.0: Input should be greater than 0"),
    ],
)
def test_a_mistake_gets_one_sentence(noble, start, options, message):
    result = noble("finetune", "bundle", "store.zarr", *options)
    assert result.code == 2
    assert result.error.startswith(message)
    assert not (start / "finetune").exists()


def test_a_bundle_of_another_store_is_refused(noble, place):
    result = noble("finetune", "bundle", "store.zarr")
    assert result.code == 2
    assert "was trained on" in result.error
    assert not (place / "finetune").exists()
