"""The model card of a twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from noble.twin.fit import Twin


def twin_card(twin: Twin, metrics: Mapping[str, Any]) -> str:
    """Markdown; every number is the twin's or measured.

    Args:
        twin: as `fit_twin` returns it.
        metrics: numbers of `noble.comparison.trials.TrialComparison.to_dict` against repeats that it did not learn from; empty if
            there are none.
    """
    operator = twin.operator
    scope = operator.scope
    assert scope is not None  # a twin is built with one
    weights = sum(item.numel() for item in operator.parameters())
    electrode = "not to be told from its currents" if twin.electrode_mohm is None else f"{twin.electrode_mohm:.3g} MOhm"
    rows = [
        f"| {item.seed} | {item.step} | {item.firing:.4g} | {item.waveform:.4g} | {item.loss:.4g} |"
        for item in twin.seeds
    ]
    lines = [
        f"# The twin of a recorded neuron: {twin.source}",
        "",
        f"Somatic voltage (mV) and spikes of the one neuron that was recorded, under {scope.describe()}. It has no features. "
        f"{weights:,} parameters.",
        "",
        "## What it learned from",
        f"- {twin.sweeps} sweep(s), {twin.seconds:g} s, {twin.spikes} spikes of a real recording; no biophysical model",
        f"- of these, {twin.held_back_seconds:g} s were held back to choose step and seed"
        + ("; then it learned from all of it, up to that step" if twin.refit else ""),
        f"- holding current: {twin.holding_na:g} nA; currents come on top of it",
        f"- series resistance that the recorded voltage contains, and the twin's too: {electrode}",
        "",
        "## Training",
        f"{twin.training_minutes:g} minutes; {len(twin.seeds)} seed(s), of which {twin.seed} is kept. On what was held back, "
        "nats a spike and mV:",
        "",
        "| seed | best step | firing | waveform | loss |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
        "## How good it is",
        *_measured(metrics),
        "",
        "## Limits",
        "- Knows one neuron, in the state in which it was recorded, and the currents above alone; it warns of others.",
        "- One answer is where half of the chance of the next spike is used up; with `trials` it draws trains.",
        "- Drawn trials differ in their spikes; the noise of the membrane between spikes is not drawn.",
    ]
    return "\n".join(lines) + "\n"


def _measured(metrics: Mapping[str, Any]) -> list[str]:
    if not metrics:
        return ["Not measured on repeats of a current; `noble reliability RECORDING --twin FOLDER` does."]
    rows = [
        f"| {window} ms | {_number(metrics.get(f'reliability_{window}ms'))} | "
        f"{_number(metrics.get(f'coincidence_over_reliability_{window}ms'))} | {_number(metrics.get(f'md_star_{window}ms'))} |"
        for window in (1, 2, 4, 8)
    ]
    return [
        f"On {metrics['trials']} answers of the neuron to one current ({metrics['source']}):",
        "",
        "| window | reliability of the neuron | coincidence over it | Md* of drawn trials |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
        f"Variance of the voltage explained, spikes cut out: {_number(metrics.get('variance_explained'))}.",
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
