"""Writing files so that a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

# What a process that died may have left behind: `.NAME.HOST-PID.partial`, and without a host from before there was one.
_LEFTOVER: Final = re.compile(r"\.(?P<name>.+?)\.(?:(?P<host>[^.]*)-)?(?P<process>\d+)\.partial")
# A temporary file of another machine cannot be asked whether its process lives; after a day it does not.
_ABANDONED_AFTER_S: Final = 24 * 3600.0


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text by `replacing`."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, content: Any) -> None:
    """Write JSON, indented, NaN refused, by `write_text`."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Give a temporary name in the same folder to write a file to; afterwards it has replaced the file of this name.

    The content reaches the disk before the name does, so that a power cut leaves no empty file. After an error the old file
    stands. Temporary files of this name that killed processes left are removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep_leftovers(path.parent, name=path.name)
    # A host's name without dots keeps the three parts of a temporary name apart.
    temporary = path.with_name(f".{path.name}.{_host()}-{os.getpid()}.partial")
    try:
        yield temporary
        _flush_to_disk(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sweep_leftovers(folder: Path | str, *, name: str | None = None) -> None:
    """Remove temporary files of processes that are no more, directly in a folder.

    Args:
        folder: where to look; it need not exist.
        name: only temporary files of this file; of every file if None.
    """
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            parts = _LEFTOVER.fullmatch(entry.name)
            if parts is None or (name is not None and parts["name"] != name):
                continue
            with suppress(OSError):  # another process sweeps too, or the folder is not ours
                if entry.is_file(follow_symlinks=False) and _is_abandoned(parts, entry.stat().st_mtime):
                    os.unlink(entry.path)


def _is_abandoned(parts: re.Match[str], modified_s: float) -> bool:
    """Whether nobody writes a temporary file any more."""
    if parts["host"] == _host():
        return not _is_alive(int(parts["process"]))
    return time.time() - modified_s > _ABANDONED_AFTER_S


def _is_alive(process: int) -> bool:
    """Whether this machine has a process of that number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is another user's
        return True
    return True


def _host() -> str:
    return socket.gethostname().partition(".")[0]


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
