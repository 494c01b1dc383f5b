"""What a family of neurons does: evaluation of an operator against the simulator it learned from."""

from noble.ensemble.card import model_card
from noble.ensemble.evaluate import Operator, evaluate, evaluate_fresh, evaluate_traces, outside_hull_expected
from noble.ensemble.metrics import (
    REGIMES,
    STABLE_FEATURES,
    STABLE_KEYS,
    TraceTable,
    concatenate,
    summarise,
    trace_table,
)
from noble.ensemble.speed import STABLE_SPEED_KEYS, measure_speed

__all__ = [
    "REGIMES",
    "STABLE_FEATURES",
    "STABLE_KEYS",
    "STABLE_SPEED_KEYS",
    "Operator",
    "TraceTable",
    "concatenate",
    "evaluate",
    "evaluate_fresh",
    "evaluate_traces",
    "measure_speed",
    "model_card",
    "outside_hull_expected",
    "summarise",
    "trace_table",
]
