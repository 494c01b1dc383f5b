"""Neurons that nobody fitted: points of feature space within the training models' hull, or near a model."""

from noble.family.neurons import family_features, family_models
from noble.family.sampling import disc_points, grid_points, hull_points

__all__ = ["disc_points", "family_features", "family_models", "grid_points", "hull_points"]
