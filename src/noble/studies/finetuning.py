"""An operator fine-tuned to one feature, beside a control that went on learning without it: what it gives and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from noble.progress import Tracking, untracked
from noble.results import INLINE, UNWRITTEN, Result
from noble.studies.feature_report import OperatorComparison, compare_operators, fine_tuned_card
from noble.studies.training import epoch_note

if TYPE_CHECKING:
    from noble.operator import Operator
    from noble.train import FineTuneConfig

# What the operators are called in table, figure and file, and where the last two are written.
BEFORE: Final = "before"
CONTROL: Final = "control"
TUNED: Final = "finetuned"


@dataclass(frozen=True, repr=False)
class FineTuningStudy(Result):
    """Three operators side by side: before, after further training, and after further training with the feature's term.

    Attributes:
        weight: weight of the feature's mean squared relative error.
        epochs, seed, learning_rate: of both trainings.
        error_scale: what the feature's errors are relative to, in its unit.
        store, watch: digests of the stores where the feature and everything else are measured.
        runs: what each training says of itself.
        comparison: the operators on the test splits.
        operators: the operators by label.
    """

    weight: float
    epochs: int
    seed: int
    learning_rate: float
    error_scale: float
    store: str
    watch: str
    runs: Mapping[str, Mapping[str, object]]
    comparison: OperatorComparison = field(metadata=INLINE)
    operators: Mapping[str, Operator] = field(metadata=UNWRITTEN)

    def save(self, output: Path) -> None:
        """Write the bundles of the control and of the tuned operator, with their cards."""
        for label in (CONTROL, TUNED):
            found = self.comparison.operators[label]
            card = fine_tuned_card(self.operators[label], found)
            self.operators[label].save(output / label, card=card, metrics=found.metrics.to_dict())


def fine_tuning_study(
    operator: Operator,
    store: Path | str,
    output: Path,
    *,
    feature: str = "sag_amplitude",
    weight: float = 25.0,
    epochs: int = 10,
    learning_rate: float = 3e-4,
    seed: int = 0,
    watch: Path | str | None = None,
    resume: bool = False,
    tracking: Tracking = untracked,
) -> FineTuningStudy:
    """Train an operator twice further, without and with a feature's term, and evaluate all three on the test splits, once.

    Args:
        operator: where training goes on from.
        store: store of the same hall, with hyperpolarising steps.
        output: folder of the runs, in its `runs`.
        feature: one that can be targeted, see `noble.train.fine_tune_config`.
        weight: weight of the feature's mean squared relative error.
        epochs: further passes over the training split.
        learning_rate: the largest; it falls to zero as a cosine.
        seed: seed of order and augmentation, the same in both trainings.
        watch: store on which everything else is measured; the same one if None.
        resume: go on from the last checkpoints.
        tracking: lends a progress to each part of the work.

    Raises:
        ValueError: for a feature that cannot be targeted, or a store that does not fit the operator.
    """
    from noble.data import Store
    from noble.train import fine_tune_config, hyperpolarising_indices
    from noble.train.finetune import check_hyperpolarises, check_matches

    data = Store.open(store)
    settings: dict[str, Any] = {"feature": feature, "learning_rate": learning_rate, "epochs": epochs, "seed": seed}
    weights = {CONTROL: 0.0, TUNED: weight}
    configs = {label: fine_tune_config(operator, data, weight=value, **settings) for label, value in weights.items()}
    watched = data if watch is None else Store.open(watch)
    check_matches(operator, watched)
    check_matches(operator, data)
    check_hyperpolarises(data, limit=configs[TUNED].validation_limit)
    operators = {BEFORE: operator, **_trained(operator, configs, store, output, resume=resume, tracking=tracking)}
    indices = {split: hyperpolarising_indices(data, split) for split in ("test", "unseen_models")}
    with tracking("evaluating") as progress:
        comparison = compare_operators(operators, data, indices, feature, watch=watched, progress=progress)
    facts = {label: operators[label].provenance["fine_tuning"] for label in configs}
    return FineTuningStudy(
        weight=configs[TUNED].weight,
        epochs=configs[TUNED].epochs,
        seed=configs[TUNED].seed,
        learning_rate=learning_rate,
        error_scale=facts[TUNED]["error_scale"],
        store=data.digest,
        watch=watched.digest,
        runs={label: fact["run"] for label, fact in facts.items()},
        comparison=comparison,
        operators=operators,
    )


def _trained(
    operator: Operator,
    configs: Mapping[str, FineTuneConfig],
    store: Path | str,
    output: Path,
    *,
    resume: bool,
    tracking: Tracking,
) -> dict[str, Operator]:
    """The operators of all runs, each run in its own folder."""
    from noble.train import fine_tune

    tuned = {}
    for label, config in configs.items():
        with tracking(f"training: {label}") as progress:
            tuned[label] = fine_tune(
                operator,
                config,
                store,
                output / "runs" / label,
                resume=resume,
                progress=lambda done, total, values: progress(done, total, epoch_note(values)),
            )
    return tuned
