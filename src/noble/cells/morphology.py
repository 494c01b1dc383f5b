"""A morphology as sections, the same for both simulators; `reading.py` says which files one is read from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import pandas

REGIONS: Final = ("soma", "axon", "dend", "apic")

# The Allen workflow replaces a reconstructed axon by two cylinders of 30 um x 1 um at the middle of the soma.
STUB_AXON_LENGTH_UM: Final = 30.0
STUB_AXON_DIAMETER_UM: Final = 1.0
# ... and gives every section 1 + 2 int(L / 40 um) compartments.
COMPARTMENT_LENGTH_UM: Final = 40.0


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
        notes: what its reader made of the soma and of whatever is odd in the file, in sentences.
    """

    sections: tuple[Section, ...]
    dropped_points: int = 0
    notes: tuple[str, ...] = ()

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

    def to_dict(self) -> dict[str, Any]:
        """Sections, points, compartments, length (um) and area (um2) of each region, and the notes, as JSON knows them."""
        regions = {}
        for region in self.regions:
            sections = [section for section in self.sections if section.region == region]
            regions[region] = {
                "sections": len(sections),
                "points": sum(len(section.points) for section in sections),
                "compartments": sum(section.compartments for section in sections),
                "length_um": self.length_um(region),
                "area_um2": self.area_um2(region),
            }
        return {"regions": regions, "dropped_points": self.dropped_points, "notes": list(self.notes)}

    def to_frame(self) -> pandas.DataFrame:
        """The same numbers as a table, a row for each region."""
        import pandas

        return pandas.DataFrame.from_dict(self.to_dict()["regions"], orient="index").rename_axis("region")

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
        return replace(self, sections=tuple(sections))

    def with_stub_axon(self) -> Morphology:
        """The same cell with its axon, and whatever grew on it, replaced by the Allen workflow's 60 um stub."""
        sections = list(self.without_axon().sections)
        start = _middle(sections[0].points)
        for piece in range(2):
            points = np.array([[*start, STUB_AXON_DIAMETER_UM]] * 2)
            points[:, 1] -= STUB_AXON_LENGTH_UM * np.array([piece, piece + 1])
            parent, position = (0, 0.5) if piece == 0 else (len(sections) - 1, 1.0)
            sections.append(Section("axon", points, parent, position))
        return replace(self, sections=tuple(sections))


def _middle(points: np.ndarray) -> np.ndarray:
    """The point halfway along a section, um."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points[:, :3], axis=0), axis=1))])
    return np.array([np.interp(along[-1] / 2, along, points[:, axis]) for axis in range(3)])
