"""Every command that takes an operator, with one of a recorded neuron: it answers, or says in a sentence why it cannot."""

import json

import pytest

from lone_neuron import lone_bundle
from nwb_files import good, write_nwb

STEP = ("--onset", 10, "--length", 100, "--window", 150, "--dt", 0.1)


@pytest.fixture
def twin(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lone_bundle(tmp_path / "twin")


def test_predict_needs_no_feature_and_takes_none(noble, twin):
    result = noble("predict", "twin", "--step", 0.3, "--step", 0.1, *STEP, "-o", "out.csv")
    assert result.code == 0, result.err
    assert "warning" not in result.err
    assert (twin.parent / "out.csv").is_file()
    for given in (("--features", "rheobase=0.1"), ("--hall", "stylised-pv")):
        error = noble("predict", "twin", "--step", 0.3, *STEP, *given).error
        assert "but this operator has no features: it is one neuron" in error


def test_fi_finds_the_threshold_by_itself(noble, twin):
    result = noble("fi", "twin", *STEP, "--count", 30, "--json", "fi.json", "-o", "figures")
    assert result.code == 0, result.err
    assert "one neuron x 30 amplitudes" in result.out
    assert "pA apart: rheobase" in result.out
    told = json.loads((twin.parent / "fi.json").read_text())
    assert (told["models"], told["neurons"], told["per_model"]) == ("one neuron", 1, [])
    assert told["rheobase_na"] in told["amplitudes_na"]
    assert told["median_hz"][-1] > 50
    assert told["made_by"]["bundle"]["hall"] is None
    assert (twin.parent / "figures" / "fi.png").is_file()
    assert "a comparison with simulated models needs neurons that differ" in noble("fi", "twin", "--simulate", 3).error


def test_compare_holds_the_neuron_beside_a_recording_and_says_that_it_has_no_spread(noble, twin):
    pytest.importorskip("pynwb")
    write_nwb(twin.parent / "cell.nwb", [good(-0.1), good(-0.1), good(0.2, [10, 30, 80]), good(0.2, [10, 30])])
    result = noble("compare", "twin", "cell.nwb", "--json", "numbers.json", "-o", "page")
    assert result.code == 0, result.err
    assert "one neuron beside cell.nwb" in result.out
    assert "one neuron has no spread over a family" in result.out
    told = json.loads((twin.parent / "numbers.json").read_text())
    assert (told["models"], told["neurons"]) == ("one neuron", 1)
    assert "seed" not in told
    assert told["summary"]["voltage_base"]["spread_ratio"] is None
    page = (twin.parent / "page" / "index.html").read_text()
    assert "One neuron beside the recording cell.nwb" in page
    assert (twin.parent / "page" / "z_scores.png").is_file()
    assert not (twin.parent / "page" / "spreads.png").exists()


def test_report_info_and_card_say_one_neuron(noble, twin):
    noble("fi", "twin", *STEP, "--count", 5, "-o", "results")
    assert noble("report", "twin", "results").code == 0
    page = (twin.parent / "results" / "report.html").read_text()
    assert "one neuron, recorded in cell.nwb" in page
    assert "models it learned" not in page
    assert "none: one neuron, recorded in cell.nwb" in noble("info", "twin").out
    card = (twin / "card.md").read_text()
    assert card.startswith("# cell.nwb: a spike-feedback operator")
    assert "the neuron that was recorded in `cell.nwb` under sampled currents from -0.2 to 0.4 nA" in card
    assert "Learned from a recording; no biophysical model stands behind it." in card
    assert "hull" not in card


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ensemble", "twin"), "was recorded (cell.nwb): it learned no models"),
        (("ensemble", "twin", "--hall", "stylised-pv"), "was recorded (cell.nwb): it learned no models"),
        (("compare", "twin", "cell.nwb", "--models", "hull"), "the family 'hull' needs neurons that differ"),
        (("compare", "twin", "cell.nwb", "--hall", "stylised-pv"), "it learned no models of a hall"),
        (("fi", "twin", "--models", "hall"), "the family 'hall' needs neurons that differ"),
        (("map", "twin"), "a map needs neurons that differ in their features, but this operator has no features"),
        (("bench", "twin"), "it learned no models of a hall"),
        (("resolution", "twin"), "it learned no models of a hall"),
        (("evaluate", "twin", "--fresh", 3), "it learned no models of a hall"),
        (("evaluate", "twin", "store.zarr"), "it learned no models of a hall"),
        (("finetune", "twin", "store.zarr"), "it learned no models of a hall"),
    ],
)
def test_what_needs_a_family_or_a_hall_is_refused(noble, made, twin, arguments, message):
    if "cell.nwb" in arguments:
        pytest.importorskip("pynwb")
        write_nwb(twin.parent / "cell.nwb", [good(-0.1)])
    arguments = [made / "store.zarr" if item == "store.zarr" else item for item in arguments]
    result = noble(*arguments)
    assert result.code == 2
    assert message in result.error
    assert result.error.endswith(".")
