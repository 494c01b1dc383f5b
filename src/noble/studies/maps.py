"""A feature of a family's answers over the latent plane, point by point: what the neurons between the models are like."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.evaluation.answers import answers
from noble.family.sampling import grid_points
from noble.features import EFEATURES, extract, unit_of
from noble.features.neurons import Neurons
from noble.progress import Progress
from noble.protocols import StepProtocol
from noble.results import UNWRITTEN, Result, plain

if TYPE_CHECKING:
    import xarray as xr

    from noble.operator import Operator

# Points answered and held at once: 256 windows of the paper's are 18 MB.
_BATCH: Final = 256


@dataclass(frozen=True, repr=False)
class MapSpread(Result):
    """A feature over some points of a map.

    Attributes:
        points, missing: number of points, and of those where the trace lacks the feature.
        lowest, median, highest: of the others, in the feature's unit; None without any.
    """

    points: int
    missing: int
    lowest: float | None
    median: float | None
    highest: float | None


@dataclass(frozen=True, repr=False)
class FeatureMap(Result):
    """One e-feature of the answers to one step, on a regular grid over the latent plane.

    Attributes:
        feature, unit: its eFEL name, and its unit.
        amplitude_na: of the step, nA.
        plane, plane_units: names and units of the two features of the plane.
        first, second: their values along the axes of the grid, shape (size,) each, physical units.
        values: shape (size, size), rows along the second; NaN where the trace lacks the feature, as a width without a spike.
        inside: whether each point lies within the training models' convex hull, shape (size, size), bool.
        training: the training models in the plane, shape (models, 2), physical units.
        seconds: time that predicting and measuring took, s.
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
    seconds: float = field(metadata=UNWRITTEN)

    def summary(self) -> Mapping[str, MapSpread]:
        """The spread over the points `inside` the hull and over those `outside`."""
        return {"inside": _spread(self.values[self.inside]), "outside": _spread(self.values[~self.inside])}

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: every attribute, None where there is no value, and `summary`."""
        return {**super().to_dict(), "summary": plain(self.summary()), "seconds": self.seconds}

    def to_xarray(self) -> xr.Dataset:
        """The feature and `inside` over the two features of the plane, with units as attributes."""
        import xarray as xr

        dims = (self.plane[1], self.plane[0])
        axes = zip(self.plane, self.plane_units, (self.first, self.second), strict=True)
        return xr.Dataset(
            {
                self.feature: (dims, self.values, {"units": self.unit, "amplitude_na": self.amplitude_na}),
                "inside": (dims, self.inside),
            },
            coords={name: (name, values, {"units": unit}) for name, unit, values in axes},
        )


def feature_map(
    operator: Operator,
    feature: str,
    amplitude_na: float,
    protocol: StepProtocol,
    *,
    size: int = 60,
    progress: Progress | None = None,
) -> FeatureMap:
    """Let a neuron at every point of a grid answer one step, and measure one feature; see `feature_maps`."""
    return feature_maps(operator, [feature], amplitude_na, protocol, size=size, progress=progress)[0]


def feature_maps(
    operator: Operator,
    features: Sequence[str],
    amplitude_na: float,
    protocol: StepProtocol,
    *,
    size: int = 60,
    progress: Progress | None = None,
) -> list[FeatureMap]:
    """Let a neuron at every point of a grid answer one step, and measure some features of the answers.

    The grid spans the training models' box in the plane and a little more (`grid_points`). A point stands for the typical neuron
    there (`noble.operator.FeatureSpec.complete`); outside the training models' hull the operator extrapolates.

    Args:
        operator: the operator.
        features: some of `noble.features.EFEATURES`.
        amplitude_na: of the step, nA.
        protocol: onset, length and window of the step.
        size: points along each axis.
        progress: called with (points done, points in all).

    Returns:
        A map a feature, in that order; `seconds` is the time of all of them.

    Raises:
        ValueError: for a feature without a unit, an operator whose plane has not two features or whose training models are not
            known, or fewer than two points along an axis.
    """
    if unknown := [name for name in features if name not in EFEATURES]:
        raise ValueError(f"the feature {unknown[0]!r} is unknown; expected one of {', '.join(EFEATURES)}.")
    spec = operator.spec
    spec.check_family("a map")
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
    stimulus, started = protocol.stimulus(amplitude_na), time.perf_counter()
    values = {name: np.empty(len(points)) for name in features}
    for part, batch in answers(operator, Neurons(latent, points), stimulus, protocol.grid, at_once=_BATCH):
        measured = extract(batch, onset_ms=protocol.onset_ms, offset_ms=protocol.offset_ms, names=list(features))
        for name in features:
            values[name][part] = measured[name]
        if progress is not None:
            progress(part.stop, len(points))
    inside = ~spec.hull.outside(placed[:, columns]).reshape(size, size)
    seconds = time.perf_counter() - started
    return [
        FeatureMap(
            feature=name,
            unit=unit_of(name),
            amplitude_na=amplitude_na,
            plane=(latent[0], latent[1]),
            plane_units=(spec.units[columns[0]], spec.units[columns[1]]),
            first=first[0],
            second=second[:, 0],
            values=values[name].reshape(size, size),
            inside=inside,
            training=training,
            seconds=seconds,
        )
        for name in features
    ]


def _spread(values: np.ndarray) -> MapSpread:
    known = values[np.isfinite(values)]
    lowest, median, highest = np.quantile(known, [0, 0.5, 1]).tolist() if known.size else (None, None, None)
    return MapSpread(int(values.size), int(values.size - known.size), lowest, median, highest)
