"""Kill a piece of work before each of its file operations, as a power cut would, and see what is left."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_KILLED: Final = 97
_CHANGES: Final = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def killed_before(operation: int, work: Callable[[], Any], folder: Path) -> bool:
    """Do work in a forked process that ends, without any clean-up, before its so many-th change of a file under a folder.

    Args:
        operation: which change, from 0: a file opened for writing, renamed, removed or linked, a folder made or removed.
        work: what to do; an exception of it fails the test.
        folder: where changes count.

    Returns:
        Whether it was killed; False if the work ended before.
    """
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code in (0, _KILLED), f"the work failed before operation {operation}"
        return code == _KILLED
    try:
        _arm(operation, folder)
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def killed_everywhere(work: Callable[[Path], None], folder: Path) -> int:
    """Kill work before each of its file operations, do it again, and hold its files against those of unbroken work.

    Args:
        work: what to do in a folder of its own.
        folder: where such folders are made.

    Returns:
        Number of operations.
    """

    def files(run: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in run.iterdir()}

    work(folder / "unbroken")
    operation = 0
    while killed_before(operation, lambda run=folder / str(operation): work(run), folder):
        work(folder / str(operation))
        assert files(folder / str(operation)) == files(folder / "unbroken"), f"killed before operation {operation}"
        operation += 1
    return operation


def _arm(operation: int, folder: Path) -> None:
    """Count changes of files from now on; this process then ends at one of them."""
    root, left = str(folder), operation

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        changes = event in _CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING)
        if changes and str(arguments[0]).startswith(root):
            if left == 0:
                os._exit(_KILLED)
            left -= 1

    sys.addaudithook(hook)
