"""Reconstructed morphologies as sections, by NEURON's rules, so that both simulators see the same geometry."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from noble.files import read_bytes, shortened

REGIONS: Final = ("soma", "axon", "dend", "apic")
_REGION_OF_SWC_TYPE: Final = {1: "soma", 2: "axon", 3: "dend", 4: "apic"}

# The Allen workflow replaces a reconstructed axon by two cylinders of 30 um x 1 um at the middle of the soma.
STUB_AXON_LENGTH_UM: Final = 30.0
STUB_AXON_DIAMETER_UM: Final = 1.0
# ... and gives every section 1 + 2 int(L / 40 um) compartments.
COMPARTMENT_LENGTH_UM: Final = 40.0
# No point of a neuron lies farther from the origin, 20 cm, and no neuron is longer, 10 m; more would only fill memory.
LARGEST_EXTENT_UM: Final = 2e5
LARGEST_LENGTH_UM: Final = 1e7


@dataclass(frozen=True, eq=False)
class Section:
    """An unbranched stretch of cable of one region.

    Attributes:
        region: soma, axon, dend or apic.
        points: shape (points, 4): x, y, z and diameter, um.
        parent: index of the section it grows from; None for the soma.
        parent_position: where on the parent, 0 to 1.
    """

    region: str
    points: np.ndarray
    parent: int | None
    parent_position: float

    @property
    def length_um(self) -> float:
        """Path length, um."""
        return float(self._piece_lengths.sum())

    @property
    def area_um2(self) -> float:
        """Lateral area of the frusta between successive points, um2."""
        radii = self.points[:, 3] / 2
        slant = np.hypot(self._piece_lengths, np.diff(radii))
        return float(np.sum(np.pi * (radii[:-1] + radii[1:]) * slant))

    @property
    def compartments(self) -> int:
        """Number of compartments, by the Allen workflow's rule; odd, so that one sits at the middle."""
        return 1 + 2 * int(self.length_um / COMPARTMENT_LENGTH_UM)

    @property
    def _piece_lengths(self) -> np.ndarray:
        return np.linalg.norm(np.diff(self.points[:, :3], axis=0), axis=1)


@dataclass(frozen=True, eq=False)
class Morphology:
    """A tree of sections; the soma is the first one and every parent precedes its children.

    Attributes:
        sections: the tree.
        dropped_points: points of the file that hang on no soma (loose axon fragments, usually) and were left out.
    """

    sections: tuple[Section, ...]
    dropped_points: int = 0

    def __post_init__(self) -> None:
        if not self.sections or self.sections[0].region != "soma":
            raise ValueError("a morphology must start with its soma.")

    def length_um(self, region: str) -> float:
        """Total length of a region, um."""
        return sum(section.length_um for section in self.sections if section.region == region)

    def area_um2(self, region: str) -> float:
        """Total membrane area of a region, um2."""
        return sum(section.area_um2 for section in self.sections if section.region == region)

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that occur, in the order of `REGIONS`."""
        return tuple(name for name in REGIONS if any(section.region == name for section in self.sections))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the geometry: the same for the same cable, whatever file it came from."""
        digest = hashlib.sha256()
        for section in self.sections:
            digest.update(f"{section.region} {section.parent} {section.parent_position}".encode())
            digest.update(np.round(section.points, 4).astype("<f8").tobytes())
        return digest.hexdigest()

    def without_axon(self) -> Morphology:
        """The same cell without its axon and whatever grew on it."""
        kept: dict[int | None, int | None] = {None: None}
        sections: list[Section] = []
        for index, section in enumerate(self.sections):
            if section.region != "axon" and section.parent in kept:
                kept[index] = len(sections)
                sections.append(Section(section.region, section.points, kept[section.parent], section.parent_position))
        return Morphology(tuple(sections), self.dropped_points)

    def with_stub_axon(self) -> Morphology:
        """The same cell with its axon, and whatever grew on it, replaced by the Allen workflow's 60 um stub."""
        sections = list(self.without_axon().sections)
        start = _middle(sections[0].points)
        for piece in range(2):
            points = np.array([[*start, STUB_AXON_DIAMETER_UM]] * 2)
            points[:, 1] -= STUB_AXON_LENGTH_UM * np.array([piece, piece + 1])
            parent, position = (0, 0.5) if piece == 0 else (len(sections) - 1, 1.0)
            sections.append(Section("axon", points, parent, position))
        return Morphology(tuple(sections), self.dropped_points)


def _middle(points: np.ndarray) -> np.ndarray:
    """The point halfway along a section, um."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points[:, :3], axis=0), axis=1))])
    return np.array([np.interp(along[-1] / 2, along, points[:, axis]) for axis in range(3)])


def load_swc(path: Path | str) -> Morphology:
    """Read an SWC file by the rules of NEURON's Import3d.

    A soma of one point becomes a cylinder as long as wide; one of three points (a centre with two leaves, the
    NeuroMorpho.org convention) the cylinder through them. A branch on the soma starts at its own first point (on an end of a
    soma drawn as a line, at that end) and is joined to the soma's middle, the soma being one compartment; any other branch
    starts at its parent's last point. Types 1 to 4 are soma, axon, dendrite and
    apical dendrite; a change of type starts a new section.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a malformed line, a missing parent, an unknown type, a cycle, a missing soma or an absurd size.
    """
    rows = _read_rows(Path(path))
    children: dict[int, list[int]] = defaultdict(list)
    for identifier, row in rows.items():
        children[row.parent].append(identifier)
    soma = _soma_points(rows, children, Path(path))
    sections = [Section("soma", _soma_cylinder(rows, soma, children), None, 0.0)]
    # The ends of the soma's line; by the three-point convention the first point is its middle.
    starts = [soma[0]] if sum(child in soma for child in children[soma[0]]) == 1 else soma[1:2]
    soma_ends = {*starts, soma[-1]} if len(soma) > 1 else set()
    # Depth first without recursion: an axon can have thousands of branches in a row.
    pending = [(child, 0, node) for node in reversed(soma) for child in reversed(children[node]) if child not in soma]
    used = len(soma)
    while pending:
        first, parent_section, parent_node = pending.pop()
        chain = [first]
        while len(next_nodes := children[chain[-1]]) == 1 and rows[next_nodes[0]].region == rows[first].region:
            chain.append(next_nodes[0])
        used += len(chain)
        on_soma = parent_section == 0
        # A branch on an end of a soma drawn as a line starts at that end; so does a single point, no cable by itself.
        own_start = on_soma and len(chain) > 1 and parent_node not in soma_ends
        points = np.array([rows[node].point for node in (chain if own_start else [parent_node, *chain])])
        if on_soma and not own_start:
            points[0, 3] = points[1, 3]
        sections.append(Section(rows[first].region, points, parent_section, 0.5 if on_soma else 1.0))
        own = len(sections) - 1
        pending += [(child, own, chain[-1]) for child in reversed(children[chain[-1]])]
    morphology = Morphology(tuple(sections), dropped_points=len(rows) - used)
    if (length := sum(morphology.length_um(region) for region in REGIONS)) > LARGEST_LENGTH_UM:
        raise ValueError(f"{path} is {length:g} um long; expected at most {LARGEST_LENGTH_UM:g} um. Is the file in nm?")
    return morphology


@dataclass(frozen=True)
class _Row:
    region: str
    point: tuple[float, float, float, float]  # x, y, z, diameter
    parent: int


def _read_rows(path: Path) -> dict[int, _Row]:
    """The points of a file by their number, checked line by line."""
    rows: dict[int, _Row] = {}
    # Comments of a reconstruction are in whatever encoding its program had.
    text = read_bytes(path, expected="a morphology file (SWC)").decode("utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split("#")[0].split()
        if not fields:
            continue
        try:
            identifier, kind, parent = int(fields[0]), int(fields[1]), int(fields[6])
            x, y, z, radius = (float(field) for field in fields[2:6])
        except (ValueError, IndexError) as error:
            raise ValueError(
                f"{path.name}, line {number}: {shortened(line.strip())} is not an SWC point; "
                "expected 'id type x y z radius parent'."
            ) from error
        if kind not in _REGION_OF_SWC_TYPE:
            raise ValueError(
                f"{path.name}, line {number}: type {kind} is not supported; expected 1 (soma), 2 (axon), "
                "3 (dendrite) or 4 (apical dendrite). Change or remove the point."
            )
        if identifier in rows:
            raise ValueError(f"{path.name}, line {number}: point {identifier} is defined twice.")
        if not (np.isfinite([x, y, z, radius]).all() and radius > 0):
            raise ValueError(f"{path.name}, line {number}: radius {radius} um; expected finite values and radius > 0.")
        if (extent := max(abs(x), abs(y), abs(z), radius)) > LARGEST_EXTENT_UM:
            raise ValueError(
                f"{path.name}, line {number}: {extent:g} um is no place in a brain; expected at most "
                f"{LARGEST_EXTENT_UM:g} um. Is the file in nm?"
            )
        rows[identifier] = _Row(_REGION_OF_SWC_TYPE[kind], (x, y, z, 2 * radius), parent)
    for identifier, row in rows.items():
        if row.parent != -1 and row.parent not in rows:
            raise ValueError(
                f"{path.name}: point {identifier} names parent {row.parent}, which is not in the file; "
                "expected the number of another point, or -1 for a root. Repair the reconstruction."
            )
    _check_acyclic(rows, path)
    return rows


def _check_acyclic(rows: dict[int, _Row], path: Path) -> None:
    """Refuse points that are their own ancestors."""
    sound: set[int] = {-1}
    for identifier in rows:
        trail: dict[int, None] = {}  # ordered
        while identifier not in sound:
            if identifier in trail:
                raise ValueError(
                    f"{path.name}: point {identifier} is its own ancestor, a cycle; expected a tree. Repair the reconstruction."
                )
            trail[identifier] = None
            identifier = rows[identifier].parent
        sound.update(trail)


def _soma_points(rows: dict[int, _Row], children: dict[int, list[int]], path: Path) -> list[int]:
    """The soma's points from its root on."""
    roots = [identifier for identifier, row in rows.items() if row.region == "soma" and row.parent == -1]
    if len(roots) != 1:
        raise ValueError(f"{path.name} has {len(roots)} soma roots (type 1, parent -1); expected exactly one soma.")
    soma = [roots[0]]
    for node in soma:
        soma += [child for child in children[node] if rows[child].region == "soma"]
    return soma


def _soma_cylinder(rows: dict[int, _Row], soma: list[int], children: dict[int, list[int]]) -> np.ndarray:
    """The soma's section: points (points, 4), um."""
    points = np.array([rows[node].point for node in soma])
    if len(soma) == 1:
        x, y, z, diameter = points[0]
        return np.array([[x + shift, y, z, diameter] for shift in (-diameter / 2, 0.0, diameter / 2)])
    leaves = [node for node in children[soma[0]] if node in soma]
    if len(soma) == 3 and len(leaves) == 2:
        return points[[1, 0, 2]]
    if any(sum(child in soma for child in children[node]) > 1 for node in soma):
        raise ValueError(
            f"the soma's {len(soma)} points branch; expected one point, the three-point convention, or an unbranched line."
        )
    return points
