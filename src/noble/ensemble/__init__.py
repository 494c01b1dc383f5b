"""What a family of neurons does: evaluation of an operator against the simulator it learned from."""

from noble.ensemble.card import model_card
from noble.ensemble.evaluate import Operator, evaluate, evaluate_fresh, evaluate_traces, outside_hull_expected
from noble.ensemble.family import compare_features, family_features, family_models
from noble.ensemble.fi import ReadBack, compare_curves, family_rates_hz, fi_amplitudes_na, read_back
from noble.ensemble.maps import FeatureMap, feature_map
from noble.ensemble.metrics import (
    REGIMES,
    STABLE_FEATURES,
    STABLE_KEYS,
    TraceTable,
    concatenate,
    summarise,
    trace_table,
)
from noble.ensemble.recording import RecordingComparison, compare_recording
from noble.ensemble.sampling import disc_points, grid_points, hull_points
from noble.ensemble.speed import STABLE_SPEED_KEYS, measure_speed

__all__ = [
    "REGIMES",
    "STABLE_FEATURES",
    "STABLE_KEYS",
    "STABLE_SPEED_KEYS",
    "FeatureMap",
    "Operator",
    "ReadBack",
    "RecordingComparison",
    "TraceTable",
    "compare_curves",
    "compare_features",
    "compare_recording",
    "concatenate",
    "disc_points",
    "evaluate",
    "evaluate_fresh",
    "evaluate_traces",
    "family_features",
    "family_models",
    "family_rates_hz",
    "feature_map",
    "fi_amplitudes_na",
    "grid_points",
    "hull_points",
    "measure_speed",
    "model_card",
    "outside_hull_expected",
    "read_back",
    "summarise",
    "trace_table",
]
