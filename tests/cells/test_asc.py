"""Neurolucida files are read as NEURON reads them, and what NEURON or MorphIO would leave out unsaid is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from import3d import neuron_numbers, numbers
from noble.cells import Morphology, MorphologyWarning, load_asc, load_swc

# An outline of no symmetry: the long axis of one that has some is anybody's choice.
OUTLINE = "(8 1 0 0) (6 3.5 0 0) (2 5 0 0) (-3 4.2 0 0) (-7 2 0 0) (-9 -1 0 0) (-5 -4 0 0) (0 -5 0 0) (5 -3.5 0 0) (7.5 -1 0 0)"
BODY = f'("CellBody" (Color Red) (CellBody) {OUTLINE})\n'
FORK = """( (Color Cyan) (Dendrite)
  (6 0 0 2) (20 0 0 1.8) (40 0 0 1.4)
  ( (50 10 0 1) (80 30 0 0.8) Normal
  | (50 -10 0 1) (80 -30 0 0.8)
  )
)
"""

READABLE = {
    "a fork": BODY + FORK,
    "branches that repeat the fork": BODY
    + "((Dendrite) (6 0 0 2) (40 0 0 1.4) ((40 0 0 1) (80 30 0 0.8) | (40 0 0 1.4) (80 -30 0 0.8)))",
    "axon and apical dendrite": BODY + "((Axon) (0 -6 0 1) (0 -60 0 1)) ((Apical) (0 6 0 3) (0 60 0 2) Normal)",
    "markers, spines and contours of other things": "; V3 text file\n"
    + BODY
    + '("Pia" (Closed) (90 0 0 0) (0 90 0 0) (9 9 9 0))\n'
    '(Dot (Color White) (Name "Marker 1") (3 3 3 0.1))\n((Dendrite) (6 0 0 2) <(Class 0 "") (7 1 0 0.2)> (20 0 0 1.8)\n'
    '  (Dot (Name "x") (40 0 1 1))\n  ((50 10 0 1 S1) (80 30 0 0.8) Incomplete | (50 -10 0 1) (80 -30 0 0.8) High))\n',
    "a stem of one point": BODY + "((Dendrite) (6 0 0 2)) ((Dendrite) (6 0 0 2) ((20 0 0 1) | (20 10 0 1)))",
    "a branch of one point at the fork": BODY
    + "((Dendrite) (6 0 0 2) (20 0 0 2) ((20 0 0 1) | (20 10 0 1) (50 10 0 1)))",
    "nested forks": BODY
    + "((Dendrite) (6 0 0 2) (9 0 0 2) ((20 0 0 1) ((30 0 0 1) | (30 9 0 1) | (30 0 9 1)) | (20 10 0 1)))",
    "the soma after the trees": FORK + BODY,
    "commas": BODY + "((Dendrite) (6, 0, 0, 2), (20, 0, 0, 1.8))",
    "three outlines above each other": '("CellBody" (CellBody) (5 0 0 0) (0 5 0 0) (-5 0 0 0) (0 -5.5 0 0))\n'
    '("CellBody" (CellBody) (7 0 3 0) (0 6 3 0) (-6 0 3 0) (0 -6 3 0))\n'
    '("CellBody" (CellBody) (5 0 6 0) (0 4 6 0) (-4 0 6 0) (0 -5 6 0))\n' + FORK,
    "colours as numbers": BODY.replace("Color Red", "Color RGB (128, 0, 64)") + FORK,
    "Windows": (BODY + FORK).replace("\n", "\r\n"),
}

# It knows one outline of a soma, no commas, and no colours as numbers.
NOT_FOR_MORPHIO = {"three outlines above each other", "commas", "colours as numbers"}


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Morphology]:
    def write(text: str) -> Morphology:
        path = tmp_path / "cell.asc"
        path.write_bytes(text.encode())
        return load_asc(path)

    return write


@pytest.mark.neuron
@pytest.mark.parametrize("case", READABLE)
def test_small_files_agree_with_neuron(case: str, read, tmp_path: Path) -> None:
    ours, neuron = numbers(read(READABLE[case])), neuron_numbers(tmp_path / "cell.asc", "Import3d_Neurolucida3")
    assert set(ours) == set(neuron)
    for region, expected in neuron.items():
        assert ours[region] == pytest.approx(expected, rel=1e-3)


@pytest.mark.neuron
def test_a_reconstruction_agrees_with_neuron(shared_data: Path) -> None:
    """A layer 5 pyramidal cell (SSCxEModelExamples, CC BY 4.0)."""
    path = shared_data / "recordings" / "l5pc-C060110A2" / "C060110A2.asc"
    if not path.is_file():
        pytest.skip(f"the reconstruction is absent ({path})")
    ours, neuron = numbers(load_asc(path)), neuron_numbers(path, "Import3d_Neurolucida3")
    assert set(ours) == set(neuron) == {"soma", "axon", "dend", "apic"}
    for region, expected in neuron.items():
        assert ours[region] == pytest.approx(expected, rel=1e-3)
    lengths_mm = {region: length / 1000 for region, (length, _) in ours.items()}
    assert lengths_mm == pytest.approx({"soma": 0.028, "axon": 14.95, "dend": 7.53, "apic": 8.80}, abs=0.01)


@pytest.mark.parametrize("case", sorted(READABLE.keys() - NOT_FOR_MORPHIO))
def test_trees_agree_with_morphio(case: str, read) -> None:
    """Every section's points; MorphIO keeps sections of one point, and reads no somata of several outlines."""
    morphio = pytest.importorskip("morphio")
    ours = [section.points for section in read(READABLE[case]).sections if section.region != "soma"]
    found = morphio.Morphology(READABLE[case], "asc", warning_handler=morphio.WarningHandlerCollector())
    theirs = [np.column_stack([section.points, section.diameters]) for section in found.sections]
    theirs = [points for points in theirs if np.ptp(points[:, :3], axis=0).max() > 0]
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)


def test_what_is_odd_is_said(read) -> None:
    assert read(BODY + FORK).notes == ("The soma is an outline of 10 points, taken for 21 disks along its axis.",)
    untyped = read(BODY + FORK + "((Color Blue) (0 6 0 1) (0 60 0 1)) ((0 -6 0 1) (0 -60 0 1))")
    assert untyped.length_um("dend") == pytest.approx(134.4 + 108, abs=0.1)
    assert "2 trees without a type taken for dendrite." in untyped.notes
    assert (
        "1 contour of something else than the cell body not read."
        in read(BODY + '("Pia" (9 9 9 0) (8 8 8 0))' + FORK).notes
    )


def test_trees_that_begin_away_from_the_soma_are_joined_and_said(read) -> None:
    near = read(BODY + FORK + "((Axon) (0 20 0 1) (0 60 0 1))")
    assert any("1 tree that begins" in note and "um off the soma joined to its middle" in note for note in near.notes)
    with pytest.warns(MorphologyWarning, match=r"cell\.asc: 1 tree that begins .* um off the soma joined"):
        far = read(BODY + FORK + "((Axon) (0 90 0 1) (0 160 0 1))")
    assert far.length_um("axon") == pytest.approx(70)


def test_quotes_and_names_of_the_soma(read) -> None:
    for title in ('"Cell Body"', '"Soma"', '"cellbody"', '"Cell 1" (CellBody)', "(Color Red) (CellBody)"):
        assert read(f"({title} {OUTLINE})" + FORK).digest == read(BODY + FORK).digest


def test_sets_are_entered(read) -> None:
    assert read(f'(Set "one" {BODY} {FORK})').digest == read(BODY + FORK).digest


def test_an_outline_of_few_points_is_no_nonsense(read) -> None:
    """A diamond of 50 um2, of which NEURON 9 makes a soma of 1.5 um2."""
    for points in (
        "(5 0 0 0) (0 5 0 0) (-5 0 0 0) (0 -5 0 0)",
        "(5 5 0 0) (-5 5 0 0) (-5 -5 0 0) (5 -5 0 0)",
        "(5 0 0 0) (0 5 0 0) (-5 -5 0 0)",
    ):
        assert 90 < read(f'("CellBody" {points})' + FORK).area_um2("soma") < 450


def test_nesting_does_not_exhaust_the_stack(read) -> None:
    depth = 2500
    text = (
        BODY
        + "((Dendrite) (6 0 0 2)"
        + "".join(f"({6 + i % 2} 0 {1 + i % 3} 1) (" for i in range(depth))
        + "(1 1 1 1)"
        + ")" * depth
    )
    assert read(text + ")").length_um("dend") > depth
    with pytest.raises(ValueError, match="nested more than 10,000 deep"):
        read("(" * 1_000_000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "neither a cell body nor trees", id="empty"),
        pytest.param("1 1 0 0 0 5 -1\n2 3 6 0 0 1 1\n", "neither a cell body nor trees", id="SWC"),
        pytest.param(FORK, "has no cell body", id="no soma"),
        pytest.param(
            BODY + '("CellBody" (80 0 0 0) (90 0 0 0) (90 9 0 0))' + FORK, "has several cell bodies", id="two"
        ),
        pytest.param(
            '("CellBody" (5 0 0 0) (0 5 0 0))' + FORK, r"cell\.asc: the outline of the soma has no width", id="a line"
        ),
        pytest.param(BODY + FORK[:-2], "ends within the list that begins at line 2.*cut off", id="cut off"),
        pytest.param(BODY + FORK + ")", r"line 8: '\)' closes nothing", id="closed twice"),
        pytest.param(BODY + "((Dendrite) (6 0 0 nan) (20 0 0 1))", "line 2: radius nan um", id="NaN"),
        pytest.param(BODY + "((Dendrite) (6 0 0 -1) (20 0 0 1))", "line 2: radius -0.5 um", id="negative"),
        pytest.param(BODY + "((Dendrite) (6) (20 0 0 1))", "line 2: '6' is not a point", id="one number"),
        pytest.param(BODY + "((Dendrite) (6 0 0 0) (20 0 0 0) (40 0 0 0))", "of radius 0", id="no widths"),
        pytest.param(BODY + "((Dendrite) (6 0 0 1) (40000 0 0 1))", "in nm, divide", id="nm"),
        pytest.param("\0" * 100, "UTF-16, or no text", id="zeros"),
    ],
)
def test_a_bad_file_is_refused_with_the_reason(text: str, message: str, read) -> None:
    with pytest.raises(ValueError, match=message):
        read(text)


def test_the_same_cell_as_swc_and_asc(read, tmp_path: Path) -> None:
    """Trees alike to the last digit; somata, an outline and its line of disks, alike too."""
    asc = read(BODY + "((Dendrite) (6 0 0 2) (20 0 0 1.8) (40 0 0 1.4))")
    rows = [
        f"{i + 1} 1 {x:.9f} {y:.9f} {z:.9f} {d / 2:.9f} {i or -1}"
        for i, (x, y, z, d) in enumerate(asc.sections[0].points)
    ]
    tree = ["90 3 6 0 0 1 10", "91 3 20 0 0 0.9 90", "92 3 40 0 0 0.7 91"]
    (tmp_path / "cell.swc").write_text("\n".join(rows + tree) + "\n")
    swc = load_swc(tmp_path / "cell.swc")
    for region, expected in numbers(asc).items():
        assert numbers(swc)[region] == pytest.approx(expected, rel=1e-6)
