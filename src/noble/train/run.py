"""From a store to a trained operator: one training run in one folder."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from noble.machine import tune_process
from noble.operator import Operator
from noble.train.config import TrainConfig
from noble.train.curves import total_seconds
from noble.train.folder import run_folder
from noble.train.learner import Learner
from noble.train.loop import Training, TrainProgress

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from noble.data import Store
    from noble.train.dataset import StoreData


@dataclass(frozen=True)
class RunFacts:
    """What the provenance says of a run.

    Attributes:
        best_epoch: number of the chosen epoch, the first is 1.
        wall_seconds: time of all epochs, s.
        threads: threads of torch.
        validation_score: score of the chosen epoch; lower is better.
    """

    best_epoch: int
    wall_seconds: float
    threads: int
    validation_score: float


def fit(
    config: TrainConfig,
    store: Path | str | Sequence[Path | str],
    folder: Path | str,
    *,
    resume: bool = False,
    devices: int | str = 1,
    accelerator: str = "cpu",
    threads: int | None = None,
    progress: TrainProgress | None = None,
) -> Operator:
    """Train an operator on a store; leaves `train.json`, `curves.csv` and two checkpoints in a folder.

    Args:
        config: configuration of the run.
        store: address of a store made by `noble generate`, or of several of the same models, for example with windows of
            another length; the first is the one that fresh traces are later drawn like.
        folder: folder of the run; no other process may train in it meanwhile.
        resume: go on from the newest undamaged checkpoint in the folder. On CPU the result is the same, bit for bit, as that of
            an uninterrupted run with the same number of threads. The configuration must be the run's own, except that
            `max_minutes` may be another: a run that ended for lack of time goes on with more.
        devices, accelerator: as Lightning Fabric takes them.
        threads: threads of torch on CPU; left as they are if None.
        progress: see `TrainProgress`.

    Returns:
        The operator of the epoch with the best validation score.

    Raises:
        ValueError: if the shift does not fit the store's onset and tail margin, the store has nothing to train or validate
            on or is damaged, the configuration differs from the run's to be resumed, there is a run in the folder and `resume`
            is not set, another process trains in the folder, no checkpoint is undamaged, or the training diverges.
    """
    from noble.train.dataset import training_window

    data = open_data(config, store, threads=threads)
    generation, *more = (generation_of(item) for item in data.stores)
    provenance = {
        "store_digest": data.digest,
        "models": list(data.models),
        "hall": data.store.attributes.get("hall"),
        "generation": generation,
        **({"further_generations": more} if more else {}),
        "training": config.model_dump(mode="json"),
    }
    operator = Operator.build(
        config.operator,
        data.feature_spec(),
        data.window,
        config.seed,
        scope=data.scope(),
        provenance=provenance,
    )
    for item in data.stores[1:]:
        operator.core.check_window(training_window(item).count, item.grid.dt_ms)
    learner = Learner(operator, config)
    facts = run(learner, data, folder, resume=resume, devices=devices, accelerator=accelerator, progress=progress)
    operator.provenance["training_run"] = asdict(facts)
    return operator


def open_data(config: TrainConfig, store: Path | str | Sequence[Path | str], *, threads: int | None) -> StoreData:
    """The data of a run, which fit its configuration; sets the threads of torch. The first half of `fit`."""
    from noble.train.dataset import StoreData

    tune_process()
    if threads is not None:
        torch.set_num_threads(threads)
    data = StoreData(
        store,
        features=config.feature_names,
        validation_limit=config.validation_limit,
        seed=config.seed,
        models=config.models,
        traces=config.traces,
        memory_gb=config.memory_gb,
    )
    _check_fits(config, data)
    data.feature_spec()  # refuses features that the store lacks
    return data


def run(
    learner: Learner,
    data: StoreData,
    folder: Path | str,
    *,
    resume: bool,
    devices: int | str,
    accelerator: str,
    progress: TrainProgress | None,
) -> RunFacts:
    """Train a learner's operator in place, and leave it with the weights of the best epoch. The second half of `fit`."""
    folder, digest = Path(folder), data.digest
    fabric = _fabric(devices, accelerator)
    with run_folder(folder, learner.config, digest, resume=resume) if is_first_process() else nullcontext():
        fabric.launch()  # runs the program once more for each further device, now that the folder is held
        training = Training(learner, data, folder, fabric=fabric)
        training.run(progress)
    assert training.best is not None  # a configuration asks for a validation
    if not math.isfinite(training.best.score):
        raise ValueError(
            f"no epoch of the run in {folder} predicts voltages that are finite; lower optimiser.learning_rate and train into "
            "another folder."
        )
    learner.operator.load_state_dict(training.best.weights)
    learner.operator.cpu().eval()
    return RunFacts(
        best_epoch=training.best.epoch,
        wall_seconds=round(total_seconds(training.curves), 1),
        threads=torch.get_num_threads(),
        validation_score=training.best.score,
    )


def is_first_process() -> bool:
    """Whether this is the process that writes results: with several devices, the program runs once on each."""
    from lightning_fabric.utilities import rank_zero_only

    return getattr(rank_zero_only, "rank", 0) == 0


def _fabric(devices: int | str, accelerator: str) -> Fabric:
    """What gives devices and starts processes; none of them is started yet.

    Raises:
        ValueError: if this machine lacks them.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)  # the rest is advice to developers
    try:
        return Fabric(accelerator=accelerator, devices=devices)
    except (ImportError, RuntimeError, TypeError, ValueError, MisconfigurationException) as error:
        raise ValueError(
            f"accelerator {accelerator!r} with devices {devices!r} is not to be had here ({error}); ask for others, or leave "
            "both out to train on the CPU."
        ) from error


def _check_fits(config: TrainConfig, data: StoreData) -> None:
    """Refuse stores that the run cannot be trained and validated on."""
    for store, training, validation in zip(data.stores, data.training_indices, data.validation_indices, strict=True):
        for split, indices in (("train", training), ("validation", validation)):
            if indices.size == 0:
                raise ValueError(
                    f"{store.place} has no {split} traces of the models to learn from; generate a store with some in "
                    f"traces.{split}."
                )
        window = store.protocol
        if config.max_shift_ms > min(window.tail_margin_ms, window.onset_ms) + 1e-9:
            raise ValueError(
                f"max_shift_ms is {config.max_shift_ms:g} but the store's currents start at {window.onset_ms:g} ms and its "
                f"tail margin is {window.tail_margin_ms:g} ms; lower the shift, or generate with a later onset and a longer "
                "margin."
            )


def generation_of(store: Store) -> dict[str, Any]:
    """A store's configuration, complete, so that fresh traces can be drawn as its own were."""
    return {**store.attributes["config"], "hall": store.attributes["hall"]["name"]}
