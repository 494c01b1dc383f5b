"""The model card of a bundle: what it is, what it was trained on, how good it is, and where it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from noble.evaluation.results import STABLE_KEYS

if TYPE_CHECKING:
    from noble.operator import Operator


def model_card(operator: Operator, metrics: Mapping[str, Any]) -> str:
    """Markdown, every number taken from the operator or its metrics.

    Args:
        operator: with the provenance that training recorded.
        metrics: sections as `evaluate` returns them; empty before the evaluation.
    """
    facts = operator.provenance
    spec = operator.spec
    hall = facts.get("hall") or {}
    lines = [
        f"# {hall.get('name', 'noble')}: a {operator.config.kind} operator",
        "",
        f"Somatic voltage (mV) of the neurons of the hall of fame `{hall.get('name', 'unknown')}` under any current (nA), "
        f"from {len(spec)} features of a neuron. {sum(item.numel() for item in operator.parameters()):,} parameters.",
        "",
        "## Features",
        *(
            f"- `{name}`: {low:.5g} to {high:.5g} {unit} over the {len(spec.training_features)} training models"
            for name, unit, low, high in zip(spec.names, spec.units, spec.minimum, spec.maximum, strict=True)
        ),
        "",
        "## Training",
        f"- window: {operator.grid.duration_ms:g} ms at dt {operator.grid.dt_ms:g} ms",
        f"- store: `{facts.get('store_digest', 'unknown')}`",
        f"- run: `{json.dumps(facts.get('training_run', {}))}`",
        f"- seed {facts.get('seed')}, versions `{json.dumps(facts.get('versions', {}))}`",
        "",
        "## How good it is",
        *(_metrics_table(metrics) if metrics else ["Not evaluated yet."]),
        "",
        "## Limits",
        "- Interpolates between the training models; outside their hull it warns, and extrapolates.",
        "- Learned from simulations of a biophysical family, not from recordings.",
        "- Trained on the stimuli of its store; other kinds of current are extrapolation, though it answers to them.",
    ]
    return "\n".join(lines) + "\n"


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
