"""What a page carries of an operator: weights, features, training models, maps, and simulated traces to hold it against."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.explore.weights import packed
from noble.features.catalogue import CATALOGUE
from noble.operator import Operator
from noble.operator.feedback.core import SpikeFeedbackCore
from noble.stimuli import Step

if TYPE_CHECKING:
    from noble.operator import FeatureSpec
    from noble.studies import FeatureMap
    from noble.traces import Trace

# Voltages are written as whole numbers of this unit, mV.
_STEP_MV: Final = 0.01
# Facets of a hull in the plane need so many models.
_LEAST_OF_A_HULL: Final = 3


@dataclass(frozen=True)
class SimulatedTrace:
    """What a simulator says of one of the models.

    Attributes:
        model: its number in the hall.
        features: of the model, by name; all that the operator knows.
        learned: whether the operator was trained on the model.
        step: what it answered.
        trace: the answer.
    """

    model: int
    features: Mapping[str, float]
    learned: bool
    step: Step
    trace: Trace


def content_of(
    operator: Operator, *, maps: Sequence[FeatureMap] = (), simulated: Sequence[SimulatedTrace] = ()
) -> dict[str, Any]:
    """All that a page carries of an operator, JSON-ready.

    Args:
        operator: with a spike-feedback core, the kind that the page can run.
        maps: of e-features over the plane.
        simulated: traces of training models.

    Raises:
        ValueError: for an operator of another kind.
    """
    core = core_to_run(operator)
    spec, scope, numbers = operator.spec, operator.scope, _model_numbers(operator)
    return {
        "name": operator.name or "operator",
        "window": {"dtMs": operator.grid.dt_ms, "durationMs": operator.grid.duration_ms},
        "holdingNa": operator.holding_na,
        "scope": None
        if scope is None
        else {
            "text": scope.describe(),
            "kinds": list(scope.kinds),
            "lowestNa": scope.lowest_na,
            "highestNa": scope.highest_na,
            "durationMs": scope.duration_ms,
            "stepMs": scope.step_ms,
        },
        "features": [_feature(spec, column) for column in range(len(spec))],
        "models": {"numbers": numbers, "features": [list(row) for row in spec.training_features]},
        "family": _family(spec),
        "plane": _plane(spec),
        "maps": [_map(item) for item in maps],
        "simulated": [_simulated(item, numbers) for item in simulated],
        **packed(core),
    }


def core_to_run(operator: Operator) -> SpikeFeedbackCore:
    """The network that the page runs.

    Raises:
        ValueError: if it is none that the page can run.
    """
    if not isinstance(operator.core, SpikeFeedbackCore):
        raise ValueError(
            f"{operator.name or 'the operator'} is of kind {operator.config.kind!r}; the explorer runs those of kind "
            "'spike-feedback'. Train one with `operator: spike-feedback`."
        )
    return operator.core


def _feature(spec: FeatureSpec, column: int) -> dict[str, Any]:
    name = spec.names[column]
    known = CATALOGUE.get(name)
    curve = None if known is None else known.curve
    return {
        "name": name,
        "label": name if known is None else known.label,
        "definition": "" if known is None else known.definition,
        "unit": "" if spec.units[column] == "1" else spec.units[column].replace("MOhm", "MΩ"),
        "minimum": spec.minimum[column],
        "maximum": spec.maximum[column],
        "plausible": None if known is None else [_finite(bound) for bound in known.plausible],
        "curve": None if curve is None else {"quantity": curve.quantity, "abovePa": curve.above_pa},
    }


def _finite(bound: float) -> float | None:
    return float(bound) if np.isfinite(bound) else None


def _model_numbers(operator: Operator) -> list[int]:
    """Numbers in the hall of the models that were learned; counted from 0 where that is not recorded."""
    learned = operator.provenance.get("models") or []
    count = len(operator.spec.training_features)
    return [int(number) for number in learned] if len(learned) == count else list(range(count))


def _family(spec: FeatureSpec) -> dict[str, Any] | None:
    """The joint distribution of the features, so that what is not known of a neuron can be completed."""
    if not spec.training_features:
        return None
    normal = spec.prior.conditional({})
    offset, slopes = spec.prior.regression(spec.latent_features)
    return {
        "mean": normal.mean.tolist(),
        "covariance": normal.covariance.tolist(),
        "offset": offset.tolist(),
        "slopes": slopes.tolist(),
    }


def _plane(spec: FeatureSpec) -> dict[str, Any] | None:
    """The two latent features and the corners of the training models' hull; None where there are not two."""
    if len(spec.latent_features) != 2 or len(spec.training_features) < _LEAST_OF_A_HULL:
        return None
    from scipy.spatial import ConvexHull, QhullError

    points = np.array(spec.training_features)[:, spec.latent_columns]
    try:
        corners = points[ConvexHull(spec.hull.in_ranges(points)).vertices]
    except QhullError:  # they lie on a line
        return None
    return {"features": list(spec.latent_features), "hull": corners.tolist()}


def _map(item: FeatureMap) -> dict[str, Any]:
    known = CATALOGUE[item.feature]
    values = np.where(np.isfinite(item.values), item.values, np.nan)
    return {
        "feature": item.feature,
        "label": known.label,
        "definition": known.definition,
        "unit": "" if item.unit == "1" else item.unit,
        "amplitudeNa": item.amplitude_na,
        "first": item.first.tolist(),
        "second": item.second.tolist(),
        "values": [[None if np.isnan(value) else float(f"{value:.4g}") for value in row] for row in values],
    }


def _simulated(item: SimulatedTrace, models: Sequence[int]) -> dict[str, Any]:
    voltage = np.round(item.trace.voltage_mv / _STEP_MV).astype("<i2")
    step = item.step
    known = "" if item.learned else ", not learned"
    return {
        "label": f"model {item.model}{known}, {1e3 * step.amplitude_na:.0f} pA",
        "features": dict(item.features),
        "place": models.index(item.model) if item.model in models else None,
        "current": {
            "kind": "step",
            "amplitude_na": step.amplitude_na,
            "start_ms": step.start_ms,
            "stop_ms": step.stop_ms,
        },
        "dtMs": item.trace.grid.dt_ms,
        "stepMv": _STEP_MV,
        "voltage": base64.b64encode(voltage.tobytes()).decode(),
    }
