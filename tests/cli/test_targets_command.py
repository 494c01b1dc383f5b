"""`noble targets`: from a recording to a file of targets."""

import json

import numpy as np
import pytest

from nwb_files import Written, answer_mv, good, step_na, write_nwb

pytest.importorskip("pynwb")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A recording with two steps of two trials, and a sweep without a step."""
    sweeps = [
        good(-0.1),
        good(-0.1),
        good(0.2, [10, 30, 80]),
        good(0.2, [10, 30]),
        Written(answer_mv(0), step_na(0), protocol="Rest"),
    ]
    write_nwb(tmp_path / "cell.nwb", sweeps)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_table_of_the_steps_and_what_was_not_used(noble, folder):
    result = noble("targets", "cell.nwb", "-o", "targets.json", "--step-ms", 60, "--junction-potential", 14)
    assert result.code == 0, result.err
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.out.splitlines() if "│" in line]
    assert [row[:4] for row in rows] == [["-0.1", "2", "0 0", "6"], ["0.2", "2", "2 2", "12"]]
    assert "adaptation_index2" in rows[1][4]
    assert "not used: response_004: no rectangular step was found in its stimulus." in result.out
    assert "targets.json: targets of cell for a step of 60 ms" in result.out

    from noble.targets.targets import Targets

    targets = Targets.load(folder / "targets.json")
    assert (targets.step_ms, targets.junction_potential_mv) == (60, 14)
    assert targets.step(-0.1).features["voltage_base"].mean == pytest.approx(-84)


def test_the_same_as_json(noble, folder):
    result = noble("targets", "cell.nwb", "-o", "targets.json", "--json", "summary.json")
    assert result.code == 0, result.err
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["sweeps"] == 4
    assert summary["step_ms"] == 100
    assert [step["amplitude_na"] for step in summary["steps"]] == [-0.1, 0.2]
    assert summary["steps"][1]["spike_counts"] == [3, 2]
    assert summary["unusable"] == {"response_004": "no rectangular step was found in its stimulus."}


def test_a_rest_that_no_membrane_has_is_questioned(noble, folder):
    low, high = (Written(answer_mv(amplitude) + 60.0, step_na(amplitude)) for amplitude in (-0.1, 0.05))
    write_nwb(folder / "offset.nwb", [low, high])
    result = noble("targets", "offset.nwb", "-o", "targets.json")
    assert result.code == 0, result.err
    told = " ".join(result.out.split())
    assert "questionable: response_000, response_001: it rests at -10 mV, where -100 to -40 mV is expected" in told


def test_a_pattern_and_a_length_choose_among_stimuli(noble, folder):
    """Long squares under two names beside 3 ms squares, as in every patch-seq file."""
    short = Written(answer_mv(0), step_na(0.5) * (np.arange(step_na(0.5).size) < np.flatnonzero(step_na(0.5))[0] + 60))
    short.protocol = "SHSQ"
    long = [good(0.1, protocol="LS_1"), good(0.2, [10, 30], protocol="LS_2"), good(-0.1, protocol="LS_1")]
    write_nwb(folder / "many.nwb", [*long, short])
    assert "--step-ms" in noble("targets", "many.nwb", "-o", "all.json").error
    for options in (["--protocol", "LS*"], ["--protocol", "LS_1", "--protocol", "LS_2"], ["--step-ms", 100]):
        result = noble("targets", "many.nwb", "-o", "targets.json", "--json", "summary.json", *options)
        assert result.code == 0, result.err
        steps = json.loads((folder / "summary.json").read_text())["steps"]
        assert [step["amplitude_na"] for step in steps] == [-0.1, 0.1, 0.2]


def test_one_protocol_and_single_trials(noble, folder):
    write_nwb(folder / "two.nwb", [good(0.1), good(-0.1, protocol="Short"), good(0.2, [10, 30], protocol="Short")])
    result = noble("targets", "two.nwb", "-o", "targets.json", "--protocol", "Short", "--min-trials", 1)
    assert result.code == 0, result.err
    assert "not used: response_000: its protocol is 'LongSquare'; 'Short' was asked for." in result.out
    efeatures = json.loads((folder / "targets.json").read_text())["efeatures"]
    assert list(efeatures) == ["Step_-0.1", "Step_0.2"]
    assert np.all([item["val"][1] > 0 for step in efeatures.values() for item in step["soma.v"]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("none.nwb",), "there is no recording none.nwb; expected NWB 1 or 2 (.nwb), Axon"),
        (("text.nwb",), "text.nwb cannot be read as NWB"),
        (("cell.nwb", "--step-ms", 200), "cell.nwb has no step of 200 ms; the longest lasts 100 ms"),
        (("cell.nwb", "--min-trials", 3), "cell.nwb: -0.1 nA has 2, 0.2 nA has 2 of the 3 trials that a step needs"),
        (("cell.nwb", "--protocol", "Ramp"), "has no usable sweep of protocol 'Ramp'; its stimuli have LongSquare."),
        (("cell.nwb", "--electrode", "dendrite"), "has no electrode 'dendrite'; expected one of soma."),
        (("cell.nwb", "--junction-potential", 14000), "the junction potential is 14000 mV"),
    ],
)
def test_bad_input_is_one_sentence_and_no_file(noble, folder, options, message):
    (folder / "text.nwb").write_text("time, voltage")
    result = noble("targets", *options, "-o", "targets.json", "--json", "summary.json")
    assert result.code == 2
    assert message in result.error
    assert result.error.endswith(".")
    assert not (folder / "targets.json").exists()
    assert not (folder / "summary.json").exists()
