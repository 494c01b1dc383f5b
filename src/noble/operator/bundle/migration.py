"""Older bundles in today's layout; docs/bundle.md says what changed between the schemas.

Schema 2 (noble 0.1) had no manifest: `config.json` held the checksum of the weights alone, as `weights_sha256`. It had no scope
either, which follows from the configuration of the data set, where the training recorded one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from noble.operator.bundle.layout import SCHEMA_VERSION
from noble.operator.scope import Scope


def migrated(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What `config.json` of any readable schema would hold today.

    Args:
        content: the file's.
        path: the file, for messages.

    Raises:
        ValueError: for another schema version, or a data set whose configuration is wrong.
    """
    version = content.get("schema_version")
    if version == SCHEMA_VERSION:
        return dict(content)
    if version == 2:
        return _from_schema_2(content, path)
    raise ValueError(
        f"{path} has schema version {str(version)[:40]}; this release reads versions 2 and {SCHEMA_VERSION}. Use the release of "
        "noble that wrote the bundle, or train and save it again."
    )


def _from_schema_2(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Without the checksum of the weights, with the scope."""
    today = {key: value for key, value in content.items() if key != "weights_sha256"}
    return {**today, "schema_version": SCHEMA_VERSION, "scope": _scope(content.get("provenance"), path)}


def _scope(provenance: Any, path: Path) -> dict[str, Any] | None:
    """What the data set was drawn from, where that is recorded."""
    generation = provenance.get("generation") if isinstance(provenance, Mapping) else None
    if not isinstance(generation, Mapping):
        return None
    try:
        return Scope.of_generation(generation).model_dump(mode="json")
    except ValueError as error:
        raise ValueError(f"{path}: provenance.generation: {error} Restore the file.") from error
