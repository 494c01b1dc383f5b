"""The operator: from features and current to voltage, behind `Operator`."""

from noble.operator.bundle import shipped_bundles
from noble.operator.config import PRESETS, FnoConfig, OperatorConfig, SpikePhaseConfig, preset
from noble.operator.operator import Operator, OutsideHullWarning
from noble.operator.spec import FeatureSpec

__all__ = [
    "PRESETS",
    "FeatureSpec",
    "FnoConfig",
    "Operator",
    "OperatorConfig",
    "OutsideHullWarning",
    "SpikePhaseConfig",
    "preset",
    "shipped_bundles",
]
