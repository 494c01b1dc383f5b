"""Coordinates: 0 at the start's centre, 1 a spread away, and never outside the parameters' bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_runs import START, assert_one_sentence, small_config

from noble.cells import Cell, MorphologySource, Parameter
from noble.evolve.space import Space


def space_of(tmp_path, **changes) -> Space:
    config = small_config(tmp_path, **changes)
    return Space.of(config, config.build_cell())


def axis_of(space: Space, name: str):
    return next(axis for axis in space.axes if axis.parameter.name == name)


def index_of(space: Space, name: str) -> int:
    return [axis.parameter.name for axis in space.axes].index(name)


def test_a_coordinate_is_a_factor_or_a_difference(tmp_path):
    space = space_of(tmp_path, start={"g_pas.all": [2e-4, 0.4], "e_pas.all": [-81.0, 2.0]})
    leak, rest = axis_of(space, "g_pas.all"), axis_of(space, "e_pas.all")
    assert leak.value(0) == pytest.approx(2e-4, rel=1e-12)
    assert leak.value(1) == pytest.approx(2e-4 * math.exp(0.4), rel=1e-12)
    assert leak.value(-2) == pytest.approx(2e-4 * math.exp(-0.8), rel=1e-12)
    assert [rest.value(u) for u in (-1, 0, 1, 2)] == pytest.approx([-83, -81, -79, -77])


def test_values_and_points_are_each_others_inverse(tmp_path):
    space = space_of(tmp_path)
    points = np.random.default_rng(0).uniform(space.low, space.high, (50, len(space.axes)))
    for point in points:
        values = space.values(point)
        assert list(values) == [item.name for item in space.cell.parameters]
        np.testing.assert_allclose(space.point(values), point, atol=1e-9)


def test_every_corner_is_a_model(tmp_path):
    """Rounding in exp and log must not carry a value over its bound."""
    space = space_of(tmp_path, reach=100)
    assert np.all(space.low < space.high)
    generator = np.random.default_rng(0)
    for point in (
        space.low,
        space.high,
        *np.where(generator.random((50, len(space.axes))) < 0.5, space.low, space.high),
    ):
        space.cell.model(space.values(point))  # checks bounds
    top = space.values(space.high)
    assert top["e_pas.all"] == -60
    assert top["gbar_NaV.soma"] == pytest.approx(5.0)


def test_the_reach_is_in_spreads_and_ends_at_the_bounds(tmp_path):
    space = space_of(tmp_path, reach=3, bounds={"e_pas.all": [-84.0, -70.0]})
    rest, leak = axis_of(space, "e_pas.all"), axis_of(space, "g_pas.all")
    assert (rest.low, rest.high) == (-1.5, 3)
    assert (leak.low, leak.high) == (-3, 3)


def test_without_a_start_all_of_the_range_is_two_spreads_each_way(tmp_path):
    space = space_of(tmp_path, start={}, reach=3)
    for name, low, high in (("e_pas.all", -110, -60), ("cm.soma", 0.1, 10), ("gbar_NaV.soma", 1e-6 * 5, 5)):
        axis = axis_of(space, name)
        assert (axis.low, axis.high) == pytest.approx((-2, 2))
        assert (axis.value(-2), axis.value(2)) == pytest.approx((low, high))
    assert axis_of(space, "cm.soma").value(0) == pytest.approx(1.0)
    assert axis_of(space, "e_pas.all").value(0) == pytest.approx(-85.0)


def test_a_density_that_may_vanish_has_a_finite_coordinate(tmp_path):
    space = space_of(tmp_path, start=START | {"gbar_K_T.soma": [0.01, 0.5]}, reach=100)
    axis = axis_of(space, "gbar_K_T.soma")
    assert axis.parameter.low == 0
    assert axis.coordinate(0) == axis.low == pytest.approx(math.log(1e-6 / 0.01) / 0.5)
    assert axis.value(axis.low) == pytest.approx(1e-6)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("e_pas.all", [-50.0, 2.0]),
        ("gbar_NaV.soma", [6.0, 0.4]),
        ("gbar_NaV.soma", [0.5, 0.0]),
        ("gbar_NaV.soma", [0.5, -1.0]),
        ("gbar_NaV.soma", [float("nan"), 1.0]),
        ("gbar_NaV.soma", [0.5, float("nan")]),
        ("gbar_K_T.soma", [0.0, 1.0]),
        ("gbar_K_T.soma", [1e-9, 0.3]),  # below all that the axis can reach
    ],
)
def test_a_start_that_makes_no_sense_is_refused(tmp_path, name, start):
    with pytest.raises(ValueError, match=name) as caught:
        space_of(tmp_path, start={name: start})
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("bounds", [[-1.0, 0.0], [-1.0, 1.0]])
def test_a_density_has_no_negative_bounds(tmp_path, bounds):
    with pytest.raises(ValueError, match=r"gbar_NaV\.soma") as caught:
        space_of(tmp_path, start={}, bounds={"gbar_NaV.soma": bounds})
    assert_one_sentence(caught.value)


def test_quantities_move_on_all_their_regions(tmp_path):
    space = space_of(tmp_path)
    names = [axis.parameter.name for axis in space.axes]
    assert [names[i] for i in space.moving(["cm", "e_pas"])] == ["cm.soma", "cm.axon", "cm.dend", "e_pas.all"]
    assert space.moving(None).tolist() == list(range(len(names)))


@pytest.mark.parametrize("unknown", ["gbar_Foo", "cm.soma", "gbar_NaTs"])
def test_an_unknown_quantity_is_refused(tmp_path, unknown):
    with pytest.raises(
        ValueError, match=f"{unknown}.* is not free in stylised-pv; expected some of .*gbar_NaV"
    ) as caught:
        space_of(tmp_path).moving(["e_pas", unknown])
    assert_one_sentence(caught.value)
    assert "e_pas," not in str(caught.value).split(";")[0]


def test_confined_axes_keep_near_the_points_and_others_stay(tmp_path):
    space = space_of(tmp_path)
    names = ("e_pas.all", "g_pas.all", "gbar_Kv3_1.soma", "gbar_NaV.soma")
    rest, leak, fast, sodium = (index_of(space, name) for name in names)
    rows = np.zeros((3, len(space.axes)))
    rows[:, rest], rows[:, leak], rows[:, sodium] = [-1, 0, 0.5], [2.8, 2.9, 3.0], [-2, 0, 2]
    rows[:, fast] = [-2.9, -2.8, -3.0]
    near = space.confined(rows, np.array([rest, leak, fast]), 0.25)
    assert (near.axes[rest].low, near.axes[rest].high) == (-1.25, 0.75)
    # Not past the reach, above or below.
    assert (near.axes[leak].low, near.axes[leak].high) == pytest.approx((2.55, space.axes[leak].high))
    assert (near.axes[fast].low, near.axes[fast].high) == pytest.approx((space.axes[fast].low, -2.55))
    others = [index for index in range(len(space.axes)) if index not in (rest, leak, fast)]
    assert [near.axes[index] for index in others] == [space.axes[index] for index in others]
    point = near.low.copy()
    assert near.values(point)["e_pas.all"] == pytest.approx(-81 - 2 * 1.25)  # the same coordinates as before


def test_confining_to_one_point_leaves_an_axis_that_is_not_empty(tmp_path):
    space = space_of(tmp_path)
    for value in (0.0, 3.0, -3.0):
        near = space.confined(np.full((1, len(space.axes)), value), np.array([index_of(space, "e_pas.all")]), 0.0)
        axis = axis_of(near, "e_pas.all")
        assert axis.low < axis.high < axis.low + 1e-6
        space.cell.model(near.values(np.clip(np.zeros(len(space.axes)), near.low, near.high)))


def test_axes_follow_the_cells_parameters(tmp_path):
    config = small_config(tmp_path, start={})
    cell = Cell(
        "two", MorphologySource("stylised-pv"), (Parameter("cm", "all", 0.5, 2.0), Parameter("e_pas", "all", -90, -70))
    )
    space = Space.of(config, cell)
    assert space.low.shape == space.high.shape == (2,)
    assert space.values([0, 0]) == pytest.approx({"cm.all": 1.0, "e_pas.all": -80.0})
