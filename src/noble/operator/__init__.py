"""The operator: from features and current to voltage, behind `Noble`."""

from noble.operator.bundle import shipped_bundles
from noble.operator.config import PRESETS, FnoConfig, OperatorConfig, SpikePhaseConfig, preset
from noble.operator.noble import Noble, OutsideHullWarning
from noble.operator.spec import PLANE, FeatureSpec

__all__ = [
    "PLANE",
    "PRESETS",
    "FeatureSpec",
    "FnoConfig",
    "Noble",
    "OperatorConfig",
    "OutsideHullWarning",
    "SpikePhaseConfig",
    "preset",
    "shipped_bundles",
]
