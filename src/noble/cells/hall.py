"""The hall of fame: the models of one cell that reproduce one neuron, as data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np

from noble.cells.cell import Cell, CellModel
from noble.files import content_sha256, write_json

SCHEMA: Final = "noble-hall"
SCHEMA_VERSION: Final = 1


@dataclass(frozen=True)
class HallModel:
    """One model of a hall.

    Attributes:
        values: by parameter name.
        features: measured on the simulated model, by name, in the units of `HALL_FEATURE_UNITS`.
        score: mean absolute z-score against the targets; smaller is better.
        seed: of the search that found it.
        held_out: whether it is kept from training, to test on.
        check: how it did in the final check of the evolution that found it (`docs/hall.md`), if there was one.
    """

    values: Mapping[str, float]
    features: Mapping[str, float]
    score: float
    seed: int
    held_out: bool = False
    check: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class HallOfFame:
    """Ordered models of one cell.

    Attributes:
        name: of the hall.
        cell: what they are models of.
        models: best first.
        provenance: how they were found: command, seeds, versions, targets.
    """

    name: str
    cell: Cell
    models: tuple[HallModel, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.models)

    @property
    def train(self) -> tuple[int, ...]:
        """Indices of the models to train on."""
        return tuple(index for index, model in enumerate(self.models) if not model.held_out)

    @property
    def held_out(self) -> tuple[int, ...]:
        """Indices of the models kept from training."""
        return tuple(index for index, model in enumerate(self.models) if model.held_out)

    def cell_model(self, index: int) -> CellModel:
        """One model, ready to simulate."""
        if not 0 <= index < len(self):
            raise ValueError(f"hall {self.name} has models 0 to {len(self) - 1}; {index} was asked for.")
        return self.cell.model(self.models[index].values, name=f"{self.name}/{index}")

    def feature_table(self, names: Sequence[str]) -> np.ndarray:
        """Features of all models, shape (models, names).

        Raises:
            ValueError: if a model lacks a feature.
        """
        known = set.intersection(*(set(model.features) for model in self.models))
        if missing := [name for name in names if name not in known]:
            raise ValueError(
                f"hall {self.name} has no feature {', '.join(missing)}; it knows {', '.join(sorted(known))}."
            )
        return np.array([[model.features[name] for name in names] for model in self.models])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of cell and models: what the simulations depend on."""
        content = self.to_dict()
        content.pop("provenance")
        return content_sha256(content)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description; `docs/hall.md` specifies it."""
        return {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "cell": self.cell.to_dict(),
            "models": [
                {
                    "values": dict(model.values),
                    "features": dict(model.features),
                    "score": model.score,
                    "seed": model.seed,
                    "held_out": model.held_out,
                    **({} if model.check is None else {"check": dict(model.check)}),
                }
                for model in self.models
            ],
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> HallOfFame:
        """Read back what `to_dict` wrote.

        Raises:
            ValueError: for another schema or version, no model, a model that does not fit its cell, or a value that is not
                a number.
        """
        if not isinstance(content, Mapping):
            raise ValueError(f"expected a hall of fame, a JSON object; got a {type(content).__name__}.")
        if content.get("schema") != SCHEMA or content.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(
                f"expected a hall of fame ({SCHEMA} version {SCHEMA_VERSION}); got "
                f"{content.get('schema')!r} version {content.get('schema_version')!r}."
            )
        try:
            hall = cls(
                name=content["name"],
                cell=Cell.from_dict(content["cell"]),
                models=tuple(_read_model(model, index) for index, model in enumerate(content["models"])),
                provenance=content.get("provenance", {}),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"the hall of fame lacks a part, or has one too many ({type(error).__name__}: {error}); restore the file."
            ) from error
        if not hall.models:
            raise ValueError(f"hall {hall.name} has no models; expected at least one.")
        for index in range(len(hall)):
            hall.cell_model(index)  # checks names and bounds
        return hall

    def save(self, path: Path | str) -> None:
        """Write as one JSON file."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, name_or_path: Path | str) -> HallOfFame:
        """Read a shipped hall by name, or one of the user's by path.

        Raises:
            FileNotFoundError: if there is neither.
            ValueError: if the file is not a hall of fame.
        """
        path = Path(name_or_path)
        if not path.is_file():
            shipped = resources.files("noble.cells") / "halls" / f"{name_or_path}.json"
            if not shipped.is_file():
                raise FileNotFoundError(
                    f"there is no hall of fame {str(name_or_path)!r}: no such file, and not one of the shipped "
                    f"halls ({', '.join(shipped_halls())})."
                )
            text = shipped.read_text(encoding="utf-8")
        else:
            text = path.read_text(encoding="utf-8")
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{name_or_path} is not valid JSON ({error}).") from error
        return cls.from_dict(content)


def _read_model(description: Mapping[str, Any], index: int) -> HallModel:
    """One model of a file, whose values and features are numbers."""
    for part in ("values", "features"):
        for name, value in description[part].items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"model {index}: {name} in its {part} is {value!r}; expected a number.")
    return HallModel(**description)


def shipped_halls() -> tuple[str, ...]:
    """Names of the halls in the package."""
    folder = resources.files("noble.cells") / "halls"
    return tuple(sorted(item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json")))
