"""SWC files: one point a line, in whatever way programs write them, as NEURON's Import3d takes them and in any order of lines."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from noble.cells.finishing import counted
from noble.cells.morphology import REGIONS, Morphology
from noble.cells.points import PointTree, grown
from noble.cells.sizes import checked_point
from noble.files import read_bytes, shortened, write_text

_SOMA: Final = 1
_REGION_OF_TYPE: Final = {1: "soma", 2: "axon", 3: "dend", 4: "apic"}
# Undefined, fork point and end point: they say nothing of what the point is part of.
_SILENT_TYPES: Final = (0, 5, 6)
# What a tree is whose points are all silent, as for NEURON.
_REGION_OF_SILENCE: Final = "dend"


def load_swc(path: Path | str, *, types: Mapping[int, str] | None = None) -> Morphology:
    """Read an SWC file by the rules of NEURON's Import3d.

    Types 1 to 4 are soma, axon, dendrite and apical dendrite; 0, 5 and 6 (undefined, fork, end) are taken as what they grow on. A
    tree of which the soma is not the root is turned round. See `points.grown` for how points become sections, and
    `Morphology.notes` for what was done.

    Args:
        path: the file.
        types: regions of types of the user's own, or other regions for the usual ones: `{7: "axon"}`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a malformed line, a missing parent, an unknown type, a cycle, a missing soma, a dendrite that hangs on
            nothing, or an absurd size.
    """
    path = Path(path)
    lines = _read_lines(path)
    _check_parents(lines.rows, path.name)
    rows = _rooted_at_soma(lines, path.name)
    regions = _regions(rows, dict(types or {}), lines.notes, path.name)
    points = {
        identifier: checked_point((*row.place, 2 * row.radius), f"{path.name}, line {row.line}")
        for identifier, row in rows.items()
    }
    parents = {identifier: row.parent for identifier, row in rows.items()}
    return grown(PointTree(path.name, points, regions, parents, lines.notes))


def write_retyped_swc(path: Path | str, output: Path | str, types: Mapping[int, str]) -> None:
    """Write a copy of an SWC file in which types are replaced by those of regions, and nothing else changes.

    Args:
        path: the file.
        output: the copy.
        types: the region of each type that is replaced: `{7: "axon"}`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: as `load_swc` does with these types.
    """
    load_swc(path, types=types)
    number_of = {region: kind for kind, region in _REGION_OF_TYPE.items()}
    lines = []
    for line in _text(Path(path)).splitlines():
        found = re.match(r"(\s*\S+\s+)(\S+)(\s.*)", line)
        if found and _is_number(found[2]) and _whole(found[2]) in types and _is_number(found[1]):
            line = f"{found[1]}{number_of[types[_whole(found[2])]]}{found[3]}"
        lines.append(line)
    write_text(output, "\n".join(lines) + "\n")


@dataclass(frozen=True)
class _Row:
    kind: int
    place: tuple[float, float, float]
    radius: float
    parent: int | None
    line: int


@dataclass
class _Lines:
    rows: dict[int, _Row] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def _read_lines(path: Path) -> _Lines:
    """The points of a file by their number, checked line by line."""
    found = _Lines()
    for number, line in enumerate(_text(path).splitlines(), start=1):
        fields = line.replace(";", "#").split("#")[0].split()
        if not fields:
            continue
        if not found.rows and not found.notes and line[:1].isalpha() and not any(map(_is_number, fields)):
            found.notes.append(f"Line {number} is taken for a heading.")
            continue
        try:
            identifier, kind, parent = (_whole(fields[column]) for column in (0, 1, 6))
            x, y, z, radius = (float(item) for item in fields[2:6])
        except (ValueError, IndexError) as error:
            raise ValueError(
                f"{path.name}, line {number}: {shortened(line.strip())} is not an SWC point; "
                "expected 'id type x y z radius parent'."
            ) from error
        if identifier < 0:
            raise ValueError(f"{path.name}, line {number}: the point's number is {identifier}; expected 0 or more.")
        if identifier in found.rows:
            raise ValueError(f"{path.name}, line {number}: point {identifier} is defined twice.")
        checked_point((x, y, z, 2 * radius), f"{path.name}, line {number}")
        found.rows[identifier] = _Row(kind, (x, y, z), radius, None if parent < 0 else parent, number)
    return found


def _text(path: Path) -> str:
    content = read_bytes(path, expected="a morphology file (SWC)")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:200]:
        raise ValueError(f"{path.name} is no plain text: UTF-16, or no text at all; expected SWC. Save it as UTF-8.")
    # Comments of a reconstruction are in whatever encoding its program had.
    return content.decode("utf-8-sig", errors="replace")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _whole(text: str) -> int:
    """A whole number, which numpy.savetxt and pandas may have written as 1.0 or 1.000e+00."""
    try:
        return int(text)
    except ValueError:
        value = float(text)
        if not math.isfinite(value) or value != int(value):
            raise ValueError(f"{text} is not a whole number") from None
        return int(value)


def _check_parents(rows: dict[int, _Row], name: str) -> None:
    """Refuse points without their parent and points that are their own ancestors; parent 0 is none where no point is 0."""
    for identifier, row in rows.items():
        if row.parent == 0 and 0 not in rows:
            rows[identifier] = row = replace(row, parent=None)
        if row.parent is not None and row.parent not in rows:
            raise ValueError(
                f"{name}: point {identifier} names parent {row.parent}, which is not in the file; "
                "expected the number of another point, or -1 for a root. Repair the reconstruction."
            )
    sound: set[int | None] = {None}
    for start in rows:
        trail: dict[int, None] = {}  # ordered
        identifier: int | None = start
        while identifier not in sound:
            assert identifier is not None
            if identifier in trail:
                raise ValueError(
                    f"{name}: point {identifier} is its own ancestor, a cycle; expected a tree. Repair the reconstruction."
                )
            trail[identifier] = None
            identifier = rows[identifier].parent
        sound.update(trail)


def _rooted_at_soma(lines: _Lines, name: str) -> dict[int, _Row]:
    """The points with the soma's first as the root of its tree, turned round if tracing began elsewhere."""
    rows = dict(lines.rows)
    tops = [
        identifier
        for identifier, row in rows.items()
        if row.kind == _SOMA and (row.parent is None or rows[row.parent].kind != _SOMA)
    ]
    if len(tops) != 1:
        which = f", points {', '.join(map(str, tops[:5]))}{', ...' if len(tops) > 5 else ''}" if tops else ""
        raise ValueError(
            f"{name} has {len(tops)} soma roots (type 1, not on another point of type 1{which}); expected exactly one soma. "
            + ("Join them, or keep one." if tops else "Mark the soma's points as type 1.")
        )
    top = tops[0]
    turned, before, identifier = 0, None, top
    while identifier is not None:
        after = rows[identifier].parent
        rows[identifier] = replace(rows[identifier], parent=before)
        before, identifier, turned = identifier, after, turned + 1
    if turned > 1:
        lines.notes.append(f"The soma (point {top}) was not the root: its tree was turned round to begin there.")
    return rows


def _regions(rows: dict[int, _Row], types: dict[int, str], notes: list[str], name: str) -> dict[int, str]:
    """The region of every point."""
    for kind, region in types.items():
        if region not in REGIONS:
            raise ValueError(f"type {kind} is mapped to {region!r}; expected one of {', '.join(REGIONS)}.")
        if region == "soma" or kind == _SOMA:
            raise ValueError(f"type {kind} is mapped to {region}; the soma is type 1 and nothing else.")
    known = _REGION_OF_TYPE | types
    for row in rows.values():
        if row.kind not in known and row.kind not in _SILENT_TYPES:
            raise ValueError(
                f"{name}, line {row.line}: type {row.kind} is not supported; expected 1 (soma), 2 (axon), 3 (dendrite), 4 "
                f"(apical dendrite) or 0, 5, 6 (undefined, fork, end). Say which region it is: `noble cells FILE --type "
                f"{row.kind}=axon -o NEW.swc`, or `types={{{row.kind}: 'axon'}}` in Python."
            )
    regions = {identifier: known[row.kind] for identifier, row in rows.items() if row.kind in known}
    silent = len(rows) - len(regions)
    if silent:
        counts = Counter(row.kind for row in rows.values() if row.kind not in known)
        which = ", ".join(f"{count} of type {kind}" for kind, count in sorted(counts.items()))
        _give_silent_points(rows, regions)
        notes.append(f"{counted(silent, 'point')} without a region ({which}) taken as what they grow on.")
    return regions


def _give_silent_points(rows: dict[int, _Row], regions: dict[int, str]) -> None:
    """Points of no region take that of what they grow on; on the soma, of what grows on them, or else a dendrite's."""
    children: dict[int | None, list[int]] = defaultdict(list)
    for identifier, row in rows.items():
        children[row.parent].append(identifier)
    pending = list(children[None])
    while pending:
        identifier = pending.pop()
        pending += children[identifier]
        if identifier in regions:
            continue
        parent = rows[identifier].parent
        on = None if parent is None else regions[parent]
        regions[identifier] = on if on not in (None, "soma") else _first_region_beyond(identifier, regions, children)


def _first_region_beyond(start: int, regions: dict[int, str], children: dict[int | None, list[int]]) -> str:
    """The region of the nearest descendant that has one, the soma aside."""
    level = [start]
    while level:
        level = [child for identifier in level for child in children[identifier]]
        for identifier in level:
            if regions.get(identifier, "soma") != "soma":
                return regions[identifier]
    return _REGION_OF_SILENCE
