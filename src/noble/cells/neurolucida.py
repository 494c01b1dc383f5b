"""Neurolucida ASC files: nested lists of points, read by the rules of NEURON's Import3d.

The format is described in MBF Bioscience's "Neurolucida V3 ASCII format". Every object is a list in parentheses: a contour begins
with its name in quotes, a tree with properties such as `(Dendrite)`, then points `(x y z diameter)`, then, in parentheses of
their own, its branches with `|` between them. `<...>` are spines, other lists that begin with a word are properties, markers.

MorphIO reads such files too; it refuses somata drawn as several outlines, leaves out trees without a type unsaid, and runs out of
stack where lists are nested by the thousand. Tests hold this reader against it and against NEURON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from noble.cells.finishing import counted, finished
from noble.cells.morphology import Morphology, Section
from noble.cells.outlines import disks_of_outline, disks_of_stack
from noble.cells.sizes import checked_point
from noble.files import read_bytes, shortened

_EXPECTED: Final = "a morphology file (Neurolucida ASC)"
_REGION_OF_WORD: Final = {"axon": "axon", "dendrite": "dend", "apical": "apic"}
_CELL_BODY: Final = ("cellbody", "cell body", "soma")
_SET: Final = "set"
# What a tree is that says nothing, as for NEURON.
_REGION_OF_SILENCE: Final = "dend"
# The largest reconstructions have a million words, and branch some hundred times in a row.
_MOST_TOKENS: Final = 3_000_000
_DEEPEST: Final = 10_000
_TOKEN: Final = re.compile(r';[^\n]*|"[^"\n]*"?|[()|<>]|[^\s();|<>,"]+')


@dataclass
class _List:
    """A list of the file: words in lower case, quoted texts, points and lists, with the line that it begins at."""

    line: int
    items: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class _Text:
    """What stands in quotes."""

    text: str


@dataclass(frozen=True)
class _Point:
    """x, y, z and diameter, um."""

    values: tuple[float, float, float, float]


@dataclass
class _Content:
    """What a file has: outlines of the soma, and trees with their region."""

    outlines: list[np.ndarray] = field(default_factory=list)
    trees: list[tuple[str, _List]] = field(default_factory=list)
    untyped: int = 0
    other_contours: int = 0


def load_asc(path: Path | str) -> Morphology:
    """Read a Neurolucida ASC file by the rules of NEURON's Import3d.

    The soma's outline becomes disks along its axis, several outlines one disk each (see `outlines`). A tree starts at its own
    first point and is joined to the soma's middle, wherever it starts; a branch starts at its parent's last point with its own
    width. A tree without a type is a dendrite.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such file, has no soma or several, or is no neuron by its size.

    Warns:
        MorphologyWarning: if trees begin away from the soma.
    """
    path = Path(path)
    content = _content(_parsed(path), path.name)
    soma, notes = _soma(content.outlines, path.name)
    sections = [Section("soma", soma, None, 0.0)]
    for region, tree in content.trees:
        _grow(sections, region, tree, path.name)
    if content.untyped:
        notes.append(f"{counted(content.untyped, 'tree')} without a type taken for dendrite.")
    if content.other_contours:
        notes.append(f"{counted(content.other_contours, 'contour')} of something else than the cell body not read.")
    return finished(path.name, sections, notes=notes, parents_named=False)


def _parsed(path: Path) -> _List:
    """The whole file as one list, without recursion."""
    text = (
        read_bytes(path, expected=_EXPECTED)
        .decode("utf-8-sig", errors="replace")
        .replace("\r\n", "\n")
        .replace("\r", "\n")
    )
    if "\0" in text[:200]:
        raise ValueError(
            f"{path.name} is no plain text: UTF-16, or no text at all; expected {_EXPECTED}. Save it as UTF-8."
        )
    top = _List(1)
    open_lists, line, before = [top], 1, 0
    for count, match in enumerate(_TOKEN.finditer(text)):
        token = match.group()
        line, before = line + text.count("\n", before, match.start()), match.start()
        if count > _MOST_TOKENS:
            raise ValueError(
                f"{path.name} has more than {_MOST_TOKENS:,} words; no reconstruction has. It is another file."
            )
        if token[0] == ";":
            continue
        if token == "(":
            open_lists.append(_List(line))
            if len(open_lists) > _DEEPEST:
                raise ValueError(
                    f"{path.name}, line {line}: lists are nested more than {_DEEPEST:,} deep; expected {_EXPECTED}."
                )
        elif token == ")":
            if len(open_lists) == 1:
                raise ValueError(f"{path.name}, line {line}: ')' closes nothing; expected {_EXPECTED}.")
            done = open_lists.pop()
            open_lists[-1].items.append(_as_point(done, path.name))
        else:
            open_lists[-1].items.append(_Text(token.strip('"')) if token[0] == '"' else token.lower())
    if len(open_lists) > 1:
        raise ValueError(
            f"{path.name} ends within the list that begins at line {open_lists[-1].line}; expected ')'. The file is cut off."
        )
    return top


def _as_point(content: _List, name: str) -> _List | _Point:
    """A list that begins with a number is a point; z and diameter may lack, and what follows the numbers is left aside."""
    numbers: list[float] = []
    for item in content.items[:4]:
        try:
            numbers.append(float(item))
        except (TypeError, ValueError):
            break
    if not numbers:
        return content
    where = f"{name}, line {content.line}"
    if len(numbers) < 2:
        raise ValueError(f"{where}: {shortened(content.items[0])} is not a point; expected (x y z diameter).")
    x, y, z, diameter = (*numbers, 0.0, 0.0)[:4]
    return _Point(checked_point((x, y, z, diameter), where))


def _content(top: _List, name: str) -> _Content:
    """Outlines and trees; markers, texts, pictures and settings are passed over, sets are entered."""
    found = _Content()
    pending = list(reversed(top.items))
    while pending:
        item = pending.pop()
        if not isinstance(item, _List) or not item.items:
            continue
        first = item.items[0]
        words = _words(item)
        if first == _SET:
            pending += reversed(item.items)
        elif isinstance(first, _Text) or "cellbody" in words:
            points = [entry.values for entry in item.items if isinstance(entry, _Point)]
            title = first.text.strip().lower() if isinstance(first, _Text) else ""
            if title in _CELL_BODY or "cellbody" in words:
                found.outlines.append(np.array(points).reshape(-1, 4))
            elif points:
                found.other_contours += 1
        elif _is_fork(item) and any(isinstance(entry, _Point) or _is_fork(entry) for entry in item.items):
            if any(isinstance(entry, _Text) for entry in item.items):
                continue  # a text beside the drawing
            regions = [_REGION_OF_WORD[word] for word in words if word in _REGION_OF_WORD]
            found.untyped += not regions
            found.trees.append((regions[-1] if regions else _REGION_OF_SILENCE, item))
    if not found.trees and not found.outlines:
        raise ValueError(f"{name} has neither a cell body nor trees; expected {_EXPECTED}.")
    return found


def _words(content: _List) -> list[str]:
    """The words that begin the lists within a list: its properties."""
    return [
        entry.items[0]
        for entry in content.items
        if isinstance(entry, _List) and entry.items and isinstance(entry.items[0], str)
    ]


def _soma(outlines: list[np.ndarray], name: str) -> tuple[np.ndarray, list[str]]:
    """The soma's disks, and a sentence about them."""
    if not outlines:
        raise ValueError(
            f"{name} has no cell body (a contour named CellBody); expected exactly one soma. Draw or mark it."
        )
    for above, below in zip(outlines[1:], outlines, strict=False):
        if len(above) and len(below) and not _overlap(above, below):
            raise ValueError(
                f"{name} has several cell bodies, {counted(len(outlines), 'outline')} not all above each other; "
                "expected exactly one soma. Keep one."
            )
    points = sum(len(outline) for outline in outlines)
    try:
        if len(outlines) == 1:
            disks = disks_of_outline(outlines[0])
            return disks, [
                f"The soma is an outline of {counted(points, 'point')}, taken for {len(disks)} disks along its axis."
            ]
        return disks_of_stack(outlines), [
            f"The soma is {len(outlines)} outlines of {points} points, taken for a disk each."
        ]
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two outlines lie above each other: their boxes in x and y share a place."""
    return bool(
        (one[:, :2].min(axis=0) <= other[:, :2].max(axis=0)).all()
        and (other[:, :2].min(axis=0) <= one[:, :2].max(axis=0)).all()
    )


def _grow(sections: list[Section], region: str, tree: _List, name: str) -> None:
    """A tree's sections, parents first, without recursion."""
    pending: list[tuple[list[Any], int]] = [(tree.items, 0)]
    while pending:
        items, parent = pending.pop()
        points = [item.values for item in _outside_spines(items) if isinstance(item, _Point)]
        own = parent
        if points:
            rows = np.array(points)
            if parent > 0 and (rows[0, :3] != sections[parent].points[-1, :3]).any():
                rows = np.vstack([[*sections[parent].points[-1, :3], rows[0, 3]], rows])
            sections.append(Section(region, rows, parent, 1.0 if parent > 0 else 0.5))
            own = len(sections) - 1
        forks = [item for item in _outside_spines(items) if _is_fork(item)]
        for fork in reversed(forks):
            pending += [(branch, own) for branch in reversed(_branches(fork))]


def _outside_spines(items: list[Any]) -> Iterator[Any]:
    """The items of a list but those between `<` and `>`."""
    depth = 0
    for item in items:
        if item == "<":
            depth += 1
        elif item == ">":
            depth = max(0, depth - 1)
        elif depth == 0:
            yield item


def _is_fork(item: Any) -> bool:
    """Whether something is a list of branches, or a tree: one that begins with a point or a list, not with a word or a text."""
    return isinstance(item, _List) and bool(item.items) and not isinstance(item.items[0], str | _Text)


def _branches(fork: _List) -> list[list[Any]]:
    """The branches of a fork, of which `|` stands between each two."""
    found: list[list[Any]] = [[]]
    for item in fork.items:
        if item == "|":
            found.append([])
        else:
            found[-1].append(item)
    return found
