"""`noble cells FILE`: what a reconstruction is made of, and what was done to it."""

from __future__ import annotations

import json
import re

import pytest

SWC = (
    "1 1 0 0 0 6 -1\n2 3 6 0 0 1 1\n3 3 40 0 0 0.9 2\n4 3 90 20 0 0.6 3\n5 3 90 -20 0 0.6 3\n6 2 0 -6 0 0.8 1\n"
    "7 2 0 -36 0 0.5 6\n"
)
ASC = (
    '("CellBody" (8 1 0 0) (6 3.5 0 0) (2 5 0 0) (-3 4.2 0 0) (-7 2 0 0) (-9 -1 0 0) (-5 -4 0 0) (0 -5 0 0) (5 -3.5 0 0))\n'
    "((Dendrite) (6 0 0 2) (106 0 0 2)) ((Apical) (0 6 0 3) (0 60 0 2)) ((Axon) (0 -6 0 1) (0 -206 0 1))\n"
)


def test_an_swc_file(noble, tmp_path):
    (tmp_path / "Cell.SWC").write_text(SWC)
    shown = noble("cells", tmp_path / "Cell.SWC", "--json", tmp_path / "cell.json")
    assert shown.code == 0
    assert re.search(r"dend\W+3\W+\d+\W+141\.7\W+710\.5", shown.out)
    assert "The soma of 1 point is a ball" in shown.out
    assert "stub of 60 um" in shown.out
    assert "gbar_NaV.soma" in shown.out
    content = json.loads((tmp_path / "cell.json").read_text())
    assert content["name"] == "Cell.SWC"
    assert content["regions"]["axon"] == {
        "sections": 1,
        "points": 2,
        "compartments": 1,
        "length_um": pytest.approx(30),
        "area_um2": pytest.approx(122.53, abs=0.01),
    }
    assert any("ball" in note for note in content["notes"])


def test_an_asc_file(noble, tmp_path):
    (tmp_path / "cell.asc").write_text(ASC)
    shown = noble("cells", tmp_path / "cell.asc")
    assert shown.code == 0
    for region, length in {"dend": "100.0", "apic": "54.0", "axon": "200.0"}.items():
        assert re.search(rf"{region}\W+1\W+2\W+{length}", shown.out)
    assert "outline of 9 points" in shown.out
    assert "cm.apic" in shown.out


def test_what_hangs_loose_is_said_once(noble, tmp_path):
    (tmp_path / "cell.swc").write_text(SWC + "8 2 0 900 0 1 -1\n9 2 0 950 0 1 8\n")
    shown = noble("cells", tmp_path / "cell.swc")
    assert "2 points of the file, in 1 piece" in shown.out
    assert shown.err == ""


def test_a_type_of_the_user_is_named_and_written(noble, tmp_path):
    (tmp_path / "cell.swc").write_text("# custom\n" + SWC.replace("6 2 ", "6 7 ").replace("7 2 ", "7 7 "))
    refused = noble("cells", tmp_path / "cell.swc")
    assert refused.code == 2
    assert "type 7 is not supported" in refused.err
    done = noble("cells", tmp_path / "cell.swc", "--type", "7=axon", "-o", tmp_path / "new.swc")
    assert done.code == 0
    assert (tmp_path / "new.swc").read_text() == "# custom\n" + SWC
    assert re.search(r"axon\W+1\W+2\W+30\.0", done.out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cell.swc", "--type", "axon"), "expected a number and a region"),
        (("cell.swc", "--type", "7=tail"), "expected one of soma, axon, dend, apic"),
        (("cell.swc", "-o", "new.swc"), "expected --type"),
        (("cell.asc", "--type", "7=axon"), "names its regions"),
        (("stylised-pv", "--type", "7=axon"), "are for morphologies"),
        (("absent.ASC",), "there is no file absent.ASC"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments, message, noble, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cell.swc").write_text(SWC)
    (tmp_path / "cell.asc").write_text(ASC)
    result = noble("cells", *arguments)
    assert result.code == 2
    assert message in result.err
    assert not (tmp_path / "new.swc").exists()


def test_capitals_in_a_suffix_in_every_command(noble, tmp_path, monkeypatch):
    """The cell of an evolution, and the morphology of an Allen fit, are found whatever the case of their suffix."""
    from noble.cells import MorphologySource
    from noble.evolve.config import EvolutionConfig

    monkeypatch.chdir(tmp_path)
    (tmp_path / "CELL.SWC").write_text(SWC)
    config = EvolutionConfig.model_construct(cell="CELL.SWC", bounds={}, start={})
    assert config.build_cell().morphology.name == "CELL.SWC"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert config.build_cell(tmp_path).morphology.load(tmp_path).regions == ("soma", "axon", "dend")
    assert MorphologySource.from_swc(tmp_path / "CELL.SWC").load(tmp_path).regions == ("soma", "axon", "dend")
