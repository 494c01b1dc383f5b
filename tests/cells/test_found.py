"""Models that others found: a folder of Allen fits or BluePyOpt's hall of fame as one cell and its models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checked_hall import checked_hall
from found_fits import allen_fit, write_fits
from noble.cells import MorphologySource, export_bluepyopt, found_in_allen_fits, found_in_bluepyopt
from noble.cells.allen import OtherAxonWarning
from noble.cells.found import morphology_named, read_found_models

NAMES = ("PV__111111_seed_1_hof_2.json", "PV__111111_seed_1_hof_10.json", "PV__111111_seed_2_hof_0.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    leaks = (1.0e-3, 1.1e-3, 1.2e-3)
    write_fits(tmp_path, {name: allen_fit(g_pas=leak) for name, leak in zip(NAMES, leaks, strict=True)})
    return tmp_path


def test_what_differs_is_free_and_the_rest_fixed(folder: Path) -> None:
    found = found_in_allen_fits(folder, folder / "cell.swc")
    assert [item.label for item in found.models] == list(NAMES)  # hof_2 before hof_10
    assert [item.seed for item in found.models] == [1, 1, 2]
    assert [dict(item.values) for item in found.models] == [{"g_pas.soma": leak} for leak in (1.0e-3, 1.1e-3, 1.2e-3)]
    [parameter] = found.cell.parameters
    assert (parameter.name, parameter.low, parameter.high) == ("g_pas.soma", 1.0e-3, 1.2e-3)
    assert found.cell.fixed["gbar_NaV.soma"] == 0.2
    assert (found.cell.name, found.cell.morphology.axon) == ("cell", "none")
    assert (found.cell.celsius, found.cell.e_na_mv, found.cell.e_k_mv, found.cell.v_init_mv) == (34, 53, -107, -80)
    assert found.facts["junction_potential_mv"] == 14.0
    assert found.cell_model(1).region_values("soma")["g_pas"] == 1.1e-3


def test_one_file_is_a_cell_with_nothing_free(folder: Path) -> None:
    found = found_in_allen_fits(folder, folder / "cell.swc", pattern="*hof_10.json")
    assert (len(found), found.cell.parameters) == (1, ())
    assert found.cell.fixed["g_pas.soma"] == 1.1e-3


def test_a_chosen_axon_wins_and_is_said(folder: Path) -> None:
    with pytest.warns(OtherAxonWarning, match=r"hof_2\.json \(3 files\) was fitted with the axon deleted"):
        found = found_in_allen_fits(folder, morphology_named(folder / "cell.swc", "stub"))
    assert found.cell.morphology.axon == "stub"
    assert found.facts["axon_of_the_fits"] == "none"


def test_files_are_chosen_by_pattern_and_prefix(folder: Path) -> None:
    write_fits(folder, {"VIP__222222_seed_1_hof_0.json": allen_fit()})
    with pytest.raises(
        ValueError, match=r"4 files are of 2 cells by the numbers in their names \(111111, 222222, \.\.\.\)"
    ):
        found_in_allen_fits(folder, folder / "cell.swc")
    chosen = found_in_allen_fits(folder, folder / "cell.swc", prefix="PV__111111", pattern="*seed_1*")
    assert [item.label for item in chosen.models] == list(NAMES[:2])
    with pytest.raises(
        FileNotFoundError, match=r"no file in .* is called SST\.\.\. and matches '\*\.json', of 5 files"
    ):
        found_in_allen_fits(folder, folder / "cell.swc", prefix="SST")
    with pytest.raises(FileNotFoundError, match="is no folder"):
        found_in_allen_fits(folder / "nowhere", folder / "cell.swc")


def change(part: str, **values: Any) -> dict[str, Any]:
    fit = allen_fit()
    fit[part][0] |= values
    return fit


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (change("conditions", celsius=22.0), r"differ in celsius \(34.0 and 22.0\)"),
        (change("conditions", v_init=-70.0), r"differ in v_init_mv \(-80.0 and -70.0\)"),
        (change("conditions", erev=[{"ena": 50.0, "section": "soma", "ek": -107.0}]), "differ in e_na_mv"),
        (change("axon_morph", delete_axon=[]), r"differ in axon \(none and keep\)"),
        (change("fitting", junction_potential=0.0), r"differ in junction_potential_mv \(14.0 and -0.0\)"),
        (allen_fit(gbar_SK=1e-3), r"set different parameters \(gbar_SK\.soma only one of them\)"),
    ],
)
def test_fits_that_are_not_of_one_cell_are_refused(other: dict[str, Any], message: str, folder: Path) -> None:
    write_fits(folder, {"PV__111111_seed_3_hof_0.json": other})
    with pytest.raises(ValueError, match=message):
        found_in_allen_fits(folder, folder / "cell.swc")


def test_a_file_that_is_no_fit_is_named(folder: Path) -> None:
    (folder / "notes.json").write_text("{}")
    with pytest.raises(ValueError, match=r"notes\.json is not an Allen fit JSON"):
        found_in_allen_fits(folder, folder / "cell.swc")


def test_what_is_exported_to_bluepyopt_comes_back(tmp_path: Path) -> None:
    hall = checked_hall()
    parameters, models = export_bluepyopt(hall, tmp_path)
    for source in (tmp_path, models):
        found = read_found_models(source, MorphologySource("stylised-pv"))
        assert found.cell.parameters == hall.cell.parameters
        assert [dict(item.values) for item in found.models] == [dict(item.values) for item in hall.models]
        assert [(item.score, item.seed) for item in found.models] == [(item.score, item.seed) for item in hall.models]
    assert parameters.is_file()


def test_a_hall_of_fame_may_be_named_or_bare(tmp_path: Path) -> None:
    hall = checked_hall()
    parameters, models = export_bluepyopt(hall, tmp_path)
    entries = json.loads(models.read_text())
    models.write_text(json.dumps({"best": {"params": entries[0]["parameters"], "score": 812.0}}))
    [best] = found_in_bluepyopt(models, parameters, MorphologySource("stylised-pv")).models
    assert (best.label, best.score, best.seed) == ("best", None, 0)  # a sum of objectives is no mean |z|
    models.write_text(json.dumps([entries[0]["parameters"]]))
    [bare] = found_in_bluepyopt(models, parameters, MorphologySource("stylised-pv")).models
    assert dict(bare.values) == dict(best.values) == dict(hall.models[0].values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entries: entries[0]["parameters"].popitem(), "lacks"),
        (lambda entries: entries[0]["parameters"].update({"gbar_NaV.somatic": 1e3}), "gbar_NaV.soma is 1000"),
        (lambda entries: entries[0]["parameters"].update({"gbar_NaV.glia": 1.0}), "gbar_NaV.glia is on 'glia'"),
        (lambda entries: entries[0]["parameters"].update({"gbar_NaV.somatic": "much"}), "'much'; expected a number"),
        (lambda entries: entries[0].update(score=-1.0), "score is -1; expected a mean"),
        (lambda entries: entries[0].update(seed=1.5), "seed is 1.5; expected a whole number"),
        (lambda entries: entries.append(7), "is not a hall of fame of BluePyOpt"),
        (lambda entries: entries.clear(), "is not a hall of fame of BluePyOpt"),
    ],
)
def test_what_is_no_hall_of_fame_is_refused(change, message: str, tmp_path: Path) -> None:
    parameters, models = export_bluepyopt(checked_hall(), tmp_path)
    entries = json.loads(models.read_text())
    change(entries)
    models.write_text(json.dumps(entries))
    with pytest.raises(ValueError, match=message):
        found_in_bluepyopt(models, parameters, MorphologySource("stylised-pv"))


def test_a_morphology_is_built_in_or_a_file(tmp_path: Path) -> None:
    assert morphology_named("stylised-pv", None) == MorphologySource("stylised-pv")
    assert morphology_named("stylised-pv", "none").axon == "none"  # type: ignore[union-attr]
    assert morphology_named("cell.swc", None) == Path("cell.swc")
