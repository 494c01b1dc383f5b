"""Fine-tuning: a trained operator goes on learning, with a term for one feature on hyperpolarising steps."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from pydantic import Field

from noble.operator import Operator
from noble.operator.bundle import weights_sha256
from noble.operator.origin import check_simulated
from noble.stimuli import Step
from noble.traces import TimeGrid
from noble.train.config import OptimiserConfig, TrainConfig
from noble.train.loop import TrainProgress
from noble.train.run import open_data, run
from noble.train.soft_features import feature_scale, hyperpolarising_steps, soft_feature

if TYPE_CHECKING:
    from noble.data import Store
    from noble.train.dataset import StoreData

# A tenth of training's; the paper's fine-tuning takes an eighth of its own. The moments of Adam start anew, hence the warm-up.
LEARNING_RATE: Final = 3e-4
_OPTIMISER: Final = OptimiserConfig(learning_rate=LEARNING_RATE, warmup_epochs=1.0)
# What a run takes over from the training of its bundle, where that is recorded.
_TAKEN_OVER: Final = ("loss", "batch_size", "models")
# Where a family's features differ by less than this, errors are judged as if they differed by this much.
_LEAST_SCALE_MV: Final = 0.1
# Traces whose feature is measured at once.
_AT_ONCE: Final = 256


class FineTuneConfig(TrainConfig):
    """One run of fine-tuning.

    Attributes:
        feature: the target, by eFEL's name; one of `soft_features.SOFT_FEATURES`.
        weight: of its mean squared relative error beside the operator's own objective; 0 is the control.
        start_sha256: checksum of the weights that the run starts from, so that a resumed run goes on from the same.
        epochs, optimiser, validation_limit: as in `TrainConfig`, with defaults for going on: few epochs at a tenth of training's
            learning rate.
    """

    feature: str
    weight: float = Field(ge=0, allow_inf_nan=False)
    start_sha256: str
    epochs: int = Field(default=10, ge=1)
    optimiser: OptimiserConfig = _OPTIMISER
    validation_limit: int = Field(default=256, ge=1)


def fine_tune_config(
    operator: Operator,
    store: Store,
    *,
    feature: str,
    weight: float,
    learning_rate: float = LEARNING_RATE,
    **changes: Any,
) -> FineTuneConfig:
    """The run that suits an operator and a store: loss, batch size and models as in training, as large a shift as fits.

    Args:
        operator: where the run starts.
        store: what it learns from.
        feature: the target, by eFEL's name.
        weight: of its term.
        learning_rate: the largest; it falls to zero as a cosine.
        changes: other values than the defaults of `FineTuneConfig`.

    Raises:
        ValueError: for a feature without a differentiable version, a value that is out of range, or another seed than that of a
            training on some of the models, since it draws which.
    """
    check_simulated(operator)
    soft_feature(feature)
    before = operator.provenance.get("training") or {}
    window = store.protocol
    settings = {
        "operator": operator.config,
        "features": operator.spec.names,
        "feature": feature,
        "weight": weight,
        "start_sha256": weights_sha256(operator),
        "optimiser": {**dict(_OPTIMISER), "learning_rate": learning_rate},
        "max_shift_ms": min(before.get("max_shift_ms", 15.0), window.onset_ms, window.tail_margin_ms),
        **{key: before[key] for key in _TAKEN_OVER if key in before},
    }
    config = FineTuneConfig.model_validate({**settings, **changes})
    if before.get("models") is not None and config.seed != before.get("seed", 0):
        raise ValueError(
            f"seed is {config.seed}, but the bundle learned {before['models']} models drawn by seed {before.get('seed', 0)}; "
            "with another, fine-tuning would show it models that it has not seen. Use that one."
        )
    return config


def fine_tune(
    operator: Operator,
    config: FineTuneConfig,
    store: Path | str,
    folder: Path | str,
    *,
    resume: bool = False,
    devices: int | str = 1,
    accelerator: str = "cpu",
    threads: int | None = None,
    progress: TrainProgress | None = None,
) -> Operator:
    """Go on training an operator; all its weights move, its features and their scaling stay.

    Args:
        operator: where the run starts; left as it is.
        config: of the run, made for this operator and this store by `fine_tune_config`.
        store: made by `noble generate`, with hyperpolarising steps.
        folder: of the run, as `fit` fills it.
        resume, devices, accelerator, threads, progress: as in `fit`; resuming needs the same operator again.

    Returns:
        The operator of the epoch with the best validation score, to which the feature's error is added.

    Raises:
        ValueError: if the store does not fit the operator, or for what `fit` refuses.
    """
    from noble.data import Store
    from noble.train.finetune_learner import FeatureTerm, FineTuneLearner

    opened = Store.open(store)
    check_matches(operator, opened)
    check_hyperpolarises(opened, limit=config.validation_limit)
    if weights_sha256(operator) != config.start_sha256:
        raise ValueError("the run was configured for an operator with other weights; make its configuration anew.")
    data = open_data(config, store, threads=threads)
    term = FeatureTerm(soft_feature(config.feature), config.weight, scale=_training_scale(data, config.feature))
    learned = data.scope()
    scope = learned if operator.scope is None else operator.scope.united(learned)
    tuned = Operator.build(operator.config, operator.spec, operator.grid, config.seed, scope=scope)
    tuned.load_state_dict(operator.state_dict())
    learner = FineTuneLearner(tuned, config, term=term)
    outcome = run(learner, data, folder, resume=resume, devices=devices, accelerator=accelerator, progress=progress)
    facts = {
        "store_digest": data.digest,
        "config": config.model_dump(mode="json"),
        "error_scale": term.scale,
        "run": asdict(outcome),
    }
    tuned.provenance = {**operator.provenance, "fine_tuning": facts}
    return tuned


def _training_scale(data: StoreData, name: str) -> float:
    """What errors of a feature are relative to: its size over the hyperpolarising steps of the training split."""
    feature, dt_ms = soft_feature(name), data.window.dt_ms
    values = []
    for batch in data.training.batches(data.training.in_order(), _AT_ONCE):
        steps = hyperpolarising_steps(batch.current_na, dt_ms)
        values.append(feature.values(batch.voltage_mv[steps.rows], steps.onset_ms, steps.offset_ms, dt_ms))
    return feature_scale(feature, torch.cat(values), least=_LEAST_SCALE_MV)


def hyperpolarising_indices(store: Store, split: str) -> np.ndarray:
    """Samples of a split whose stimulus is a step of negative current, ascending."""
    indices = store.indices(split)

    def hyperpolarises(index: int) -> bool:
        stimulus = store.stimulus(index)
        return isinstance(stimulus, Step) and stimulus.amplitude_na < 0

    return indices[np.array([hyperpolarises(int(index)) for index in indices], dtype=bool)]


def check_hyperpolarises(store: Store, *, limit: int) -> None:
    """Refuse a store without hyperpolarising steps to train on, to choose the epoch by (`limit` traces), or to test on.

    Raises:
        ValueError: if it lacks them.
    """
    from noble.train.dataset import evenly_spread

    for split in ("train", "validation", "test"):
        found = hyperpolarising_indices(store, split)
        if split == "validation":
            found = np.intersect1d(found, evenly_spread(store.indices(split), limit))
        if not found.size:
            amplitude = store.attributes["config"]["amplitude"]
            raise ValueError(
                f"{store.place} has no hyperpolarising step among its {split} traces (amplitudes were drawn from "
                f"{amplitude['low_na']:g} to {amplitude['high_na']:g} nA); generate a store with some, for example with "
                "amplitude.low_na -0.11 and amplitude.mode_na -0.03, a skewness of 0 and a scale_na of 0.15."
            )


def check_matches(operator: Operator, store: Store) -> None:
    """Refuse a store of other models, features or another window than the operator learned.

    Raises:
        ValueError: if one of them differs, or the operator learned from a recording.
    """
    check_simulated(operator)
    spec = operator.spec
    units = dict(zip(store.feature_names, store.feature_units, strict=True))
    if wrong := [name for name, unit in zip(spec.names, spec.units, strict=True) if units.get(name) != unit]:
        raise ValueError(
            f"the bundle knows neurons by {', '.join(wrong)}, which {store.place} lacks or has in another unit; generate the "
            "store from the hall that the bundle was trained on."
        )
    learned = (operator.provenance.get("hall") or {}).get("digest")
    digest = store.attributes["hall"]["digest"]
    if learned is not None and learned != digest:
        raise ValueError(
            f"{store.place} holds other models (digest {digest[:12]}…) than the bundle was trained on ({learned[:12]}…), so "
            "held-out models would be unknown; generate the store from the hall of its training."
        )
    window = store.protocol.grid
    if not _same(window, operator.grid):
        raise ValueError(
            f"the bundle was trained on {operator.grid.duration_ms:g} ms at dt {operator.grid.dt_ms:g} ms but {store.place} has "
            f"{window.duration_ms:g} ms at dt {window.dt_ms:g} ms; generate the store with the window of the training."
        )


def _same(one: TimeGrid, two: TimeGrid) -> bool:
    return one.count == two.count and abs(one.dt_ms - two.dt_ms) < 1e-9
