"""What can be asked of a family of neurons, as functions that return results; a command or a page only shows them."""

from noble.studies.ensemble import compare_features
from noble.studies.fi import ReadBack, compare_curves, family_rates_hz, fi_amplitudes_na, read_back
from noble.studies.maps import FeatureMap, feature_map

__all__ = [
    "FeatureMap",
    "ReadBack",
    "compare_curves",
    "compare_features",
    "family_rates_hz",
    "feature_map",
    "fi_amplitudes_na",
    "read_back",
]
