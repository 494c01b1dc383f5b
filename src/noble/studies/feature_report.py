"""What fine-tuning to one e-feature gives and what it costs: several operators, the target and everything else, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.evaluation.card import model_card
from noble.evaluation.evaluate import SECTIONS, evaluate, outside_hull_expected
from noble.evaluation.metrics import STABLE_KEYS, TraceTable, concatenate, summarise, trace_table
from noble.features import FEATURE_NAMES, unit_of
from noble.progress import Progress
from noble.traces import TraceBatch

if TYPE_CHECKING:
    from noble.data import Store
    from noble.operator import Operator

TARGET_KEYS: Final = (
    "root_mean_square_error_percent",
    "error_percent",
    "mean_absolute_error",
    "missing",
    "extra",
    "relative_l2_percent",
    "traces",
)
"""Keys of the report on the target feature."""


@dataclass(frozen=True)
class TargetAccuracy:
    """One feature of some traces, as eFEL measures it in simulated and in predicted voltage.

    Attributes:
        reference, predicted: shape (traces,), in the feature's unit; NaN where eFEL gives none.
        summary: `TARGET_KEYS`; see `target_accuracy`.
    """

    reference: np.ndarray
    predicted: np.ndarray
    summary: Mapping[str, Any]


def target_accuracy(
    operator: Operator, store: Store, indices: np.ndarray, name: str, *, batch_size: int = 128
) -> TargetAccuracy:
    """How right one e-feature is on some traces of a store.

    Args:
        operator: the operator.
        store: the data set.
        indices: samples, for example the hyperpolarising steps of a split; there may be none.
        name: of the feature, eFEL's.
        batch_size: traces predicted at once.

    Returns:
        Values and their summary: `root_mean_square_error_percent` is the norm of the errors over the norm of the reference, which
        weak currents with features near zero cannot dominate; `error_percent` the mean over traces of |p - r| / |r|;
        `mean_absolute_error` in the feature's unit; `missing` and `extra` count traces where only the reference or only
        the prediction has the feature; `relative_l2_percent` is the voltage's. None where there is no trace.
    """
    window = store.protocol
    columns = [store.feature_names.index(feature) for feature in operator.spec.names]
    empty = TraceBatch(window.grid, np.empty((0, window.grid.count)), np.empty((0, window.grid.count)))
    edges = {"onset_ms": window.onset_ms, "offset_ms": window.offset_ms, "feature_names": (name,)}
    tables: list[TraceTable] = [trace_table(empty, empty, **edges)]
    for start in range(0, indices.size, batch_size):
        rows = indices[start : start + batch_size]
        features = store.feature_table[store.model_index[rows]][:, columns]
        with outside_hull_expected():
            predicted = operator.predict(features, [store.stimulus(int(row)) for row in rows], window.grid)
        reference = TraceBatch(window.grid, store.voltage_mv(rows)[:, : window.grid.count], predicted.current_na)
        tables.append(trace_table(predicted, reference, **edges))
    table = concatenate(tables)
    theirs, ours = table.reference_features[name], table.predicted_features[name]
    both = np.isfinite(theirs) & np.isfinite(ours)
    norm = float(np.linalg.norm(theirs[both]))
    found = summarise(table)
    summary = {
        "root_mean_square_error_percent": 100 * float(np.linalg.norm((ours - theirs)[both])) / norm if norm else None,
        **{
            key: found["all_features"][name][key]
            for key in ("error_percent", "mean_absolute_error", "missing", "extra")
        },
        "relative_l2_percent": found["relative_l2_percent"],
        "traces": int(indices.size),
    }
    return TargetAccuracy(theirs, ours, summary)


def compare_operators(
    operators: Mapping[str, Operator],
    store: Store,
    indices: Mapping[str, np.ndarray],
    name: str,
    *,
    watch: Store | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate operators on a target feature and on everything that `evaluate` knows, all sixteen e-features included.

    Args:
        operators: by label; the first is what the others are compared with.
        store: where the target is measured.
        indices: samples for it by split; "test" becomes the section `unseen_currents`, any other keeps its name.
        name: of the target, eFEL's.
        watch: where everything else is measured; the same store if None.
        progress: called with (traces done, traces in all) of the latter.

    Returns:
        JSON-ready: `feature`, `unit`, and under `operators` for each label `target` (a section each, see `target_accuracy`),
        `values` (of the target, predicted) and `metrics` (as `evaluate` gives them); `values`, the simulated ones by section.
    """
    watched = watch or store
    total = sum(watched.indices(split).size for split in SECTIONS) * len(operators)
    reference: dict[str, list[float | None]] = {}
    results: dict[str, Any] = {}
    for position, (label, operator) in enumerate(operators.items()):
        targets = {
            SECTIONS.get(split, split): target_accuracy(operator, store, rows, name) for split, rows in indices.items()
        }
        reference = {section: _plain(found.reference) for section, found in targets.items()}

        def advance(done: int, _: int, before: int = position * total // len(operators)) -> None:
            if progress is not None:
                progress(before + done, total)

        results[label] = {
            "target": {section: dict(found.summary) for section, found in targets.items()},
            "values": {section: _plain(found.predicted) for section, found in targets.items()},
            "metrics": evaluate(operator, watched, feature_names=FEATURE_NAMES, progress=advance),
        }
    return {"feature": name, "unit": unit_of(name), "values": reference, "operators": results}


def comparison_rows(comparison: Mapping[str, Any], section: str) -> dict[str, dict[str, list[float | None]]]:
    """The comparison of one section as a table: groups of rows, each a quantity with its unit and a number an operator.

    Args:
        comparison: as `compare_operators` returns it.
        section: `unseen_currents` or `unseen_models`.
    """
    operators = list(comparison["operators"].values())
    name, unit = comparison["feature"], comparison["unit"]
    target = {
        f"{name}, relative rms error (%)": "root_mean_square_error_percent",
        f"{name}, mean absolute error ({unit})": "mean_absolute_error",
        "voltage, relative L2 (%)": "relative_l2_percent",
        "traces where only the simulation has it": "missing",
        "traces where only the operator has it": "extra",
        "traces": "traces",
    }
    return {
        "hyperpolarising steps": {
            label: [found["target"].get(section, {}).get(key) for found in operators] for label, key in target.items()
        },
        "all traces": {
            key: [found["metrics"][section].get(key) for found in operators] for key in (*STABLE_KEYS, "traces")
        },
        "all traces, mean absolute error": {
            _with_unit(feature): _absolute_errors(operators, section, feature) for feature in FEATURE_NAMES
        },
    }


def error_ratios(comparison: Mapping[str, Any], section: str) -> dict[str, dict[str, float]]:
    """What became of each e-feature's mean absolute error over all traces of a section, relative to the first operator.

    Returns:
        For each feature the ratio by the label of the other operators; features whose error was zero or is unknown are left out.
    """
    operators: Mapping[str, Any] = comparison["operators"]
    ratios = {}
    for feature in FEATURE_NAMES:
        first, *others = _absolute_errors(list(operators.values()), section, feature)
        if first and all(error is not None for error in others):
            ratios[feature] = {
                label: error / first
                for label, error in zip(list(operators)[1:], others, strict=True)
                if error is not None
            }
    return ratios


def fine_tuned_card(operator: Operator, found: Mapping[str, Any]) -> str:
    """The model card of a fine-tuned bundle: that of the operator, and to what it was tuned, how and how well.

    Args:
        operator: with the provenance that `noble.train.fine_tune` recorded.
        found: its part of what `compare_operators` returns.
    """
    facts = operator.provenance["fine_tuning"]
    config = facts["config"]
    lines = [
        "",
        "## Fine-tuning",
        f"- target: `{config['feature']}` on hyperpolarising steps, weight {config['weight']:g} of its mean squared error "
        f"relative to {facts['error_scale']:.4g}" + (" (a control: the term was off)" if config["weight"] == 0 else ""),
        f"- store: `{facts['store_digest']}`",
        f"- {config['epochs']} epochs, learning rate {config['optimiser']['learning_rate']:g}, seed {config['seed']}; "
        f"run: `{json.dumps(facts['run'])}`",
        *(
            f"- {section.replace('_', ' ')}: `{json.dumps(dict(accuracy))}`"
            for section, accuracy in found["target"].items()
        ),
    ]
    return model_card(operator, found["metrics"]) + "\n".join(lines) + "\n"


def _absolute_errors(operators: Sequence[Mapping[str, Any]], section: str, feature: str) -> list[float | None]:
    found = [operator["metrics"][section]["all_features"] for operator in operators]
    return [features.get(feature, {}).get("mean_absolute_error") for features in found]


def _with_unit(feature: str) -> str:
    return feature if unit_of(feature) == "1" else f"{feature} ({unit_of(feature)})"


def _plain(values: np.ndarray) -> list[float | None]:
    """A list for JSON, which knows no NaN."""
    return [float(value) if np.isfinite(value) else None for value in values]
