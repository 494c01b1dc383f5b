"""Morphologies in HDF5, the format of the Blue Brain Project, read by MorphIO; the soma and the sizes are by our rules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from noble.cells.finishing import counted, finished
from noble.cells.morphology import REGIONS, Morphology, Section
from noble.cells.outlines import disks_of_outline
from noble.cells.sizes import checked_point
from noble.files import read_bytes

_EXPECTED: Final = "a morphology file (HDF5)"
_MAGIC: Final = b"\x89HDF\r\n\x1a\n"


def load_hdf5(path: Path | str, *, types: Mapping[int, str] | None = None) -> Morphology:
    """Read an HDF5 morphology (version 1 of the format).

    The soma's outline becomes disks along its axis, as in an ASC file; points of a soma with widths are a
    line. A tree starts at its own first point and is joined to the soma's middle.

    Args:
        path: the file.
        types: regions of types of the user's own: `{5: "axon"}`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such file, has no soma, a type that is not known, or is no neuron by its size.
        ModuleNotFoundError: if MorphIO is not installed (extra `morphologies`).

    Warns:
        MorphologyWarning: if trees begin away from the soma.
    """
    import morphio

    path = Path(path)
    if read_bytes(path, expected=_EXPECTED)[: len(_MAGIC)] != _MAGIC:
        raise ValueError(f"{path} is not HDF5; expected {_EXPECTED}.")
    try:
        found = morphio.Morphology(str(path), warning_handler=morphio.WarningHandlerCollector())
        parts = [
            (
                int(section.type),
                None if section.is_root else section.parent.id,
                np.column_stack([section.points, section.diameters]).astype(float),
            )
            for section in found.sections
        ]
        soma = np.column_stack([found.soma.points, found.soma.diameters]).astype(float)
    except (Exception, MemoryError) as error:  # it raises whatever HDF5 does
        raise ValueError(f"{path.name} is not {_EXPECTED}: {' '.join(str(error).split())[:200]}") from error
    for row in [*soma, *(row for _, _, rows in parts for row in rows)]:
        checked_point([float(value) for value in row], path.name)
    body, note = _soma(soma, path.name)
    sections = [Section("soma", body, None, 0.0)]
    for kind, parent, rows in parts:
        position = 0.5 if parent is None else 1.0
        sections.append(
            Section(_region(kind, types or {}, path.name), rows, 0 if parent is None else parent + 1, position)
        )
    return finished(path.name, sections, notes=[note], parents_named=False)


def _region(kind: int, types: Mapping[int, str], name: str) -> str:
    region = types.get(kind, REGIONS[kind - 1] if 2 <= kind <= len(REGIONS) else "")
    if region not in REGIONS[1:]:
        raise ValueError(
            f"{name}: type {kind} is not supported; expected 2 (axon), 3 (dendrite) or 4 (apical dendrite). Say which region it "
            f"is, with `types={{{kind}: 'axon'}}` in Python."
        )
    return region


def _soma(points: np.ndarray, name: str) -> tuple[np.ndarray, str]:
    """The soma's disks, and a sentence about them."""
    if not len(points):
        raise ValueError(
            f"{name} has no soma; expected the points of its outline. Convert the file anew from one that has it."
        )
    if len(points) < 3 or points[:, 3].min() > 0:
        return points, f"The soma of {counted(len(points), 'point')} is a line."
    try:
        disks = disks_of_outline(points)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return (
        disks,
        f"The soma is an outline of {counted(len(points), 'point')}, taken for {len(disks)} disks along its axis.",
    )
