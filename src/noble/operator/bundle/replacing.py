"""Replacing one folder by another so that, whatever is killed when, there is a whole one under the name.

A folder is written under a hidden name beside its target, `.NAME.<32 hexadecimal digits>`. Then the two exchange their names in
one step where the system can (Linux: `renameat2` with `RENAME_EXCHANGE`). Elsewhere it takes two: the old one steps aside to
`.NAME.<digits>.old`, and the new one takes the name. A kill between them leaves the name free; the `.old` tells that the
replacement was begun, so the new one is whole, and whoever looks for the name next finishes it (`recover`). Hidden folders that
killed processes left are removed by the next one that looks (`sweep`).
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_NOT_ABLE: Final = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}
# What renaming says if another process took, left or exchanged the name meanwhile.
_NAME_CHANGED: Final = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}
_MOST_TRIES: Final = 100
_WAIT_S: Final = 0.001
_OLD: Final = ".old"


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder to write to; afterwards it has replaced the target, which stays as it was after an error.

    Args:
        target: an absolute path, of a folder or of nothing yet; its parents are created.

    Raises:
        ValueError: if other processes replace the target again and again.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _new_sibling(target) as fresh:
        try:
            yield fresh
            _put_in_place(fresh, target)
        finally:
            # After an exchange, the old one has this name.
            shutil.rmtree(fresh, ignore_errors=True)


def recover(target: Path) -> None:
    """Finish a replacement that was killed between its two steps; nothing happens if there was none."""
    if os.path.lexists(target):
        return
    for old in _siblings(target):
        fresh = old.with_name(old.name.removesuffix(_OLD))
        if fresh != old and fresh.is_dir():
            with suppress(OSError):  # another process finishes it too, or the folder is not ours to change
                os.rename(fresh, target)
                return


def settled(target: Path) -> bool:
    """Whether there is a folder under a name, once replacements of it that are under way have been finished or waited for."""
    for attempt in range(_MOST_TRIES):
        recover(target)
        if target.is_dir():
            return True
        if target.is_file():
            return False  # nothing that a replacement would leave
        if attempt and not os.path.lexists(target) and not any(path.name.endswith(_OLD) for path in _siblings(target)):
            return False  # looked for twice, since a replacement may have begun and ended between two looks
        time.sleep(_WAIT_S)
    return target.is_dir()


def sweep(target: Path, *, names: Collection[str]) -> None:
    """Remove hidden folders that killed replacements of a target left, unless a process still writes to them.

    Args:
        target: what was to be replaced; while it is missing, nothing is removed.
        names: files that such a folder holds; one that holds anything else is not ours.
    """
    if not target.exists():
        return
    for folder in _siblings(target):
        with suppress(OSError):  # another process sweeps too, or the folder is not ours to change
            if not folder.is_symlink() and {item.name for item in folder.iterdir()} <= set(names):
                _remove_unless_held(folder)


def _siblings(target: Path) -> list[Path]:
    """Hidden folders that replacements of a target have made."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{32}}({re.escape(_OLD)})?")
    try:
        with os.scandir(target.parent) as entries:
            return sorted(Path(entry.path) for entry in entries if pattern.fullmatch(entry.name))
    except OSError:
        return []


@contextmanager
def _new_sibling(target: Path) -> Iterator[Path]:
    """A new hidden folder, which this process holds until the end, so that no other sweeps it."""
    while True:
        fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        fresh.mkdir()
        descriptor = _lock(fresh, wait=True)
        if fresh.is_dir():
            break
        _close(descriptor)  # swept in the moment before it was held
    try:
        yield fresh
    finally:
        _close(descriptor)


def _lock(folder: Path, *, wait: bool) -> int | None:
    """A descriptor that holds a folder until it is closed or the process ends; None if nothing can hold it.

    A folder that is held is waited for, or else None, too.
    """
    try:
        import fcntl
    except ImportError:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _remove_unless_held(folder: Path) -> None:
    """Remove a folder, unless a process writes to it or nobody can tell; who just made it waits, and sees that it is gone."""
    descriptor = _lock(folder, wait=False)
    if descriptor is not None:
        shutil.rmtree(folder, ignore_errors=True)
        _close(descriptor)


def _put_in_place(fresh: Path, target: Path) -> None:
    """Give a whole folder the name of its target."""
    for _ in range(_MOST_TRIES):
        if _takes_name(fresh, target):
            return
    raise ValueError(
        f"{target} was replaced by other processes {_MOST_TRIES} times meanwhile; end them, or save elsewhere."
    )


def _takes_name(fresh: Path, target: Path) -> bool:
    """Give a whole folder the name of its target; False if another process did something with that name meanwhile."""
    try:
        if _was_finished(fresh, target):
            return True
        if not target.exists():
            os.rename(fresh, target)
            return True
        if exchange(fresh, target):
            return True
        old = fresh.with_name(fresh.name + _OLD)
        os.rename(target, old)  # from here on, `recover` finishes it
    except OSError as error:
        if error.errno in _NAME_CHANGED and (fresh.exists() or _was_finished(fresh, target)):
            return False
        raise
    taken = _second_step(fresh, target, old)
    shutil.rmtree(old, ignore_errors=True)
    return taken


def _was_finished(fresh: Path, target: Path) -> bool:
    """Whether `recover` of another process has given a folder the name, which others may have taken before and since."""
    if fresh.exists():
        return False
    recover(target)  # another may be between its two steps
    return target.exists()


def _second_step(fresh: Path, target: Path, old: Path) -> bool:
    """Take a name from which the old folder has stepped aside; False if another process has taken it."""
    try:
        os.rename(fresh, target)
    except OSError as error:
        if not fresh.exists():  # somebody looked for the name and has finished it
            with suppress(OSError):  # the name is taken, unless they had before: then what stepped aside is the newest
                os.rename(old, target)
            return True
        if error.errno in _NAME_CHANGED:
            return False
        os.rename(old, target)
        raise
    return True


def exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step; False, and nothing done, where the system cannot.

    Raises:
        OSError: if the system can, but not with these.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # a C library from before 2018
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_ABLE:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))
