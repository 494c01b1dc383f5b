"""What a command leaves behind: figures that know the command that made them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from noble.cli.progress import console

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def command_line() -> str:
    """The command as it was typed."""
    return shlex.join(["noble", *sys.argv[1:]])


def write_figure(figure: Figure, path: Path) -> None:
    """Save a figure together with the command, and say so."""
    from noble.plots.style import save_figure

    console.print(f"wrote {save_figure(figure, path, command=command_line())}")
