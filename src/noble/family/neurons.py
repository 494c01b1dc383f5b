"""Families of neurons: who belongs to one, and which features its neurons have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from noble.family.sampling import disc_points
from noble.features.neurons import Neurons

if TYPE_CHECKING:
    from noble.cells import HallOfFame
    from noble.operator import FeatureSpec


ONE_NEURON: Final = "one neuron"
"""The family of an operator without features."""


def usual_family(spec: FeatureSpec) -> str:
    """The family that is meant where none is named: the one neuron, or else the training models."""
    return ONE_NEURON if spec.one_neuron else "hall"


def family_features(spec: FeatureSpec, hall: HallOfFame | None, family: str, *, count: int, seed: int) -> Neurons:
    """The features of a family's neurons.

    Args:
        spec: features of the operator that is to answer for them.
        hall: the models that it learned; None for an operator of one neuron.
        family: `ONE_NEURON`, of an operator without features; `hall`, the training models themselves; `hull`, neurons anywhere in
            the training models' hull; or `disc:MODEL:RADIUS`, neurons round a model of the hall, the radius in units of the
            training models' range. The latter two are drawn in the latent features. The other features are those of a model, the
            disc's or for each neuron a training model drawn at random, moved by how much what is typical
            (`FamilyPrior.regression`) differs between the two points: so a family varies beyond the latent features as the
            models do.
        count: neurons to draw; not used for `hall`.
        seed: seed of the draw.

    Returns:
        The neurons by all features of the spec, in its order.

    Raises:
        ValueError: for another family, a model that the hall does not have, or neurons to tell apart without features.
    """
    if family == ONE_NEURON and spec.one_neuron:
        return Neurons((), np.empty((1, 0)))
    spec.check_family(f"the family {family!r}")
    if hall is None:
        raise ValueError(f"the family {family!r} is of models, but no hall of them was named.")
    columns = spec.latent_columns

    def moved(neurons: np.ndarray, points: np.ndarray) -> Neurons:
        _, slopes = spec.prior.regression(spec.latent_features)
        return Neurons(spec.names, neurons + (points - neurons[:, columns]) @ slopes)

    if family == "hall":
        return Neurons(spec.names, hall.feature_table(spec.names)[list(hall.train)])
    if family == "hull":
        known = np.array(spec.training_features)
        points = spec.hull.sample(count, seed=seed)
        return moved(known[np.random.default_rng([seed, 1]).integers(len(known), size=count)], points)
    model, radius = _disc(family, len(hall))
    own = hall.feature_table(spec.names)[[model]]
    return moved(own, disc_points(own[0, columns], radius, count, hull=spec.hull, seed=seed))


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
