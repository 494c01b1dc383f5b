"""Families of neurons, halls and outputs as command-line options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Models = Annotated[str, typer.Option(help="hall, hull, or disc:MODEL:RADIUS (in units of the training models' range).")]
Count = Annotated[int, typer.Option("--n", min=1, help="Neurons to draw from hull or disc.")]
Seed = Annotated[int, typer.Option(help="Of the draw.")]
HallName = Annotated[str | None, typer.Option(help="Hall; the bundle's own by default.", show_default=False)]
DataFolder = Annotated[Path | None, typer.Option(help="Folder with SWC files.", show_default=False)]
Json = Annotated[Path | None, typer.Option("--json", help="Write all numbers as JSON.", show_default=False)]
