"""`noble subsampling` as a user types it."""

import json
import re

import pytest

from checked_hall import checked_hall, targets


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checked_hall("a").save("a.json")
    targets().save("targets.json")
    return tmp_path


def test_decimation_is_measured_judged_printed_and_drawn(noble, here):
    pytest.importorskip("arbor")
    options = ("--targets", "targets.json", "--models", 1, "--factors", "1,3", "--amplitudes", "0.4,-0.05")
    result = noble("subsampling", "a.json", *options, "--json", "found.json", "-o", "figures")
    assert result.code == 0, result.err
    found = json.loads((here / "found.json").read_text())
    assert set(found["features"]) == {"voltage_base", "Spikecount"}
    assert found["amplitudes_na"] == [0.4, -0.05]
    assert [(row["factor"], row["low_pass"]) for row in found["samplings"]] == [(3, True), (3, False)]
    assert found["features"]["voltage_base"]["hall_error"] > 0
    text = " ".join(result.out.split())
    assert re.search(r"at most 10 % of the hall's: 0.0[26] ms with low-pass, 0.0[26] ms without", text)
    assert (here / "figures" / "subsampling.png").stat().st_size > 5000


def test_without_targets_it_says_that_nothing_is_judged(noble, here):
    pytest.importorskip("arbor")
    result = noble("subsampling", "a.json", "--models", 1, "--factors", "2", "--amplitudes", "-0.05")
    assert result.code == 0, result.err
    assert "Without --targets" in result.out


def test_bad_options_are_one_sentence(noble, here):
    assert "--factors is '1,two'; expected whole numbers" in noble("subsampling", "a.json", "--factors", "1,two").error
    assert "--amplitudes is 'x'; expected numbers" in noble("subsampling", "a.json", "--amplitudes", "x").error
    assert "1 to 7 models" in noble("subsampling", "a.json", "--models", 9).error
    assert "absent.json" in noble("subsampling", "a.json", "--targets", "absent.json").error
