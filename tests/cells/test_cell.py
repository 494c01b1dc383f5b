"""Cells, their bounded parameters, and where their morphology comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from noble.cells import BUILTIN_CELLS, Cell, MorphologySource, Parameter, all_active_cell, builtin_cell, load_swc
from noble.cells.cell import AxonKind
from noble.cells.channels import canonical_quantity, split_quantity, unit_of

AXONS: tuple[AxonKind, ...] = ("stub", "keep", "none")
BALL = "1 1 0 0 0 5 -1\n2 3 6 0 0 1 1\n3 3 30 0 0 1 2\n"


@pytest.fixture
def cell() -> Cell:
    return Cell(
        "small",
        MorphologySource("stylised-pv"),
        parameters=(Parameter("gbar_NaV", "soma", 0.1, 1.0), Parameter("g_pas", "all", 1e-5, 1e-3)),
        fixed={
            "Ra.all": 100.0,
            "cm.all": 1.0,
            "cm.dend": 2.0,
            "gamma_CaDynamics.soma": 0.05,
            "decay_CaDynamics.soma": 80,
        },
    )


def test_quantities_are_named_as_in_neuron() -> None:
    assert split_quantity("gbar_NaV") == ("NaV", "gbar")
    assert split_quantity("gbar_Im_v2") == ("Im_v2", "gbar")
    assert split_quantity("decay_CaDynamics") == ("CaDynamics", "decay")
    assert split_quantity("cm") == (None, "cm")
    # Two currents: one opens at 37 mV lower voltages than the other.
    assert [canonical_quantity(name) for name in ("gbar_K_Tst", "gbar_K_T")] == ["gbar_K_Tst", "gbar_K_T"]
    assert [unit_of(name) for name in ("gbar_Kv3_1", "decay_CaDynamics", "Ra")] == ["S/cm2", "ms", "Ohm cm"]


def test_a_region_goes_before_all(cell: Cell) -> None:
    model = cell.model({"gbar_NaV.soma": 0.5, "g_pas.all": 1e-4})
    assert model.region_values("dend") == {"Ra": 100.0, "cm": 2.0, "g_pas": 1e-4}
    assert model.channel_values("soma") == {"NaV": {"gbar": 0.5}, "CaDynamics": {"gamma": 0.05, "decay": 80.0}}
    assert model.channel_values("dend") == {}


def test_a_region_goes_before_all_whichever_is_free() -> None:
    source = MorphologySource("stylised-pv")
    free_all = Cell("c", source, (Parameter("cm", "all", 0.1, 10.0),), fixed={"cm.dend": 2.0}).model({"cm.all": 1.0})
    free_dend = Cell("c", source, (Parameter("cm", "dend", 0.1, 10.0),), fixed={"cm.all": 1.0}).model({"cm.dend": 2.0})
    for model in (free_all, free_dend):
        assert [model.region_values(region)["cm"] for region in ("soma", "dend")] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gbar_NaV.soma": 0.5}, "lacks g_pas.all"),
        ({"gbar_NaV.soma": 0.5, "g_pas.all": 1e-4, "gbar_Ih.soma": 1e-5}, "gbar_Ih.soma, not free in small"),
        ({"gbar_NaV.soma": 1.5, "g_pas.all": 1e-4}, "gbar_NaV.soma is 1.5 S/cm2; expected 0.1 to 1"),
        ({"gbar_NaV.soma": float("nan"), "g_pas.all": 1e-4}, "gbar_NaV.soma is nan"),
        ({"gbar_NaVv.soma": 0.5, "g_pas.all": 1e-4}, "channel 'NaVv', which is not known"),
        ({"gmax_NaV.soma": 0.5, "g_pas.all": 1e-4}, "no parameter 'gmax'; expected one of gbar"),
        ({"gbar_NaV.glia": 0.5, "g_pas.all": 1e-4}, "region 'glia' is unknown"),
        ({"gbar_NaV": 0.5, "g_pas.all": 1e-4}, "names no region"),
    ],
)
def test_values_that_do_not_fit_are_refused(values: dict[str, float], message: str, cell: Cell) -> None:
    with pytest.raises(ValueError, match=message):
        cell.model(values)


def test_parameters_that_contradict_are_refused() -> None:
    source = MorphologySource("stylised-pv")
    with pytest.raises(ValueError, match="the lower must be below the upper"):
        Parameter("gbar_NaV", "soma", 1.0, 0.1)
    with pytest.raises(ValueError, match="twice"):
        Cell("c", source, (Parameter("cm", "soma", 0.1, 1.0),), fixed={"cm.soma": 0.5})
    with pytest.raises(ValueError, match="twice"):
        Cell("c", source, (Parameter("gbar_K_T", "soma", 0.1, 1.0), Parameter("gbar_K_T", "soma", 0.2, 1.0)))


def test_a_cell_survives_its_description(cell: Cell) -> None:
    assert Cell.from_dict(cell.to_dict()) == cell


def test_a_holding_current_is_part_of_a_cell(cell: Cell) -> None:
    held = replace(cell, holding_na=0.03)
    assert Cell.from_dict(held.to_dict()) == held
    assert "holding_na" not in cell.to_dict()  # or every digest from before there was one would change
    with pytest.raises(ValueError, match="the holding current of cell small reaches 30 nA"):
        replace(cell, holding_na=30.0)


@pytest.mark.parametrize("name", BUILTIN_CELLS)
def test_the_built_in_cells_have_free_parameters_with_units(name: str) -> None:
    cell = builtin_cell(name)
    assert len(cell.parameters) > 20
    assert {parameter.region for parameter in cell.parameters} == {"soma", "axon", "dend", "all"}
    middle = {item.name: 0.5 * (item.low + item.high) for item in cell.parameters}
    assert set(cell.model(middle).channel_values("soma")) >= {"NaV", "Kv3_1", "SK", "CaDynamics", "Ih"}


def test_there_is_no_other_built_in_cell() -> None:
    with pytest.raises(ValueError, match="expected one of stylised-pv, stylised-vip"):
        builtin_cell("stylised-sst")


def test_a_morphology_is_found_by_folder_variable_or_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "found.swc"
    path.write_text(BALL)
    kept = MorphologySource.from_swc(path, axon="keep")
    by_name = MorphologySource("found.swc", "keep", kept.sha256)
    monkeypatch.delenv("NOBLE_DATA", raising=False)
    digest = load_swc(path).digest
    assert by_name.load().digest == digest
    assert by_name.load(tmp_path).digest == digest
    monkeypatch.setenv("NOBLE_DATA", str(tmp_path))
    assert by_name.load().digest == digest
    stubbed = MorphologySource("found.swc", sha256=kept.sha256).load()
    assert stubbed.length_um("axon") == pytest.approx(60)


def test_an_axon_is_replaced_kept_or_deleted(tmp_path: Path) -> None:
    path = tmp_path / "axon.swc"
    path.write_text(BALL + "10 2 0 -6 0 1 1\n11 2 0 -50 0 1 10\n")
    lengths = {kind: MorphologySource.from_swc(path, axon=kind).load().length_um("axon") for kind in AXONS}
    assert lengths == pytest.approx({"stub": 60.0, "keep": 44.0, "none": 0.0})
    assert MorphologySource("stylised-pv", "none").load().regions == ("soma", "dend")
    assert MorphologySource("stylised-pv", "keep").load().length_um("axon") == pytest.approx(60.0)
    with pytest.raises(ValueError, match="axon of the morphology is 'cut'; expected 'stub', 'keep' or 'none'"):
        MorphologySource("axon.swc", "cut")  # type: ignore[arg-type]


def test_nothing_of_a_deleted_axon_is_free() -> None:
    cell = all_active_cell("c", MorphologySource("any.swc", "none"))
    assert {parameter.region for parameter in cell.parameters} == {"soma", "dend", "all"}


def test_a_missing_or_changed_morphology_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOBLE_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="NOBLE_DATA"):
        MorphologySource("never-seen.swc").load()
    with pytest.raises(FileNotFoundError, match=r"absent\.swc"):
        MorphologySource.from_swc(tmp_path / "absent.swc")
    (tmp_path / "changed.swc").write_text(BALL)
    source = MorphologySource.from_swc(tmp_path / "changed.swc")
    (tmp_path / "changed.swc").write_text(BALL + "4 3 60 0 0 1 3\n")
    with pytest.raises(ValueError, match="it is another file"):
        source.load()


def test_an_apical_dendrite_gets_what_a_dendrite_has() -> None:
    source = MorphologySource("any.swc")
    plain, apical = all_active_cell("c", source), all_active_cell("c", source, apical=True)
    assert not [item for item in plain.parameters if item.region == "apic"]
    bounds = {
        region: [(item.quantity, item.low, item.high) for item in apical.parameters if item.region == region]
        for region in ("dend", "apic")
    }
    assert bounds["apic"] == bounds["dend"] != []
    assert [item for item in apical.parameters if item.region != "apic"] == list(plain.parameters)


def test_the_file_of_a_morphology_can_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOBLE_DATA", raising=False)
    path = tmp_path / "asked.swc"
    path.write_text(BALL)
    assert MorphologySource("stylised-pv").find() is None
    assert MorphologySource("asked.swc").find(tmp_path) == path
    assert MorphologySource.from_swc(path).find() == path.resolve()


def test_a_link_that_leaves_its_folder_is_refused_unless_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOBLE_DATA", raising=False)
    folder, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "secret.swc").write_text(BALL)
    (folder / "linked.swc").symlink_to(elsewhere / "secret.swc")
    with pytest.raises(ValueError, match=r"linked\.swc is a link to a file outside that folder"):
        MorphologySource("linked.swc").find(folder)
    (folder / "own.swc").write_text(BALL)
    (folder / "beside.swc").symlink_to("own.swc")
    assert MorphologySource("beside.swc").find(folder) == folder / "beside.swc"
    named = MorphologySource.from_swc(folder / "linked.swc")  # by a user, not by a file
    assert named.find() == (elsewhere / "secret.swc").resolve()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b.swc", "/etc/passwd", "..\\b.swc", "a\0.swc"])
def test_a_morphology_is_a_plain_file_name(name: str) -> None:
    with pytest.raises(ValueError, match="expected the plain name of a morphology file, without a folder"):
        MorphologySource(name)
