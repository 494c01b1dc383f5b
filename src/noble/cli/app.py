"""The command itself: its groups, and how errors and warnings look."""

from __future__ import annotations

import sys
import warnings
from typing import Final, NoReturn

import typer
from rich.console import Console

app = typer.Typer(
    name="noble",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help=(
        "From a family of slow biophysical neuron models to one fast, differentiable operator.\n\n"
        "The way through: **cells** (what there is), **simulate** (Arbor or NEURON), **generate** (a data set), **train** "
        "(an operator), **evaluate** (against traces it has not seen), **predict** (milliseconds a trace). "
        "`noble demo` walks all of it in minutes.\n\n"
        "Units everywhere: ms, mV, nA, MOhm, Hz. Bad input gives one sentence and exit code 2."
    ),
)

# Panels of the help, in this order.
CELLS: Final = "Recordings and cells"
DATA: Final = "Data"
OPERATORS: Final = "Operators"
ASK: Final = "Ask an operator"
HOUSEKEEPING: Final = "Housekeeping"
_PANELS: Final = (CELLS, DATA, OPERATORS, ASK, HOUSEKEEPING)

_BAD_INPUT: Final = 2
_LONGEST: Final = 800
_INTERRUPTED: Final = 130

# Which extra brings a module that only some commands need.
_EXTRAS: Final = {
    "arbor": "simulate",
    "bluepyopt": "evolve",
    "deap": "evolve",
    "distributed": "evolve",
    "h5py": "recordings",
    "lightning_fabric": "train",
    "pytorch_optimizer": "train",
    "neuron": "neuron",
    "bmtk": "neuron",
}


def main() -> None:
    """Entry point: errors that a user can mend become one sentence and exit code 2."""
    # Each import registers its commands; here and not at the top, so that `import noble.cli` stays quick.
    from noble.cli import (  # noqa: F401
        ablate,
        bench,
        cells,
        compare,
        data,
        demo,
        ensemble,
        evaluate,
        evolve,
        explore,
        fi,
        finetune,
        hall,
        hall_import,
        info,
        interpolate,
        map,
        recording,
        report,
        resolution,
        simulate,
        subsampling,
        targets,
        train,
        twin,
    )
    from noble.machine import tune_process

    app.registered_commands.sort(key=lambda command: _PANELS.index(str(command.rich_help_panel)))
    warnings.showwarning = _show_warning
    tune_process()
    try:
        app()
    except SystemExit as end:
        if end.code == _INTERRUPTED:  # which is how Typer ends on Ctrl-C
            Console(stderr=True).print("interrupted; a command that goes on when run again has kept what was finished.")
        raise
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        _fail(f"this needs {error.name}, which is not installed; run pip install 'noble-neuro[{extra}]'.")
    except (ValueError, OSError) as error:
        _fail(_sentence(error))
    except MemoryError as error:
        _fail(
            f"there is not enough memory ({error}); ask for less at once."
            if str(error)
            else "there is not enough memory."
        )


def _sentence(error: Exception) -> str:
    """What went wrong, in our words also where pydantic found it."""
    from pydantic import ValidationError

    from noble.configs import describe_problems

    return describe_problems(None, error) if isinstance(error, ValidationError) else str(error)


def _fail(message: str) -> NoReturn:
    """Print one line and end."""
    _say("error:", "bold red", message)
    sys.exit(_BAD_INPUT)


def _show_warning(message: Warning | str, category: type[Warning], *args: object, **kwargs: object) -> None:
    """Our own warnings in one line; those of libraries are for developers and stay away."""
    if category.__module__.startswith("noble"):
        _say("warning:", "yellow", str(message))


def _say(label: str, style: str, message: str) -> None:
    """One line on standard error; what files and names hold is shown as it is, and moves no cursor."""
    from rich.text import Text

    if len(message) > _LONGEST:  # it quotes a file that is not what it should be
        message = f"{message[: _LONGEST // 2]} ... {message[-_LONGEST // 2 :]}"
    line = "".join(char if char.isprintable() else repr(char)[1:-1] for char in " ".join(message.split()))
    console = Console(stderr=True, soft_wrap=True, emoji=False)
    console.print(Text.assemble((label, style), " ", line), highlight=False)
