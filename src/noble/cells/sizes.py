"""What is checked of every morphology, whatever its file: that it is of a neuron's size, and that each piece is a cable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from noble.cells.morphology import REGIONS, Morphology

# No point of a neuron lies farther from the origin, 20 cm, and no neuron is longer, 10 m; more would only fill memory.
LARGEST_EXTENT_UM: Final = 2e5
LARGEST_LENGTH_UM: Final = 1e7
# The widest soma known, of a sea hare, is 1 mm across; the smallest of insects 2 um.
SOMA_WIDTHS_UM: Final = (0.1, 1000.0)
# No dendrite reaches 1 cm from its soma. An axon may.
LARGEST_DENDRITIC_REACH_UM: Final = 1e4
# Half of a neuron's points are thinner than this, but for giant axons.
LARGEST_MEDIAN_DIAMETER_UM: Final = 100.0
_NO_AREA_UM2: Final = 1e-9


def checked_point(values: Sequence[float], where: str) -> tuple[float, float, float, float]:
    """A point of a file as x, y, z and diameter, um.

    Args:
        values: the same as the file has them.
        where: file and line, for messages.

    Raises:
        ValueError: if one is not finite, the diameter is negative, or no brain is so large.
    """
    x, y, z, diameter = values
    if not (np.isfinite(values).all() and diameter >= 0):
        raise ValueError(f"{where}: radius {diameter / 2:g} um; expected finite values and radius > 0.")
    if (extent := max(abs(x), abs(y), abs(z), diameter / 2)) > LARGEST_EXTENT_UM:
        raise ValueError(
            f"{where}: {extent:g} um is no place in a brain; expected at most {LARGEST_EXTENT_UM:g} um. Is the file in nm?"
        )
    return x, y, z, diameter


def check_sizes(morphology: Morphology, name: str) -> None:
    """Refuse a morphology that is no neuron's by its size, or cannot be a cable.

    Args:
        morphology: what was read.
        name: of its file, for messages.

    Raises:
        ValueError: saying what is too large or too small, and what the likely reason is.
    """
    length = sum(morphology.length_um(region) for region in REGIONS)
    if length > LARGEST_LENGTH_UM:
        raise ValueError(f"{name} is {length:g} um long; expected at most {LARGEST_LENGTH_UM:g} um. Is the file in nm?")
    soma = morphology.sections[0]
    width = float(soma.points[:, 3].max())
    low, high = SOMA_WIDTHS_UM
    if not low <= width <= high:
        unit = "nm, divide" if width > high else "mm, multiply"
        raise ValueError(
            f"{name}: the soma is {width:g} um wide; expected {low:g} to {high:g} um. "
            + (
                f"If the file is in {unit} its coordinates and radii by 1000."
                if width > 0
                else "Give its points a radius."
            )
        )
    neurites = [section for section in morphology.sections if section.region != "soma"]
    median = float(np.median(np.concatenate([section.points[:, 3] for section in neurites]))) if neurites else 0.0
    if median > LARGEST_MEDIAN_DIAMETER_UM:
        raise ValueError(
            f"{name}: half of the neurites' points are wider than {median:g} um; expected at most "
            f"{LARGEST_MEDIAN_DIAMETER_UM:g} um. If the file is in nm, divide its coordinates and radii by 1000."
        )
    centre = soma.points[:, :3].mean(axis=0)
    for section in neurites:
        reach = float(np.linalg.norm(section.points[:, :3] - centre, axis=1).max())
        if section.region != "axon" and reach > LARGEST_DENDRITIC_REACH_UM:
            raise ValueError(
                f"{name}: a dendrite ends {reach:g} um from the soma; expected at most {LARGEST_DENDRITIC_REACH_UM:g} um. "
                "If the file is in nm, divide its coordinates by 1000."
            )
    _check_cable(morphology, name)


def _check_cable(morphology: Morphology, name: str) -> None:
    """Every compartment needs a membrane, and current must pass every point but the last."""
    leaves = set(range(len(morphology.sections))) - {section.parent for section in morphology.sections}
    for index, section in enumerate(morphology.sections):
        thin = np.flatnonzero(section.points[:, 3] <= 0)
        ends = {len(section.points) - 1} if index in leaves else set()
        if index == 0:
            ends |= {0, len(section.points) - 1}
        if (inner := [point for point in thin if point not in ends]) or section.area_um2 < _NO_AREA_UM2:
            x, y, z = section.points[inner[0] if inner else 0, :3]
            raise ValueError(
                f"{name}: the {section.region} is of radius 0 at ({x:g}, {y:g}, {z:g}) um, where no current passes; expected "
                "radius > 0 but for the tips. Give such points a radius, 0.05 um say for the thinnest neurites."
            )
