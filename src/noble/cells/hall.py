"""The hall of fame: the models of one cell that reproduce one neuron, as data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.cells.cell import Cell, CellModel
from noble.cells.hall_file import SCHEMA, SCHEMA_VERSION, checked_content, schema_1_content
from noble.features.catalogue import canonical
from noble.features.neurons import Neurons
from noble.files import content_sha256, read_json, write_json

_SHIPPED: Final = Path(__file__).parent / "halls"

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class HallModel:
    """One model of a hall.

    Attributes:
        values: by parameter name.
        features: features of the simulated model by the names of `noble.features.catalogue`, which aliases are turned into, in
            the catalogue's units.
        score: mean absolute z-score against the targets; smaller is better; None where it was never held against any.
        seed: of the search that found it.
        held_out: whether it is kept from training, to test on.
        check: how it did in the final check of the evolution that found it (`docs/hall.md`), if there was one.
    """

    values: Mapping[str, float]
    features: Mapping[str, float]
    score: float | None
    seed: int
    held_out: bool = False
    check: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        features = {canonical(name): value for name, value in self.features.items()}
        if len(features) < len(self.features):
            raise ValueError(f"the features {', '.join(self.features)} name one of them twice; give each once.")
        object.__setattr__(self, "features", features)

    @property
    def rank(self) -> float:
        """What models are sorted by, best first: the score; those without one come last."""
        return math.inf if self.score is None else self.score


@dataclass(frozen=True, repr=False)
class HallOfFame:
    """Ordered models of one cell.

    Attributes:
        name: of the hall.
        cell: what they are models of.
        models: best first, as far as they have scores.
        provenance: how they were found: command, seeds, versions, targets.
    """

    name: str
    cell: Cell
    models: tuple[HallModel, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.models)

    def __repr__(self) -> str:
        return (
            f"<HallOfFame {self.name}: {len(self)} models of {self.cell.name}, {len(self.held_out)} held out, "
            f"{len(self.models[0].features)} features>"
        )

    def _repr_html_(self) -> str:
        return f"<div><b>{escape(repr(self)[1:-1])}</b>{self.to_frame().describe().to_html(float_format='%.4g')}</div>"

    def to_frame(self) -> pandas.DataFrame:
        """A row for each model: its score, whether it is held out, and the features that all models have."""
        import pandas

        names = [name for name in self.models[0].features if all(name in model.features for model in self.models)]
        frame = pandas.DataFrame(self.feature_table(names), columns=names).rename_axis("model")
        frame.insert(0, "score", np.array([model.score for model in self.models], dtype=float))
        frame.insert(1, "held_out", [model.held_out for model in self.models])
        return frame

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

        Args:
            names: names or aliases of features.

        Raises:
            ValueError: if a model lacks a feature.
        """
        wanted = [canonical(name) for name in names]
        known = set.intersection(*(set(model.features) for model in self.models))
        if missing := [name for name in wanted if name not in known]:
            raise ValueError(
                f"hall {self.name} has no feature {', '.join(missing)}; it knows {', '.join(sorted(known))}."
            )
        return np.array([[model.features[name] for name in wanted] for model in self.models])

    def neurons(self, names: Sequence[str], models: Sequence[int] | None = None) -> Neurons:
        """Features of some models with their names; of all of them if None.

        Raises:
            ValueError: if a model lacks a feature.
        """
        found = Neurons(tuple(names), self.feature_table(names))
        return found if models is None else found.take(models)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of cell and models: what the simulations depend on.

        It is taken of the form that schema 1 wrote, so that stores and bundles of any age know the hall that they mean.
        """
        content = schema_1_content(self.to_dict())
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
        """Read back what `to_dict` wrote, now or under schema 1.

        Raises:
            ValueError: for another schema or version, a part that is missing, unknown, of another type, not finite or not
                plausible, or a model that does not fit its cell.
        """
        checked = checked_content(content)
        hall = cls(
            name=checked["name"],
            cell=Cell.from_dict(checked["cell"]),
            models=tuple(HallModel(**model) for model in checked["models"]),
            provenance=checked.get("provenance", {}),
        )
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
        if str(name_or_path) in shipped_halls() and not path.is_file():
            path = _SHIPPED / f"{name_or_path}.json"
        elif not path.exists():
            raise FileNotFoundError(
                f"there is no hall of fame {str(name_or_path)!r}: no such file, and not one of the shipped "
                f"halls ({', '.join(shipped_halls())})."
            )
        content = read_json(path, expected="a hall of fame")
        try:
            return cls.from_dict(content)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def shipped_halls() -> tuple[str, ...]:
    """Names of the halls in the package."""
    return tuple(sorted(path.stem for path in _SHIPPED.glob("*.json")))
