"""Bundles that were changed and sealed again, so that nothing but the change is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

from noble.files import file_sha256


def edit(folder: Path, **changes: object) -> None:
    """Set keys of config.json, and seal."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    seal(folder)


def seal(folder: Path) -> None:
    """Let the manifest say what the files are now."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for name, entry in manifest["files"].items():
        entry.update(sha256=file_sha256(folder / name), bytes=(folder / name).stat().st_size)
    path.write_text(json.dumps(manifest))
