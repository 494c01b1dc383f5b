"""The page of a bundle gathers whatever there is, and says how it was made."""

import json
from pathlib import Path

import numpy as np
import pytest

from noble.evaluation import Evaluation
from noble.plots.style import command_of, save_figure, styled_figure
from noble.report.bundle import caption_of, tables_of, write_bundle_report
from noble.report.page import TextTable

EVALUATION = Evaluation.from_dict({"unseen_currents": {"relative_l2_percent": 1.75, "traces": 400}})


def draw(path: Path, command: str = "") -> None:
    with styled_figure(height_in=1.0, width_in=1.0) as figure:
        figure.subplots().plot(np.arange(3))
    save_figure(figure, path, command=command)


def test_a_figure_keeps_the_command_that_made_it(tmp_path):
    draw(tmp_path / "one.png", "noble fi 'my bundle' --models hull")
    assert command_of(tmp_path / "one.png") == "noble fi 'my bundle' --models hull"
    draw(tmp_path / "two.png")
    assert command_of(tmp_path / "two.png") == ""


def test_all_figures_and_numbers_below_the_folder_are_on_the_page(tmp_path):
    draw(tmp_path / "fi" / "fi.png", "noble fi human-pv -o fi")
    draw(tmp_path / "hull" / "ensemble.png", "noble ensemble human-pv --models hull -o hull")
    numbers = {"neurons": 200, "seconds": 0.25, "models": "hull", "features": {"AP1_width": {"median": 0.4}}}
    (tmp_path / "hull" / "ensemble.json").write_text(json.dumps(numbers))
    page = write_bundle_report(tmp_path, title="human-pv", evaluation=EVALUATION, facts={"hall": "human-pv"})
    text = page.read_text()
    for wanted in (
        "fi/fi.png",
        "hull/ensemble.png",
        "noble ensemble human-pv --models hull -o hull",
        "A family&#39;s answers to one step (hull)",
        "1.75",
        "hull/ensemble.json",
        "0.25",
    ):
        assert wanted in text
    assert "hull/ensemble.json: features" in text
    assert "AP1_width" in text
    assert (
        write_bundle_report(tmp_path, title="human-pv", evaluation=EVALUATION, facts={}) == page
    )  # it does not gather itself


@pytest.mark.parametrize(
    ("path", "caption"),
    [
        ("fi/fi.png", "F-I curves"),
        ("map-AP1_width.png", "AP1_width over threshold and slope"),
        ("held-out/ensemble.png", "A family's answers to one step (held-out)"),
        ("my_own.png", "my own"),
    ],
)
def test_captions_follow_names_and_folders(path, caption):
    assert caption_of(Path(path)) == caption


def test_numbers_are_tables_at_any_depth_and_the_maker_is_not_among_them():
    content = {
        "neurons": 200,
        "made_by": {"command": "noble fi"},
        "amplitudes_na": [0.1, 0.2],
        "features": {"AP1_width": {"median": 0.4, "values": [1, 2]}, "sag": {"median": None, "values": []}},
        "per_model": [{"model": 3, "deviation_hz": 1.5}],
        "halfway": {"steps": 6, "populations": {"pairs": {"worst_mean_abs_z": 2.0}}},
        "uneven": {"a": {"x": 1}, "b": {"y": 2}},
        "nothing": [],
    }
    assert tables_of("fi.json", content) == [
        TextTable("fi.json", ("", ""), [("neurons", "200")]),
        TextTable("fi.json: features", ("", "median"), [("AP1_width", "0.4"), ("sag", "–")]),  # noqa: RUF001
        TextTable("fi.json: per model", ("", "model", "deviation hz"), [("0", "3", "1.5")]),
        TextTable("fi.json: halfway", ("", ""), [("steps", "6")]),
        TextTable("fi.json: halfway: populations", ("", "worst mean abs z"), [("pairs", "2")]),
        TextTable("fi.json: uneven: a", ("", ""), [("x", "1")]),
        TextTable("fi.json: uneven: b", ("", ""), [("y", "2")]),
    ]
    [table] = tables_of("long.json", {"rows": [{"x": number} for number in range(500)]})
    assert len(table.rows) == 60
    assert tables_of("list.json", [1, 2]) == []


def test_an_empty_folder_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="neither figures nor numbers; run commands with -o"):
        write_bundle_report(tmp_path, title="x", evaluation=EVALUATION, facts={})
