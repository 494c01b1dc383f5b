"""What files from laboratories and archives have that is in no specification, and what becomes of it, in a sentence each."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from noble.cells import Morphology, load_swc
from noble.cells.finishing import MorphologyWarning

PLAIN = (
    "1 1 0 0 0 6 -1\n2 3 6 0 0 1 1\n3 3 40 0 0 0.9 2\n4 3 90 20 0 0.6 3\n5 3 90 -20 0 0.6 3\n"
    "6 2 0 -6 0 0.8 1\n7 2 0 -36 0 0.5 6\n"
)
BALL = "1 1 0 0 0 6 -1\n2 3 6 0 0 1 1\n3 3 60 0 0 0.7 2\n"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Morphology]:
    """Write a file and read it; whoever expects a warning catches it."""

    def write(text: str | bytes, name: str = "cell.swc", **options: object) -> Morphology:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_swc(path, **options)  # type: ignore[arg-type]

    return write


def numbers(morphology: Morphology, region: str) -> tuple[float, float]:
    return morphology.length_um(region), morphology.area_um2(region)


def said(morphology: Morphology, words: str) -> bool:
    return any(words in note for note in morphology.notes)


def as_floats(text: str) -> str:
    """As numpy.savetxt writes it."""
    return "".join(" ".join(f"{float(value):.18e}" for value in line.split()) + "\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            b"\xef\xbb\xbf# from Windows\r\n" + PLAIN.replace("\n", "\r\n").encode(), id="byte-order mark, CRLF"
        ),
        pytest.param(b"\xef\xbb\xbf" + PLAIN.encode(), id="byte-order mark before the first point"),
        pytest.param("; made by a tool\n" + PLAIN, id="semicolon"),
        pytest.param(PLAIN.replace("\n", " ; a note, 1 2\n"), id="semicolon after the point"),
        pytest.param("id type x y z radius parent\n" + PLAIN, id="heading"),
        pytest.param("# id,type\n\n \t\n" + PLAIN.replace(" ", "\t"), id="tabs and blank lines"),
        pytest.param(as_floats(PLAIN), id="floats"),
        pytest.param(PLAIN.replace("6 -1", "6 0"), id="root of parent 0"),
        pytest.param(PLAIN.replace("6 -1", "6 -2"), id="root of parent -2"),
        pytest.param("# r\u00e9seau\n".encode("latin-1") + PLAIN.encode(), id="comment in Latin-1"),
    ],
)
def test_text_that_says_the_same_in_another_way(text: str | bytes, read) -> None:
    assert read(text).digest == read(PLAIN).digest


def test_children_may_come_before_their_parents(read) -> None:
    turned = read("\n".join(reversed(PLAIN.splitlines())))
    for region in ("soma", "axon", "dend"):
        assert numbers(turned, region) == pytest.approx(numbers(read(PLAIN), region))


def test_capitals_in_the_suffix(read) -> None:
    assert read(PLAIN, "CELL.SWC").digest == read(PLAIN).digest


def test_parent_0_is_a_point_where_there_is_one(read) -> None:
    morphology = read("0 1 0 0 0 6 -1\n1 3 6 0 0 1 0\n2 3 60 0 0 1 1\n")
    assert numbers(morphology, "dend") == pytest.approx((54, 2 * np.pi * 54))


def test_utf_16_is_named(read) -> None:
    for text in (PLAIN.encode("utf-16"), PLAIN.encode("utf-16-le"), PLAIN.encode("utf-16-be")):
        with pytest.raises(ValueError, match=r"UTF-16.*Save it as UTF-8"):
            read(text)


# --- trees that do not hang on the soma


@pytest.mark.parametrize("start", ["0 0 0", "0 6 0", "0 10.5 0"])
def test_a_dendrite_that_begins_at_the_soma_is_joined_and_said(start: str, read) -> None:
    with pytest.warns(MorphologyWarning, match="1 tree without a parent, within 5 um of the soma, joined"):
        morphology = read(BALL + f"4 3 {start} 1 -1\n5 3 0 100 0 1 4\n")
    assert morphology.length_um("dend") == pytest.approx(54 + 100 - float(start.split()[1]), rel=1e-6)
    assert [section.parent for section in morphology.sections] == [None, 0, 0]
    assert morphology.dropped_points == 0


@pytest.mark.parametrize("kind", [3, 4, 0])
def test_a_dendrite_that_begins_elsewhere_is_refused(kind: int, read) -> None:
    with pytest.raises(
        ValueError, match=r"the 2 points from point 4 on hang on nothing, 94 um off the soma.* Give point 4"
    ):
        read(BALL + f"4 {kind} 0 100 0 1 -1\n5 {kind} 0 150 0 1 4\n")


def test_a_dendrite_on_loose_axon_is_refused(read) -> None:
    with pytest.raises(ValueError, match="point 6 of them is dend"):
        read(BALL + "4 2 0 100 0 1 -1\n5 2 0 150 0 1 4\n6 3 0 170 0 1 5\n")


def test_loose_axon_and_stray_points_are_left_out_and_said(read) -> None:
    with pytest.warns(MorphologyWarning, match="3 points of the file, in 2 pieces"):
        morphology = read(BALL + "4 2 0 100 0 1 -1\n5 2 0 150 0 1 4\n6 3 0 0 300 1 -1\n")
    assert morphology.dropped_points == 3
    assert said(morphology, "left out")
    assert morphology.with_stub_axon().notes == morphology.notes


def test_nothing_is_warned_of_where_nothing_hangs_loose(read) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(PLAIN).notes == ("The soma of 1 point is a ball, taken for a cylinder as long as wide.",)


def test_tracing_that_began_at_a_tip_is_turned_round(read) -> None:
    morphology = read(
        "1 3 60 0 0 0.7 -1\n2 3 30 0 0 0.9 1\n3 3 6 0 0 1 2\n4 1 0 0 0 6 3\n5 3 -6 0 0 1 4\n6 3 -50 0 0 0.6 5\n"
    )
    straight = read(
        "1 1 0 0 0 6 -1\n2 3 6 0 0 1 1\n3 3 30 0 0 0.9 2\n4 3 60 0 0 0.7 3\n5 3 -6 0 0 1 1\n6 3 -50 0 0 0.6 5\n"
    )
    assert said(morphology, "The soma (point 4) was not the root")
    for region, expected in {"soma": (12.0, 452.4), "dend": (98.0, 515.2)}.items():
        assert numbers(morphology, region) == pytest.approx(expected, rel=1e-3)
        assert numbers(morphology, region) == pytest.approx(numbers(straight, region))


def test_tracing_that_began_at_a_tip_with_branches_on_the_way(read) -> None:
    morphology = read(
        "1 3 60 0 0 1 -1\n2 3 30 0 0 1 1\n3 1 0 0 0 6 2\n4 1 0 9 0 4 3\n5 3 30 40 0 1 2\n6 2 0 60 0 1 4\n"
    )
    assert morphology.regions == ("soma", "axon", "dend")
    # From the soma's start 30 um to the fork, 30 um and 40 um beyond; the axon from the end of the soma.
    assert morphology.length_um("dend") == pytest.approx(100)
    assert morphology.length_um("axon") == pytest.approx(51)
    assert morphology.length_um("soma") == pytest.approx(9)


def test_somata_in_two_pieces_of_one_tree_are_refused(read) -> None:
    with pytest.raises(ValueError, match=r"2 soma roots .*points 1, 4"):
        read(BALL + "4 1 90 0 0 6 3\n")


# --- sections without length


@pytest.mark.parametrize(
    ("text", "length", "count"),
    [
        pytest.param(
            "4 3 60 0 0 0.7 3\n5 3 90 9 0 1 3\n6 3 90 0 0 1 4\n7 3 90 -9 0 1 4\n",
            54 + 30 + 2 * np.hypot(30, 9),
            1,
            id="fork",
        ),
        pytest.param("4 3 0 0 0 1 1\n", 54, 1, id="stem at the centre"),
        pytest.param("4 3 0 0 0 1 1\n5 3 0 0 0 1 4\n", 54, 1, id="stem of two points at the centre"),
        pytest.param("4 3 0 0 0 1 1\n5 3 0 50 0 1 4\n6 3 50 0 0 1 4\n", 154, 0, id="stem that forks at the centre"),
        pytest.param("4 3 60 0 0 0.7 3\n5 3 99 0 0 0.7 3\n", 93, 1, id="tip on its parent"),
        pytest.param("4 2 60 0 0 0.7 3\n5 3 99 0 0 0.7 3\n", 93, 1, id="axon of no length"),
        pytest.param("4 3 60 0 1e-9 0.7 3\n5 3 99 0 0 0.7 3\n", 93, 1, id="as good as none"),
        pytest.param(
            "4 3 60 0 0 1 3\n5 3 60 0 0 1 4\n6 3 60 0 0 1 4\n7 3 60 9 0 1 6\n8 3 9 0 0 1 6\n",
            54 + 9 + 51,
            1,
            id="nested",
        ),
    ],
)
def test_sections_without_length_are_left_out(text: str, length: float, count: int, read) -> None:
    morphology = read(BALL + text)
    assert all(section.length_um > 0.5 for section in morphology.sections)
    assert morphology.length_um("dend") == pytest.approx(length)
    assert said(morphology, "without length left out") == (count > 0)


def test_soma_points_at_one_place_are_a_ball(read) -> None:
    morphology = read("1 1 0 0 0 4 -1\n2 1 0 0 0 6 1\n3 1 0 0 0 5 2\n4 3 6 0 0 1 3\n5 3 60 0 0 1 4\n")
    assert numbers(morphology, "soma") == pytest.approx((12, 144 * np.pi))
    assert morphology.length_um("dend") == pytest.approx(54)


# --- radius 0


def test_tips_of_radius_0_are_cones(read) -> None:
    morphology = read("1 1 0 0 0 6 -1\n2 3 6 0 0 1 1\n3 3 40 0 0 0.9 2\n4 3 90 20 0 0 3\n5 3 90 -20 0 0 3\n")
    assert numbers(morphology, "dend") == pytest.approx((141.7, 507.5), rel=1e-3)
    assert said(morphology, "2 tips of radius 0")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2 3 6 0 0 1 1\n3 3 40 0 0 0 2\n4 3 90 0 0 1 3\n", id="within a branch"),
        pytest.param("2 3 6 0 0 1 1\n3 3 40 0 0 0 2\n4 3 90 0 0 1 3\n5 3 90 9 0 1 3\n", id="at a fork"),
        pytest.param("2 3 6 0 0 0 1\n", id="all of a branch"),
        pytest.param("2 3 6 0 0 1 1\n3 3 40 0 0 0 2\n4 3 90 0 0 0 3\n", id="the last two points"),
        pytest.param("2 3 6 0 0 0 1\n3 3 40 0 0 0 2\n", id="no radii at all"),
    ],
)
def test_radius_0_where_current_must_pass_is_refused(text: str, read) -> None:
    with pytest.raises(
        ValueError, match=r"the dend is of radius 0 at \(.* expected radius > 0 but for the tips. Give such points"
    ):
        read("1 1 0 0 0 6 -1\n" + text)


def test_a_soma_without_radius_is_refused(read) -> None:
    with pytest.raises(ValueError, match=r"the soma is 0 um wide.*Give its points a radius"):
        read("1 1 0 0 0 0 -1\n2 3 6 0 0 1 1\n3 3 60 0 0 1 2\n")


# --- types


SILENT = (
    "1 1 0 0 0 6 -1\n2 3 6 0 0 1 1\n3 3 40 0 0 0.9 2\n4 5 60 0 0 0.8 3\n5 0 90 20 0 0.6 4\n6 6 120 40 0 0.5 5\n"
    "7 3 90 -20 0 0.6 4\n8 6 120 -40 0 0.5 7\n"
)


def test_types_that_name_no_region_are_taken_as_what_they_grow_on(read) -> None:
    morphology = read(SILENT)
    assert numbers(morphology, "dend") == pytest.approx((198.2, 876.1), rel=1e-3)
    assert said(morphology, "4 points without a region (1 of type 0, 1 of type 5, 2 of type 6)")


def test_silent_points_on_the_soma_are_what_grows_on_them_or_dendrite(read) -> None:
    morphology = read(
        "1 1 0 0 0 6 -1\n2 5 6 0 0 1 1\n3 2 60 0 0 1 2\n4 2 60 9 0 1 2\n5 0 0 9 0 1 1\n"
        "6 0 0 90 0 1 5\n7 0 0 0 9 1 1\n8 4 0 0 50 1 7\n"
    )
    assert morphology.length_um("dend") == pytest.approx(81)
    assert morphology.regions == ("soma", "axon", "dend", "apic")


def test_a_type_of_the_user_is_refused_until_it_is_named(read) -> None:
    custom = PLAIN.replace("6 2 ", "6 7 ").replace("7 2 ", "7 7 ")
    with pytest.raises(ValueError, match=r"line 6: type 7 is not supported.*`types=\{7: 'axon'\}`"):
        read(custom)
    assert read(custom, types={7: "axon"}).digest == read(PLAIN).digest
    assert read(PLAIN, types={2: "apic"}).regions == ("soma", "dend", "apic")
    for types in ({7: "axons"}, {7: "soma"}, {1: "dend"}):
        with pytest.raises(ValueError, match="is mapped to"):
            read(custom, types=types)


# --- somata


def test_a_branched_soma_keeps_all_its_membrane(read) -> None:
    morphology = read(
        "1 1 0 0 0 6 -1\n2 1 0 5 0 4 1\n3 1 0 9 0 2 2\n4 1 0 -5 0 4 1\n5 1 5 0 0 4 1\n"
        "6 3 10 0 0 1 5\n7 3 60 0 0 0.7 6\n8 3 0 12 0 1 3\n9 3 0 70 0 0.7 8\n"
    )
    assert numbers(morphology, "soma") == pytest.approx((19.0, 591.8), rel=1e-3)
    assert numbers(morphology, "dend") == pytest.approx((116.0, 627.1), rel=1e-3)
    assert said(morphology, "a body with side branches (2)")


@pytest.mark.parametrize("width", [0.0, 0.3])
@pytest.mark.parametrize(("points", "turn"), [(8, 0.0), (16, 0.5), (40, 2.0)])
@pytest.mark.parametrize("plane", ["xy", "xz"])
def test_an_outline_has_the_membrane_of_what_it_outlines(
    width: float, points: int, turn: float, plane: str, read
) -> None:
    """A ball of radius 6 has 452 um2; disks, which have no caps, a little less."""
    angles = 2 * np.pi * np.arange(points) / points + turn
    rows = [(6 * np.cos(angle), 6 * np.sin(angle)) for angle in angles]
    places = [f"{a:.4f} {b:.4f} 0" if plane == "xy" else f"{a:.4f} 0 {b:.4f}" for a, b in rows]
    text = "".join(f"{i} 1 {place} {width} {i - 1 if i > 1 else -1}\n" for i, place in enumerate(places, start=1))
    stem = f"{points + 1} 3 {places[0]} 1 1\n{points + 2} 3 200 0 0 1 {points + 1}\n"
    morphology = read(text + stem)
    assert morphology.area_um2("soma") == pytest.approx(450, rel=0.08)
    assert said(morphology, "an outline")
    assert morphology.sections[1].parent == 0


def test_an_ellipse_drawn_as_an_outline(read) -> None:
    """A prolate spheroid of half axes 10 and 5 um has 536 um2."""
    angles = 2 * np.pi * np.arange(24) / 24
    text = "".join(
        f"{i} 1 {10 * np.cos(angle):.4f} {5 * np.sin(angle):.4f} 0 0 {i - 1 or -1}\n"
        for i, angle in enumerate(angles, start=1)
    )
    assert read(text + "30 3 10 0 0 1 1\n31 3 90 0 0 1 30\n").area_um2("soma") == pytest.approx(536, rel=0.08)


def test_an_outline_without_width_is_refused(read) -> None:
    with pytest.raises(ValueError, match=r"cell\.swc: the outline of the soma has no width"):
        read("1 1 0 0 0 0 -1\n2 1 5 0 0 0 1\n3 1 9 0 0 0 2\n4 3 12 0 0 1 1\n5 3 50 0 0 1 4\n")


def test_a_line_that_comes_near_its_start_is_no_outline(read) -> None:
    """Thick disks around one place: their membrane is that of the line, as in NEURON."""
    morphology = read("1 1 0 0 0 6 -1\n2 1 2 0 0 6 1\n3 1 2 2 0 6 2\n4 1 0 2 0 6 3\n5 1 0 1 0 6 4\n")
    assert said(morphology, "a line")


# --- sizes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "1 1 0 0 0 6000 -1\n2 3 6000 0 0 1000 1\n3 3 40000 0 0 900 2\n", "12000 um wide.*in nm, divide", id="nm"
        ),
        pytest.param(
            "1 1 0 0 0 6 -1\n2 3 6000 0 0 1 1\n3 3 40000 0 0 1 2\n",
            "ends 40000 um from.*in nm, divide",
            id="places in nm",
        ),
        pytest.param(
            "1 1 0 0 0 6 -1\n2 3 6 0 0 100 1\n3 3 60 0 0 90 2\n", "wider than .*in nm, divide", id="radii in nm"
        ),
        pytest.param("1 1 0 0 0 0.006 -1\n2 3 0.006 0 0 0.001 1\n3 3 0.06 0 0 0.001 2\n", "in mm, multiply", id="mm"),
    ],
)
def test_a_size_that_no_neuron_has_is_questioned(text: str, message: str, read) -> None:
    with pytest.raises(ValueError, match=message):
        read(text)


def test_an_axon_may_be_long(read) -> None:
    assert read(BALL + "4 2 0 6 0 1 1\n5 2 0 90000 0 1 4\n").length_um("axon") == pytest.approx(89994)
