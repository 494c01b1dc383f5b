"""What is measured of a neuron: e-features by eFEL, and how readily it fires, for anything that answers."""

from noble.features.efel import FEATURE_NAMES, FEATURE_UNITS, FeatureSettings, extract

__all__ = ["FEATURE_NAMES", "FEATURE_UNITS", "FeatureSettings", "extract"]
