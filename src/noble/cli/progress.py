"""Progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from noble.progress import NotedProgress

# Into a log file, a line every so many seconds is enough.
_LINE_EVERY_S: Final = 10.0

# A file or a pipe has no width: 80 columns, Rich's guess, would break names in two (COLUMNS decides where it is set).
_NO_TERMINAL_COLUMNS: Final = 160

# Without markup: names of halls, files and models may hold brackets, which Rich would take for styles of its own.
console = Console(markup=False, emoji=False)
if not console.is_terminal and "COLUMNS" not in os.environ:
    console.width = _NO_TERMINAL_COLUMNS


@contextmanager
def tracked(title: str) -> Iterator[NotedProgress]:
    """The `noble.progress.Tracking` of the command line: a callback that draws the progress of one task."""
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(title, total=None, note="")

            def draw(done: int, total: int, note: str = "") -> None:
                bar.update(task, completed=done, total=total, note=note)

            yield draw
        return
    started = last = time.monotonic()
    print(f"{title} ...", flush=True)

    def line(done: int, total: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if done < total and now - last < _LINE_EVERY_S:
            return
        last = now
        print(f"{title}: {done}/{total} after {now - started:.0f} s {note}".rstrip(), flush=True)
        sys.stdout.flush()

    yield line
