"""Morphologies from files, whatever their format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from noble.cells.hdf5 import load_hdf5
from noble.cells.morphology import Morphology
from noble.cells.neurolucida import load_asc
from noble.cells.swc import load_swc

# In capitals too.
MORPHOLOGY_SUFFIXES: Final = (".swc", ".asc", ".h5")


def names_a_morphology(name: str | Path) -> bool:
    """Whether a file of this name is a morphology, by its suffix."""
    return Path(name).suffix.lower() in MORPHOLOGY_SUFFIXES


def read_morphology(path: str | Path, *, types: Mapping[int, str] | None = None) -> Morphology:
    """Read a morphology: SWC, Neurolucida ASC (`.asc`) or HDF5 (`.h5`); a file of another suffix is read as SWC.

    Args:
        path: the file.
        types: regions of the user's own types, for SWC and HDF5: `{7: "axon"}`.

    Returns:
        Its sections with axon and all; `Morphology.notes` says what was made of the soma and of whatever is odd.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, or is no neuron.
        ModuleNotFoundError: for HDF5 without h5py (extra `morphologies`).
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".asc":
        if types:
            raise ValueError(f"{path.name} is an ASC file, which names its regions; expected no types for it.")
        return load_asc(path)
    return (load_hdf5 if suffix == ".h5" else load_swc)(path, types=types)
