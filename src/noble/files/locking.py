"""One writer of a folder at a time, who says who it is."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

# Descriptors of the locks that this process holds.
_HELD: set[int] = set()


@contextmanager
def locked(target: Path | str, *, who: str) -> Iterator[None]:
    """Keep other processes that ask for the same lock away from a folder or file while the block runs.

    The lock is the system's (`flock` on `.NAME.lock` beside the target, which need not exist yet) and ends with the process,
    however it ends; processes forked meanwhile do not hold it. The lock file names process, machine and time for whoever
    finds the target locked, and is removed at the end. Systems without `flock` (Windows) lock nothing.

    Args:
        target: what only one process may write.
        who: what this process does, for the message: `noble train`.

    Raises:
        ValueError: if another process, or this one, holds the lock; it says which.
    """
    try:
        import fcntl  # noqa: F401
    except ImportError:
        yield
        return
    target = Path(target).resolve()
    file = target.with_name(f".{target.name}.lock")
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _acquire(file, target)
    _forget_in_children()
    _HELD.add(descriptor)
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S %z")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{who}, process {os.getpid()} on {socket.gethostname()} since {since}\n".encode(), 0)
        yield
    finally:
        # Removed while it is held: whoever has opened it meanwhile finds that it is no longer the one of this name.
        file.unlink(missing_ok=True)
        _HELD.discard(descriptor)
        os.close(descriptor)


def _acquire(file: Path, target: Path) -> int:
    """A descriptor that holds the lock of the file of this name."""
    import fcntl

    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_same(descriptor, file):
                return descriptor
        except BlockingIOError:
            holder = os.pread(descriptor, 500, 0).decode(errors="replace").strip() or "another process"
            os.close(descriptor)
            raise ValueError(f"{target} is in use by {holder}; wait for it, or stop it first.") from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_same(descriptor: int, file: Path) -> bool:
    """Whether an open file still is the one of this name, and not one that its last holder has removed."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


@cache
def _forget_in_children() -> None:
    """Let forked processes close their copies, so that they hold no lock when this process is gone."""
    os.register_at_fork(after_in_child=_close_copies)


def _close_copies() -> None:
    for descriptor in _HELD:
        os.close(descriptor)
    _HELD.clear()
