"""Imports point one way: rooms know only the rooms below them, and a simulator or trainer loads only when it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "noble"

# The rooms from the ground up. A room may import those named beside it, all of which stand above it in this list, and the
# ground, which every room may import. docs/design.md draws the same arrows.
GROUND = {"units", "files", "configs", "progress", "results", "machine", "spikes"}
ALLOWED: dict[str, set[str]] = {
    "jobs": set(),
    "baselines": set(),
    "traces": set(),
    "stimuli": {"traces"},
    "protocols": {"stimuli", "traces"},
    "responders": {"stimuli", "traces"},
    "recordings": {"stimuli", "traces"},
    "features": {"protocols", "responders", "stimuli", "traces"},
    "cells": {"features"},
    "simulators": {"cells", "stimuli", "traces"},
    "targets": {"features", "recordings", "traces"},
    "evolve": {"cells", "features", "jobs", "protocols", "responders", "simulators", "targets", "traces"},
    "data": {"cells", "features", "jobs", "protocols", "recordings", "stimuli", "traces"},
    "family": {"cells", "features"},
    "operator": {"family", "features", "protocols", "responders", "stimuli", "traces"},
    "train": {"data", "features", "operator", "protocols", "stimuli", "traces"},
    "evaluation": {"cells", "data", "features", "operator", "protocols", "responders", "stimuli", "traces"},
    "twin": {"operator", "recordings", "traces", "train"},
    "comparison": {"features", "operator", "protocols", "recordings", "stimuli", "targets", "traces"},
    "studies": {
        "cells",
        "comparison",
        "data",
        "evaluation",
        "evolve",
        "family",
        "features",
        "jobs",
        "operator",
        "protocols",
        "recordings",
        "responders",
        "simulators",
        "stimuli",
        "targets",
        "traces",
        "train",
    },
    "explore": {"features", "operator", "protocols", "stimuli", "studies", "traces"},
    "plots": {"comparison", "evaluation", "family", "features", "protocols", "recordings", "studies", "traces"},
}
# These stand on top and may import everything.
TOP = {"api", "cli", "report", "__init__"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and room of every import of noble, wherever it stands; those for annotations only are never executed."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("noble."):
                    yield node.lineno, alias.name.split(".")[1]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            module = node.module or ""
            if module == "noble":
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif module.startswith("noble."):
                yield node.lineno, module.split(".")[1]
        yield from imported_rooms(node)


def wrong_arrows(path: Path, source: str) -> list[str]:
    room, name = room_of(path), path.relative_to(PACKAGE).as_posix()
    if room in TOP:
        return []
    if room not in ALLOWED and room not in GROUND:
        return [f"{name}: room {room!r} is not in the table; say what it may import"]
    allowed = GROUND | {room} | ALLOWED.get(room, set())
    return [
        f"{name}, line {line}: {room} imports {other}"
        for line, other in imported_rooms(ast.parse(source))
        if other not in allowed
    ]


def test_imports_point_one_way() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 20
    assert [arrow for path in files for arrow in wrong_arrows(path, path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("cells/cell.py", "from noble.simulators.arbor import ArborSimulator"),
        ("operator/fno/core.py", "def f():\n    import noble.data.store"),
        ("data/store.py", "from noble.simulators import ArborSimulator"),
        ("stimuli.py", "from noble import operator"),
        ("garden/rose.py", ""),
    ],
)
def test_an_arrow_the_wrong_way_is_found(name: str, source: str) -> None:
    assert len(wrong_arrows(PACKAGE / name, source)) == 1


def test_an_arrow_for_annotations_only_is_no_arrow() -> None:
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from noble.data import Store"
    assert wrong_arrows(PACKAGE / "operator" / "spec.py", source) == []


def test_the_table_is_an_order() -> None:
    """Every room imports only rooms that stand above it in the list."""
    above: set[str] = set()
    for room, others in ALLOWED.items():
        assert others <= above, f"{room} imports {', '.join(sorted(others - above))}, which stand below it in the table"
        above.add(room)


@pytest.mark.parametrize(
    ("rooms", "forbidden"),
    [
        pytest.param(
            ("noble", "noble.cells", "noble.simulators", "noble.data", "noble.evolve", "noble.features.excitability"),
            ("torch", "arbor", "neuron", "bmtk", "lightning_fabric", "bluepyopt", "matplotlib"),
            id="physics",
        ),
        pytest.param(
            ("noble.operator", "noble.evaluation", "noble.studies", "noble.cli"),
            ("arbor", "neuron", "bmtk", "lightning_fabric", "bluepyopt"),
            id="learning",
        ),
    ],
)
def test_importing_loads_no_heavy_package(rooms: tuple[str, ...], forbidden: tuple[str, ...]) -> None:
    present = [room for room in rooms if find_spec(room) is not None]
    code = f"import sys\nimport {', '.join(present)}\nprint([name for name in {forbidden!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == "[]"
