"""What is measured of a neuron: a catalogue of features, eFEL, and how readily a neuron fires, for anything that answers."""

from noble.features.catalogue import CATALOGUE, EFEATURES, canonical, feature, unit_of
from noble.features.efel import FEATURE_NAMES, FeatureSettings, extract
from noble.features.feature import Feature
from noble.features.neurons import Neurons

__all__ = [
    "CATALOGUE",
    "EFEATURES",
    "FEATURE_NAMES",
    "Feature",
    "FeatureSettings",
    "Neurons",
    "canonical",
    "extract",
    "feature",
    "unit_of",
]
