"""SWC files are read by NEURON's rules, and what cannot be read is refused with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from import3d import neuron_numbers, numbers
from noble.cells import load_swc

BALL = "1 1 0 0 0 5 -1\n"
THREE_POINT_SOMA = "1 1 0 0 0 5 -1\n2 1 0 -5 0 5 1\n3 1 0 5 0 5 1\n"
LINE_SOMA = "1 1 0 0 0 4 -1\n2 1 4 0 0 6 1\n3 1 9 0 0 5 2\n4 1 14 1 0 3 3\n"
FORK = "2 3 6 0 0 1 1\n3 3 30 0 0 1 2\n4 3 60 10 0 0.5 3\n5 3 60 -10 0 0.5 3\n"

READABLE = {
    "one point, forked dendrite": BALL + FORK,
    "one point, dendrite of one point": BALL + "2 3 30 0 0 1 1\n",
    "one point, fork at the first point": BALL + "2 3 6 0 0 1 1\n3 3 30 10 0 1 2\n4 3 30 -10 0 0.5 2\n",
    "three points": THREE_POINT_SOMA + "4 3 6 0 0 1 1\n5 3 30 0 0 1 4\n6 4 0 40 0 1 1\n7 4 0 80 0 0.7 6\n",
    "line, axon on its middle": LINE_SOMA + "5 2 5 -10 0 0.5 2\n6 2 5 -40 0 0.4 5\n",
    "dendrite turning apical": BALL + "2 3 6 0 0 1 1\n3 3 30 0 0 1 2\n4 4 60 0 0 0.5 3\n5 4 90 0 0 0.5 4\n",
    "dendrite and axon": BALL + "2 3 6 0 0 1 1\n3 2 0 -6 0 0.5 1\n4 2 0 -30 0 0.5 3\n",
    "line, dendrite on its end": LINE_SOMA + "5 3 20 0 0 1 4\n6 3 60 5 0 0.5 5\n",
    "two points, dendrite on the second": "1 1 0 0 0 5 -1\n2 1 8 0 0 4 1\n3 3 12 0 0 1 2\n4 3 50 0 0 1 3\n",
    "line, dendrite on its start": LINE_SOMA + "5 3 0 8 0 1 1\n6 3 0 40 0 1 5\n",
    "branched": "1 1 0 0 0 6 -1\n2 1 0 5 0 4 1\n3 1 0 9 0 2 2\n4 1 0 -5 0 4 1\n5 1 5 0 0 4 1\n"
    "6 3 10 0 0 1 5\n7 3 60 0 0 0.7 6\n8 3 0 12 0 1 3\n9 3 0 70 0 0.7 8\n10 3 0 7 9 1 2\n11 3 0 7 90 1 10\n",
    "branched twice, dendrite on a fork": "1 1 0 0 0 6 -1\n2 1 0 5 0 4 1\n3 1 0 9 0 2 2\n4 1 5 9 0 2 2\n5 1 0 -5 0 4 1\n"
    "6 3 10 9 0 1 4\n7 3 60 9 0 0.7 6\n8 3 0 5 9 1 2\n9 3 0 5 70 0.7 8\n",
    "three points of unequal width": "1 1 0 0 0 8 -1\n2 1 5 0 0 6 1\n3 1 0 3 0 3 1\n4 3 12 0 0 1 2\n5 3 80 0 0 0.7 4\n",
    "tips of radius 0": BALL + "2 3 6 0 0 1 1\n3 3 40 0 0 0.9 2\n4 3 90 20 0 0 3\n5 3 90 -20 0 0 3\n",
    "three-way fork written as two": BALL + "2 3 6 0 0 1 1\n3 3 40 0 0 0.9 2\n4 3 40 0 0 0.9 3\n"
    "5 3 90 -20 0 0.6 3\n6 3 90 20 0 0.6 4\n7 3 60 60 0 0.6 4\n",
    "stem of one point at the soma's centre": BALL + "2 3 6 0 0 1 1\n3 3 60 0 0 0.7 2\n4 3 0 0 0 1 1\n",
    "stem at the soma's centre that forks": BALL
    + "2 3 6 0 0 1 1\n3 3 60 0 0 0.7 2\n4 3 0 0 0 1 1\n5 3 0 60 0 1 4\n6 3 9 60 0 1 4\n",
    "the same as the first stem": BALL + "2 3 0 0 0 1 1\n3 3 0 60 0 1 2\n4 3 9 60 0 1 2\n",
    "later stem that forks at its first point": BALL
    + "2 3 6 0 0 1 1\n3 3 60 0 0 0.7 2\n4 3 0 6 0 1 1\n5 3 0 60 0 1 4\n6 3 9 60 0 1 4\n",
    "tip on its parent": BALL
    + "2 3 6 0 0 1 1\n3 3 60 0 0 0.7 2\n4 3 90 0 0 0.7 3\n5 3 90 9 0 0.7 3\n6 3 60 0 0 0.7 3\n",
    "roots at the soma": BALL
    + "2 3 0 0 0 1 -1\n3 3 60 0 0 1 2\n4 3 90 9 0 0.5 3\n5 3 90 -9 0 0.5 3\n6 3 0 0 0 1 -1\n7 3 -60 0 0 1 6\n",
    "roots on the soma's surface": BALL + "2 3 6 0 0 1 1\n3 3 60 0 0 1 2\n4 3 0 5 0 1 -1\n5 3 0 60 0 1 4\n",
    "root of parent 0": "1 1 0 0 0 5 0\n" + FORK,
    "numbers as floats": "1.0 1.0 0 0 0 5 -1.0\n2.0 3.0 6 0 0 1 1.0\n3.000e+00 3.0 30 0 0 1 2.0\n",
    "three points, dendrite on an arm": THREE_POINT_SOMA + "4 3 6 0 9 1 2\n5 3 30 0 9 1 4\n",
}


@pytest.fixture
def write_swc(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "cell.swc"
        path.write_text(text)
        return path

    return write


def test_a_forked_dendrite_on_a_ball(write_swc) -> None:
    morphology = load_swc(write_swc("# made for this test\n\n" + BALL + FORK))
    assert [section.region for section in morphology.sections] == ["soma", "dend", "dend", "dend"]
    assert [section.parent for section in morphology.sections] == [None, 0, 1, 1]
    assert [section.parent_position for section in morphology.sections[1:]] == [0.5, 1.0, 1.0]
    tip = np.hypot(30, 10)
    assert morphology.length_um("soma") == pytest.approx(10)
    assert morphology.area_um2("soma") == pytest.approx(np.pi * 10 * 10)
    assert morphology.length_um("dend") == pytest.approx(24 + 2 * tip)
    assert morphology.area_um2("dend") == pytest.approx(np.pi * 2 * 24 + 2 * np.pi * 1.5 * np.hypot(tip, 0.5))
    assert [section.compartments for section in morphology.sections] == [1, 1, 1, 1]


def test_the_stub_replaces_the_axon_and_what_grew_on_it(write_swc) -> None:
    swc = BALL + FORK + "6 2 0 -6 0 1 1\n7 2 0 -50 0 1 6\n8 2 10 -90 0 1 7\n9 2 -10 -90 0 1 7\n"
    morphology = load_swc(write_swc(swc))
    stub = morphology.with_stub_axon()
    assert numbers(stub)["dend"] == numbers(morphology)["dend"]
    assert numbers(stub)["axon"] == pytest.approx((60, np.pi * 60))
    assert [section.parent for section in stub.sections if section.region == "axon"] == [0, 4]
    assert stub.digest != morphology.digest
    assert stub.with_stub_axon().digest == stub.digest


def test_without_its_axon_a_cell_is_as_if_it_had_never_been_there(write_swc) -> None:
    axon = "6 2 0 -6 0 1 1\n7 2 0 -50 0 1 6\n8 3 10 -90 0 1 7\n9 2 -10 -90 0 1 7\n"  # with a dendrite that grows on it
    without = load_swc(write_swc(BALL + FORK + axon)).without_axon()
    assert without.digest == load_swc(write_swc(BALL + FORK)).digest
    assert without.regions == ("soma", "dend")
    assert without.without_axon().digest == without.digest


def test_loose_pieces_are_dropped_and_counted(write_swc) -> None:
    loose = "6 2 100 0 0 1 -1\n7 2 110 0 0 1 6\n8 2 120 0 0 1 7\n"
    morphology = load_swc(write_swc(BALL + FORK + loose))
    assert morphology.dropped_points == 3
    assert morphology.digest == load_swc(write_swc(BALL + FORK)).digest


@pytest.mark.neuron
@pytest.mark.parametrize("case", READABLE)
def test_small_files_agree_with_neuron(case: str, write_swc) -> None:
    path = write_swc(READABLE[case])
    ours, neuron = numbers(load_swc(path)), neuron_numbers(path, "Import3d_SWC_read")
    assert set(ours) == set(neuron)
    for region, expected in neuron.items():
        assert ours[region] == pytest.approx(expected, rel=1e-6)


@pytest.mark.neuron
@pytest.mark.parametrize("name", ["Pvalb_470522102_m.swc", "HL23PV.swc", "HL23VIP.swc"])
def test_reconstructions_agree_with_neuron(name: str, shared_data: Path) -> None:
    morphology = load_swc(shared_data / name)
    ours, neuron = numbers(morphology), neuron_numbers(shared_data / name, "Import3d_SWC_read")
    # NEURON makes the loose pieces of this axon sections of their own, joined to nothing; noble leaves them out.
    regions = ["soma", "dend"] if morphology.dropped_points else list(neuron)
    assert (morphology.dropped_points > 0) == (name == "HL23VIP.swc")
    for region in regions:
        assert ours[region] == pytest.approx(neuron[region], rel=1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(BALL + "2 3 6 0 0 1 7\n", "point 2 names parent 7, which is not in the file", id="missing parent"),
        pytest.param(BALL + "2 9 6 0 0 1 1\n", "line 2: type 9 is not supported.*--type 9=axon", id="unknown type"),
        pytest.param(BALL + "2 1 60 0 0 5 -1\n", "2 soma roots", id="two somas"),
        pytest.param("1 3 0 0 0 5 -1\n2 3 9 0 0 5 1\n", "0 soma roots", id="no soma"),
        pytest.param(BALL + "2 3 6 0 0 1\n", "line 2: .* is not an SWC point", id="short line"),
        pytest.param(BALL + "2 3 six 0 0 1 1\n", "line 2: .* is not an SWC point", id="no number"),
        pytest.param(BALL + "2 3 6 0 0 -1 1\n", "line 2: radius -1.* radius > 0", id="negative radius"),
        pytest.param(BALL + "2 3 6 nan 0 1 1\n", "line 2: .* expected finite values", id="NaN"),
        pytest.param(BALL + "1 3 6 0 0 1 1\n", "point 1 is defined twice", id="twice"),
        pytest.param("", "0 soma roots", id="empty"),
        pytest.param("1,1,0,0,0,6,-1\n", "line 1: .* is not an SWC point", id="commas"),
        pytest.param(BALL + "2.5 3 6 0 0 1 1\n", "line 2: .* is not an SWC point", id="half a number"),
        pytest.param(BALL + "inf 3 6 0 0 1 1\n", "line 2: .* is not an SWC point", id="infinite number"),
        pytest.param(BALL + "-7 3 6 0 0 1 1\n", "line 2: .* expected 0 or more", id="number below zero"),
        pytest.param(BALL + "2 3 6 0 0 1 3\n3 3 9 0 0 1 2\n", "cycle", id="cycle"),
    ],
)
def test_a_bad_file_is_refused_with_the_reason(text: str, message: str, write_swc) -> None:
    with pytest.raises(ValueError, match=message):
        load_swc(write_swc(text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.swc"):
        load_swc(tmp_path / "absent.swc")
