"""Writing files so that a crash leaves the old one or the new one, never half of one; checksums of files and of contents."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def write_text(path: Path | str, text: str) -> None:
    """Write to a temporary name in the same folder, then rename."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path | str, content: Any) -> None:
    """Write JSON, indented, NaN refused, by `write_text`."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def file_sha256(path: Path | str) -> str:
    """SHA-256 of a file's bytes, as hexadecimal text."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_sha256(content: Any) -> str:
    """SHA-256 of JSON-ready content, whatever the order of its keys, as hexadecimal text."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
