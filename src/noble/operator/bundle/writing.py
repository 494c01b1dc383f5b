"""Writing a bundle: whole or not at all, and never over anything but a bundle."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from noble.operator.bundle.layout import (
    CARD,
    CONFIG,
    FILES,
    MANIFEST,
    METRICS,
    SCHEMA_VERSION,
    UNITS,
    WEIGHTS,
    BundleConfig,
    check_metrics,
    checked,
)
from noble.operator.bundle.locating import locate
from noble.operator.bundle.reading import consistently, describe, read_files
from noble.operator.bundle.replacing import recover, replacing_folder, sweep

if TYPE_CHECKING:
    from noble.operator.operator import Operator


def save(operator: Operator, folder: str | Path, card: str, metrics: Mapping[str, Any]) -> None:
    """Write a bundle; an older one in its place stays until the new one is complete, and then is gone at once.

    Args:
        operator: the operator.
        folder: where; created, with its parents.
        card: Markdown for the reader.
        metrics: as `noble evaluate --json` writes them; NaN becomes null.

    Raises:
        ValueError: if the folder exists and holds anything but a bundle, or what is recorded of the operator is something else
            than `load` expects.
    """
    from safetensors.torch import save as serialised

    target = Path(folder).resolve()
    config = {
        "schema_version": SCHEMA_VERSION,
        "operator": operator.config.model_dump(mode="json"),
        "features": operator.spec.model_dump(mode="json"),
        "scope": None if operator.scope is None else operator.scope.model_dump(mode="json"),
        "grid": {"dt_ms": operator.grid.dt_ms, "count": operator.grid.count},
        "units": UNITS,
        "provenance": operator.provenance,
    }
    weights = {name: value.detach().cpu().contiguous() for name, value in operator.state_dict().items()}
    content = {
        WEIGHTS: serialised(weights),
        CONFIG: _json(config),
        CARD: card.encode(),
        METRICS: _json(metrics),
    }
    checked(BundleConfig, content[CONFIG].decode(), target / CONFIG)
    check_metrics(metrics, target / METRICS)
    _write(target, content)


def revise(folder_or_name: str | Path, *, card: str | None = None, metrics: Mapping[str, Any] | None = None) -> None:
    """Write a bundle anew in today's layout, with another card or other metrics; its weights stay as they are, to the bit.

    Args:
        folder_or_name: the bundle, of any schema that `load` reads.
        card: Markdown for the reader; the present one if None.
        metrics: as for `save`; the present ones if None.

    Raises:
        FileNotFoundError: if there is no such bundle.
        ValueError: if a file that stays is missing or is not the one that the bundle was saved with.
    """
    folder = locate(folder_or_name)
    check_metrics(metrics or {}, folder / METRICS)
    given = {CARD: None if card is None else card.encode(), METRICS: None if metrics is None else _json(metrics)}
    changed = {name: text for name, text in given.items() if text is not None}
    kept = tuple(name for name in (WEIGHTS, CONFIG, CARD, METRICS) if name not in changed)

    def present(folder: Path) -> dict[str, bytes]:
        description = describe(folder)
        files = read_files(folder, kept, description.sha256)
        return {**files, CONFIG: _json(description.config.model_dump(mode="json"))}

    _write(folder.resolve(), {**consistently(folder, present), **changed})


def upgrade(folder_or_name: str | Path) -> None:
    """Write a bundle of an older schema anew in today's; its weights stay as they are, to the bit.

    Raises:
        FileNotFoundError, ValueError: as `revise`.
    """
    revise(folder_or_name)


def _write(target: Path, content: Mapping[str, bytes]) -> None:
    """Put files and their manifest where a bundle is, or is to be."""
    recover(target)
    _check_replaceable(target)
    files = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in sorted(content.items())
    }
    manifest = _json({"schema_version": SCHEMA_VERSION, "files": files})
    with replacing_folder(target) as fresh:
        for name, data in {**content, MANIFEST: manifest}.items():
            # Flushed before the folder takes its name, so that a power cut leaves no empty file under it.
            with (fresh / name).open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
    sweep(target, names=FILES)


def _check_replaceable(target: Path) -> None:
    """Never remove what is not a bundle."""
    try:  # one look, since another process may take and leave the name meanwhile
        others = sorted(item.name for item in target.iterdir() if item.name not in FILES)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        others = [target.name]
    if others:
        raise ValueError(
            f"{target} exists and holds {', '.join(others[:3])}, which is no part of a bundle. Choose "
            "another folder, or move that away."
        )


def _json(content: Any) -> bytes:
    return (json.dumps(_plain(content), indent=2, allow_nan=False) + "\n").encode()


def _plain(value: Any) -> Any:
    """numpy numbers and arrays as Python's, and NaN and infinity as null, which JSON lacks; also inside lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
