"""From a store to a trained operator: one training run in one folder."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from noble.machine import tune_process
from noble.operator import Operator, Scope
from noble.train.config import TrainConfig
from noble.train.curves import total_seconds
from noble.train.folder import run_folder
from noble.train.learner import Learner
from noble.train.loop import Training, TrainProgress

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from noble.data import Store
    from noble.train.dataset import StoreData


def fit(
    config: TrainConfig,
    store: Path | str,
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
        store: address of a store made by `noble generate`.
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
    data = open_data(config, store, threads=threads)
    generation = generation_of(data.store)
    provenance = {
        "store_digest": data.store.digest,
        "models": list(data.models),
        "hall": data.store.attributes.get("hall"),
        "generation": generation,
        "training": config.model_dump(mode="json"),
    }
    operator = Operator.build(
        config.operator,
        data.feature_spec(),
        data.window,
        config.seed,
        scope=Scope.of_generation(generation),
        provenance=provenance,
    )
    learner = Learner(operator, config, window=data.window)
    operator.provenance["training_run"] = run(
        learner, data, folder, resume=resume, devices=devices, accelerator=accelerator, progress=progress
    )
    return operator


def open_data(config: TrainConfig, store: Path | str, *, threads: int | None) -> StoreData:
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
) -> dict[str, Any]:
    """Train a learner's operator in place, and leave it with the weights of the best epoch. The second half of `fit`.

    Returns:
        What the provenance says of the run: best epoch, seconds, threads and validation score.
    """
    folder, digest = Path(folder), data.store.digest
    # With several devices the first process starts the others, when it holds the folder.
    holding = run_folder(folder, learner.config, digest, resume=resume) if is_first_process() else nullcontext()
    with holding:
        training = Training(learner, data, folder, fabric=_launched(devices, accelerator))
        training.run(progress)
    assert training.best is not None  # a configuration asks for a validation
    learner.operator.load_state_dict(training.best.weights)
    learner.operator.cpu().eval()
    return {
        "best_epoch": training.best.epoch,
        "wall_seconds": round(total_seconds(training.curves), 1),
        "threads": torch.get_num_threads(),
        "validation_score": training.best.score,
    }


def is_first_process() -> bool:
    """Whether this is the process that writes results: with several devices, the program runs once on each."""
    from lightning_fabric.utilities import rank_zero_only

    return getattr(rank_zero_only, "rank", 0) == 0


def _launched(devices: int | str, accelerator: str) -> Fabric:
    """Fabric with its processes running; with several devices this starts the program once more for each other device."""
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)  # the rest is advice to developers
    fabric = Fabric(accelerator=accelerator, devices=devices)
    fabric.launch()
    return fabric


def _check_fits(config: TrainConfig, data: StoreData) -> None:
    """Refuse a store that the run cannot be trained and validated on."""
    store = data.store
    for split, indices in (("train", data.training_indices), ("validation", data.validation_indices)):
        if indices.size == 0:
            raise ValueError(
                f"{store.path} has no {split} traces of the models to learn from; generate a store with some in "
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
