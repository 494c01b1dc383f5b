"""`noble twin` and `noble reliability`, as a user types them."""

import json

import pytest

import recorded_neuron as neuron

QUICK = """
operator: {bin_ms: 1.0, ahead_ms: 1.0, width: 8, hidden: 8, blocks: 1, filters: 6, cell: 8, averages: 6, address: 2, shapes: 4,
  shape_width: 8}
steps: 20
seeds: 1
validate_every: 10
batch_ms: 6000
window_ms: 1000
settle_ms: 200
learning_rate: 0.01
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A training recording, a folder of repeats, and a quick configuration."""
    folder = tmp_path_factory.mktemp("cell")
    (folder / "quick.yaml").write_text(QUICK)
    neuron.write_columns(neuron.of_noise(6000.0).raw[0], folder / "training.csv")
    (folder / "repeats").mkdir()
    for number, sweep in enumerate(neuron.of_repeats(4, 2000.0).raw):
        neuron.write_columns(sweep, folder / "repeats" / f"trial_{number}.csv")
    return folder


def test_from_a_recording_to_a_twin_beside_the_trials(noble, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    training, repeats = files / "training.csv", files / "repeats"
    config = files / "quick.yaml"
    result = noble("twin", training, "-o", "twin", "--config", config, "--test", repeats, "--json", "twin.json")
    assert result.code == 0, result.err
    assert "wrote twin" in result.out
    assert not (tmp_path / "twin-training").exists()
    told = json.loads((tmp_path / "twin.json").read_text())
    for key in (
        "training_minutes",
        "reliability_4ms",
        "coincidence_4ms",
        "coincidence_over_reliability_4ms",
        "md_star_8ms",
    ):
        assert isinstance(told[key], float), key
    assert "coincidence over it" in (tmp_path / "twin" / "card.md").read_text()

    result = noble("reliability", repeats, "--twin", "twin", "--trials", 20, "--json", "r.json", "-o", "trials.png")
    assert result.code == 0, result.err
    assert "4 trials of 2 s" in result.out
    again = json.loads((tmp_path / "r.json").read_text())
    assert again["coincidence_8ms"] == pytest.approx(told["coincidence_8ms"])
    assert again["training_minutes"] == told["training_minutes"]
    assert (tmp_path / "trials.png").stat().st_size > 10_000

    result = noble("predict", "twin", "--step", 0.3, "--trials", 3, "-o", "traces.csv")
    assert result.code == 0, result.err


def test_the_neuron_alone(noble, files, tmp_path):
    result = noble("reliability", files / "repeats", "--start", 500, "--json", tmp_path / "r.json")
    assert result.code == 0, result.err
    told = json.loads((tmp_path / "r.json").read_text())
    assert (told["trials"], told["duration_ms"]) == (4, 1500)
    assert told["reliability_8ms"] > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--sweeps", "1-x"], "sweeps are '1-x'; expected numbers and ranges such as 0-5,8."),
        (["--sweeps", "7"], "has no sweep 7; expected one of 0 to 0."),
        (["--stop", 100], "to learn from; expected at least 2 s with 30"),
        (["--from", "human-vip"], "human-vip is a spike-phase operator; expected one that takes any current"),
        (["--test", "training.csv"], "none of the 1 sweeps of training.csv repeats the current of another"),
        (["--config", "no.yaml"], "no.yaml cannot be read"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(noble, files, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(files)
    result = noble("twin", "training.csv", "-o", tmp_path / "twin", *arguments)
    assert result.code == 2
    assert says in result.error
    assert not (tmp_path / "twin").exists()
    assert not (tmp_path / "twin-training").exists()
