"""From a store to a bundle: an operator is trained, evaluated once on the test splits, and saved with its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from noble.evaluation.card import model_card
from noble.evaluation.evaluate import evaluate
from noble.evaluation.results import Evaluation
from noble.progress import Tracking, untracked

if TYPE_CHECKING:
    from noble.operator import Operator
    from noble.train import TrainConfig

BUNDLE: Final = "bundle"
"""Where in a run's folder its bundle lies."""

_NOTED: Final[Mapping[str, str]] = {
    "train/loss": "loss",
    "val/spike_count_error_percent": "count error %",
    "val/timing_ms": "timing ms",
}


@dataclass(frozen=True)
class Trained:
    """A trained operator.

    Attributes:
        operator: the operator.
        evaluation: how good it is on the test splits; None if nobody looked.
    """

    operator: Operator
    evaluation: Evaluation | None


def train_and_evaluate(
    config: TrainConfig,
    store: Path | str | Sequence[Path | str],
    output: Path,
    *,
    test: bool = True,
    resume: bool = False,
    devices: int = 1,
    accelerator: str = "cpu",
    titles: tuple[str, str] = ("training", "evaluating"),
    tracking: Tracking = untracked,
) -> Trained | None:
    """Train an operator, evaluate it unless told not to, and write its bundle.

    Args:
        config: of the run.
        store: the data set, or several of the same models; the operator is evaluated on the first.
        output: folder of the run; the bundle is its `bundle`.
        test: whether to evaluate on the test splits; not while settings are still being chosen.
        resume: go on from the last checkpoint.
        devices, accelerator: where to train, as `noble.train.fit` takes them.
        titles: of the two parts of the work.
        tracking: lends a progress to each.

    Returns:
        None in every process but the first, which does the rest.
    """
    from noble.data import Store
    from noble.train import fit, is_first_process

    with tracking(titles[0]) as progress:
        operator = fit(
            config,
            store,
            output,
            resume=resume,
            devices=devices,
            accelerator=accelerator,
            progress=lambda done, total, values: progress(done, total, epoch_note(values)),
        )
    if not is_first_process():
        return None
    operator.save(output / BUNDLE, card=model_card(operator, {}))  # so that nothing is lost if the evaluation fails
    if not test:
        return Trained(operator, None)
    first = store if isinstance(store, str | Path) else store[0]
    with tracking(titles[1]) as progress:
        evaluation = evaluate(operator, Store.open(first), progress=progress)
    metrics = evaluation.to_dict()
    operator.save(output / BUNDLE, card=model_card(operator, metrics), metrics=metrics)
    return Trained(operator, evaluation)


def epoch_note(values: Mapping[str, float]) -> str:
    """The values that tell how a run goes, in a few words."""
    return "  ".join(f"{label} {values[name]:.3g}" for name, label in _NOTED.items() if name in values)
