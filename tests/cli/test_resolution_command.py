"""`noble resolution` as a user types it."""

import json

import pytest

GENERATION = """
hall: stylised-pv
traces: {train: 4, validation: 2, test: 2, unseen_models: 2}
onset_ms: 5
step_ms: 40
window_ms: 60
"""


def test_intervals_are_compared_printed_and_drawn(noble, place):
    pytest.importorskip("arbor")
    (place / "draw.yaml").write_text(GENERATION)
    options = ("--config", "draw.yaml", "--hall", "stylised-pv", "--traces", 3, "--dt", 0.06, "--dt", 0.03)
    result = noble("resolution", "bundle", *options, "--json", "found.json", "-o", "figures")
    assert result.code == 0, result.err
    found = json.loads((place / "found.json").read_text())
    assert [row["dt_ms"] for row in found["resolutions"]] == [0.03, 0.06]
    assert (found["trained_dt_ms"], found["simulated_dt_ms"], found["traces"]) == (0.06, 0.02, 3)
    assert all(row["traces"] == 3 and row["relative_l2_percent"] > 0 for row in found["resolutions"])
    assert "0.03" in result.out
    assert (place / "figures" / "resolution.png").stat().st_size > 5000


def test_a_bundle_without_a_record_and_a_bad_interval_are_refused(noble, place):
    assert "name a generation YAML with --config" in noble("resolution", "bundle").error
    (place / "draw.yaml").write_text(GENERATION)
    options = ("--config", "draw.yaml", "--hall", "stylised-pv")
    assert "at least 0.02 ms" in noble("resolution", "bundle", *options, "--dt", 0.01).error
