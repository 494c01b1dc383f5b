"""The hall of fame: its file, its digest, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from noble.cells import Cell, HallModel, HallOfFame, MorphologySource, Parameter, shipped_halls

GOLDEN = Path(__file__).parent / "golden_hall.json"


def tiny_hall() -> HallOfFame:
    """What golden_hall.json holds."""
    cell = Cell(
        "tiny",
        MorphologySource("tiny.swc", "keep", "0" * 64),
        parameters=(Parameter("gbar_NaV", "soma", 1e-3, 1.0), Parameter("g_pas", "all", 1e-7, 1e-2)),
        fixed={"Ra.all": 100.0, "decay_CaDynamics.soma": 80.0},
    )
    models = tuple(
        HallModel(
            values={"gbar_NaV.soma": 0.25 * (index + 1), "g_pas.all": 1e-5 * (index + 1)},
            features={"i_thr": 0.05 * (index + 1), "s_thr": 250.0, "voltage_base": -75.5},
            score=0.5 + index,
            seed=index,
            held_out=index == 2,
        )
        for index in range(3)
    )
    return HallOfFame("tiny", cell, models, provenance={"command": "written by hand", "seeds": [0, 1, 2]})


def test_the_format_has_not_changed(tmp_path: Path) -> None:
    """A change here needs a new schema version and a reader for this one."""
    tiny_hall().save(tmp_path / "hall.json")
    assert json.loads((tmp_path / "hall.json").read_text()) == json.loads(GOLDEN.read_text())
    assert HallOfFame.load(GOLDEN) == tiny_hall()
    assert tiny_hall().digest == "19ba7def02d49db7131d892b2e862d9d6ff3fa7885490541384411a8090fefde"


def test_models_are_split_by_model() -> None:
    hall = tiny_hall()
    assert (len(hall), hall.train, hall.held_out) == (3, (0, 1), (2,))
    assert hall.cell_model(1).values == {"gbar_NaV.soma": 0.5, "g_pas.all": 2e-5}
    assert hall.cell_model(1).name == "tiny/1"
    np.testing.assert_allclose(hall.feature_table(["s_thr", "i_thr"]), [[250, 0.05], [250, 0.1], [250, 0.15]])


def test_the_digest_is_of_cell_and_models_only() -> None:
    hall = tiny_hall()
    assert replace(hall, provenance={}).digest == hall.digest
    assert replace(hall, models=hall.models[:2]).digest != hall.digest
    assert replace(hall, models=(*hall.models[:2], replace(hall.models[2], held_out=False))).digest != hall.digest
    assert replace(hall, cell=replace(hall.cell, celsius=35.0)).digest != hall.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda hall: hall.update(schema_version=2), "version 1.*got 'noble-hall' version 2"),
        (lambda hall: hall.update(schema="other"), "got 'other'"),
        (
            lambda hall: hall["models"][0]["values"].update({"gbar_NaV.soma": 7.0}),
            "gbar_NaV.soma is 7 S/cm2; expected 0.001 to 1",
        ),
        (lambda hall: hall["models"][0]["values"].update({"gbar_Ih.soma": 1e-5}), "gbar_Ih.soma, not free in tiny"),
        (lambda hall: hall["models"][0]["values"].pop("g_pas.all"), "lacks g_pas.all"),
        (lambda hall: hall.update(models=[]), "hall tiny has no models"),
        (
            lambda hall: hall["models"][1]["values"].update({"g_pas.all": "much"}),
            r"model 1: g_pas\.all in its values is 'much'; expected a number",
        ),
        (lambda hall: hall["models"][2]["features"].update(i_thr=None), "model 2: i_thr in its features is None"),
        (lambda hall: hall["models"][0].update(values=[1.0]), "lacks a part, or has one too many"),
        (lambda hall: hall["cell"]["parameters"][0].update(name="gbar_NaX.soma"), "channel 'NaX'"),
    ],
)
def test_a_hall_that_does_not_fit_is_refused(change, message: str, tmp_path: Path) -> None:
    content = tiny_hall().to_dict()
    change(content)
    (tmp_path / "hall.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        HallOfFame.load(tmp_path / "hall.json")


def test_what_is_no_hall_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hall.json").write_text('{"schema": "noble-hall", ')
    with pytest.raises(ValueError, match="not valid JSON"):
        HallOfFame.load(tmp_path / "hall.json")
    with pytest.raises(FileNotFoundError, match="no hall of fame 'absent'"):
        HallOfFame.load("absent")


def test_questions_it_cannot_answer_are_refused() -> None:
    with pytest.raises(ValueError, match="models 0 to 2; 3 was asked for"):
        tiny_hall().cell_model(3)
    with pytest.raises(ValueError, match="no feature sag; it knows i_thr, s_thr, voltage_base"):
        tiny_hall().feature_table(["i_thr", "sag"])


def test_the_shipped_halls_load() -> None:
    for name in shipped_halls():
        hall = HallOfFame.load(name)
        assert hall.train
        assert hall.held_out
        assert np.all(np.isfinite(hall.feature_table(["i_thr", "s_thr"])))
