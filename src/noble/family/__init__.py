"""Families of neurons: how their features are distributed and where they lie, and neurons that nobody fitted."""

from noble.family.hull import HULL_TOLERANCE, Hull
from noble.family.neurons import ONE_NEURON, family_features, family_models, usual_family
from noble.family.normal import Normal
from noble.family.prior import FamilyPrior
from noble.family.sampling import disc_points, grid_points, hull_points

__all__ = [
    "HULL_TOLERANCE",
    "ONE_NEURON",
    "FamilyPrior",
    "Hull",
    "Normal",
    "disc_points",
    "family_features",
    "family_models",
    "grid_points",
    "hull_points",
    "usual_family",
]
