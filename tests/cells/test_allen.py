"""The Allen Institute's fit JSON, in and out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from noble.cells import MorphologySource, read_allen_fit, write_allen_fit
from noble.cells.allen import AllenFit, OtherAxonWarning

REGIONS = ("soma", "axon", "dend", "apic")
SOURCE = MorphologySource("stylised-pv")


@pytest.fixture
def fit() -> dict:
    return {
        "passive": [
            {"ra": 120.0, "cm": [{"section": "soma", "cm": 2.0}, {"section": "dend", "cm": 1.5}], "e_pas": -80.0}
        ],
        "conditions": [{"celsius": 34.0, "erev": [{"ena": 53.0, "section": "soma", "ek": -107.0}], "v_init": -80.0}],
        "genome": [
            {"value": 0.05, "section": "soma", "name": "gbar_NaV", "mechanism": "NaV"},
            {"value": "1e-5", "section": "dend", "name": "g_pas", "mechanism": ""},
        ],
    }


def written(fit: dict, folder: Path) -> Path:
    path = folder / "fit.json"
    path.write_text(json.dumps(fit))
    return path


def test_an_active_soma_fit_is_read_region_by_region(fit: dict, tmp_path: Path) -> None:
    model = read_allen_fit(written(fit, tmp_path), SOURCE)
    assert model.region_values("soma") == {"Ra": 120.0, "e_pas": -80.0, "cm": 2.0, "gbar_NaV": 0.05}
    assert model.region_values("dend") == {"Ra": 120.0, "e_pas": -80.0, "cm": 1.5, "g_pas": 1e-5}
    assert (model.cell.celsius, model.cell.e_na_mv, model.cell.e_k_mv, model.cell.v_init_mv) == (34, 53, -107, -80)


DELETED = ["forsec axonal{delete_section()}"]
STUBBED = [*DELETED, "  create axon[2]", "connect axon(0), soma(0.5)"]
SWC = "1 1 0 0 0 5 -1\n2 3 6 0 0 1 1\n3 3 30 0 0 1 2\n4 2 0 -6 0 1 1\n5 2 0 -50 0 1 4\n"


@pytest.mark.parametrize(
    ("lines", "axon"), [(None, "stub"), (STUBBED, "stub"), (DELETED, "none"), ([], "keep")], ids=str
)
def test_the_fit_says_what_becomes_of_the_axon(lines: list[str] | None, axon: str, fit: dict, tmp_path: Path) -> None:
    if lines is not None:
        fit["axon_morph"] = [{"delete_axon": lines, "setup_line": "create soma[1], dend[1], apic[1], axon[1]"}]
    (tmp_path / "cell.swc").write_text(SWC)
    model = read_allen_fit(written(fit, tmp_path), tmp_path / "cell.swc")
    assert model.cell.morphology.axon == axon
    write_allen_fit(model, tmp_path / "again.json")
    assert AllenFit.load(tmp_path / "again.json").axon == axon


def test_a_chosen_axon_wins_and_is_warned_of(fit: dict, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    fit["axon_morph"] = [{"delete_axon": DELETED}]
    (tmp_path / "cell.swc").write_text(SWC)
    path, swc = written(fit, tmp_path), tmp_path / "cell.swc"
    assert read_allen_fit(path, MorphologySource.from_swc(swc, axon="none")).cell.morphology.axon == "none"
    assert not recwarn.list
    with pytest.warns(
        OtherAxonWarning, match=r"fit\.json was fitted with the axon deleted \(none\); it is kept \(keep\)"
    ):
        model = read_allen_fit(path, MorphologySource.from_swc(swc, axon="keep"))
    assert model.cell.morphology.axon == "keep"


def test_the_junction_potential_is_what_recordings_lose(fit: dict, tmp_path: Path) -> None:
    assert AllenFit.load(written(fit, tmp_path)).junction_potential_mv is None
    fit["fitting"] = [{"junction_potential": -14.0, "sweeps": [38]}]
    assert AllenFit.load(written(fit, tmp_path)).junction_potential_mv == 14.0


def test_the_published_fits_are_read(shared_data: Path) -> None:
    active_soma = read_allen_fit(shared_data / "472912177_fit.json", SOURCE)
    assert active_soma.region_values("soma")["gbar_NaV"] == pytest.approx(0.0585201851293)
    assert active_soma.channel_values("dend") == {}
    assert active_soma.region_values("dend")["Ra"] == 143.65
    all_active = read_allen_fit(shared_data / "318331342_fit.json", SOURCE)
    assert all_active.region_values("soma")["g_pas"] == 0.000764806
    assert all_active.region_values("axon")["e_pas"] == -82.7229
    assert set(all_active.channel_values("soma")) > {"NaV", "Kv3_1", "SK", "CaDynamics"}


@pytest.mark.parametrize("name", ["472912177_fit.json", "318331342_fit.json"])
def test_a_written_fit_is_the_same_model(name: str, shared_data: Path, tmp_path: Path) -> None:
    model = read_allen_fit(shared_data / name, SOURCE)
    write_allen_fit(model, tmp_path / name)
    again = read_allen_fit(tmp_path / name, SOURCE)
    for region in REGIONS:
        assert again.region_values(region) == model.region_values(region)
    kept = ("celsius", "e_na_mv", "e_k_mv", "v_init_mv", "name")
    assert [getattr(again.cell, key) for key in kept] == [getattr(model.cell, key) for key in kept]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fit: fit.pop("genome"), "expected the keys conditions, passive and genome"),
        (lambda fit: fit["genome"][0].update(name="gbar_NaX"), "channel 'NaX', which is not known"),
        (lambda fit: fit["genome"][0].update(section="glia"), "region 'glia' is unknown"),
        (
            lambda fit: fit["conditions"][0]["erev"].append({"ena": 40.0, "section": "dend", "ek": -90.0}),
            "different reversal potentials",
        ),
        (lambda fit: fit["conditions"][0].update(erev=[]), "no reversal potentials; expected one pair"),
        (lambda fit: fit["conditions"][0].pop("erev"), r"fit\.json is not an Allen fit JSON.*'erev'"),
        (lambda fit: fit["conditions"][0].update(erev=None), r"fit\.json is not an Allen fit JSON"),
        (lambda fit: fit["conditions"][0].pop("celsius"), r"fit\.json is not an Allen fit JSON.*'celsius'"),
        (lambda fit: fit["conditions"][0].update(v_init=None), r"fit\.json: v_init is None; expected a number"),
        (lambda fit: fit["genome"][0].pop("section"), r"fit\.json is not an Allen fit JSON.*'section'"),
        (lambda fit: fit["genome"][0].update(value=None), r"fit\.json: gbar_NaV\.soma is None; expected a number"),
        (lambda fit: fit["genome"][0].update(value="much"), r"fit\.json: gbar_NaV\.soma is 'much'; expected a number"),
        (lambda fit: fit["passive"][0].update(cm=[3.0]), r"fit\.json is not an Allen fit JSON"),
        (lambda fit: fit.update(genome=7), r"fit\.json is not an Allen fit JSON"),
        (
            lambda fit: fit.update(axon_morph=[{"delete_axon": 3}]),
            r"fit\.json: delete_axon is 3; expected a list of lines",
        ),
        (lambda fit: fit.update(axon_morph=[]), r"fit\.json is not an Allen fit JSON"),
        (
            lambda fit: fit.update(fitting=[{"junction_potential": "much"}]),
            "junction_potential is 'much'; expected a number",
        ),
        (lambda fit: fit.update(passive=["no"]), r"fit\.json is not an Allen fit JSON"),
    ],
)
def test_what_is_no_fit_is_refused(change, message: str, fit: dict, tmp_path: Path) -> None:
    change(fit)
    with pytest.raises(ValueError, match=message):
        read_allen_fit(written(fit, tmp_path), SOURCE)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fit.json").write_text("not JSON")
    with pytest.raises(ValueError, match=r"fit\.json is not an Allen fit JSON: it is not valid JSON"):
        read_allen_fit(tmp_path / "fit.json", SOURCE)
