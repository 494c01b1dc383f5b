"""`noble compare`: a bundle beside an NWB file."""

import json

import numpy as np
import pytest

from noble.cells import HallOfFame
from noble.features import FEATURE_NAMES
from nwb_files import Written, answer_mv, good, step_na, write_nwb

pytest.importorskip("pynwb")

HALL = ("--hall", "stylised-pv")  # which the bundle of these tests does not record


@pytest.fixture
def files(place):
    """Two steps of two trials, a sweep without a step, one under a holding current and one of another length."""
    sweeps = [
        good(-0.1),
        good(-0.1),
        good(0.2, [10, 30, 80]),
        good(0.2, [10, 30]),
        Written(answer_mv(0), step_na(0), protocol="Rest"),
        good(0.2, bias_na=0.05),
        Written(answer_mv(0.2, offset_ms=100), step_na(0.2, offset_ms=100), protocol="Short"),
    ]
    write_nwb(place / "cell.nwb", sweeps)
    return place


def test_tables_json_and_page(noble, files):
    result = noble("compare", "bundle", "cell.nwb", *HALL, "--json", "numbers.json", "-o", "page")
    assert result.code == 0, result.err
    for name in FEATURE_NAMES:
        assert name in result.out
    assert "not used: response_004: no rectangular step was found in its stimulus." in result.out
    assert "not used: response_005: it was recorded under a holding current of 0.05 nA" in result.out
    assert "not used: response_006: its step lasts 40 ms; expected 100 ms, as most steps do." in result.out
    numbers = json.loads((files / "numbers.json").read_text())
    assert numbers["models"] == "hall"
    assert numbers["neurons"] == len(HallOfFame.load("stylised-pv").train)
    assert numbers["protocol"]["step_ms"] == 100
    assert set(numbers["recording"]["unusable"]) == {"response_004", "response_005", "response_006"}
    assert [(step["amplitude_na"], step["trials"]) for step in numbers["steps"]] == [(-0.1, 2), (0.2, 2)]
    missing = [name for name, row in numbers["summary"].items() if row["missing_at_na"] == [0.2]]
    assert "AP1_width" in missing  # an untrained operator does not fire
    assert f"only the recording has, at 0.2 nA: {', '.join(missing)}" in result.out
    counts = numbers["steps"][1]["features"]["Spikecount"]["recorded"]
    assert (counts["median"], counts["sd"]) == (2.5, pytest.approx(np.sqrt(0.5)))
    text = (files / "page" / "index.html").read_text()
    assert "noble compare bundle cell.nwb --hall stylised-pv --json numbers.json -o page" in text
    for name in ("fi", "voltage", "z_scores", "spreads"):
        assert (files / "page" / f"{name}.png").is_file()


def test_a_drawn_family_one_protocol_and_a_junction_potential(noble, files):
    options = ("--models", "hull", "--n", 3, "--seed", 4, "--protocol", "Short", "--junction-potential", 14)
    result = noble("compare", "bundle", "cell.nwb", *options, *HALL, "--json", "numbers.json")
    assert result.code == 0, result.err
    numbers = json.loads((files / "numbers.json").read_text())
    assert (numbers["models"], numbers["neurons"], numbers["seed"]) == ("hull", 3, 4)
    assert numbers["protocol"]["step_ms"] == pytest.approx(40)
    assert numbers["recording"]["junction_potential_mv"] == 14
    [step] = numbers["steps"]
    assert step["features"]["voltage_base"]["recorded"]["median"] == pytest.approx(-84)
    assert "response_000: its protocol is 'LongSquare'; 'Short' was asked for." in result.out


def test_steps_beyond_the_training_currents_are_named(noble, files):
    from noble.operator import Operator, Scope

    bundle = Operator.load(files / "bundle")
    bundle.scope = Scope(kinds=("Step",), lowest_na=-0.2, highest_na=0.15, duration_ms=515.0, step_ms=60.0, dt_ms=0.06)
    bundle.save(files / "narrow")
    result = noble("compare", "narrow", "cell.nwb", *HALL, "--models", "disc:0:0.1", "--n", 2)
    assert result.code == 0, result.err
    assert "0.2 nA: beyond the currents of the training, where the operator extrapolates" in result.out
    assert "steps of 100 ms: longer than the 60 ms of the training" in result.out


def test_an_operator_that_is_not_causal_says_which_window_it_knows(noble, files):
    from noble.operator import FnoConfig, Operator
    from noble.traces import TimeGrid

    spec, grid = Operator.load(files / "bundle").spec, TimeGrid.spanning(515.0, dt_ms=0.06)
    Operator.build(FnoConfig(layers=1, width=4, modes=8), spec, grid, seed=1).save(files / "fno")
    result = noble("compare", "fno", "cell.nwb", *HALL, "--json", "numbers.json", "-o", "page")
    assert result.code == 2
    assert "this fno operator was trained on 514.98 ms" in result.error
    assert not (files / "numbers.json").exists()
    assert not (files / "page").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("none.nwb",), "there is no recording none.nwb; expected NWB 1 or 2 (.nwb), Axon"),
        (("held.nwb",), "has no sweep that an operator can answer alike; response_000, one of 1: it was recorded"),
        (("cell.nwb", "--models", "ring"), "the family 'ring' is unknown"),
        (("cell.nwb", "--protocol", "Ramp"), "has no usable sweep of protocol 'Ramp'"),
    ],
)
def test_bad_input_is_one_sentence_and_no_file(noble, files, options, message):
    write_nwb(files / "held.nwb", [good(0.2, bias_na=0.05)])
    result = noble("compare", "bundle", *options, *HALL, "--json", "numbers.json", "-o", "page")
    assert result.code == 2
    assert message in result.error
    assert not (files / "numbers.json").exists()
    assert not (files / "page").exists()
