"""Checkpoints that cannot be torn: one file holds a whole run, begins with its own checksum, and has the one before beside it.

A checkpoint is written beside its name, brought to the disk, and renamed, so whatever ends the process, there is a whole one.
What the disk does to it later, the checksum finds, and a run goes on from the one before. Reading executes nothing: torch
reads tensors, numbers, text and containers of these, and no other object, whatever its environment variables say.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from noble.files import read_bytes, replacing

LAST: Final = "last.ckpt"
BEFORE: Final = "before.ckpt"

_MAGIC: Final = b"noble checkpoint 1 "
_HEADER_BYTES: Final = len(_MAGIC) + 64 + 1
_ZIP_MAGIC: Final = b"PK"
_LARGEST_BYTES: Final = 2**36


class DamagedCheckpointWarning(UserWarning):
    """A run goes on from an older checkpoint, since the newest is damaged."""


def write_checkpoint(folder: Path, content: Mapping[str, Any]) -> None:
    """Make this the newest checkpoint of a folder, and the newest so far the one before.

    Args:
        folder: where the checkpoints lie; made if it is not there.
        content: tensors, numbers, texts, and dictionaries and lists of these.
    """
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    payload = buffer.getbuffer()
    last = folder / LAST
    with replacing(last) as temporary:
        with temporary.open("wb") as file:
            file.write(_header(payload))
            file.write(payload)
        if _is_whole(last):  # or the one before would be lost to a damaged one
            os.replace(last, folder / BEFORE)


def has_checkpoint(folder: Path) -> bool:
    """Whether there is a checkpoint in a folder, whole or not."""
    return any((folder / name).exists() for name in (LAST, BEFORE))


def newest_whole(folder: Path) -> dict[str, Any] | None:
    """What the newest undamaged checkpoint of a folder holds; None where there is no checkpoint.

    Warns:
        DamagedCheckpointWarning: if that is the one before the newest.

    Raises:
        ValueError: if all are damaged.
    """
    damage = []
    for path in (folder / LAST, folder / BEFORE):
        if not path.exists():
            continue
        try:
            content = read_checkpoint(path)
        except ValueError as error:
            damage.append(str(error).rstrip("."))
            continue
        if damage:
            warnings.warn(f"{damage[0]}; going on from {path.name}.", DamagedCheckpointWarning, stacklevel=2)
        return content
    if damage:
        raise ValueError(f"{'; '.join(damage)}. No checkpoint is left to resume from: train into another folder.")
    return None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is none of ours, or it is not what was written.
    """
    payload = _payload(path)
    try:
        content = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        AttributeError,
        EOFError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise ValueError(f"{path} holds other things than tensors and numbers, which are never read.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}; expected the state of a run.")
    return content


def _is_whole(path: Path) -> bool:
    try:
        _payload(path)
    except (FileNotFoundError, ValueError):
        return False
    return True


def _payload(path: Path) -> memoryview:
    """What torch wrote, once its checksum has been found right."""
    data = read_bytes(path, expected="a checkpoint", limit_bytes=_LARGEST_BYTES)
    if data.startswith(_ZIP_MAGIC):
        raise ValueError(
            f"{path} is a checkpoint of Lightning, with which noble 0.1 trained; this version cannot go on from it, but the "
            "run's bundle stays good."
        )
    payload = memoryview(data)[_HEADER_BYTES:]
    if data[:_HEADER_BYTES] != _header(payload):
        raise ValueError(f"{path} is damaged: its checksum does not match its {len(data)} bytes.")
    return payload


def _header(payload: memoryview) -> bytes:
    return _MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n"
