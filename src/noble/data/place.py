"""Where a store lies: a local folder, or any folder that fsspec reaches by a URL (`s3://`, `gs://`, `memory://`, ...).

A local file or group appears by a rename, so it is there whole or not at all. Elsewhere a file appears when its upload is
complete, and a group file by file, its `zarr.json` last: a group without one does not exist.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

import fsspec
from fsspec.core import url_to_fs

GROUP_FILE: Final = "zarr.json"
_PARTIAL: Final = ".partial"
# A partial group beside a store that nobody has touched for so long is what a killed run left.
_ABANDONED_S: Final = 3600.0


@dataclass(frozen=True)
class Place:
    """A folder by its address; picklable, and equal for equal addresses.

    Attributes:
        address: an absolute local path, or a URL.
    """

    address: str

    @classmethod
    def of(cls, address: str | Path | Place) -> Place:
        """The place of a path or a URL.

        Raises:
            ValueError: for a URL whose scheme needs a package that is not installed, or is unknown.
        """
        if isinstance(address, Place):
            return address
        text = str(address)
        if text.startswith("file://"):
            text = text.removeprefix("file://")
        if "://" not in text:
            return cls(os.path.abspath(text))
        try:
            url_to_fs(text)
        except (ImportError, ValueError) as error:
            raise ValueError(f"{text} cannot be opened: {error}.") from error
        return cls(text.rstrip("/"))

    def __str__(self) -> str:
        return self.address

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine's file systems."""
        return "://" not in self.address

    @property
    def path(self) -> Path:
        """The folder; only of a local place."""
        return Path(self.address)

    def at(self, key: str) -> Place:
        """A folder within."""
        return Place(f"{self.address}/{key}")

    @cached_property
    def _remote(self) -> tuple[fsspec.AbstractFileSystem, str]:
        return url_to_fs(self.address)

    def __getstate__(self) -> dict[str, Any]:
        return {"address": self.address}  # a connection stays in its process

    def _remote_at(self, key: str) -> tuple[fsspec.AbstractFileSystem, str]:
        system, root = self._remote
        return system, f"{root.rstrip('/')}/{key}" if key else root

    def read(self, key: str) -> bytes | None:
        """The bytes of a file; None if it is not there.

        Raises:
            ValueError: if it is a pipe or a device, which could be read for ever.
        """
        try:
            if self.is_local:
                return _regular(self.path / key).read_bytes()
            system, name = self._remote_at(key)
            return cast("bytes", system.cat_file(name))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def size(self, key: str) -> int:
        """Bytes of a file; 0 if it is not there."""
        try:
            if self.is_local:
                return (self.path / key).stat().st_size
            system, name = self._remote_at(key)
            return int(system.size(name) or 0)
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def exists(self) -> bool:
        """Whether there is anything here."""
        if self.is_local:
            return self.path.exists()
        system, name = self._remote_at("")
        return bool(system.exists(name))

    def names(self, key: str) -> list[str]:
        """Names in a folder, without those of writes that were interrupted; none if it is not there."""
        try:
            if self.is_local:
                found = [entry.name for entry in (self.path / key).iterdir()]
            else:
                system, name = self._remote_at(key)
                found = [str(entry).rstrip("/").rpartition("/")[2] for entry in system.ls(name, detail=False)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in found if not name.endswith(_PARTIAL))

    def write(self, key: str, content: bytes) -> None:
        """One file, whole or not at all."""
        if not self.is_local:
            system, name = self._remote_at(key)
            system.makedirs(name.rpartition("/")[0], exist_ok=True)
            system.pipe_file(name, content)
            return
        path = self.path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}{_PARTIAL}")
        try:
            partial.write_bytes(content)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def write_group(self, key: str, files: Mapping[str, bytes]) -> None:
        """A Zarr group with all its files.

        Raises:
            ValueError: if there is one already.
        """
        if self.is_local:
            _write_local_group(self.path / key if key else self.path, files)
            return
        within = f"{key}/" if key else ""
        system, name = self._remote_at(f"{within}{GROUP_FILE}")
        if system.exists(name):
            raise ValueError(f"{self} was made by another run meanwhile; run again to go on with it.")
        for file in sorted(files, key=lambda file: file == GROUP_FILE):
            self.write(f"{within}{file}", files[file])

    def remove_group(self, key: str) -> None:
        """Remove a group with all its files, if it is there."""
        if self.is_local:
            shutil.rmtree(self.path / key, ignore_errors=True)
            return
        system, name = self._remote_at(key)
        if system.exists(f"{name}/{GROUP_FILE}"):
            system.rm_file(f"{name}/{GROUP_FILE}")  # without it, there is no group
            system.rm(name, recursive=True)

    def sweep(self) -> None:
        """Remove what writes left here that were interrupted; nobody else may be writing."""
        if self.is_local:
            for leftover in [*self.path.rglob(f"*{_PARTIAL}")]:
                if leftover.is_dir():
                    shutil.rmtree(leftover, ignore_errors=True)
                else:
                    leftover.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold a local folder for this process alone; the system releases it however the process ends.

        Elsewhere nothing is held, and whoever writes must see to it that nobody else does.

        Raises:
            ValueError: if another process holds it.
        """
        try:
            import fcntl
        except ImportError:  # Windows: no advisory lock on a folder
            yield
            return
        if not self.is_local:
            yield
            return
        folder = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(f"another run is writing {self}; wait for it, or stop it first.") from None
            yield
        finally:
            os.close(folder)


def _write_local_group(path: Path, files: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_abandoned(path)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}{_PARTIAL}")
    try:
        for name, content in files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(content)
        partial.rename(path)
    except OSError as error:
        if path.exists():
            raise ValueError(f"{path} was made by another run meanwhile; run again to go on with it.") from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sweep_abandoned(path: Path) -> None:
    """Partial groups of this name that killed runs left beside it."""
    for leftover in path.parent.glob(f".{path.name}.*{_PARTIAL}"):
        if time.time() - leftover.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(leftover, ignore_errors=True)


def _regular(path: Path) -> Path:
    """The path itself, unless reading it might never end."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(
            f"{path} is no regular file; a store holds nothing else. Restore it, or generate the store again."
        )
    return path
