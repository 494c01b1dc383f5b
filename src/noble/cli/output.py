"""What a command leaves behind: figures and numbers that know the command, and the bundle, that made them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noble.cli.progress import console
from noble.files import write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def command_line() -> str:
    """The command as it was typed."""
    return shlex.join(["noble", *sys.argv[1:]])


def write_figure(figure: Figure, path: Path) -> None:
    """Save a figure together with the command, and say so."""
    from noble.plots.style import save_figure

    console.print(f"wrote {save_figure(figure, path, command=command_line())}")


def write_numbers(content: Mapping[str, Any], path: Path, bundle: Path | str) -> None:
    """Save what was measured on a bundle as JSON, with `made_by`: the command, and which weights and hall it was."""
    from noble.operator.bundle import identity

    write_json(path, {**content, "made_by": {"command": command_line(), "bundle": identity(bundle)}})
