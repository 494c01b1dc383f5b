"""How good an operator is, and how fast: against the simulator that it learned from."""

from noble.evaluation.card import model_card
from noble.evaluation.evaluate import evaluate, evaluate_fresh, evaluate_traces, outside_hull_expected
from noble.evaluation.metrics import (
    REGIMES,
    STABLE_FEATURES,
    STABLE_KEYS,
    TraceTable,
    concatenate,
    summarise,
    trace_table,
)
from noble.evaluation.speed import STABLE_SPEED_KEYS, measure_speed

__all__ = [
    "REGIMES",
    "STABLE_FEATURES",
    "STABLE_KEYS",
    "STABLE_SPEED_KEYS",
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
