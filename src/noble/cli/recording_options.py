"""Recordings as command-line options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from noble.recordings import Recording

JunctionPotential = Annotated[
    float, typer.Option(help="Liquid junction potential, mV, subtracted from the recorded voltage.")
]
Protocol = Annotated[str | None, typer.Option(help="Only sweeps whose stimulus the file calls so.", show_default=False)]
Electrode = Annotated[
    str | None, typer.Option(help="Which electrode, where the file holds several.", show_default=False)
]


def recording_of(path: Path, junction_potential: float, protocol: str | None, electrode: str | None) -> Recording:
    """The recording that the options name."""
    from noble.recordings import read_recording

    read = read_recording(path, junction_potential_mv=junction_potential, electrode=electrode)
    return read.with_steps() if protocol is None else read.of_protocol(protocol)
