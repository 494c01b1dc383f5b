"""One training run in several variants, and what each is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from noble.evaluation.results import Evaluation
from noble.files import read_json
from noble.progress import Tracking, untracked
from noble.results import Result
from noble.studies.training import BUNDLE, train_and_evaluate

if TYPE_CHECKING:
    import pandas as pd

    from noble.train import TrainConfig
    from noble.train.ablation import AblationConfig


@dataclass(frozen=True, repr=False)
class Variant(Result):
    """One variant of a training run.

    Attributes:
        features, models: number of features that address a neuron, and of models that were learned.
        training_run: what the run says of itself.
        validation: validation of the epoch that was kept, by the columns of the curves.
        metrics: evaluation on the test splits, without any subset if nobody looked.
    """

    features: int
    models: int
    training_run: Mapping[str, object]
    validation: Mapping[str, float]
    metrics: Evaluation


@dataclass(frozen=True, repr=False)
class Ablation(Result):
    """All variants of a training run.

    Attributes:
        config: the configuration of the ablation.
        variants: the variants by name.
    """

    config: Mapping[str, object]
    variants: Mapping[str, Variant]

    def to_frame(self, subset: str) -> pd.DataFrame:
        """A row a variant, a column a number of `noble.evaluation.METRICS`, on one subset of the test splits."""
        import pandas as pd

        frames = {name: variant.metrics.to_frame()[subset] for name, variant in self.variants.items()}
        return pd.DataFrame(frames).T.rename_axis("variant")


def ablate(
    config: AblationConfig, store: Path, output: Path, *, test: bool = True, tracking: Tracking = untracked
) -> Ablation:
    """Train and evaluate variants of one run, one after another; what is there is not made again.

    Args:
        config: what all variants share, and what each changes.
        store: the data set.
        output: folder; each variant's run is a folder in it.
        test: whether to evaluate on the test splits; not while settings are still being chosen.
        tracking: lends a progress to each part of the work.

    Raises:
        ValueError: if a variant's folder holds another run.
    """
    variants = {}
    for number, name in enumerate(config.variants, 1):
        title = f"{name} ({number} of {len(config.variants)})"
        variants[name] = _variant(config.variant(name), store, output / name, title, test=test, tracking=tracking)
    return Ablation(config.model_dump(mode="json"), variants)


def _variant(config: TrainConfig, store: Path, folder: Path, title: str, *, test: bool, tracking: Tracking) -> Variant:
    """Training run of a variant, its validation, and its metrics if wanted; made if they are not there yet."""
    from noble.data import Store
    from noble.operator import Operator
    from noble.train.curves import CURVES, read_curves
    from noble.train.folder import RUN, other_settings

    record = folder / BUNDLE / "metrics.json"
    if other_settings(folder, config, Store.open(store).digest):
        raise ValueError(
            f"{folder} holds a run of another configuration or store; ablate into another folder, or remove it."
        )
    # A bundle is written before it is evaluated, and then has no metrics yet.
    known = (folder / RUN).exists() and record.exists()
    if not known or (test and not read_json(record, expected="the metrics of a bundle")):
        titles = (f"training {title}", f"evaluating {title}")
        train_and_evaluate(config, store, folder, titles=titles, test=test, resume=True, tracking=tracking)
    bundle = Operator.load(folder / BUNDLE)
    run = bundle.provenance["training_run"]
    [kept] = [row for row in read_curves(folder / CURVES) if row["epoch"] == run["best_epoch"]]
    return Variant(
        features=len(bundle.spec),
        models=len(bundle.spec.training_features),
        training_run=run,
        validation={name: value for name, value in kept.items() if name.startswith("val/")},
        metrics=Evaluation.from_dict(read_json(record, expected="the metrics of a bundle")),
    )
