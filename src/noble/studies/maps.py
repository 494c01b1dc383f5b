"""A feature of a family's answers over the latent plane, point by point: what the neurons between the models are like."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.evaluation.evaluate import outside_hull_expected
from noble.family.sampling import grid_points
from noble.features import EFEATURES, extract, unit_of
from noble.progress import Progress
from noble.protocols import StepProtocol

if TYPE_CHECKING:
    from noble.operator import Operator

# Points answered and held at once: 256 windows of the paper's are 18 MB.
_BATCH: Final = 256


@dataclass(frozen=True)
class FeatureMap:
    """One e-feature of the answers to one step, on a regular grid over the latent plane.

    Attributes:
        feature, unit: its eFEL name, and its unit.
        amplitude_na: of the step, nA.
        plane, plane_units: names and units of the two features of the plane.
        first, second: their values along the axes of the grid, shape (size,) each, physical units.
        values: shape (size, size), rows along the second; NaN where the trace lacks the feature, as a width without a spike.
        inside: whether each point lies within the training models' convex hull, shape (size, size), bool.
        training: the training models in the plane, shape (models, 2), physical units.
    """

    feature: str
    unit: str
    amplitude_na: float
    plane: tuple[str, str]
    plane_units: tuple[str, str]
    first: np.ndarray
    second: np.ndarray
    values: np.ndarray
    inside: np.ndarray
    training: np.ndarray

    def summary(self) -> dict[str, dict[str, Any]]:
        """Of the points `inside` the hull and of those `outside`: how many, how many lack the feature, and the others' spread."""
        return {"inside": _spread(self.values[self.inside]), "outside": _spread(self.values[~self.inside])}

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: every attribute, None where there is no value, and `summary`."""
        return {
            "feature": self.feature,
            "unit": self.unit,
            "amplitude_na": self.amplitude_na,
            "plane": list(self.plane),
            "plane_units": list(self.plane_units),
            "first": self.first.tolist(),
            "second": self.second.tolist(),
            "values": [[value if math.isfinite(value) else None for value in row] for row in self.values.tolist()],
            "inside": self.inside.tolist(),
            "training": self.training.tolist(),
            "summary": self.summary(),
        }


def feature_map(
    operator: Operator,
    feature: str,
    amplitude_na: float,
    protocol: StepProtocol,
    *,
    size: int = 60,
    progress: Progress | None = None,
) -> FeatureMap:
    """Let a neuron at every point of a grid answer one step, and measure one feature.

    The grid spans the training models' box in the plane and a little more (`grid_points`). A point stands for the typical neuron
    there (`noble.operator.FeatureSpec.complete`); outside the training models' hull the operator extrapolates.

    Args:
        operator: the operator.
        feature: one of `noble.features.EFEATURES`.
        amplitude_na: of the step, nA.
        protocol: onset, length and window of the step.
        size: points along each axis.
        progress: called with (points done, points in all).

    Raises:
        ValueError: for a feature without a unit, an operator whose plane has not two features or whose training models are not
            known, or fewer than two points along an axis.
    """
    if feature not in EFEATURES:
        raise ValueError(f"the feature {feature!r} is unknown; expected one of {', '.join(EFEATURES)}.")
    spec = operator.spec
    latent = spec.latent_features
    if len(latent) != 2 or not spec.training_features:
        raise ValueError(
            f"the operator has {len(latent)} latent features ({', '.join(latent)}) and {len(spec.training_features)} "
            "training models are known; a map needs two features, such as rheobase and fi_gain, and the training models."
        )
    columns = spec.latent_columns
    training = np.array(spec.training_features)[:, columns]
    first, second = grid_points(training, size)
    points = np.column_stack([first.ravel(), second.ravel()])
    placed = np.tile(spec.minimum, (len(points), 1))
    placed[:, columns] = points
    stimulus, values = protocol.stimulus(amplitude_na), np.empty(len(points))
    for start in range(0, len(points), _BATCH):
        part = slice(start, min(start + _BATCH, len(points)))
        with outside_hull_expected():
            answers = operator.predict(points[part], [stimulus] * (part.stop - start), protocol.grid)
        measured = extract(answers, onset_ms=protocol.onset_ms, offset_ms=protocol.offset_ms, names=[feature])
        values[part] = measured[feature]
        if progress is not None:
            progress(part.stop, len(points))
    return FeatureMap(
        feature=feature,
        unit=unit_of(feature),
        amplitude_na=amplitude_na,
        plane=(latent[0], latent[1]),
        plane_units=(spec.units[columns[0]], spec.units[columns[1]]),
        first=first[0],
        second=second[:, 0],
        values=values.reshape(size, size),
        inside=~spec.hull.outside(placed[:, columns]).reshape(size, size),
        training=training,
    )


def _spread(values: np.ndarray) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    lowest, median, highest = np.quantile(known, [0, 0.5, 1]).tolist() if known.size else (None, None, None)
    return {
        "points": int(values.size),
        "missing": int(values.size - known.size),
        "lowest": lowest,
        "median": median,
        "highest": highest,
    }
