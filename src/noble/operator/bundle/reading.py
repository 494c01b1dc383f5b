"""Reading a bundle: all of its files checked against the manifest, each against its layout."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from noble.files import read_bytes, read_json
from noble.operator.bundle import weights as weight_files
from noble.operator.bundle.layout import (
    CONFIG,
    COVERED,
    LARGEST_BYTES,
    MANIFEST,
    METRICS,
    WEIGHTS,
    BundleConfig,
    Manifest,
    check_metrics,
    checked,
)
from noble.operator.bundle.locating import locate
from noble.operator.bundle.migration import migrated
from noble.operator.bundle.replacing import settled

if TYPE_CHECKING:
    from noble.operator.operator import Operator

_AGAIN: Final = "Copy or save the bundle again."
_Read = TypeVar("_Read")


@dataclass(frozen=True)
class Description:
    """A bundle's configuration, and the checksums that its files must have.

    Attributes:
        config: in today's layout, whatever the schema of the file.
        sha256: by name of the file; of a bundle of schema 2, of the weights alone.
    """

    config: BundleConfig
    sha256: Mapping[str, str]


def load(folder_or_name: str | Path) -> Operator:
    """Read a bundle; needs no simulator, no store and no trainer.

    Args:
        folder_or_name: a folder as `save` wrote it, or the name of a shipped bundle.

    Returns:
        The operator, in evaluation mode, bit for bit the one that was saved.

    Raises:
        FileNotFoundError: if there is no such folder and no such name.
        ValueError: if a file is missing, corrupt, not the one of the manifest or of an unknown schema version, a key of the
            configuration is unknown, a value is out of its bounds, or the weights do not fit.
    """
    from noble.operator.operator import Operator

    folder = locate(folder_or_name)
    description, content, metrics = consistently(folder, _read_all)
    config, path = description.config, folder / WEIGHTS
    weights = weight_files.parsed(content[WEIGHTS], path)
    operator = Operator.build(config.operator, config.features, config.grid.time_grid(), seed=0, scope=config.scope)
    operator.provenance = config.provenance
    operator.name, operator.metrics = folder.resolve().name, metrics
    weight_files.put_into(operator, weights, path)
    return operator.eval()


def read_metrics(folder_or_name: str | Path) -> dict[str, Any]:
    """The metrics stored with a bundle.

    Raises:
        FileNotFoundError: if there is no such folder and no such name.
        ValueError: if the file is missing, is not JSON or holds no sections.
    """
    return _metrics_of(locate(folder_or_name))


def identity(folder_or_name: str | Path) -> dict[str, Any]:
    """What tells a bundle from another of its name: hash of the weights, name and digest of the hall it learned.

    Raises:
        FileNotFoundError: if there is no such folder and no such name.
        ValueError: if its configuration or its manifest is missing, corrupt or of another schema version.
    """
    folder = locate(folder_or_name)
    description = consistently(folder, describe)
    hall = description.config.provenance.get("hall") or {}
    return {
        "name": folder.resolve().name,
        "weights_sha256": description.sha256[WEIGHTS],
        "hall": hall.get("name"),
        "hall_digest": hall.get("digest"),
    }


def describe(folder: Path) -> Description:
    """The configuration of a bundle of any readable schema, and what its files must be."""
    path = folder / CONFIG
    content = _read_object(path)
    today = migrated(content, path)
    if content["schema_version"] == today["schema_version"]:
        manifest = checked(Manifest, json.dumps(_read_object(folder / MANIFEST)), folder / MANIFEST)
        sha256 = {name: entry.sha256 for name, entry in manifest.files.items()}
    else:
        sha256 = {WEIGHTS: str(content.get("weights_sha256"))}
    return Description(checked(BundleConfig, json.dumps(today), path), sha256)


def read_files(folder: Path, names: tuple[str, ...], sha256: Mapping[str, str]) -> dict[str, bytes]:
    """Bytes of files of a bundle, after checking that they are those that it was saved with.

    Raises:
        ValueError: if one is missing or another.
    """
    content = {}
    for name in names:
        content[name] = read_bytes(folder / name, expected="a file of a bundle", limit_bytes=LARGEST_BYTES)
        if name in sha256 and hashlib.sha256(content[name]).hexdigest() != sha256[name]:
            raise ValueError(
                f"{folder / name} is not the file that the bundle was saved with (its SHA-256 differs): it is damaged, was "
                f"edited, or comes from another bundle. {_AGAIN}"
            )
    return content


def consistently(folder: Path, read: Callable[[Path], _Read]) -> _Read:
    """Read files of one and the same bundle: once more, if it was replaced meanwhile."""
    while True:
        before = _state(folder)
        try:
            found = read(folder)
        except (ValueError, OSError):
            unchanged = before is not None and _state(folder) == before
            if unchanged or not settled(folder):  # it may have stepped aside for a moment
                raise
        else:
            if before is not None and _state(folder) == before:
                return found


def _state(folder: Path) -> tuple[int, int] | None:
    """What changes when a folder is renamed or replaced."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns


def _read_all(folder: Path) -> tuple[Description, dict[str, bytes], dict[str, Any]]:
    if missing := [name for name in COVERED if not (folder / name).is_file()]:
        raise ValueError(f"{folder} is not a complete bundle: {', '.join(missing)} missing. {_AGAIN}")
    description = describe(folder)
    content = read_files(folder, COVERED, description.sha256)
    return description, content, _metrics_of(folder)


def _metrics_of(folder: Path) -> dict[str, Any]:
    metrics = _read_object(folder / METRICS)
    check_metrics(metrics, folder / METRICS)
    return metrics


def _read_object(path: Path) -> dict[str, Any]:
    """A JSON object of a bundle.

    Raises:
        ValueError: if it is missing or something else.
    """
    try:
        content = read_json(path, expected="a file of a bundle")
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing. {_AGAIN}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a JSON {type(content).__name__}; expected an object.")
    return content
