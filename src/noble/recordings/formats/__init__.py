"""Readers of the formats in which laboratories keep recordings, one file each, behind one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from noble.recordings.raw import RawSweep

Unread = tuple[str, str]
"""Name of a sweep that cannot be read, and why."""

Sweeps = Iterator[RawSweep | Unread]


@dataclass(frozen=True)
class Options:
    """What a reader is told.

    Attributes:
        junction_potential_mv: subtracted from the voltage.
        electrode: which one to read where a file has several; None for the only one.
    """

    junction_potential_mv: float = 0.0
    electrode: str | None = None


@dataclass(frozen=True)
class Format:
    """A format of recordings.

    Attributes:
        name: what it is called.
        suffixes: of its files, in lower case.
        read: gives the sweeps of a file.
        many: whether a recording may be a folder of such files.
        joined: whether a sweep may lie in several files, so that `read` takes the folder itself.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, Options], Sweeps]
    many: bool = False
    joined: bool = False

    def sweeps(self, path: Path, options: Options) -> Sweeps:
        """The sweeps of a file or folder; those of a folder are named after their file, and so is a protocol without name.

        Raises:
            ValueError: if a file that was named cannot be read.
        """
        if self.joined or path.is_file():
            yield from self.read(path, options)
            return
        for file in self.files(path):
            try:
                for item in self.read(file, options):
                    if isinstance(item, RawSweep):
                        protocol = item.protocol or file.stem.rstrip("0123456789").rstrip(" _-.")
                        yield replace(item, name=f"{file.name}: {item.name}", protocol=protocol)
                    else:
                        yield f"{file.name}: {item[0]}", item[1]
            except ValueError as error:
                yield file.name, str(error)

    def files(self, path: Path) -> list[Path]:
        """The files of this format that a path names, in order."""
        if path.is_dir():
            return sorted(filter(self._is_one, path.iterdir())) if self.many else []
        return [path] if self._is_one(path) else []

    def _is_one(self, path: Path) -> bool:
        return path.suffix.lower() in self.suffixes and path.is_file()


def _nwb(path: Path, options: Options) -> Sweeps:
    from noble.recordings.formats.nwb import read

    return read(path, options)


def _abf(path: Path, options: Options) -> Sweeps:
    from noble.recordings.formats.abf import read

    return read(path, options)


def _ibw(path: Path, options: Options) -> Sweeps:
    from noble.recordings.formats.ibw import read

    return read(path, options)


def _text(path: Path, options: Options) -> Sweeps:
    from noble.recordings.formats.text import read

    return read(path, options)


FORMATS: Final = (
    Format("NWB 1 or 2", (".nwb",), _nwb),
    Format("Axon binary format 1 or 2", (".abf",), _abf, many=True),
    Format("Igor binary waves", (".ibw",), _ibw, many=True, joined=True),
    Format("columns of text", (".csv", ".tsv", ".txt", ".dat"), _text, many=True),
)
"""All formats that are read, in the order in which they are tried."""
