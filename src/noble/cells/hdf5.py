"""Morphologies in HDF5, version 1 of the Blue Brain Project's format: all points in a table, and where each section begins.

`/points` has x, y, z and diameter (um) of every point, `/structure` a row for each section: its first point, its type, and the
row of its parent, -1 for the soma and for what has none. MorphIO reads such files too, but ends the process on some damaged
ones; tests hold this reader against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from noble.cells.finishing import counted, finished
from noble.cells.morphology import REGIONS, Morphology, Section
from noble.cells.outlines import disks_of_outline
from noble.cells.sizes import checked_point
from noble.files import read_bytes

_EXPECTED: Final = "a morphology file (HDF5, version 1)"
_MAGIC: Final = b"\x89HDF\r\n\x1a\n"
_SOMA: Final = 1
_MOST_ROWS: Final = 3_000_000


def load_hdf5(path: Path | str, *, types: Mapping[int, str] | None = None) -> Morphology:
    """Read an HDF5 morphology.

    The soma's outline becomes disks along its axis, as in an ASC file; points of a soma with widths are a line. A tree starts at
    its own first point and is joined to the soma's middle; a branch starts at its parent's last point.

    Args:
        path: the file.
        types: regions of types of the user's own: `{5: "axon"}`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such file, has no soma, a type that is not known, or is no neuron by its size.
        ModuleNotFoundError: if h5py is not installed (extra `morphologies`).

    Warns:
        MorphologyWarning: if trees begin far from the soma.
    """
    path = Path(path)
    points, structure = _tables(path)
    for row in points:
        checked_point([float(value) for value in row], path.name)
    starts = structure[:, 0]
    if not len(structure) or starts[0] != 0 or (np.diff(starts) <= 0).any() or starts[-1] >= len(points):
        raise ValueError(f"{path.name}: the sections do not divide the {len(points)} points; expected {_EXPECTED}.")
    somata = np.flatnonzero(structure[:, 1] == _SOMA)
    if len(somata) != 1:
        raise ValueError(f"{path.name} has {len(somata)} sections of a soma (type 1); expected exactly one soma.")
    pieces = np.split(points, starts[1:])
    body, note = _soma(pieces[somata[0]], path.name)
    sections = [Section("soma", body, None, 0.0)]
    home = {-1: 0, int(somata[0]): 0}
    for row, (piece, (_, kind, parent)) in enumerate(zip(pieces, structure.tolist(), strict=True)):
        if kind == _SOMA:
            continue
        if parent not in home:
            raise ValueError(
                f"{path.name}: section {row} grows on section {parent}, which is not before it; expected a tree."
            )
        on = home[parent]
        if on > 0 and (piece[0, :3] != sections[on].points[-1, :3]).any():
            piece = np.vstack([[*sections[on].points[-1, :3], piece[0, 3]], piece])
        sections.append(Section(_region(kind, types or {}, path.name), piece, on, 1.0 if on else 0.5))
        home[row] = len(sections) - 1
    return finished(path.name, sections, notes=[note], parents_named=False)


def _tables(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Points, shape (points, 4), um, and structure, shape (sections, 3)."""
    if read_bytes(path, expected=_EXPECTED)[: len(_MAGIC)] != _MAGIC:
        raise ValueError(f"{path} is not HDF5; expected {_EXPECTED}.")
    import h5py

    try:
        with h5py.File(path, "r") as file:
            points = _table(file, "points", 4).astype(float)
            structure = _table(file, "structure", 3)
    except (
        OSError,
        RuntimeError,
        KeyError,
        TypeError,
        ValueError,
        MemoryError,
    ) as error:  # whatever HDF5 finds damaged
        raise ValueError(f"{path.name} is not {_EXPECTED}: {' '.join(str(error).split())[:200]}") from error
    if not np.isfinite(structure.astype(float)).all():
        raise ValueError(f"{path.name}: the structure has a value that is no number; expected {_EXPECTED}.")
    return points, structure.astype(np.int64)


def _table(file: Any, name: str, columns: int) -> np.ndarray:
    """A table of numbers that lies in this very file."""
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink) or not isinstance(file[name], h5py.Dataset):
        raise ValueError(f"it has no table /{name}.")
    table = file[name]
    if (
        table.dtype.kind not in "fiu"
        or table.ndim != 2
        or table.shape[1] != columns
        or table.external
        or table.is_virtual
    ):
        raise ValueError(f"/{name} is {table.dtype} of shape {table.shape}; expected numbers in {columns} columns.")
    if table.shape[0] > _MOST_ROWS:
        raise ValueError(f"/{name} has {table.shape[0]:,} rows; expected at most {_MOST_ROWS:,}.")
    return table[()]


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
    if len(points) == 1:
        x, y, z, width = points[0]
        ball = np.array([[x + shift, y, z, width] for shift in (-width / 2, 0.0, width / 2)])
        return ball, "The soma of 1 point is a ball, taken for a cylinder as long as wide."
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
