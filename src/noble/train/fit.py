"""From a store to a bundle: one training run in one folder."""

from __future__ import annotations

import csv
import json
import logging
import math
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from noble.files import write_json, write_text
from noble.machine import tune_process
from noble.operator import Operator, Scope
from noble.train.config import TrainConfig

if TYPE_CHECKING:
    from noble.data import Store
    from noble.train.datamodule import StoreData
    from noble.train.module import OperatorModule

CHECKPOINTS: Final = "checkpoints"
CURVES: Final = "curves.csv"
RUN: Final = "train.json"

Progress = Callable[[int, int, Mapping[str, float]], None]
"""Called after each epoch with epochs done, epochs in all and the latest logged values."""


def fit(
    config: TrainConfig,
    store: Path | str,
    folder: Path | str,
    *,
    resume: bool = False,
    devices: int | str = 1,
    accelerator: str = "cpu",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Operator:
    """Train an operator on a store; leaves checkpoints and CSV and TensorBoard logs in a folder.

    Args:
        config: of the run.
        store: made by `noble generate`.
        folder: of the run.
        resume: go on from the last checkpoint in the folder. On CPU the result is the same, bit for bit, as that of an
            uninterrupted run with the same number of threads. The configuration must be the run's own, except that
            `max_minutes` may be another: a run that ended for lack of time goes on with more.
        devices, accelerator: as Lightning takes them.
        threads: of torch on CPU; left as they are if None.
        progress: see `Progress`.

    Returns:
        The operator of the epoch with the best validation score.

    Raises:
        ValueError: if the shift does not fit the store's onset and tail margin, the store has nothing to train or validate
            on, the configuration differs from the run's to be resumed, or there is a run in the folder and `resume` is
            not set.
    """
    from noble.train.module import OperatorModule

    data, last = prepare(config, store, folder, resume=resume, threads=threads)
    generation = generation_of(data.store)
    provenance = {
        "store_digest": data.store.digest,
        "models": list(data.models),
        "hall": data.store.attributes.get("hall"),
        "generation": generation,
        "training": config.model_dump(mode="json"),
        "lightning": version("lightning"),
    }
    operator = Operator.build(
        config.operator,
        data.feature_spec(),
        data.window,
        config.seed,
        scope=Scope.of_generation(generation),
        provenance=provenance,
    )
    module = OperatorModule(operator, config, window=data.window)
    operator.provenance["training_run"] = run(
        module, data, folder, last=last, devices=devices, accelerator=accelerator, progress=progress
    )
    return operator


def prepare(
    config: TrainConfig, store: Path | str, folder: Path | str, *, resume: bool, threads: int | None
) -> tuple[StoreData, Path | None]:
    """The data of a run, and its last checkpoint if there is one to go on from; the first half of `fit`, which see."""
    from noble.train.datamodule import StoreData

    folder = Path(folder)
    tune_process()
    if threads is not None:
        torch.set_num_threads(threads)
    data = StoreData(
        store,
        features=config.address,
        batch_size=config.batch_size,
        validation_limit=config.validation_limit,
        seed=config.seed,
        models=config.models,
        traces=config.traces,
    )
    _check_fits(config, data.store)
    data.feature_spec()  # refuses features that the store lacks
    # Nothing is written before all has been checked.
    return data, _prepare_folder(folder, config, data.store.digest, resume=resume)


def run(
    module: OperatorModule,
    data: StoreData,
    folder: Path | str,
    *,
    last: Path | None,
    devices: int | str,
    accelerator: str,
    progress: Progress | None,
) -> dict[str, Any]:
    """Train a module's operator in place, and leave it with the weights of the best epoch; the second half of `fit`, which see.

    Returns:
        What the provenance says of the run: best epoch, seconds, threads and validation score.
    """
    from lightning.pytorch.callbacks import ModelCheckpoint

    folder = Path(folder)
    best = ModelCheckpoint(folder / CHECKPOINTS, "best", monitor="val/score", enable_version_counter=False)
    # Every epoch's end, whether or not it is the best so far; listed after `best`, since it holds that one's state too.
    latest = ModelCheckpoint(folder / CHECKPOINTS, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    with _quiet():
        trainer = _trainer(
            module.config, folder, [best, latest], devices=devices, accelerator=accelerator, progress=progress
        )
    with _quiet():
        trainer.fit(module, datamodule=data, ckpt_path=last)
    chosen = torch.load(folder / CHECKPOINTS / "best.ckpt", weights_only=True, map_location="cpu")
    module.load_state_dict(chosen["state_dict"])
    module.operator.eval()
    return {
        "best_epoch": int(chosen["epoch"]) + 1,
        "wall_seconds": round(training_seconds(folder / CURVES), 1),
        "threads": torch.get_num_threads(),
        "validation_score": float(best.best_model_score) if best.best_model_score is not None else None,
    }


def _check_fits(config: TrainConfig, store: Store) -> None:
    """Refuse a store that the run cannot be trained and validated on."""
    for split in ("train", "validation"):
        if store.indices(split).size == 0:
            raise ValueError(f"{store.path} has no {split} traces; generate a store with some in traces.{split}.")
    window = store.protocol
    if config.max_shift_ms > min(window.tail_margin_ms, window.onset_ms) + 1e-9:
        raise ValueError(
            f"max_shift_ms is {config.max_shift_ms:g} but the store's currents start at {window.onset_ms:g} ms and its "
            f"tail margin is {window.tail_margin_ms:g} ms; lower the shift, or generate with a later onset and a longer "
            "margin."
        )


def _trainer(
    config: TrainConfig,
    folder: Path,
    checkpoints: list[Any],
    *,
    devices: int | str,
    accelerator: str,
    progress: Progress | None,
) -> Any:
    """Lightning's trainer, logging to CSV and TensorBoard files only."""
    from lightning.pytorch import Trainer
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    return Trainer(
        max_epochs=config.epochs,
        accelerator=accelerator,
        devices=devices,
        gradient_clip_val=config.optimiser.clip_norm,
        check_val_every_n_epoch=config.validate_every,
        logger=[CSVLogger(folder, name="csv", version=""), TensorBoardLogger(folder, name="tensorboard", version="")],
        callbacks=[*checkpoints, _curves(folder / CURVES, progress), _time_limit(folder / CURVES, config.max_minutes)],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        inference_mode=False,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's advice to developers away from users; errors still come through."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def generation_of(store: Store) -> dict[str, Any]:
    """A store's configuration, complete, so that fresh traces can be drawn as its own were."""
    return {**store.attributes["config"], "hall": store.attributes["hall"]["name"]}


def _prepare_folder(folder: Path, config: TrainConfig, store_digest: str, *, resume: bool) -> Path | None:
    """Create the run's folder, or check that the run in it is the one to resume; returns its last checkpoint."""
    last = folder / CHECKPOINTS / "last.ckpt"
    record = folder / RUN
    if not is_first_process():  # the first one has prepared the folder before it started this one
        return last if resume and last.exists() else None
    if record.exists() and resume:
        if different := [key for key in other_settings(folder, config, store_digest) if key != "max_minutes"]:
            raise ValueError(
                f"the run in {folder} was started with another {', '.join(different)}; resume it with its own "
                "configuration and store, or train into another folder."
            )
        write_json(record, _described(config, store_digest))  # it may have been given more time
        return last if last.exists() else None
    if record.exists() and last.exists():
        raise ValueError(f"{folder} holds a training run already; resume it, or train into another folder.")
    for name in ("csv", "tensorboard", CHECKPOINTS):
        if not record.exists() and (folder / name).exists():
            raise ValueError(f"{folder} holds {name}/, which is of no run of ours; train into another folder.")
        shutil.rmtree(folder / name, ignore_errors=True)  # of a run that ended before its first checkpoint
    write_json(record, _described(config, store_digest))
    write_text(folder / CURVES, "")
    return None


def other_settings(folder: Path, config: TrainConfig, store_digest: str) -> list[str]:
    """In what the run in a folder differs from a configuration and a store; nothing where there is no run."""
    record = folder / RUN
    if not record.exists():
        return []
    before, described = json.loads(record.read_text()), _described(config, store_digest)
    # A key that the record lacks and that is None was added to the configuration since: the run is the same.
    return sorted(key for key in before | described if before.get(key) != described.get(key))


def _described(config: TrainConfig, store_digest: str) -> dict[str, Any]:
    """What a run's folder records of it."""
    return {**config.model_dump(mode="json"), "store_digest": store_digest}


def is_first_process() -> bool:
    """Whether this is the process that writes results: with several devices, Lightning runs the program once on each."""
    from lightning.pytorch.utilities import rank_zero_only

    return getattr(rank_zero_only, "rank", 0) == 0


def _curves(path: Path, progress: Progress | None) -> Any:
    """A callback that keeps one row an epoch in a CSV file, and reports progress."""
    from lightning.pytorch import Callback, LightningModule, Trainer

    class Curves(Callback):
        def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            self.started = time.monotonic()

        def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            if not trainer.is_global_zero:
                return
            values = {name: float(value) for name, value in trainer.callback_metrics.items()}
            finite = {name: value for name, value in values.items() if math.isfinite(value)}
            if (trainer.current_epoch + 1) % (trainer.check_val_every_n_epoch or 1):  # those are the last validation's
                finite = {name: value for name, value in finite.items() if not name.startswith("val/")}
            rows = read_curves(path)
            rows = [row for row in rows if row["epoch"] <= trainer.current_epoch]
            seconds = round(time.monotonic() - self.started, 3)
            rows.append({"epoch": trainer.current_epoch + 1, "seconds": seconds, **finite})
            names = list(dict.fromkeys(name for row in rows for name in row))
            lines = [",".join(names)]
            lines += [",".join(f"{row[name]:.7g}" if name in row else "" for name in names) for row in rows]
            write_text(path, "\n".join(lines) + "\n")
            if progress is not None:
                progress(trainer.current_epoch + 1, trainer.max_epochs or 0, finite)

    return Curves()


def _time_limit(curves: Path, minutes: float | None) -> Any:
    """A callback that ends a run whose next epochs would end after its time; it comes after the one that keeps the curves.

    Time is that of the curves and not of a clock, so that a run that was resumed, even one that had ended, has no more.
    """
    from lightning.pytorch import Callback, LightningModule, Trainer

    class TimeLimit(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            self.check(trainer, trainer.current_epoch)

        def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            self.check(trainer, trainer.current_epoch + 1)

        def check(self, trainer: Trainer, done: int) -> None:
            every = trainer.check_val_every_n_epoch or 1
            if minutes is None or done == 0 or done % every:  # an epoch that is not validated cannot be chosen
                return
            late = training_seconds(curves) * (done + every) / done > 60 * minutes
            trainer.should_stop = trainer.strategy.broadcast(trainer.should_stop or late)

    return TimeLimit()


def training_seconds(path: Path | str) -> float:
    """Seconds that the epochs of a run took, those before a resume included."""
    return sum(row.get("seconds", 0.0) for row in read_curves(path))


def read_curves(path: Path | str) -> list[dict[str, float]]:
    """The rows of a run's `curves.csv`: epoch, its seconds, train and validation losses and validation scores."""
    path = Path(path)
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
