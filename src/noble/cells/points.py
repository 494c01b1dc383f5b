"""From points that name their parents to sections, by the rules of NEURON's Import3d."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from noble.cells.finishing import SOMA_GAP_UM, counted, finished
from noble.cells.morphology import Morphology, Section
from noble.cells.outlines import disks_of_outline, smooth

# An outline is thin against what it encloses, and its last point comes back to its first.
_OUTLINE_POINTS: Final = 5
_OUTLINE_WIDTH: Final = 0.25


@dataclass(frozen=True, eq=False)
class PointTree:
    """The points of a reconstruction, with all the soma's in one piece at the root of its tree.

    Attributes:
        name: of the file, for messages.
        points: x, y, z and diameter of each by its number, um.
        regions: of each point.
        parents: of each point; None for a root.
        notes: what was done so far, in sentences; `grown` adds to it.
    """

    name: str
    points: dict[int, tuple[float, float, float, float]]
    regions: dict[int, str]
    parents: dict[int, int | None]
    notes: list[str] = field(default_factory=list)

    @cached_property
    def children(self) -> dict[int | None, list[int]]:
        """The points that name each as their parent, in the order of the file; roots under None."""
        found: dict[int | None, list[int]] = defaultdict(list)
        for identifier, parent in self.parents.items():
            found[parent].append(identifier)
        return found

    @cached_property
    def second(self) -> int | None:
        """The second lowest number, of which NEURON has a rule of its own."""
        lowest = sorted(self.points)[:2]
        return lowest[1] if len(lowest) > 1 else None

    def array(self, nodes: list[int]) -> np.ndarray:
        """Points as an array, shape (nodes, 4), um."""
        return np.array([self.points[node] for node in nodes])

    def soma_children(self, node: int) -> list[int]:
        """The points of the soma that grow on one."""
        return [child for child in self.children[node] if self.regions[child] == "soma"]


def grown(tree: PointTree) -> Morphology:
    """Sections from points.

    A soma of one point becomes a cylinder as long as wide; one of three points (a centre with two leaves, the NeuroMorpho.org
    convention) the cylinder through them; an outline the disks of `outlines`; one that branches the stretch with most membrane,
    its other branches joined to the middle of that. A branch on the soma starts at its own first point (on an end of a soma drawn
    as a line, at that end) and is joined to the soma's middle, the soma being one compartment; any other branch starts at its
    parent's last point. A change of region starts a new section. A tree of its own is joined to the soma if it begins there; an
    axon's elsewhere is left out.

    Raises:
        ValueError: for a dendrite that begins elsewhere, an absurd size, or a stretch without membrane.
    """
    grower = _Grower(tree)
    grower.soma()
    grower.branches()
    grower.loose_trees()
    return finished(tree.name, grower.sections, notes=tree.notes, loose=grower.loose, dropped=grower.dropped)


@dataclass(frozen=True)
class _Bud:
    """Where a branch begins.

    Attributes:
        node: its first point.
        parent: the section it grows on.
        position: where on that, 0 to 1.
        start: the point it starts at before its own first one; None if it has a start of its own.
        own_width: whether the first piece is as wide as its own first point all along, as on the soma.
    """

    node: int
    parent: int
    position: float
    start: int | None
    own_width: bool = False


class _Grower:
    """The sections as they come; depth first without recursion, since an axon can have thousands of branches in a row."""

    def __init__(self, tree: PointTree) -> None:
        self.tree = tree
        self.sections: list[Section] = []
        self.dropped = 0
        self.loose: list[str] = []
        self._soma = self._connected(next(node for node, region in tree.regions.items() if region == "soma"))
        # The section that each point of the soma lies on.
        self._home = dict.fromkeys(self._soma, 0)
        self._outlined = self._ball = False

    def soma(self) -> None:
        """The soma's sections: its body, and its branches if it has some."""
        tree, root = self.tree, self._soma[0]
        whole = tree.array(self._soma)
        if np.ptp(whole[:, :3], axis=0).max() == 0:
            x, y, z, diameter = whole[np.argmax(whole[:, 3])]
            body = np.array([[x + shift, y, z, diameter] for shift in (-diameter / 2, 0.0, diameter / 2)])
            self._ball = True
            self._note_soma("a ball, taken for a cylinder as long as wide", len(self._soma))
            self.sections.append(Section("soma", body, None, 0.0))
            return
        stretches = [self._stretch(root, child) for child in tree.soma_children(root)]
        line = [node for stretch in stretches[:1] for node in reversed(stretch)] + [
            node for stretch in stretches[1:2] for node in stretch[1:]
        ]
        if len(stretches) == 1:
            line.reverse()
        if len(line) == len(self._soma):
            self._outlined = len(stretches) == 1 and _is_outline(whole)
            self._note_soma("an outline, taken for disks along its axis" if self._outlined else "a line", len(line))
            self.sections.append(Section("soma", self._disks(whole) if self._outlined else tree.array(line), None, 0.0))
            return
        self._branched_soma(stretches)

    def branches(self) -> None:
        """Everything that grows on the soma, in the soma's order."""
        for node in self._soma:
            for child in self.tree.children[node]:
                if self.tree.regions[child] != "soma":
                    own_start = self._has_own_start(node)
                    self._grow(_Bud(child, self._home[node], self._position(node), None if own_start else node, True))

    def loose_trees(self) -> None:
        """Trees of their own: joined where they begin at the soma, else left out or refused."""
        joined, left_out = 0, 0
        for root in self.tree.children[None]:
            if root == self._soma[0]:
                continue
            gap = self._gap_um(root)
            nodes = self._connected(root, everything=True)
            if gap <= SOMA_GAP_UM:
                self._grow(_Bud(root, 0, 0.5, None, True))
                joined += 1
                continue
            odd = [node for node in nodes if self.tree.regions[node] != "axon"]
            if odd and len(nodes) > 1:
                raise ValueError(
                    f"{self.tree.name}: the {len(nodes)} points from point {root} on hang on nothing, {gap:.3g} um off the soma, "
                    f"and point {odd[0]} of them is {self.tree.regions[odd[0]]}; expected only loose axon. "
                    f"Give point {root} the parent that it grows on, or remove the piece."
                )
            self.dropped += len(nodes)
            left_out += 1
        if joined:
            self.loose.append(
                f"{counted(joined, 'tree')} without a parent, within {SOMA_GAP_UM:g} um of the soma, joined to it."
            )
        if left_out:
            self.loose.append(
                f"{counted(self.dropped, 'point')} of the file, in {counted(left_out, 'piece')} of axon or of a single point, "
                "hang on no soma and are left out."
            )

    def _grow(self, bud: _Bud) -> None:
        """A branch and everything on it."""
        tree, pending = self.tree, [bud]
        while pending:
            bud = pending.pop()
            region, chain = tree.regions[bud.node], [bud.node]
            while len(following := tree.children[chain[-1]]) == 1 and tree.regions[following[0]] == region:
                chain.append(following[0])
            nodes = chain if bud.start is None else [bud.start, *chain]
            if len(nodes) == 1 and len(following) > 1 and bud.node != tree.second:
                # A fork at the first point, the way from the soma to which is no cable. NEURON makes an exception of a file's
                # second point.
                pending += [_Bud(child, bud.parent, bud.position, bud.node) for child in reversed(following)]
                continue
            points = tree.array(nodes)
            if len(nodes) == 1:  # a single point is no cable by itself: it reaches from the soma
                points = np.vstack([self._nearest_soma_point(bud.node), points])
            if bud.own_width and (bud.start is not None or len(nodes) == 1):
                points[0, 3] = points[1, 3]
            self.sections.append(Section(region, points, bud.parent, bud.position))
            own = len(self.sections) - 1
            pending += [_Bud(child, own, 1.0, chain[-1]) for child in reversed(following)]

    def _connected(self, root: int, *, everything: bool = False) -> list[int]:
        """A point and all that grow on it, nearest first; only the soma's unless all are asked for."""
        found = [root]
        for node in found:
            found += self.tree.children[node] if everything else self.tree.soma_children(node)
        return found

    def _stretch(self, start: int, first: int) -> list[int]:
        """Points of the soma from one to the next fork or end."""
        nodes = [start, first]
        while len(following := self.tree.soma_children(nodes[-1])) == 1:
            nodes.append(following[0])
        return nodes

    def _branched_soma(self, stretches: list[list[int]]) -> None:
        """The stretch with most membrane becomes the body; the others are sections on its middle, or on each other's ends."""
        stretches.sort(key=lambda nodes: (-Section("soma", self.tree.array(nodes), None, 0.0).area_um2, nodes))
        body, *pending = stretches
        self.sections.append(Section("soma", self.tree.array(body), None, 0.0))
        pending += [self._stretch(body[-1], child) for child in self.tree.soma_children(body[-1])]
        count = 0
        while pending:
            nodes = pending.pop()
            start, home = nodes[0], self._home[nodes[0]]
            self.sections.append(Section("soma", self.tree.array(nodes), home, self._position(start)))
            self._home |= dict.fromkeys(nodes[1:], len(self.sections) - 1)
            pending += [self._stretch(nodes[-1], child) for child in self.tree.soma_children(nodes[-1])]
            count += 1
        self._note_soma(f"a body with side branches ({count})", len(self._soma))

    def _disks(self, outline: np.ndarray) -> np.ndarray:
        try:
            return disks_of_outline(smooth(outline))
        except ValueError as error:
            raise ValueError(f"{self.tree.name}: {error}") from error

    def _note_soma(self, what: str, points: int) -> None:
        self.tree.notes.append(f"The soma of {counted(points, 'point')} is {what}.")

    def _position(self, node: int) -> float:
        """Where on its section something hangs on a point of the soma: the body is one compartment."""
        return 0.5 if self._home[node] == 0 else 1.0

    def _has_own_start(self, node: int) -> bool:
        """Whether a branch on this point of the soma starts at its own first point: everywhere but on the ends of a line."""
        if self._ball or self._outlined:
            return True
        forks = len(self.tree.soma_children(node))
        return forks > 1 if node == self._soma[0] else forks > 0

    def _nearest_soma_point(self, node: int) -> np.ndarray:
        places = self.tree.array(self._soma)
        return places[np.argmin(np.linalg.norm(places[:, :3] - self.tree.points[node][:3], axis=1))]

    def _gap_um(self, node: int) -> float:
        """How far from the soma's surface a point lies, um; negative within."""
        body = self.sections[0].points if self._outlined else self.tree.array(self._soma)
        return float((np.linalg.norm(body[:, :3] - self.tree.points[node][:3], axis=1) - body[:, 3] / 2).min())


def _is_outline(line: np.ndarray) -> bool:
    """Whether points of a soma go around it: back to where they began, and thin against what they enclose."""
    if len(line) >= 3 and line[:, 3].max() == 0:
        return True
    if len(line) < _OUTLINE_POINTS:
        return False
    steps = np.linalg.norm(np.diff(line[:, :3], axis=0), axis=1)
    back = np.linalg.norm(line[-1, :3] - line[0, :3])
    reach = np.linalg.norm(line[:, :3] - line[:, :3].mean(axis=0), axis=1).mean()
    return bool(back <= 1.5 * steps.max() and line[:, 3].max() / 2 <= _OUTLINE_WIDTH * reach)
