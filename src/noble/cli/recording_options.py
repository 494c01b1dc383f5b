"""Recordings as command-line options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noble.cli.output import print_doubts

if TYPE_CHECKING:
    from noble.recordings import Recording

JunctionPotential = Annotated[
    float, typer.Option(help="Liquid junction potential, mV, subtracted from the recorded voltage.")
]
Protocols = Annotated[
    list[str] | None,
    typer.Option(
        "--protocol", help="Only sweeps of this stimulus, or pattern (Long*); repeatable.", show_default=False
    ),
]
Electrode = Annotated[
    str | None, typer.Option(help="Which electrode, where the file holds several.", show_default=False)
]
EpochNumber = Annotated[
    int | None,
    typer.Option(
        "--epoch",
        min=1,
        help="Which epoch is the step (see noble recording); default: what varies.",
        show_default=False,
    ),
]


def recording_of(
    path: Path,
    junction_potential: float,
    protocols: list[str] | None,
    electrode: str | None,
    *,
    epoch: int | None = None,
    step_ms: float | None = None,
) -> Recording:
    """The sweeps with steps that the options name; those among them to doubt are printed, with the reason.

    Raises:
        ValueError: if there are none.
    """
    from noble.recordings import read_recording, survey

    read = read_recording(path, junction_potential_mv=junction_potential, electrode=electrode, epoch=epoch).with_steps()
    chosen = read.of_protocol(*protocols) if protocols else read
    chosen = chosen if step_ms is None else chosen.of_step_ms(step_ms)
    used = {sweep.name for sweep in chosen.sweeps}
    print_doubts([sweep for sweep in survey(read).sweeps if sweep.name in used])
    return chosen
