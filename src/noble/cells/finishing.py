"""The last steps from a file to a morphology: sections without length go, sizes are checked, loose pieces are warned of."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from noble.cells.morphology import Morphology, Section
from noble.cells.sizes import check_sizes

# A tree of its own that begins this near the soma's surface was traced from it; tracers leave gaps of this size.
SOMA_GAP_UM: Final = 5.0
# A tree that an ASC or HDF5 file begins this far from its soma may well be a loose piece, though they cannot say so.
_LOOSE_GAP_UM: Final = 25.0
# Shorter than a molecule: a section by name only.
_NO_LENGTH_UM: Final = 1e-3


class MorphologyWarning(UserWarning):
    """A reconstruction has pieces that hang loose; the message says how many, and what became of them."""


def finished(
    name: str,
    sections: Sequence[Section],
    *,
    notes: Sequence[str] = (),
    loose: Sequence[str] = (),
    dropped: int = 0,
    parents_named: bool = True,
) -> Morphology:
    """A morphology from the sections of a file.

    Args:
        name: of the file, for messages.
        sections: as they were read, the soma's first.
        notes: what was done so far, in sentences.
        loose: the same of pieces that hang loose; a warning says so too.
        dropped: points of the file that were left out.
        parents_named: whether the file says what a tree grows on; ASC and HDF5 do not.

    Raises:
        ValueError: if it is no neuron's by its size, or cannot be a cable.

    Warns:
        MorphologyWarning: with every sentence of `loose`; not in worker processes, whose parent has said it.
    """
    kept, empty = without_empty_sections(sections)
    if not parents_named:
        sentence, gap_um = _trees_off_the_soma(kept)
        notes, loose = ([*notes, sentence], loose) if 0 < gap_um <= _LOOSE_GAP_UM else (notes, [*loose, sentence])
    said = [note for note in (*notes, *loose) if note]
    if empty:
        said.append(
            f"{counted(empty, 'section')} without length left out, with what grew there joined to what it grew on."
        )
    if tips := sum(section.points[-1, 3] == 0 for section in kept if section.region != "soma"):
        said.append(f"{counted(tips, 'tip')} of radius 0: the last piece there is a cone.")
    morphology = Morphology(tuple(kept), dropped, tuple(said))
    check_sizes(morphology, name)
    if any(loose) and multiprocessing.parent_process() is None:
        warnings.warn(f"{name}: {' '.join(loose)}", MorphologyWarning, stacklevel=4)
    return morphology


def counted(count: int, noun: str) -> str:
    """`1 point`, `2 points`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _trees_off_the_soma(sections: Sequence[Section]) -> tuple[str, float]:
    """A sentence about trees that begin away from the soma and hang on its middle all the same, and how far, um."""
    soma = sections[0].points
    gaps = [
        float((np.linalg.norm(soma[:, :3] - section.points[0, :3], axis=1) - soma[:, 3] / 2).min())
        for section in sections[1:]
        if section.parent == 0
    ]
    far = [gap for gap in gaps if gap > SOMA_GAP_UM]
    if not far:
        return "", 0.0
    what = "1 tree that begins" if len(far) == 1 else f"{len(far)} trees that begin up to"
    return f"{what} {max(far):.3g} um off the soma joined to its middle, as NEURON does.", max(far)


def without_empty_sections(sections: Sequence[Section]) -> tuple[list[Section], int]:
    """The sections without those that have no length, what grew on them joined to what they grew on; and how many those are.

    Converters write a fork of three as two forks at one place, and a stem may begin and end at the soma's centre. The soma stays.
    """
    kept: list[Section] = []
    # For every section of before: which of now stands for it, and where on that one its children hang.
    instead: list[tuple[int, float | None]] = []
    for section in sections:
        if section.parent is None:
            instead.append((len(kept), None))
            kept.append(section)
            continue
        parent, position = instead[section.parent]
        position = section.parent_position if position is None else position
        if section.length_um < _NO_LENGTH_UM:
            instead.append((parent, position))
        else:
            instead.append((len(kept), None))
            kept.append(replace(section, parent=parent, parent_position=position))
    return kept, len(sections) - len(kept)
