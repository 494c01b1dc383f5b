"""How good an operator is, and how fast: against the simulator that it learned from."""

from noble.evaluation.answers import answer, answers, outside_hull_expected
from noble.evaluation.card import model_card
from noble.evaluation.evaluate import CURRENTS, check_kinds, evaluate, evaluate_currents, evaluate_fresh, of_kind
from noble.evaluation.metrics import DRIVES, REGIMES, STABLE_FEATURES, TraceTable, concatenate, summarise, trace_table
from noble.evaluation.results import METRICS, STABLE_KEYS, Evaluation, FeatureError, Summary
from noble.evaluation.source import OtherModelsError, UnknownSourceError, family_hall, generation_of, hall_of
from noble.evaluation.speed import STABLE_SPEED_KEYS, Speed, measure_speed

__all__ = [
    "CURRENTS",
    "DRIVES",
    "METRICS",
    "REGIMES",
    "STABLE_FEATURES",
    "STABLE_KEYS",
    "STABLE_SPEED_KEYS",
    "Evaluation",
    "FeatureError",
    "OtherModelsError",
    "Speed",
    "Summary",
    "TraceTable",
    "UnknownSourceError",
    "answer",
    "answers",
    "check_kinds",
    "concatenate",
    "evaluate",
    "evaluate_currents",
    "evaluate_fresh",
    "family_hall",
    "generation_of",
    "hall_of",
    "measure_speed",
    "model_card",
    "of_kind",
    "outside_hull_expected",
    "summarise",
    "trace_table",
]
