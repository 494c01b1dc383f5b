"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Bundle = Annotated[Path, typer.Argument(help="A shipped bundle by name, or the folder of one.")]
Models = Annotated[
    str | None,
    typer.Option(
        help="hall, hull, or disc:MODEL:RADIUS (in units of the training models' range); hall if not given, or the one neuron of "
        "an operator without features.",
        show_default=False,
    ),
]
Count = Annotated[int, typer.Option("--n", min=1, help="Number of neurons to draw from hull or disc.")]
Seed = Annotated[int, typer.Option(help="Seed of the random draw.")]
HallName = Annotated[str | None, typer.Option(help="Hall; the bundle's own by default.", show_default=False)]
DataFolder = Annotated[Path | None, typer.Option(help="Folder with morphologies.", show_default=False)]
Workers = Annotated[
    int | None, typer.Option(min=0, help="Processes; all cores by default, 0 for none.", show_default=False)
]
Axon = Annotated[
    Literal["stub", "keep", "none"] | None,
    typer.Option(
        help="What becomes of the reconstructed axon: replaced by the 60 um stub, kept, or deleted; what the fit says if not "
        "given, and the stub where nothing is said.",
        show_default=False,
    ),
]
Json = Annotated[Path | None, typer.Option("--json", help="Write all numbers as JSON.", show_default=False)]
