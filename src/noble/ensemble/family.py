"""Families of neurons: who belongs to one, and how far the features of one family's traces are from those of another's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.ensemble.sampling import disc_points, hull_points

if TYPE_CHECKING:
    from noble.cells import HallOfFame
    from noble.operator import FeatureSpec

# A feature that so many of the plausible traces have is missed where it is missing.
_USUAL_SHARE: Final = 0.95
_QUANTILES: Final = {"median": 0.5, "q05": 0.05, "q95": 0.95}


def family_features(spec: FeatureSpec, hall: HallOfFame, family: str, *, count: int, seed: int) -> np.ndarray:
    """The features of a family's neurons.

    Args:
        spec: of the operator that is to answer for them.
        hall: the models that it learned.
        family: `hall`, the training models themselves; `hull`, neurons anywhere in the training models' hull; or
            `disc:MODEL:RADIUS`, neurons round a model of the hall, the radius in units of the training models' range. The latter
            two are drawn in the latent plane. The other features are those of a model, the disc's or for each neuron a training
            model drawn at random, moved by how much what is typical (`FeatureSpec.complete`) differs between the two points: so
            a family varies beyond the plane as the models do.
        count: neurons to draw; not used for `hall`.
        seed: of the draw.

    Returns:
        Shape (neurons, features), physical units, in the order of `spec.names`.

    Raises:
        ValueError: for another family, or a model that the hall does not have.
    """
    import torch

    columns = spec.plane_columns

    def typical(points: np.ndarray) -> np.ndarray:
        return spec.complete(torch.as_tensor(points)).numpy()

    def moved(neurons: np.ndarray, points: np.ndarray) -> np.ndarray:
        return neurons + typical(points) - typical(neurons[:, columns])

    if family == "hall":
        return hall.feature_table(spec.names)[list(hall.train)]
    if family == "hull":
        known = np.array(spec.training_features)
        points = hull_points(known[:, columns], count, seed=seed)
        return moved(known[np.random.default_rng([seed, 1]).integers(len(known), size=count)], points)
    model, radius = _disc(family, len(hall))
    own = hall.feature_table(spec.names)[[model]]
    return moved(own, disc_points(own[0, columns], radius, count, spec=spec, seed=seed))


def family_models(hall: HallOfFame, family: str) -> tuple[int, ...]:
    """The models of the hall that a family lies among: the one that a disc lies round, otherwise those to train on.

    Raises:
        ValueError: for a disc round a model that the hall does not have, or another family.
    """
    return hall.train if family in ("hall", "hull") else (_disc(family, len(hall))[0],)


def _disc(family: str, models: int) -> tuple[int, float]:
    """Model and radius of `disc:MODEL:RADIUS`."""
    try:
        kind, model, radius = family.split(":")
        numbers = int(model), float(radius)
        if kind != "disc" or not 0 <= numbers[0] < models:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"the family {family!r} is unknown; expected hall, hull or disc:MODEL:RADIUS, with a model from 0 to {models - 1} "
            "and a radius in units of the training models' range, for example disc:3:0.1."
        ) from None
    return numbers


def compare_features(
    found: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray] | None,
    *,
    plausible: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Any]:
    """How two families' e-features differ, and how many traces of the first are implausible.

    Args:
        found, reference: features as `noble.features.extract` gives them, of as many traces each as there happen to be; without a
            reference, the found ones are described and compared with nothing.
        plausible: features of the traces whose range says what is plausible; those of the reference if None. A reference of one
            model needs it, since one trace has no range.

    Returns:
        `features`: for each, `median`, `q05`, `q95` and `reference_median`, and `wasserstein`, the distance of the two
        distributions (1-Wasserstein: the area between their cumulative distribution functions) in the feature's unit, all of
        the traces that have it; None where a family lacks it; and `having_share` and `reference_having_share`, how many do.
        `implausible_share`: part of the found traces in which a feature lies outside the plausible range by more than that
        range's width (at least the floor of a target's deviation, for where all agree), or is missing though 95 % of
        the plausible traces have it; None if there is no range.
    """
    plausible = reference if plausible is None else plausible
    nothing = np.empty(0)
    return {
        "features": {
            name: _compared(values, nothing if reference is None else reference[name]) for name, values in found.items()
        },
        "implausible_share": None if plausible is None else float(_implausible(found, plausible).mean()),
    }


def _compared(values: np.ndarray, wanted: np.ndarray) -> dict[str, float | None]:
    """One feature of two families, by the traces that have it."""
    from scipy.stats import wasserstein_distance

    of = wanted.size
    known, wanted = values[np.isfinite(values)], wanted[np.isfinite(wanted)]
    both = known.size > 0 and wanted.size > 0
    return {
        **{key: float(np.quantile(known, q)) if known.size else None for key, q in _QUANTILES.items()},
        "reference_median": float(np.median(wanted)) if wanted.size else None,
        "wasserstein": float(wasserstein_distance(known, wanted)) if both else None,
        "having_share": known.size / values.size if values.size else None,
        "reference_having_share": wanted.size / of if of else None,
    }


def _implausible(found: Mapping[str, np.ndarray], plausible: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which found traces no plausible one is like, shape (traces,)."""
    from noble.evolve.efeatures import floor_of

    strange = np.zeros(len(next(iter(found.values()))), dtype=bool)
    for name, values in found.items():
        known = plausible[name][np.isfinite(plausible[name])]
        if known.size:
            low, high = known.min(), known.max()
            absolute, relative = floor_of(name)
            width = max(high - low, absolute, relative * abs(known.mean()))
            strange |= (values < low - width) | (values > high + width)
        if known.size and known.size >= _USUAL_SHARE * plausible[name].size:
            strange |= ~np.isfinite(values)
    return strange
