"""Inputs kept beside the project, each with its right answer; without them the tests are skipped."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from noble.cells import load_swc

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases" / "swc"
PLAIN = {"dend": (141.7, 710.5), "axon": (30.0, 122.5), "soma": (12.0, 452.4)}
AS_PLAIN = (
    *("UPPER.SWC", "blank_lines_tabs_trailing.swc", "bom.swc", "comment_after_data.swc", "cr_only.swc", "crlf.swc"),
    *("extra_columns.swc", "float_ids_short.swc", "ids_not_sequential.swc", "long_decimals.swc", "no_extension"),
    *("out_of_order.swc", "plain.swc", "root_parent_zero.swc", "semicolon_comment.swc"),
)

# Length (um) and area (um2) by region.
RIGHT: dict[str, dict[str, tuple[float, float]]] = {
    **dict.fromkeys(AS_PLAIN, PLAIN),
    "axon_on_dendrite.swc": {"axon": (10.0, 62.83), "dend": (11.0, 69.12), "soma": (9.0, 56.55)},
    "ball.swc": {"soma": (10.0, 314.2)},
    "branched_soma.swc": {"soma": (19.0, 591.8), "dend": (116.0, 627.1)},
    "dendrite_on_far_soma_point.swc": {"axon": (26.88, 84.44), "dend": (98.0, 307.88), "soma": (2.41, 60.68)},
    "diameter_jump.swc": {"dend": (84.0, 310.7)},
    "duplicate_points.swc": {"dend": PLAIN["dend"]},
    "roots_at_soma.swc": {"dend": (368.1, 1911.6)},
    "soma_line_dendrite_in_the_middle.swc": {"dend": (8.0, 50.27), "soma": (6.0, 376.99)},
    "soma_not_root.swc": {"soma": (12.0, 452.4), "dend": (98.0, 515.2)},
    "soma_not_root_rerooted.swc": {"soma": (12.0, 452.4), "dend": (98.0, 515.2)},
    "soma_rows_first.swc": {"soma": (3.65, 91.74), "dend": (28.0, 87.96)},
    "soma_rows_split.swc": {"soma": (3.65, 91.74), "dend": (28.0, 87.96)},
    "three_point_soma.swc": {"soma": (20.0, 1256.6)},
    "three_point_soma_reordered.swc": {"soma": (20.0, 1256.6)},
    "three_soma_points_not_the_convention.swc": {"soma": (8.0, 438.4), "dend": (75.0, 407.2)},
    "type_all_known.swc": {"dend": (198.2, 876.1)},
    "with_apical.swc": {"apic": (144.0, 1131.0)},
    "zero_length_between_forks.swc": {"dend": (204.95, 1008.5)},
    "zero_length_stem_at_soma_centre.swc": {"dend": (54.0, 288.4)},
    "zero_radius_tip.swc": {"dend": (141.7, 507.5)},
}
REFUSED = {
    "commas.swc": "is not an SWC point",
    "duplicate_id.swc": "point 3 is defined twice",
    "missing_parent.swc": "names parent 99",
    "nan_radius.swc": "expected finite values",
    "nanometres.swc": "in nm, divide",
    "negative_radius.swc": "radius -0.9",
    "no_soma.swc": "0 soma roots",
    "two_somata.swc": "2 soma roots",
    "utf16.swc": "UTF-16",
    "type_0_5_6_7.swc": "type 7 is not supported",
}


def case(name: str) -> Path:
    if not (CASES / name).is_file():
        pytest.skip(f"the case is absent ({CASES / name})")
    return CASES / name


@pytest.mark.parametrize("name", RIGHT)
def test_an_input_that_is_right(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        morphology = load_swc(case(name))
    for region, expected in RIGHT[name].items():
        assert (morphology.length_um(region), morphology.area_um2(region)) == pytest.approx(expected, rel=3e-3)


@pytest.mark.parametrize("name", REFUSED)
def test_an_input_that_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=REFUSED[name]):
        load_swc(case(name))


def test_inputs_of_several_right_answers() -> None:
    assert load_swc(case("contour_soma.swc")).area_um2("soma") == pytest.approx(450, rel=0.05)
    typed = load_swc(case("type_0_5_6_7.swc"), types={7: "axon"})
    assert typed.digest == load_swc(case("type_all_known.swc")).digest


def test_no_input_is_forgotten() -> None:
    if not CASES.is_dir():
        pytest.skip(f"the cases are absent ({CASES})")
    assert {path.name for path in CASES.iterdir()} <= {*RIGHT, *REFUSED, "contour_soma.swc"}
