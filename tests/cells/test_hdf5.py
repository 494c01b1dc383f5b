"""Morphologies in HDF5 (version 1 of the Blue Brain Project's format), with our rules for the soma."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from noble.cells import Morphology, read_morphology

h5py = pytest.importorskip("h5py")

OUTLINE = [(8, 1), (6, 3.5), (2, 5), (-3, 4.2), (-7, 2), (-9, -1), (-5, -4), (0, -5), (5, -3.5), (7.5, -1)]
SOMA = [(x, y, 0, 0) for x, y in OUTLINE]
TREE = [(6, 0, 0, 2), (20, 0, 0, 1.8), (40, 0, 0, 1.4)]
UP = [(40, 0, 0, 1), (50, 10, 0, 1), (80, 30, 0, 0.8)]
DOWN = [(40, 0, 0, 1), (50, -10, 0, 1), (80, -30, 0, 0.8)]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Morphology]:
    """Write sections as (points, type, parent), the soma first, and read them."""

    def write(*sections: tuple[Sequence[Sequence[float]], int, int], name: str = "cell.h5", **options) -> Morphology:
        path = tmp_path / name
        starts = np.cumsum([0, *(len(points) for points, _, _ in sections)])[:-1]
        with h5py.File(path, "w") as file:
            file["points"] = np.array([point for points, _, _ in sections for point in points], dtype=float)
            rows = [(start, kind, parent) for start, (_, kind, parent) in zip(starts, sections, strict=True)]
            file["structure"] = np.array(rows, dtype=np.int32)
        return read_morphology(path, **options)

    return write


def test_it_is_the_same_cell_as_in_asc(read, tmp_path: Path) -> None:
    found = read((SOMA, 1, -1), (TREE, 3, 0), (UP, 3, 1), (DOWN, 3, 1), name="cell.H5")
    outline = " ".join(f"({x} {y} 0 0)" for x, y in OUTLINE)
    (tmp_path / "cell.asc").write_text(
        f'("CellBody" (CellBody) {outline})\n((Dendrite) (6 0 0 2) (20 0 0 1.8) (40 0 0 1.4)\n'
        "((50 10 0 1) (80 30 0 0.8) | (50 -10 0 1) (80 -30 0 0.8)))\n"
    )
    expected = read_morphology(tmp_path / "cell.asc")
    assert len(found.sections) == len(expected.sections)
    for mine, other in zip(found.sections, expected.sections, strict=True):
        assert (mine.region, mine.parent, mine.parent_position) == (other.region, other.parent, other.parent_position)
        np.testing.assert_allclose(mine.points, other.points, atol=1e-4)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        pytest.param([(TREE, 3, -1)], "has 0 sections of a soma", id="no soma"),
        pytest.param(
            [(SOMA, 1, -1), (TREE, 3, 2), (UP, 3, 0)], "section 1 grows on section 2, which is not", id="order"
        ),
        pytest.param([(SOMA[:2], 1, -1), (TREE, 3, 0)], "the soma is 0 um wide", id="soma of two points"),
        pytest.param([(SOMA, 1, -1), (TREE, 7, 0)], r"type 7 is not supported.*types=\{7: 'axon'\}", id="type"),
        pytest.param([(SOMA, 1, -1), ([(6, 0, 0, 2), (90000, 0, 0, 2)], 3, 0)], "in nm, divide", id="nm"),
        pytest.param(
            [(SOMA, 1, -1), ([(6, 0, 0, 2), (9, float("nan"), 0, 2)], 3, 0)], "expected finite values", id="NaN"
        ),
    ],
)
def test_a_bad_file_is_refused_with_the_reason(sections, message: str, read) -> None:
    with pytest.raises(ValueError, match=message):
        read(*sections)


def test_sections_agree_with_morphio(read, tmp_path: Path) -> None:
    morphio = pytest.importorskip("morphio")
    ours = read((SOMA, 1, -1), (TREE, 3, 0), (UP, 3, 1), (DOWN, 3, 1), (TREE, 2, -1), (TREE, 4, 0)).sections
    theirs = morphio.Morphology(str(tmp_path / "cell.h5"), warning_handler=morphio.WarningHandlerCollector()).sections
    found = {(section.region, section.points.astype("f4").tobytes()) for section in ours[1:]}
    names = {2: "axon", 3: "dend", 4: "apic"}
    assert found == {
        (names[int(section.type)], np.column_stack([section.points, section.diameters]).astype("f4").tobytes())
        for section in theirs
    }


def test_a_soma_of_one_point_is_a_ball(read) -> None:
    assert read(([(0, 0, 0, 12)], 1, -1), (TREE, 2, 0)).area_um2("soma") == pytest.approx(144 * np.pi)


def test_types_of_the_user(read) -> None:
    assert read((SOMA, 1, -1), (TREE, 7, 0), types={7: "axon"}).regions == ("soma", "axon")


def test_what_is_no_morphology_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("1 1 0 0 0 5 -1\n")
    with pytest.raises(ValueError, match="is not HDF5"):
        read_morphology(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["a"] = 1
    with pytest.raises(
        ValueError, match=r"other\.h5 is not a morphology file \(HDF5, version 1\): it has no table /points"
    ):
        read_morphology(tmp_path / "other.h5")
    with pytest.raises(FileNotFoundError, match=r"absent\.h5"):
        read_morphology(tmp_path / "absent.h5")
