"""The operator: from features and current to voltage, behind `Operator`."""

from noble.operator.bundle import shipped_bundles
from noble.operator.config import PRESETS, FnoConfig, OperatorConfig, SpikePhaseConfig, preset
from noble.operator.core import AbstractCore
from noble.operator.losses import LossConfig
from noble.operator.operator import Operator, OutsideHullWarning
from noble.operator.scope import OutsideScopeWarning, OutsideTrainingWarning, Scope
from noble.operator.spec import FeatureSpec

__all__ = [
    "PRESETS",
    "AbstractCore",
    "FeatureSpec",
    "FnoConfig",
    "LossConfig",
    "Operator",
    "OperatorConfig",
    "OutsideHullWarning",
    "OutsideScopeWarning",
    "OutsideTrainingWarning",
    "Scope",
    "SpikePhaseConfig",
    "preset",
    "shipped_bundles",
]
