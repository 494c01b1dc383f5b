"""The attributes of a store and of its parts, checked when they are read."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from importlib import metadata
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from noble.configs import describe_problems
from noble.data.place import Place
from noble.data.schema import READABLE_VERSIONS, SCHEMA_NAME, SPLITS
from noble.data.stimulus_table import StoredKind
from noble.protocols import Window
from noble.traces import TimeGrid


class _Facts(BaseModel):
    """Unknown keys are somebody else's notes."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class HallFacts(_Facts):
    """The hall that a store was made from.

    Attributes:
        name, digest: of the hall.
        models: how many.
        train, held_out: their positions.
        holding_na: constant current on top of which every stimulus comes, nA.
    """

    name: str
    digest: str
    models: int = Field(ge=1)
    train: tuple[int, ...]
    held_out: tuple[int, ...]
    holding_na: float = 0.0

    @model_serializer(mode="wrap")
    def _as_written(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a holding current of 0, which is not written: older stores are sealed without it."""
        content = written(self)
        return content if self.holding_na else {name: content[name] for name in content if name != "holding_na"}


class StoreFacts(_Facts):
    """What all parts of a store share.

    Attributes:
        name, version: of the schema.
        grid: instants of the traces.
        protocol: the window.
        splits: their names.
        cell: name of the cell.
        hall: the models.
    """

    name: Literal["noble-store"] = Field(alias="schema")
    version: int = Field(alias="schema_version")
    grid: TimeGrid
    protocol: Window
    splits: tuple[str, ...]
    cell: str
    hall: HallFacts

    @model_validator(mode="after")
    def _consistent(self) -> StoreFacts:
        if self.grid != self.protocol.simulated_grid:
            raise ValueError(f"grid is {self.grid}; the protocol asks for {self.protocol.simulated_grid}")
        if self.splits != SPLITS:
            raise ValueError(f"splits is {list(self.splits)}; expected {list(SPLITS)}")
        return self


class PartFacts(_Facts):
    """What one generation wrote.

    Attributes:
        seed: of its draw.
        config: its configuration, without workers and hall.
        stimulus_kinds: the kinds of its stimuli, by code.
        plan_digest: SHA-256 of its plan.
        versions: of Python and of the packages that began it.
    """

    seed: int
    config: dict[str, Any]
    stimulus_kinds: tuple[StoredKind, ...]
    plan_digest: str
    versions: dict[str, str]


def store_facts(attributes: Mapping[str, Any], place: Place) -> StoreFacts:
    """The facts of a store from the attributes of its group.

    Raises:
        ValueError: if it is no store, of a version that cannot be read, or an attribute is not as specified.
    """
    if attributes.get("schema") != SCHEMA_NAME:
        raise ValueError(f"{place} is a Zarr group but not a {SCHEMA_NAME}; make one with `noble generate`.")
    if attributes.get("schema_version") not in READABLE_VERSIONS:
        raise ValueError(
            f"{place} is a {SCHEMA_NAME} of schema version {attributes.get('schema_version')}; this noble reads versions "
            f"{' and '.join(map(str, READABLE_VERSIONS))}. Generate it again, or read it with the version that wrote it."
        )
    return _read(StoreFacts, attributes, place)


def part_facts(attributes: Mapping[str, Any], place: Place) -> PartFacts:
    """The facts of a part from the attributes of its group.

    Raises:
        ValueError: if an attribute is not as specified.
    """
    return _read(PartFacts, attributes, place)


def _read(model: type[Any], attributes: Mapping[str, Any], place: Place) -> Any:
    wanted = [item.alias or name for name, item in model.model_fields.items()]
    if absent := [key for key in wanted if key not in attributes]:
        raise ValueError(
            f"{place} has no attribute {', '.join(absent)}; its zarr.json was changed after it was written."
        )
    try:
        return model.model_validate(dict(attributes))
    except ValidationError as error:
        problems = describe_problems(None, error)
    except RecursionError:
        problems = "an attribute is nested too deeply."
    raise ValueError(f"the attributes of {place} are not as specified: {problems}")


def installed_versions() -> dict[str, str]:
    """Versions of what decides the numbers; a distribution that is not installed is left out."""
    versions = {"python": ".".join(str(part) for part in sys.version_info[:3])}
    for name in ("noble-neuro", "numpy", "scipy", "zarr", "arbor"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
