"""`noble recording`: a table, a figure and JSON of what a recording holds."""

import json

import numpy as np
import pytest

from nwb_files import Written, answer_mv, good, step_na, write_nwb

pytest.importorskip("pynwb")

KEYS = {
    "number",
    "stimulus",
    "kind",
    "amplitude_na",
    "onset_ms",
    "offset_ms",
    "holding_na",
    "spikes",
    "rest_mv",
    "verdict",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two steps of two trials, a sweep without a step, and one in voltage clamp."""
    sweeps = [
        good(-0.1),
        good(-0.1),
        good(0.2, [10, 30, 80]),
        good(0.2, [10, 30]),
        Written(answer_mv(0), step_na(0), protocol="Rest"),
        Written(answer_mv(0), step_na(0), clamp="voltage"),
    ]
    write_nwb(tmp_path / "cell.nwb", sweeps)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_stimuli_levels_and_doubts(noble, folder):
    result = noble("recording", "cell.nwb", "--json", "cell.json", "-o", "cell.png")
    assert result.code == 0, result.err
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.out.splitlines() if "│" in line]
    assert [row[:4] for row in rows] == [["LongSquare", "steps", "4", "-0.1, 0.2 x 2"], ["Rest", "none", "1", "-"]]
    assert "5 of 6 sweeps are good" in result.out
    assert "unusable: response_005: it is a VoltageClampSeries" in result.out
    found = json.loads((folder / "cell.json").read_text())
    assert all(set(sweep) >= KEYS for sweep in found["sweeps"])
    assert [sweep["spikes"] for sweep in found["sweeps"]] == [0, 0, 3, 2, 0, None]
    assert [sweep["amplitude_na"] for sweep in found["sweeps"][:4]] == pytest.approx([-0.1, -0.1, 0.2, 0.2])
    assert (folder / "cell.png").stat().st_size > 10_000


def test_what_cannot_be_read_is_one_sentence(noble, folder):
    write_nwb(folder / "clamp.nwb", [Written(answer_mv(0), step_na(0), clamp="voltage")])
    result = noble("recording", "clamp.nwb")
    assert result.code == 2
    assert "has no current clamp that can be read; 1 sweep(s): it is a VoltageClampSeries" in result.err
    assert noble("recording", "missing.nwb").code == 2


def test_a_recording_without_steps_opens_and_has_no_targets(noble, folder):
    noise = np.random.default_rng(0).normal(0.0, 0.05, step_na(0).size // 10 + 1).repeat(10)[: step_na(0).size]
    write_nwb(folder / "noise.nwb", [Written(answer_mv(0), noise, protocol="Noise")])
    result = noble("recording", "noise.nwb")
    assert result.code == 0, result.err
    assert "noise" in result.out
    result = noble("targets", "noise.nwb", "-o", "targets.json")
    assert result.code == 2
    assert "no current-clamp step that can be used" in result.err
