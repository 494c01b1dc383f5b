"""The page of a comparison with a recording."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from noble.comparison.recording import compare_recording
from noble.features import FEATURE_NAMES
from noble.report.comparison import write_comparison_report
from recorded_family import FakeOperator, recording, resting_at, three_trials


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    read = recording(*three_trials().sweeps, unusable={"sweep <9>": "its stimulus is not one rectangular step."})
    compared = compare_recording(FakeOperator(), resting_at(-68.0, -67.0, -66.0), read, dt_ms=0.06)
    folder = tmp_path_factory.mktemp("page")
    return write_comparison_report(compared, folder, facts={"bundle": "some & bundle"}, command="noble compare a b.nwb")


def tables(page: Path) -> dict[str, list[list[str]]]:
    """Cells of each table by its caption."""
    found = {}
    for caption, body in re.findall(r"<caption>(.*?)</caption>(.*?)</table>", page.read_text(encoding="utf-8")):
        rows = re.findall(r"<tr>(.*?)</tr>", body)
        found[caption] = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    return found


def test_every_figure_lies_beside_the_page_with_its_command(page) -> None:
    text = page.read_text(encoding="utf-8")
    images = re.findall(r'<img src="([^"]+)"', text)
    assert images == ["fi.png", "voltage.png", "z_scores.png", "spreads.png"]
    assert all((page.parent / image).stat().st_size > 5_000 for image in images)
    assert text.count("<pre>noble compare a b.nwb</pre>") == 4
    assert "<script" not in text


def test_a_table_a_step_holds_all_features_of_both_sides(page) -> None:
    found = tables(page)
    for caption in ("\N{MINUS SIGN}0.1 nA", "0.05 nA", "0.2 nA"):
        head, *rows = found[caption]
        assert len(rows) == len(FEATURE_NAMES)
        assert all(len(row) == len(head) for row in rows)
        [base] = [row for row in rows if row[0] == "voltage base (mV)"]
        # trials at -71, -70 and -69 mV; family at -68, -67 and -66 mV
        assert base == [
            *("voltage base (mV)", "3 of 3", "-70 (-70.5 to -69.5)", "3 of 3", "-67 (-67.5 to -66.5)"),
            *("3", "3", "1", "1", "1"),
        ]


def test_summary_rates_facts_and_unusable_sweeps(page) -> None:
    found = tables(page)
    assert [row[0] for row in found["Firing rate"][1:]] == ["\N{MINUS SIGN}0.1", "0.05", "0.2"]
    assert found["Firing rate"][3][1:5] == ["3", "40", "0", "40"]
    summary = {row[0]: row[1:] for row in found["Agreement, median over the steps that count"]}
    assert summary["voltage base"][:6] == ["3", "3", "3", "3", "1", "1"]
    assert found["Sweeps that were not used"][1] == ["sweep &lt;9&gt;", "its stimulus is not one rectangular step."]
    facts = dict(found["This run"])
    assert facts["bundle"] == "some &amp; bundle"
    assert facts["step"] == "100 ms; 50 ms before and 80 ms after it are compared"
    assert facts["sampling"] == "recording 0.1 ms, family 0.06 ms"
