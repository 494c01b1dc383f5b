"""The series of NWB 1 files: those of the Allen Cell Types Database, and of MIES."""

from __future__ import annotations

from typing import Any

from noble.recordings.formats.patch_clamp import Pair


def pairs(file: Any) -> list[Pair]:
    """Everything that the file acquired, with its stimulus or None."""
    return []
