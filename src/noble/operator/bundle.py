"""Bundles: a trained operator as a folder of four files, none of them pickled.

`model.safetensors` holds the weights, `config.json` everything else that an answer depends on, `card.md` what a reader
should know, `metrics.json` how well it does.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import uuid
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from noble.files import file_sha256
from noble.operator.config import OperatorConfig
from noble.operator.spec import FeatureSpec
from noble.traces import TimeGrid

if TYPE_CHECKING:
    from torch import Tensor

    from noble.operator.operator import Operator

SCHEMA_VERSION: Final = 2
WEIGHTS, CONFIG, CARD, METRICS = "model.safetensors", "config.json", "card.md", "metrics.json"
FILES: Final = (WEIGHTS, CONFIG, CARD, METRICS)
UNITS: Final = {"time": "ms", "voltage": "mV", "current": "nA"}


class _Grid(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    dt_ms: float
    count: int


class _Config(BaseModel):
    """The layout of config.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int
    operator: OperatorConfig
    features: FeatureSpec
    grid: _Grid
    units: dict[str, str]
    provenance: dict[str, Any]
    weights_sha256: str


def save(operator: Operator, folder: str | Path, card: str, metrics: Mapping[str, Any]) -> None:
    """Write a bundle; an older one in its place disappears only when the new one is complete.

    Args:
        operator: the operator.
        folder: where; created, with its parents.
        card: Markdown for the reader.
        metrics: as `noble evaluate --json` writes them; NaN becomes null.

    Raises:
        ValueError: if the folder exists and holds anything but a bundle.
    """
    from safetensors.torch import save

    target = Path(folder).absolute()
    _check_replaceable(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.parent / f".{target.name}.{uuid.uuid4().hex}"
    fresh.mkdir()
    try:
        weights = {name: value.detach().cpu().contiguous() for name, value in operator.state_dict().items()}
        (fresh / WEIGHTS).write_bytes(save(weights))  # as readable as the other files, which safetensors' own is not
        config = _Config(
            schema_version=SCHEMA_VERSION,
            operator=operator.config,
            features=operator.spec,
            grid=_Grid(dt_ms=operator.grid.dt_ms, count=operator.grid.count),
            units=UNITS,
            provenance=operator.provenance,
            weights_sha256=file_sha256(fresh / WEIGHTS),
        )
        (fresh / CONFIG).write_text(_json(config.model_dump()), encoding="utf-8")
        (fresh / CARD).write_text(card, encoding="utf-8")
        (fresh / METRICS).write_text(_json(metrics), encoding="utf-8")
        _put_in_place(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def shipped_bundles() -> tuple[str, ...]:
    """Names of the bundles in the package."""
    folder = resources.files("noble.operator") / "bundles"
    return tuple(sorted(item.name for item in folder.iterdir() if item.is_dir())) if folder.is_dir() else ()


def locate(folder_or_name: str | Path) -> Path:
    """The folder of a bundle: one of the user's by path, or a shipped one by name.

    A folder that only bears the name of a shipped bundle, of its results for example, is not taken for one.

    Raises:
        FileNotFoundError: if there is neither.
    """
    path = Path(folder_or_name)
    shipped = str(folder_or_name) in shipped_bundles()
    if path.is_dir() and (not shipped or any((path / name).exists() for name in FILES)):
        return path
    if shipped:
        return Path(str(resources.files("noble.operator") / "bundles" / str(folder_or_name)))
    raise FileNotFoundError(
        f"there is no bundle {str(folder_or_name)!r}: no such folder, and not one of the shipped bundles "
        f"({', '.join(shipped_bundles()) or 'none'})."
    )


def load(folder_or_name: str | Path) -> Operator:
    """Read a bundle; needs no simulator, no store and no trainer.

    Args:
        folder_or_name: a folder as `save` wrote it, or the name of a shipped bundle.

    Returns:
        The operator, in evaluation mode, bit for bit the one that was saved.

    Raises:
        FileNotFoundError: if there is no such folder and no such name.
        ValueError: if a file is missing, corrupt or of another schema version, a key of the configuration is unknown,
            or the weights do not fit it.
    """
    from noble.operator.operator import Operator

    source = locate(folder_or_name)
    missing = [name for name in FILES if not (source / name).is_file()]
    if missing:
        raise ValueError(f"{source} is not a complete bundle: {', '.join(missing)} missing. Copy or save it again.")
    config = _read_config(source / CONFIG)
    metrics = read_metrics(source)
    weights = _read_weights(source / WEIGHTS, config.weights_sha256)
    operator = Operator.build(
        config.operator, config.features, TimeGrid(dt_ms=config.grid.dt_ms, count=config.grid.count), seed=0
    )
    operator.provenance = config.provenance
    _check_fit(weights, operator.state_dict(), source / WEIGHTS)
    # A bundle saved in double precision comes back in it.
    operator.to(next((value.dtype for value in weights.values() if value.is_floating_point()), None))
    operator.load_state_dict(weights)
    operator.name, operator.metrics = source.resolve().name, metrics
    return operator.eval()


def read_metrics(folder_or_name: str | Path) -> dict[str, Any]:
    """The metrics stored with a bundle.

    Raises:
        FileNotFoundError: if there is no such folder and no such name.
        ValueError: if the file is missing or is not JSON.
    """
    return _read_json(locate(folder_or_name) / METRICS)


def identity(folder_or_name: str | Path) -> dict[str, Any]:
    """What tells a bundle from another of its name: hash of the weights, name and digest of the hall it learned.

    Raises:
        FileNotFoundError: if there is no such folder and no such name.
        ValueError: if its configuration is missing, corrupt or of another schema version.
    """
    folder = locate(folder_or_name)
    config = _read_config(folder / CONFIG)
    hall = config.provenance.get("hall") or {}
    return {
        "name": folder.resolve().name,
        "weights_sha256": config.weights_sha256,
        "hall": hall.get("name"),
        "hall_digest": hall.get("digest"),
    }


def _read_config(path: Path) -> _Config:
    """config.json, checked."""
    content = _read_json(path)
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(
            f"{path} has schema version {version}; this release reads version {SCHEMA_VERSION}. Use the release of "
            "noble that wrote the bundle, or train and save it again."
        )
    try:
        return _Config.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(
            f"{path}: {place}: {first['msg']}. The file was edited or written by another release; restore it."
        ) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing. Copy or save the bundle again.") from error
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}). Copy or save the bundle again.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a JSON {type(content).__name__}; expected an object.")
    return content


def _read_weights(path: Path, expected_sha256: str) -> dict[str, Tensor]:
    """The weights by name; the hash finds damage that the format cannot."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{path} is not a readable safetensors file ({error}). Copy or save the bundle again."
        ) from error
    if file_sha256(path) != expected_sha256:
        raise ValueError(
            f"{path} is not the file that {CONFIG} describes (its SHA-256 differs): it is damaged, or comes "
            "from another bundle. Copy or save the bundle again."
        )
    return weights


def _check_fit(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    """Refuse weights whose names or shapes are not those of the configured operator."""
    for name in sorted(weights.keys() | expected.keys()):
        found = tuple(weights[name].shape) if name in weights else "missing"
        wanted = tuple(expected[name].shape) if name in expected else "no such weight"
        if found != wanted:
            raise ValueError(
                f"{path}: weight {name} is {found}, but {CONFIG} describes {wanted}. The two files belong to different "
                "operators; copy or save the bundle again."
            )


def _check_replaceable(target: Path) -> None:
    """Never remove what is not a bundle."""
    if not target.exists():
        return
    others = (
        sorted(item.name for item in target.iterdir() if item.name not in FILES) if target.is_dir() else [target.name]
    )
    if others:
        raise ValueError(
            f"{target} exists and holds {', '.join(others[:3])}, which is no part of a bundle. Choose "
            "another folder, or move that away."
        )


def _put_in_place(fresh: Path, target: Path) -> None:
    """Rename the complete folder to its name; an older bundle steps aside and returns if that fails."""
    if not target.exists():
        os.replace(fresh, target)
        return
    old = fresh.with_name(fresh.name + ".old")
    os.replace(target, old)
    try:
        os.replace(fresh, target)
    except OSError:
        os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _json(content: Any) -> str:
    return json.dumps(_plain(content), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """numpy numbers and arrays as Python's, and NaN and infinity as null, which JSON lacks; also inside lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
