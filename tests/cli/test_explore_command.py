"""`noble explore` with an untrained operator."""

import re

import pytest

SIZES = {"width": 8, "hidden": 8, "filters": 4, "cell": 8, "averages": 4, "address": 8, "shapes": 2, "shape_width": 8}


@pytest.fixture(scope="module")
def feedback(tmp_path_factory):
    """A bundle that a page can run, in the shipped hall's feature plane."""
    from noble.cells import HallOfFame
    from noble.operator import FeatureSpec, Operator
    from noble.operator.feedback.config import SpikeFeedbackConfig
    from noble.traces import TimeGrid

    hall = HallOfFame.load("stylised-pv")
    names = ("rheobase", "fi_gain")
    spec = FeatureSpec.fit(hall.feature_table(names)[list(hall.train)], names, ("nA", "Hz/nA"))
    hall_facts = {"name": hall.name, "digest": hall.digest}
    operator = Operator.build(
        SpikeFeedbackConfig.model_validate(SIZES),
        spec,
        TimeGrid.spanning(515.0, dt_ms=0.06),
        seed=1,
        provenance={"hall": hall_facts, "models": list(hall.train)},
    )
    folder = tmp_path_factory.mktemp("explore") / "fast"
    operator.save(folder)
    return folder


def test_a_page_is_written_and_its_size_is_told(noble, feedback, tmp_path):
    result = noble("explore", feedback, feedback, "-o", tmp_path / "page", "--size", 2, "--feature", "voltage_base")
    assert result.code == 0, result.err
    assert re.search(r"wrote .*index.html \(0.\d MB\); open it in any browser", result.out)
    text = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert text.count('class="bundle">') == 2
    assert "<title>noble explorer · fast · fast</title>" in text


def test_the_page_is_served_until_it_is_interrupted(noble, feedback, monkeypatch):
    opened = []

    def interrupted(address: str) -> bool:
        opened.append(address)
        raise KeyboardInterrupt

    monkeypatch.setattr("webbrowser.open", interrupted)
    result = noble("explore", feedback, "--serve", "--size", 0)
    assert result.code == 130
    assert opened[0].startswith("http://127.0.0.1:")
    assert "on this machine alone" in result.out


@pytest.mark.slow  # it simulates
def test_simulated_traces_come_with_the_page(noble, feedback, tmp_path):
    result = noble("explore", feedback, "-o", tmp_path, "--size", 0, "--simulate", 0)
    assert result.code == 0, result.err
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert len(re.findall(r'"label": "model 0[^"]*pA"', text)) == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("{bundle}",), "give -o FOLDER to write the page, or --serve to open it"),
        (("bundle", "-o", "page"), "is of kind 'spike-phase'; the explorer runs those of kind 'spike-feedback'"),
        (("nowhere", "-o", "page"), "there is no bundle 'nowhere'"),
        (("{bundle}", "-o", "page", "--feature", "AP_width"), "'AP_width' is unknown"),
        (("{bundle}", "-o", "page", "--simulate", "999"), "has no model 999"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(noble, place, feedback, arguments, sentence):
    result = noble("explore", *(str(feedback) if item == "{bundle}" else item for item in arguments))
    assert result.code == 2
    assert sentence in result.error
    assert not (place / "page").exists()
