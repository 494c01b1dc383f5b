"""What an operator says of itself: one line at a prompt, a small table with a trace in a notebook."""

from __future__ import annotations

import html
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.operator.origin import recorded_source

if TYPE_CHECKING:
    from noble.operator.operator import Operator

# Keys of metrics.json that tell most, with their label, unit and subset.
HEADLINES: Final = (
    ("relative_l2_percent", "relative L2", "%"),
    ("spike_time_median_ms", "spike time, median", "ms"),
    ("spike_count_error_percent", "spike-count error", "%"),
    ("coincidence_1ms", "coincidence at 1 ms", ""),
)
_SUBSETS: Final = {"unseen_currents": "unseen currents", "unseen_models": "unseen models"}
_SPARK_WIDTH, _SPARK_HEIGHT, _SPARK_POINTS = 240, 60, 480


def one_line(operator: Operator) -> str:
    """`<Operator human-pv: spike-phase, 34 features, ...>`: core, features, what was learned and how well."""
    facts = [operator.config.kind, neurons_of(operator)]
    if operator.scope is not None:
        facts.append(operator.scope.describe())
    error = headline(operator.metrics, "unseen_currents", "relative_l2_percent")
    if error is not None:
        facts.append(f"relative L2 {error:.2g} %")
    return f"<Operator {operator.name or '(not saved)'}: {', '.join(facts)}>"


def neurons_of(operator: Operator) -> str:
    """`34 features`, or, where there are none, `one neuron`, with the recording that it was learned from."""
    if not operator.spec.one_neuron:
        return f"{len(operator.spec)} features"
    source = recorded_source(operator)
    return "one neuron" if source is None else f"one neuron, recorded in {source}"


def headline(metrics: Mapping[str, Any], subset: str, key: str) -> float | None:
    """One number of a bundle's metrics; None where it has none."""
    value = (metrics.get(subset) or {}).get(key)
    return float(value) if isinstance(value, int | float) else None


def as_html(operator: Operator) -> str:
    """A table of the headline numbers, and the answer of the median training neuron to a step as a small picture."""
    rows = "".join(
        f"<tr><td>{html.escape(label)}</td>"
        + "".join(f"<td>{_shown(headline(operator.metrics, subset, key), unit)}</td>" for subset in _SUBSETS)
        + "</tr>"
        for key, label, unit in HEADLINES
    )
    head = "".join(f"<th>{label}</th>" for label in _SUBSETS.values())
    table = f"<table><tr><th></th>{head}</tr>{rows}</table>" if operator.metrics else ""
    return f"<div><b>{html.escape(one_line(operator)[1:-1])}</b>{table}{_sparkline(operator)}</div>"


def _shown(value: float | None, unit: str) -> str:
    return "&ndash;" if value is None else f"{value:.3g} {unit}".strip()


def _sparkline(operator: Operator) -> str:
    """Voltage of the one or the median training neuron under a step within what was learned, as SVG; empty if it cannot."""
    known, alone = np.array(operator.spec.training_features), operator.spec.one_neuron
    if operator.scope is None or not (known.size or alone):
        return ""
    from noble.features.neurons import Neurons
    from noble.protocols import StepProtocol

    protocol = StepProtocol(window_ms=max(operator.grid.duration_ms, 450.0), dt_ms=operator.grid.dt_ms)
    amplitude_na = operator.scope.lowest_na + 0.8 * (operator.scope.highest_na - operator.scope.lowest_na)
    chosen = None if alone else Neurons(operator.feature_names, np.median(known, axis=0)[None])
    who = "" if alone else "median training neuron, "
    try:
        with warnings.catch_warnings():  # a median of every feature by itself may lie outside the hull
            warnings.simplefilter("ignore")
            [voltage] = operator.respond(chosen, [protocol.stimulus(amplitude_na)], protocol.grid).voltage_mv
    except ValueError:  # an operator of another window: no picture is worth an error in a notebook
        return ""
    points = _outline(voltage)
    low, high = float(points.min()), float(points.max())
    scaled = _SPARK_HEIGHT * (1 - (points - low) / max(high - low, 1e-9))
    across = np.linspace(0, _SPARK_WIDTH, points.size)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, scaled, strict=True))
    return (
        f'<svg width="{_SPARK_WIDTH}" height="{_SPARK_HEIGHT + 14}" role="img" '
        f'aria-label="voltage under a step of {amplitude_na:.2g} nA, {low:.0f} to {high:.0f} mV">'
        f'<polyline points="{path}" fill="none" stroke="currentColor" stroke-width="0.8"/>'
        f'<text x="0" y="{_SPARK_HEIGHT + 12}" font-size="10" fill="currentColor">{who}'
        f"step of {amplitude_na:.2g} nA, {low:.0f} to {high:.0f} mV</text></svg>"
    )


def _outline(voltage_mv: np.ndarray) -> np.ndarray:
    """Lowest and highest voltage of consecutive parts, in the order in which they come: no spike is lost."""
    parts = np.array_split(voltage_mv, min(_SPARK_POINTS // 2, voltage_mv.size))
    pairs = [(part.min(), part.max()) if part.argmin() <= part.argmax() else (part.max(), part.min()) for part in parts]
    return np.array(pairs, dtype=float).reshape(-1)
