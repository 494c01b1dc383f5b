"""Morphologies made from a few published numbers, so that the package is complete without any external file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from noble.cells.morphology import Morphology, Section


@dataclass(frozen=True)
class StylisedTree:
    """What a stylised dendritic tree reproduces of a reconstruction.

    Attributes:
        soma_radius_um: the soma is a cylinder as long as wide.
        stems: dendrites on the soma.
        tips: ends of dendrites.
        length_um, area_um2: of all dendrites together.
        mean_path_um: mean distance along the dendrite from soma to tip.
    """

    soma_radius_um: float
    stems: int
    tips: int
    length_um: float
    area_um2: float
    mean_path_um: float


# Measured on the human layer 2/3 reconstructions of Yao et al. (2022), ModelDB 267595.
STYLISED_TREES: Final = {
    "stylised-pv": StylisedTree(6.8, stems=6, tips=28, length_um=5212, area_um2=8319, mean_path_um=205),
    "stylised-vip": StylisedTree(8.5, stems=3, tips=28, length_um=3401, area_um2=5993, mean_path_um=170),
}

# Inner branches are thicker than terminal ones by about this factor in both reconstructions.
_INNER_TO_TERMINAL_DIAMETER: Final = 1.5
_STEP_UM: Final = 20.0


def stylised_morphology(tree: StylisedTree) -> Morphology:
    """Grow binary trees with the given length, area, stems, tips and mean path from soma to tip.

    All inner branches share one length and all tips one law of lengths (many short, few long, as in the reconstructions);
    the two unknowns follow from total length and mean path. Diameters follow from the total area. No random numbers.

    Raises:
        ValueError: if length and mean path contradict each other.
    """
    shapes = [_binary(share) for share in _even_shares(tree.tips, tree.stems)]
    inner_count = sum(_inner_branches(shape) for shape in shapes)
    mean_depth = sum(_depth_sum(shape, 0) for shape in shapes) / tree.tips
    # length = tips * terminal + inner_count * inner;  mean path = terminal + mean_depth * inner
    system = np.array([[tree.tips, inner_count], [1.0, mean_depth]])
    if abs(np.linalg.det(system)) < 1e-9:
        raise ValueError(
            f"{tree.tips} tips on {tree.stems} stems do not branch, so length and path are one; use more tips."
        )
    terminal, inner = np.linalg.solve(system, [tree.length_um, tree.mean_path_um])
    if terminal <= 0 or inner <= 0:
        raise ValueError(
            f"{tree.length_um} um in {tree.tips} tips cannot have a mean path of {tree.mean_path_um} um; change one of them."
        )
    weighted = tree.tips * terminal + _INNER_TO_TERMINAL_DIAMETER * inner_count * inner
    terminal_diameter = tree.area_um2 / (np.pi * weighted)
    grower = _Grower(tree, inner, terminal, terminal_diameter)
    for stem, shape in enumerate(shapes):
        direction = 2 * np.pi * stem / tree.stems
        grower.grow(shape, parent=0, start=np.zeros(3), angle=direction, spread=np.pi / tree.stems)
    return Morphology(tuple(grower.sections)).with_stub_axon()


# A tree is None for a tip, else its two subtrees.
_Shape = tuple["_Shape", "_Shape"] | None


def _even_shares(total: int, parts: int) -> list[int]:
    return [total // parts + (index < total % parts) for index in range(parts)]


def _binary(tips: int) -> _Shape:
    return None if tips == 1 else (_binary((tips + 1) // 2), _binary(tips // 2))


def _inner_branches(shape: _Shape) -> int:
    return 0 if shape is None else 1 + _inner_branches(shape[0]) + _inner_branches(shape[1])


def _depth_sum(shape: _Shape, depth: int) -> int:
    """Sum over the tips of the number of inner branches above each."""
    return depth if shape is None else _depth_sum(shape[0], depth + 1) + _depth_sum(shape[1], depth + 1)


class _Grower:
    """Lays the branches of a stylised tree out in the plane; only lengths and diameters matter to the cable."""

    def __init__(self, tree: StylisedTree, inner_um: float, terminal_um: float, terminal_diameter_um: float) -> None:
        radius = tree.soma_radius_um
        soma = np.array([[shift, 0.0, 0.0, 2 * radius] for shift in (-radius, 0.0, radius)])
        self.sections = [Section("soma", soma, None, 0.0)]
        self._inner_um = inner_um
        self._terminal_diameter_um = terminal_diameter_um
        # Mean of 0.45 + 2.2 u^3 over the unit interval is 1; a stride coprime to the number of tips mixes long and short.
        ranks = (np.arange(tree.tips) * 11) % tree.tips if tree.tips % 11 else np.arange(tree.tips)
        law = 0.45 + 2.2 * ((ranks + 0.5) / tree.tips) ** 3
        self._terminal_lengths = iter(terminal_um * law / law.mean())

    def grow(self, shape: _Shape, *, parent: int, start: np.ndarray, angle: float, spread: float) -> None:
        """Add a branch and everything on it."""
        length = next(self._terminal_lengths) if shape is None else self._inner_um
        diameter = self._terminal_diameter_um * (1.0 if shape is None else _INNER_TO_TERMINAL_DIAMETER)
        direction = np.array([np.cos(angle), np.sin(angle), 0.0])
        steps = np.linspace(0.0, length, max(2, int(length / _STEP_UM) + 1))
        points = np.column_stack([start + steps[:, None] * direction, np.full(steps.size, diameter)])
        self.sections.append(Section("dend", points, parent, 0.5 if parent == 0 else 1.0))
        own = len(self.sections) - 1
        for side, subtree in zip((-1, 1), shape or (), strict=False):
            self.grow(subtree, parent=own, start=points[-1, :3], angle=angle + side * spread / 2, spread=spread / 2)
