"""What is in a bundle: names of its files, and the checked layout of `config.json` and `manifest.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from noble.operator.config import OperatorConfig
from noble.operator.scope import Scope
from noble.operator.spec import FeatureSpec
from noble.traces import TimeGrid

SCHEMA_VERSION: Final = 3
WEIGHTS, CONFIG, CARD, METRICS = "model.safetensors", "config.json", "card.md", "metrics.json"
MANIFEST: Final = "manifest.json"
COVERED: Final = (WEIGHTS, CONFIG, CARD, METRICS)
"""The files whose checksums the manifest holds."""
FILES: Final = (*COVERED, MANIFEST)
UNITS: Final = {"time": "ms", "voltage": "mV", "current": "nA"}

LARGEST_BYTES: Final = 2**30
"""No file of a bundle is larger; the shipped weights take a megabyte."""
# Ten minutes at the paper's sampling interval.
_MOST_SAMPLES: Final = 10_000_000
_LONGEST_MESSAGE: Final = 300

_Model = TypeVar("_Model", bound=BaseModel)


class _Strict(BaseModel):
    """What a file holds: unknown keys are errors, and so are numbers in quotes and truth values for numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Grid(_Strict):
    """The window of the training.

    Attributes:
        dt_ms: sampling interval, ms.
        count: number of samples.
    """

    dt_ms: Annotated[float, Field(ge=1e-4, le=1e3)]
    count: Annotated[int, Field(ge=2, le=_MOST_SAMPLES)]

    def time_grid(self) -> TimeGrid:
        """The instants of the window."""
        return TimeGrid(dt_ms=self.dt_ms, count=self.count)


class _HallFacts(BaseModel):
    """What is recorded of a hall."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    name: str | None = None
    digest: str | None = None
    holding_na: float = 0.0


class _RecordingFacts(BaseModel):
    """What is recorded of the recording of the one neuron that was learned."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    source: str | None = None
    sha256: str | None = None
    holding_na: float = 0.0


class _Provenance(BaseModel):
    """What is recorded of a training; anything may be added, but what other code reads has its type."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    seed: int | None = None
    versions: dict[str, str] | None = None
    hall: _HallFacts | None = None
    recording: _RecordingFacts | None = None
    models: list[int] | None = None
    generation: dict[str, Any] | None = None
    training: dict[str, Any] | None = None


def _recorded(provenance: dict[str, Any]) -> dict[str, Any]:
    """The provenance as it is, order included, if what other code reads of it has its type."""
    try:
        _Provenance.model_validate(provenance)
    except ValidationError as error:
        raise ValueError(_first_problem(error)) from error
    return provenance


class BundleConfig(_Strict):
    """The layout of `config.json`.

    Attributes:
        schema_version: version of this layout.
        operator: kind and sizes of the core.
        features: names, units, scaling and training models of the features.
        scope: the currents that were learned; None if that was not recorded.
        grid: the window of the training.
        units: of whatever the operator takes and gives.
        provenance: seed, versions, hall, data set and training.
    """

    schema_version: Literal[3]
    operator: OperatorConfig
    features: FeatureSpec
    scope: Scope | None
    grid: Grid
    units: dict[str, str]
    provenance: Annotated[dict[str, Any], AfterValidator(_recorded)]

    @model_validator(mode="after")
    def _in_our_units(self) -> BundleConfig:
        if self.units != UNITS:
            raise ValueError(f"units are {self.units}; expected {UNITS}")
        return self


class Entry(_Strict):
    """What a manifest says of a file.

    Attributes:
        sha256: checksum of its bytes, as hexadecimal text.
        bytes: its size.
    """

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0, le=LARGEST_BYTES)]


class Manifest(_Strict):
    """The layout of `manifest.json`: a checksum of every other file of the bundle.

    Attributes:
        schema_version: that of the bundle.
        files: entries by name of the file.
    """

    schema_version: Literal[3]
    files: dict[str, Entry]

    @model_validator(mode="after")
    def _whole(self) -> Manifest:
        if set(self.files) != set(COVERED):
            raise ValueError(f"files are {', '.join(sorted(self.files))}; expected {', '.join(sorted(COVERED))}")
        return self


def checked(model: type[_Model], text: str, path: Path) -> _Model:
    """The content of a JSON file of a bundle.

    Raises:
        ValueError: if a key is missing or unknown or a value is wrong; one sentence names the first.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(
            f"{path}: {_first_problem(error)}. The file was edited or written by another release; restore it."
        ) from error


def check_metrics(metrics: Mapping[str, Any], path: Path) -> None:
    """Refuse metrics that are not sections of numbers by name.

    Raises:
        ValueError: if a section is not a mapping; one sentence names it.
    """
    for name, section in metrics.items():
        if not isinstance(section, Mapping):
            raise ValueError(
                f"{path}: {name[:100]} is {type(section).__name__}; expected a section: numbers by name. Restore the file."
            )


def _first_problem(error: ValidationError) -> str:
    """Where the first problem is and what it is, without the end of the sentence."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])[:100]
    message = " ".join(first["msg"].removeprefix("Value error, ").split())[:_LONGEST_MESSAGE].rstrip(".")
    return f"{place}: {message}" if place else message
