"""The model card of a bundle: what it is, what it was trained on, how good it is, and where it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from noble.evaluation.results import STABLE_KEYS
from noble.operator.describe import neurons_of
from noble.operator.origin import recorded_source

if TYPE_CHECKING:
    from noble.operator import Operator, Scope

CURRENTS: Final = "currents"
"""Where metrics hold those of kinds of current apart: `currents.<kind>.<section>.<key>`."""
# Of these alone is a kind's row; all of its numbers are in metrics.json.
_KIND_KEYS: Final = (
    "traces",
    "coincidence_1ms",
    "spike_count_error_percent",
    "spike_time_median_ms",
    "spike_time_p90_ms",
    "relative_l2_percent",
)
# A perfect train has a coincidence of 1, one of the same rate that knows nothing of the times 0.
_CHANCE: Final = 0.2


def model_card(operator: Operator, metrics: Mapping[str, Any]) -> str:
    """Markdown, every number taken from the operator or its metrics.

    Args:
        operator: with the provenance that training recorded.
        metrics: sections as `evaluate` returns them, and those of kinds of current below `CURRENTS`; empty before the evaluation.
    """
    facts = operator.provenance
    spec = operator.spec
    hall, recorded = facts.get("hall") or {}, recorded_source(operator)
    name = hall.get("name", "noble") if recorded is None else recorded
    weights = sum(item.numel() for item in operator.parameters())
    sections = {name: section for name, section in metrics.items() if name != CURRENTS}
    lines = [
        f"# {name}: a {operator.config.kind} operator",
        "",
        f"Somatic voltage (mV) of {_neurons(operator)} under {_learned(operator.scope)}"
        f"{'' if spec.one_neuron else f', from {len(spec)} features of a neuron'}. {weights:,} parameters.",
        "",
        "## What currents",
        *_currents(operator.scope, metrics.get(CURRENTS) or {}),
        "",
        "## Features",
        *(
            f"- `{name}`: {low:.5g} to {high:.5g} {unit} over the {len(spec.training_features)} training models"
            for name, unit, low, high in zip(spec.names, spec.units, spec.minimum, spec.maximum, strict=True)
        ),
        *([f"- none: {neurons_of(operator)}"] if spec.one_neuron else []),
        "",
        "## Training",
        f"- window: {operator.grid.duration_ms:g} ms at dt {operator.grid.dt_ms:g} ms",
        f"- store: `{facts.get('store_digest', 'unknown')}`"
        if recorded is None
        else f"- recording: `{json.dumps(facts['recording'])}`",
        f"- run: `{json.dumps(facts.get('training_run', {}))}`",
        f"- seed {facts.get('seed')}, versions `{json.dumps(facts.get('versions', {}))}`",
        "",
        "## How good it is",
        *(_metrics_table(sections) if sections else ["Not evaluated yet."]),
        "",
        "## Limits",
        "- Interpolates between the training models; outside their hull it warns, and extrapolates."
        if not spec.one_neuron
        else "- Is one neuron; there is no family to interpolate in.",
        "- Learned from simulations of a biophysical family, not from recordings."
        if recorded is None
        else "- Learned from a recording; no biophysical model stands behind it.",
        "- Knows the currents above alone; it answers any other, and warns of it, but its spikes may then be wrong.",
    ]
    return "\n".join(lines) + "\n"


def _neurons(operator: Operator) -> str:
    """Whose voltage it is."""
    if (recorded := recorded_source(operator)) is not None:
        return f"the neuron that was recorded in `{recorded}`"
    hall = (operator.provenance.get("hall") or {}).get("name", "unknown")
    models = "the neurons" if not operator.spec.one_neuron else "all neurons, taken for one,"
    return f"{models} of the hall of fame `{hall}`"


def _learned(scope: Scope | None) -> str:
    """The currents of the training, in a few words."""
    return "the currents of its training, which are not recorded" if scope is None else scope.describe()


def _currents(scope: Scope | None, kinds: Mapping[str, Any]) -> list[str]:
    """What was learned, what lies outside, and how good the answers to each kind that was measured are."""
    if scope is None:
        lines = ["- learned: not recorded, so that nothing warns of currents outside"]
    else:
        length = "" if scope.step_ms is None else f", each {scope.step_ms:g} ms long"
        lines = [
            f"- learned: kind {', '.join(scope.kinds)}{length}",
            f"- range: {scope.lowest_na:.4g} to {scope.highest_na:.4g} nA",
            f"- window: up to {scope.duration_ms:g} ms, sampled every {scope.dt_ms:g} ms; any sampling is answered",
            "- outside, where it warns: another kind, a current beyond the range, a longer window"
            + ("" if scope.step_ms is None else ", a step of another length"),
        ]
    if not kinds:
        return [*lines, "- how good its answers outside are was not measured; spike times may be at chance"]
    chance = [kind for kind, sections in kinds.items() if _is_chance(sections)]
    if chance:
        lines.append(
            f"- **spike times are at chance under {', '.join(chance)}** (coincidence: 1 is perfect, 0 is chance)"
        )
    rows = (
        f"| {kind} | {section.replace('_', ' ')} | {' | '.join(_number(numbers.get(key)) for key in _KIND_KEYS)} |"
        for kind, sections in kinds.items()
        for section, numbers in sections.items()
    )
    return [
        *lines,
        "",
        f"| current | subset | {' | '.join(_KIND_KEYS)} |",
        f"| --- | --- |{' --- |' * len(_KIND_KEYS)}",
        *rows,
    ]


def _is_chance(sections: Mapping[str, Any]) -> bool:
    """Whether even the models of the training fire at other times than simulated."""
    coincidence = (sections.get("unseen_currents") or {}).get("coincidence_1ms")
    return coincidence is not None and coincidence < _CHANCE


def _metrics_table(metrics: Mapping[str, Any]) -> list[str]:
    sections = list(metrics)
    rows = (
        f"| {key} | {' | '.join(_number(metrics[section].get(key)) for section in sections)} |"
        for key in ("traces", *STABLE_KEYS)
    )
    return [
        "Misses are counted; percentages of missed and false firing are of all traces.",
        "",
        f"| quantity | {' | '.join(section.replace('_', ' ') for section in sections)} |",
        f"| --- |{' --- |' * len(sections)}",
        *rows,
    ]


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}"
