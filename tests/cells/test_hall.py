"""The hall of fame: its file, its digest, and what it refuses."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from noble.cells import Cell, HallModel, HallOfFame, MorphologySource, Parameter, shipped_halls
from noble.features.catalogue import HALL_FEATURES

GOLDEN = Path(__file__).parent / "golden_hall.json"
ARCHIVED = Path(__file__).parents[1] / "archive" / "hall-schema-1.json"


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
            features={"rheobase": 0.05 * (index + 1), "fi_gain": 250.0, "voltage_base": -75.5},
            score=0.5 + index,
            seed=index,
            held_out=index == 2,
        )
        for index in range(3)
    )
    return HallOfFame("tiny", cell, models, provenance={"command": "written by hand", "seeds": [0, 1, 2]})


def test_the_format_has_not_changed(tmp_path: Path) -> None:
    """A change here needs a new schema version, a migration and an archived file of this one."""
    tiny_hall().save(tmp_path / "hall.json")
    assert json.loads((tmp_path / "hall.json").read_text()) == json.loads(GOLDEN.read_text())
    assert HallOfFame.load(GOLDEN) == tiny_hall()
    assert tiny_hall().digest == "19ba7def02d49db7131d892b2e862d9d6ff3fa7885490541384411a8090fefde"


def test_models_are_split_by_model() -> None:
    hall = tiny_hall()
    assert (len(hall), hall.train, hall.held_out) == (3, (0, 1), (2,))
    assert hall.cell_model(1).values == {"gbar_NaV.soma": 0.5, "g_pas.all": 2e-5}
    assert hall.cell_model(1).name == "tiny/1"
    np.testing.assert_allclose(hall.feature_table(["fi_gain", "rheobase"]), [[250, 0.05], [250, 0.1], [250, 0.15]])


def test_the_digest_is_of_cell_and_models_only() -> None:
    hall = tiny_hall()
    assert replace(hall, provenance={}).digest == hall.digest
    assert replace(hall, models=hall.models[:2]).digest != hall.digest
    assert replace(hall, models=(*hall.models[:2], replace(hall.models[2], held_out=False))).digest != hall.digest
    assert replace(hall, cell=replace(hall.cell, celsius=35.0)).digest != hall.digest


def test_an_archived_hall_of_schema_1_is_read_and_keeps_its_digest(tmp_path: Path) -> None:
    content = json.loads(ARCHIVED.read_text())
    hall = HallOfFame.load(ARCHIVED)
    assert content["schema_version"] == 1
    assert hall.digest == "82319312a82bf1ba881f62df418d0740c9e7073cf1a0b2145bcaafb91d54d48f"
    assert set(hall.models[0].features) == set(HALL_FEATURES)
    for model, old in zip(hall.models, content["models"], strict=True):
        assert model.features["rheobase"] == old["features"]["i_thr"]
        assert model.features["fi_gain"] == old["features"]["s_thr"]
        assert model.features["rise_time_63"] == old["features"]["time_constant"]
        assert model.features["rate_rheobase_plus_5pA"] == old["features"]["rate_5pA"]
        assert model.features["first_ISI_rheobase_plus_200pA"] == old["features"]["first_ISI_200pA"]
        assert sorted(model.features.values()) == sorted(old["features"].values())
    hall.save(tmp_path / "hall.json")
    assert HallOfFame.load(tmp_path / "hall.json") == hall
    assert json.loads((tmp_path / "hall.json").read_text())["schema_version"] == 2


def test_digests_of_shipped_halls_are_those_that_bundles_and_stores_hold() -> None:
    digests = {name: HallOfFame.load(name).digest for name in shipped_halls()}
    assert digests == {
        "human-pv": "e3b2eae037354c7f29b7c4ecd0200c3d08106a27fecc551e7af3d7177e332013",
        "human-vip": "13fa9787830c345e9de1ba0c75409a312513f13d287018d6c3d1583290c1a8a9",
        "stylised-pv": "f490210b408447490b606bdcd375e8841fcfb283038940ab493764f8643e553d",
        "stylised-vip": "bf0efdb4ae343f375840fab012137c829fb3029ab79388bd512bc76d064bc45b",
    }


def test_features_go_by_the_names_of_the_catalogue() -> None:
    model = HallModel({}, {"i_thr": 0.1, "rate_50pA": 20.0, "warmth": 1.0}, 0.0, 0)
    assert model.features == {"rheobase": 0.1, "rate_rheobase_plus_50pA": 20.0, "warmth": 1.0}
    with pytest.raises(ValueError, match="name one of them twice"):
        HallModel({}, {"i_thr": 0.1, "rheobase": 0.1}, 0.0, 0)


def _of_model(index: int, part: str, **values: object):
    return lambda hall: hall["models"][index][part].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda hall: hall.update(schema_version=3), "version 1 to 2.*got 'noble-hall' version 3"),
        (lambda hall: hall.update(schema_version=True), "got 'noble-hall' version True"),
        (lambda hall: hall.update(schema="other"), "got 'other'"),
        (lambda hall: hall.update(colour="red"), "colour is unknown"),
        (lambda hall: hall.pop("cell"), "cell is missing"),
        (lambda hall: hall.update(name=""), "name is ''"),
        (lambda hall: hall.update(name="x" * 300), r"name is 'xxx.*\.\.\., but string should have at most 200"),
        (lambda hall: hall.update(models=[]), "models is a list, but list should have at least 1 item"),
        (lambda hall: hall.update(models=None), "models is None"),
        (_of_model(0, "values", **{"gbar_NaV.soma": 7.0}), "gbar_NaV.soma is 7 S/cm2; expected 0.001 to 1"),
        (_of_model(0, "values", **{"gbar_Ih.soma": 1e-5}), "gbar_Ih.soma, not free in tiny"),
        (lambda hall: hall["models"][0]["values"].pop("g_pas.all"), "lacks g_pas.all"),
        (_of_model(1, "values", **{"g_pas.all": "much"}), r"models\[1\]\.values\.g_pas\.all is 'much', but input should be a"),
        (_of_model(2, "features", rheobase=None), r"models\[2\]\.features\.rheobase is None"),
        (_of_model(2, "features", rheobase=True), r"models\[2\]\.features\.rheobase is True"),
        (_of_model(2, "features", rheobase=math.nan), r"models\[2\]\.features\.rheobase is nan, but input should be a finite"),
        (_of_model(2, "features", rheobase=math.inf), r"models\[2\]\.features\.rheobase is inf"),
        (_of_model(2, "features", rheobase=150.0), r"models\[2\]: feature rheobase is 150 nA; .*in pA, divide by 1000"),
        (_of_model(2, "features", sag_ratio=0.1), "model 0 lacks the feature sag_ratio, which model 2 has"),
        (lambda hall: hall["models"][1]["features"].pop("fi_gain"), "model 1 lacks the feature fi_gain"),
        (lambda hall: hall["models"][0].update(values=[1.0]), r"models\[0\]\.values is a list"),
        (lambda hall: hall["models"][0].update(score=-1.0), r"models\[0\]\.score is -1\.0"),
        (lambda hall: hall["models"][0].update(seed=1.5), r"models\[0\]\.seed is 1\.5"),
        (lambda hall: hall["models"][0].update(seed=-1), r"models\[0\]\.seed is -1"),
        (lambda hall: hall["models"][0].update(held_out=1), r"models\[0\]\.held_out is 1"),
        (lambda hall: hall["models"][0].update(check={"spike_counts": {"0.1": -2}}), r"check\.spike_counts\.0\.1 is -2"),
        (lambda hall: hall["models"][0].update(check={"z": {"sag@0.1": "far"}}), r"check\.z\.sag@0\.1 is 'far'"),
        (lambda hall: hall["provenance"].update(recording={"spike_counts": {"0.1": None}}), "recording.spike_counts.0.1 is None"),
        (lambda hall: hall["cell"].update(celsius="warm"), "cell.celsius is 'warm'"),
        (lambda hall: hall["cell"]["parameters"][0].update(name="gbar_NaX.soma"), "channel 'NaX'"),
        (lambda hall: hall["cell"]["parameters"][0].update(low=math.nan), r"cell\.parameters\[0\]\.low is nan"),
        (lambda hall: hall["cell"]["morphology"].update(axon="tape"), "axon is 'tape', but input should be 'stub'"),
        (lambda hall: hall["cell"]["morphology"].update(name="../tiny.swc"), r"is '\.\./tiny\.swc'; expected the plain name"),
        (lambda hall: hall["cell"]["morphology"].update(name="/etc/passwd"), "is '/etc/passwd'; expected the plain name"),
        (lambda hall: hall["cell"]["morphology"].update(name=".."), r"is '\.\.'; expected the plain name"),
        (lambda hall: hall["cell"]["morphology"].update(sha256="12"), "sha256 of the morphology is '12'; expected 64 hex"),
    ],
)  # fmt: skip
def test_a_hall_that_does_not_fit_is_refused(change, message: str, tmp_path: Path) -> None:
    content = tiny_hall().to_dict()
    change(content)
    with pytest.raises(ValueError, match=message) as caught:
        HallOfFame.from_dict(content)
    assert "\n" not in str(caught.value)
    (tmp_path / "hall.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"hall\.json"):
        HallOfFame.load(tmp_path / "hall.json")


def test_of_several_problems_the_first_is_named_and_the_others_counted() -> None:
    content = tiny_hall().to_dict()
    for model in content["models"]:
        model["score"] = "good"
    with pytest.raises(ValueError, match=r"models\[0\]\.score is 'good'.* \(and 2 more\); restore the file\.$"):
        HallOfFame.from_dict(content)


def test_what_is_no_hall_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hall.json").write_text('{"schema": "noble-hall", ')
    with pytest.raises(ValueError, match="not valid JSON"):
        HallOfFame.load(tmp_path / "hall.json")
    with pytest.raises(ValueError, match="a JSON object; got a list"):
        HallOfFame.from_dict([])
    with pytest.raises(ValueError, match="is a folder; expected a hall of fame"):
        HallOfFame.load(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no hall of fame '\.\./halls/human-pv'"):
        HallOfFame.load("../halls/human-pv")
    with pytest.raises(FileNotFoundError, match="no hall of fame 'absent'"):
        HallOfFame.load("absent")


def test_questions_it_cannot_answer_are_refused() -> None:
    with pytest.raises(ValueError, match="models 0 to 2; 3 was asked for"):
        tiny_hall().cell_model(3)
    with pytest.raises(ValueError, match="no feature sag; it knows fi_gain, rheobase, voltage_base"):
        tiny_hall().feature_table(["rheobase", "sag"])


def test_the_shipped_halls_load() -> None:
    for name in shipped_halls():
        hall = HallOfFame.load(name)
        assert hall.train
        assert hall.held_out
        assert np.all(np.isfinite(hall.feature_table(["rheobase", "fi_gain"])))


def test_a_hall_shows_itself_in_a_line_and_as_a_table():
    hall = HallOfFame.load("stylised-pv")
    assert (
        repr(hall) == f"<HallOfFame stylised-pv: 24 models of stylised-pv, {len(hall.held_out)} held out, 34 features>"
    )
    frame = hall.to_frame()
    assert frame.shape == (24, 36)
    assert frame["rheobase"].tolist() == hall.feature_table(["rheobase"])[:, 0].tolist()
    assert frame.index[frame["held_out"]].tolist() == list(hall.held_out)
    assert "rheobase" in hall._repr_html_()


def test_a_hall_may_have_no_scores_and_no_axon() -> None:
    hall = tiny_hall()
    cell = replace(hall.cell, morphology=MorphologySource("tiny.swc", "none", "0" * 64))
    hall = replace(hall, cell=cell, models=tuple(replace(model, score=None) for model in hall.models))
    assert HallOfFame.from_dict(json.loads(json.dumps(hall.to_dict()))) == hall
    assert hall.digest != tiny_hall().digest
    assert hall.to_frame()["score"].isna().all()
    assert [model.rank for model in hall.models] == [math.inf] * 3


def test_the_file_of_a_hall_keeps_its_holding_current(tmp_path: Path) -> None:
    hall = replace(tiny_hall(), cell=replace(tiny_hall().cell, holding_na=-0.02))
    hall.save(tmp_path / "held.json")
    assert HallOfFame.load(tmp_path / "held.json") == hall
    assert hall.digest != tiny_hall().digest
