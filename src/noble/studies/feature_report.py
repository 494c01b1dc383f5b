"""What fine-tuning to one e-feature gives and what it costs: several operators, the target and everything else, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from noble.evaluation.answers import AT_ONCE, compare_in_batches, store_traces
from noble.evaluation.card import model_card
from noble.evaluation.evaluate import SUBSETS, evaluate
from noble.evaluation.metrics import summarise
from noble.evaluation.results import STABLE_KEYS, Evaluation
from noble.features import FEATURE_NAMES, unit_of
from noble.progress import Progress
from noble.results import Result

if TYPE_CHECKING:
    from noble.data import Store
    from noble.operator import Operator

Rows = Mapping[str, list[float | int | None]]
"""A number an operator by quantity."""


@dataclass(frozen=True, repr=False)
class TargetErrors(Result):
    """How right one feature is on some traces; None where there is no trace.

    Attributes:
        root_mean_square_error_percent: norm of the errors over the norm of the reference, which weak currents with features
            near zero cannot dominate.
        error_percent: mean over traces of |p - r| / |r|.
        mean_absolute_error: mean of |p - r|, in the feature's unit.
        missing, extra: number of traces where only the reference or only the prediction has the feature.
        relative_l2_percent: relative L2 error of the voltage.
        traces: number of traces.
    """

    root_mean_square_error_percent: float | None
    error_percent: float | None
    mean_absolute_error: float | None
    missing: int
    extra: int
    relative_l2_percent: float | None
    traces: int


@dataclass(frozen=True)
class TargetAccuracy:
    """One feature of some traces, as eFEL measures it in simulated and in predicted voltage.

    Attributes:
        reference, predicted: shape (traces,), in the feature's unit; NaN where eFEL gives none.
        errors: how far the two are apart.
    """

    reference: np.ndarray
    predicted: np.ndarray
    errors: TargetErrors


@dataclass(frozen=True, repr=False)
class OperatorReport(Result):
    """One operator on a target feature, and on everything else.

    Attributes:
        target: errors of the target by subset.
        values: the target as predicted, by subset, shape (traces,).
        metrics: evaluation on everything, all sixteen e-features included.
    """

    target: Mapping[str, TargetErrors]
    values: Mapping[str, np.ndarray]
    metrics: Evaluation


@dataclass(frozen=True, repr=False)
class OperatorComparison(Result):
    """Several operators side by side.

    Attributes:
        feature, unit: the target and its unit.
        values: the target as simulated, by subset, shape (traces,).
        operators: each operator by label; the first is what the others are compared with.
    """

    feature: str
    unit: str
    values: Mapping[str, np.ndarray]
    operators: Mapping[str, OperatorReport]

    def rows(self, subset: str) -> Mapping[str, Rows]:
        """One subset as a table: groups of rows, each a quantity with its unit and a number an operator."""
        targets = [report.target.get(subset) for report in self.operators.values()]
        summaries = [report.metrics[subset] for report in self.operators.values()]

        def of_target(name: str) -> list[float | int | None]:
            return [None if errors is None else getattr(errors, name) for errors in targets]

        return {
            "hyperpolarising steps": {
                f"{self.feature}, relative rms error (%)": of_target("root_mean_square_error_percent"),
                f"{self.feature}, mean absolute error ({self.unit})": of_target("mean_absolute_error"),
                "voltage, relative L2 (%)": of_target("relative_l2_percent"),
                "traces where only the simulation has it": of_target("missing"),
                "traces where only the operator has it": of_target("extra"),
                "traces": of_target("traces"),
            },
            "all traces": {key: [summary.number(key) for summary in summaries] for key in (*STABLE_KEYS, "traces")},
            "all traces, mean absolute error": {
                _with_unit(feature): list(self._absolute_errors(subset, feature)) for feature in FEATURE_NAMES
            },
        }

    def error_ratios(self, subset: str) -> dict[str, dict[str, float]]:
        """What became of each e-feature's mean absolute error over all traces of a subset, relative to the first operator.

        Returns:
            For each feature the ratio by the label of the other operators; features whose error was zero or is unknown are left
            out.
        """
        ratios = {}
        for feature in FEATURE_NAMES:
            first, *others = self._absolute_errors(subset, feature)
            if first and all(error is not None for error in others):
                labels = list(self.operators)[1:]
                pairs = zip(labels, others, strict=True)
                ratios[feature] = {label: error / first for label, error in pairs if error is not None}
        return ratios

    def _absolute_errors(self, subset: str, feature: str) -> list[float | None]:
        found = [report.metrics[subset].all_features.get(feature) for report in self.operators.values()]
        return [None if error is None else error.mean_absolute_error for error in found]


def target_accuracy(
    operator: Operator, store: Store, indices: np.ndarray, name: str, *, batch_size: int = AT_ONCE
) -> TargetAccuracy:
    """How right one e-feature is on some traces of a store.

    Args:
        operator: the operator.
        store: the data set.
        indices: samples, for example the hyperpolarising steps of a split; there may be none.
        name: name of the feature, eFEL's.
        batch_size: traces predicted at once.
    """
    source, options = store_traces(store, operator.spec.names), {"at_once": batch_size, "feature_names": (name,)}
    [table] = compare_in_batches(operator, source, indices, store.protocol, views={name: None}, **options).values()
    reference, predicted = table.reference_features[name], table.predicted_features[name]
    both = np.isfinite(reference) & np.isfinite(predicted)
    norm = float(np.linalg.norm(reference[both]))
    summary = summarise(table)
    found = summary.all_features[name]
    errors = TargetErrors(
        root_mean_square_error_percent=(
            100 * float(np.linalg.norm((predicted - reference)[both])) / norm if norm else None
        ),
        error_percent=found.error_percent,
        mean_absolute_error=found.mean_absolute_error,
        missing=found.missing,
        extra=found.extra,
        relative_l2_percent=summary.relative_l2_percent,
        traces=int(indices.size),
    )
    return TargetAccuracy(reference, predicted, errors)


def compare_operators(
    operators: Mapping[str, Operator],
    store: Store,
    indices: Mapping[str, np.ndarray],
    name: str,
    *,
    watch: Store | None = None,
    progress: Progress | None = None,
) -> OperatorComparison:
    """Evaluate operators on a target feature and on everything that `evaluate` knows, all sixteen e-features included.

    Args:
        operators: by label; the first is what the others are compared with.
        store: where the target is measured.
        indices: samples for it by split; "test" becomes the subset `unseen_currents`, any other keeps its name.
        name: name of the target, eFEL's.
        watch: where everything else is measured; the same store if None.
        progress: called with (traces done, traces in all) of the latter.
    """
    watched = watch or store
    total = sum(watched.indices(split).size for split in SUBSETS) * len(operators)
    reference: dict[str, np.ndarray] = {}
    reports = {}
    for position, (label, operator) in enumerate(operators.items()):
        targets = {
            SUBSETS.get(split, split): target_accuracy(operator, store, rows, name) for split, rows in indices.items()
        }
        reference = {subset: found.reference for subset, found in targets.items()}

        def advance(done: int, _: int, before: int = position * total // len(operators)) -> None:
            if progress is not None:
                progress(before + done, total)

        reports[label] = OperatorReport(
            target={subset: found.errors for subset, found in targets.items()},
            values={subset: found.predicted for subset, found in targets.items()},
            metrics=evaluate(operator, watched, feature_names=FEATURE_NAMES, progress=advance),
        )
    return OperatorComparison(name, unit_of(name), reference, reports)


def fine_tuned_card(operator: Operator, found: OperatorReport) -> str:
    """The model card of a fine-tuned bundle: that of the operator, and to what it was tuned, how and how well.

    Args:
        operator: with the provenance that `noble.train.fine_tune` recorded.
        found: the operator's part of what `compare_operators` returns.
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
        *(f"- {subset.replace('_', ' ')}: `{json.dumps(errors.to_dict())}`" for subset, errors in found.target.items()),
    ]
    return model_card(operator, found.metrics.to_dict()) + "\n".join(lines) + "\n"


def _with_unit(feature: str) -> str:
    return feature if unit_of(feature) == "1" else f"{feature} ({unit_of(feature)})"
