"""What a hall's file may hold, checked before anything is made of it, and the migration of files of schema 1."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from noble.cells.cell import AxonKind
from noble.features.catalogue import HALL_FEATURES, canonical, check_plausible

SCHEMA: Final = "noble-hall"
SCHEMA_VERSION: Final = 2

_SCHEMA_1_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rheobase": "i_thr",
        "fi_gain": "s_thr",
        "rise_time_63": "time_constant",
        **{name: name.replace("_rheobase_plus_", "_") for name in HALL_FEATURES if "_rheobase_plus_" in name},
    }
)

Text = Annotated[str, Field(strict=True, min_length=1, max_length=200)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Amount = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]


class _Part(BaseModel):
    """A part of the file: no key but those it knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MorphologyPart(_Part):
    """Where the cell's shape comes from; `MorphologySource` says what each may be."""

    name: Text
    axon: AxonKind = "stub"
    sha256: Text | None = None


class ParameterPart(_Part):
    """A free parameter and its bounds."""

    name: Text
    low: Number
    high: Number
    unit: str = ""


class CellPart(_Part):
    """The cell that the models are of."""

    name: Text
    morphology: MorphologyPart
    parameters: list[ParameterPart]
    fixed: dict[Text, Number]
    celsius: Number
    e_na_mv: Number
    e_k_mv: Number
    v_init_mv: Number
    holding_na: Number = 0.0


class CheckPart(BaseModel):
    """How a model did in the final check; other tools may add to it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    z: dict[Text, Amount] = {}
    spike_counts: dict[Text, Amount] = {}
    blocked: list[Number] = []


class ModelPart(_Part):
    """One model."""

    values: dict[Text, Number]
    features: dict[Text, Number]
    score: Amount | None
    seed: Annotated[int, Field(strict=True, ge=0)]
    held_out: Annotated[bool, Field(strict=True)] = False
    check: CheckPart | None = None

    @model_validator(mode="after")
    def _plausible(self) -> ModelPart:
        for name, value in self.features.items():
            check_plausible(name, value)
        return self


class RecordingPart(BaseModel):
    """The recording that the models were checked against; other tools may add to it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    spike_counts: dict[Text, Amount] = {}


class ProvenancePart(BaseModel):
    """How the models were found; free but for what is calculated with."""

    model_config = ConfigDict(extra="allow", frozen=True)

    recording: RecordingPart | None = None


class HallPart(_Part):
    """The whole file."""

    schema_name: Annotated[str, Field(alias="schema")]
    schema_version: int
    name: Text
    cell: CellPart
    models: Annotated[list[ModelPart], Field(min_length=1)]
    provenance: ProvenancePart = ProvenancePart()

    @model_validator(mode="after")
    def _alike(self) -> HallPart:
        first = self.models[0].features.keys()
        for index, model in enumerate(self.models):
            if lacking := [name for name in first if name not in model.features]:
                raise ValueError(f"model {index} lacks the feature {lacking[0]}, which model 0 has")
            if further := [name for name in model.features if name not in first]:
                raise ValueError(f"model 0 lacks the feature {further[0]}, which model {index} has")
        return self


def checked_content(content: Any) -> Mapping[str, Any]:
    """A hall's file in the form of the present schema, after every check that needs no knowledge of cells.

    Raises:
        ValueError: for another schema or version, or a part that is missing, unknown, of another type, not finite or not
            plausible; it names the place.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"expected a hall of fame, a JSON object; got a {type(content).__name__}.")
    kind, version = content.get("schema"), content.get("schema_version")
    if kind != SCHEMA or type(version) is not int or not 1 <= version <= SCHEMA_VERSION:
        raise ValueError(
            f"expected a hall of fame ({SCHEMA} version 1 to {SCHEMA_VERSION}); got {_shown(kind)} version {_shown(version)}."
        )
    try:
        HallPart.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"the hall of fame is not as it should be: {_problem(error)}; restore the file.") from error
    return content if version == SCHEMA_VERSION else _from_schema_1(content)


def _from_schema_1(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The migration from schema 1: features get the catalogue's names; nothing else has changed."""
    models = [
        {**model, "features": {canonical(name): value for name, value in model["features"].items()}}
        for model in content["models"]
    ]
    return {**content, "schema_version": SCHEMA_VERSION, "models": models}


def schema_1_content(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same hall as schema 1 would have written it: what a digest is taken of, so that it outlives the schema."""
    models = [
        {**model, "features": {_SCHEMA_1_NAMES.get(name, name): value for name, value in model["features"].items()}}
        for model in content["models"]
    ]
    return {**content, "schema_version": 1, "models": models}


def _problem(error: ValidationError) -> str:
    """The first thing that is wrong, with its place, and how many more there are."""
    first, *others = error.errors()
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).removeprefix(".")
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    if first["type"] == "missing":
        problem = f"{place} is missing"
    elif first["type"] == "extra_forbidden":
        problem = f"{place} is unknown"
    elif first["type"] == "value_error":
        problem = f"{place}: {message}" if place else message
    else:
        problem = f"{place} is {_shown(first['input'])}, but {message[0].lower()}{message[1:]}"
    return f"{problem} (and {len(others)} more)" if others else problem


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str | int | float | bool | None) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."
