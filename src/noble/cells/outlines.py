"""A soma drawn as an outline, or as a stack of them, becomes a pile of disks along its axis, as in NEURON's Import3d.

The rules (Carnevale and Hines, The NEURON Book, 2006, chapter 6; NEURON 9, `import3d`): an outline is resampled at 101 places
an equal way apart, from its first to its last point. Its long axis is the main one of these places, its width is measured in the
plane of the microscope (x, y), and 21 disks stand along the axis from the second outermost place to the other. Outlines one
above the other become a disk each, of a radius halfway between that of the perimeter and the mean distance from the centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

_PLACES: Final = 101
_DISKS: Final = 21
# The membrane of a ball is four times its outline's area; disks that are farther from that than this factor are no soma.
_MOST_OFF: Final = 2.0
# An outline that faces the microscope less than this (cosine) is measured along its second axis itself.
_LEAST_FACING: Final = 0.9


def disks_of_outline(outline: np.ndarray) -> np.ndarray:
    """Disks along the long axis of one outline.

    Args:
        outline: shape (points, 3 or more): x, y, z, um; closed by the way from the last point to the first.

    Returns:
        Shape (disks, 4): x, y, z and diameter, um. An outline too odd for disks along an axis (a few points, or one that turns
        back) gives a cylinder as long as wide, of the circle nearest to it.

    Raises:
        ValueError: for fewer than three points, or points on one line.
    """
    places = _equally_spaced(outline[:, :3])
    _, extents, axes = np.linalg.svd(places - places.mean(axis=0), full_matrices=False)
    if len(outline) < 3 or extents[1] < 1e-6 * max(extents[0], 1e-12):
        raise ValueError("the outline of the soma has no width; expected three points or more that enclose an area.")
    long, across, normal = axes
    if abs(normal[2]) > _LEAST_FACING:
        across = np.array([across[0], across[1], 0.0]) / np.hypot(across[0], across[1])
    disks = _along_axis(places, long, across)
    expected = 4 * _enclosed_area(outline[:, :3] @ long, outline[:, :3] @ across)
    if disks is not None and expected / _MOST_OFF <= _lateral_area(disks) <= expected * _MOST_OFF:
        return disks
    x, y, z, diameter = _circle(outline)
    return np.array([[x + shift, y, z, diameter] for shift in (-diameter / 2, 0.0, diameter / 2)])


def smooth(outline: np.ndarray) -> np.ndarray:
    """A closed smooth line through the points of an outline, for those of few points: a polygon lies within what it outlines.

    Args:
        outline: shape (points, 3 or more): x, y, z, um.

    Returns:
        Shape (places, 3), um, the last place being the first; the outline as it is if it has fewer than three different points.
    """
    from scipy.interpolate import CubicSpline

    closed = np.vstack([outline[:, :3], outline[:1, :3]])
    steps = np.linalg.norm(np.diff(closed, axis=0), axis=1)
    distinct = np.concatenate([closed[:-1][steps > 0], closed[:1]])
    if len(distinct) < 4:
        return outline[:, :3]
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(distinct, axis=0), axis=1))])
    return CubicSpline(along, distinct, bc_type="periodic")(np.linspace(0.0, along[-1], 2 * _PLACES))


def disks_of_stack(outlines: Sequence[np.ndarray]) -> np.ndarray:
    """One disk for each of several outlines one above the other, from the lowest up.

    Args:
        outlines: each of shape (points, 3 or more): x, y, z, um.

    Returns:
        Shape (outlines, 4): x, y, z and diameter, um. Outlines of one height give the disks of the largest of them.

    Raises:
        ValueError: as `disks_of_outline` does.
    """
    ordered = sorted(outlines, key=lambda outline: float(outline[:, 2].mean()))
    disks = np.array([_circle(outline) for outline in ordered])
    if np.ptp(disks[:, 2]) < 1e-3:
        return disks_of_outline(ordered[int(np.argmax(disks[:, 3]))])
    return disks


def _equally_spaced(outline: np.ndarray) -> np.ndarray:
    """Places an equal way apart from the first point to the last, shape (places, 3), um."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(outline, axis=0), axis=1))])
    where = np.linspace(0.0, along[-1], _PLACES)
    return np.column_stack([np.interp(where, along, outline[:, axis]) for axis in range(3)])


def _along_axis(places: np.ndarray, long: np.ndarray, across: np.ndarray) -> np.ndarray | None:
    """Disks along the long axis; None where a side of the outline does not go along it."""
    centre = places.mean(axis=0)
    long = long * np.sign(long[np.argmax(np.abs(long))])
    along, aside = (places - centre) @ long, (places - centre) @ across
    # From the farthest place on, around to the nearest, and back on the other side.
    along, aside = np.roll(along, -np.argmax(along)), np.roll(aside, -np.argmax(along))
    turn = int(np.argmin(along))
    one = _rising(along[:turn][::-1], aside[:turn][::-1])
    other = _rising(along[turn:], aside[turn:])
    if len(one[0]) < 2 or len(other[0]) < 2:
        return None
    ends = np.sort(np.concatenate([one[0], other[0]]))
    where = np.linspace(ends[1], ends[-2], _DISKS)
    diameters = np.abs(np.interp(where, *one) - np.interp(where, *other))
    # No disk at an end is a point.
    diameters[0], diameters[-1] = diameters[:2].mean(), diameters[-2:].mean()
    return np.column_stack([centre + where[:, None] * long, diameters])


def _rising(along: np.ndarray, aside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One side of an outline without the places at which it turns back."""
    before = np.concatenate([[-np.inf], np.maximum.accumulate(along)[:-1]])
    return along[along > before], aside[along > before]


def _circle(outline: np.ndarray) -> tuple[float, float, float, float]:
    """Centre and diameter of the circle nearest to an outline, um."""
    closed = np.vstack([outline[:, :3], outline[:1, :3]])
    perimeter = float(np.linalg.norm(np.diff(closed, axis=0), axis=1).sum())
    places = _equally_spaced(outline[:, :3])
    centre = places.mean(axis=0)
    mean_radius = float(np.linalg.norm(places - centre, axis=1).mean())
    x, y, z = (float(value) for value in centre)
    return x, y, z, mean_radius + perimeter / (2 * np.pi)


def _enclosed_area(x: np.ndarray, y: np.ndarray) -> float:
    """Area within a closed line, um2."""
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _lateral_area(disks: np.ndarray) -> float:
    radii = disks[:, 3] / 2
    steps = np.linalg.norm(np.diff(disks[:, :3], axis=0), axis=1)
    return float(np.sum(np.pi * (radii[:-1] + radii[1:]) * np.hypot(steps, np.diff(radii))))
