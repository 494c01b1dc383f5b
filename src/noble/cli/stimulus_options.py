"""Stimuli as command-line options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from noble.files import read_json
from noble.protocols import StepProtocol
from noble.stimuli import Stimulus, from_dict

Steps = Annotated[
    list[float] | None, typer.Option("--step", help="Amplitude of a step, nA; repeat for several.", show_default=False)
]
StimulusFile = Annotated[
    Path | None,
    typer.Option(
        "--stimulus",
        help='JSON of any stimulus, for example {"kind": "Ramp", "start_ms": 15, "stop_ms": 415, "start_na": 0, "stop_na": 0.3}.',
        show_default=False,
    ),
]
Onset = Annotated[float, typer.Option(help="Start of the step, ms.")]
StepLength = Annotated[float, typer.Option("--length", help="Length of the step, ms.")]
Window = Annotated[float, typer.Option(help="Length of the window, ms.")]
Sampling = Annotated[float, typer.Option("--dt", help="Sampling interval, ms.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="CSV file for the traces.", show_default=False)]
Figure = Annotated[
    Path | None, typer.Option("--figure", help="Figure of the traces (.png, .pdf, .svg).", show_default=False)
]


def stimuli_of(steps: list[float] | None, stimulus: Path | None, protocol: StepProtocol) -> list[Stimulus]:
    """The stimuli that the options ask for.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if they ask for none, or the file is no stimulus.
    """
    chosen: list[Stimulus] = [protocol.stimulus(amplitude) for amplitude in steps or []]
    if stimulus is not None:
        described = read_json(stimulus, expected="a stimulus file")
        chosen += [from_dict(item) for item in (described if isinstance(described, list) else [described])]
    if not chosen:
        raise ValueError("no stimulus was given; use --step AMPLITUDE (nA) or --stimulus FILE.json.")
    return chosen
