"""The folder of a run: who may write it, and the record of what is trained in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from noble.files import locked, read_json, write_json
from noble.train.checkpoint import has_checkpoint
from noble.train.config import TrainConfig

CHECKPOINTS: Final = "checkpoints"
RUN: Final = "train.json"

_DIGEST: Final = "store_digest"
# May be another when a run is resumed.
_FREE: Final = ("max_minutes",)


@contextmanager
def run_folder(folder: Path, config: TrainConfig, store_digest: str, *, resume: bool) -> Iterator[None]:
    """Hold a run's folder for this process alone, with the run's record in it.

    Args:
        folder: made if it is not there.
        config: configuration of the run.
        store_digest: digest of the store it learns from.
        resume: whether the run in the folder, if there is one, may go on.

    Raises:
        ValueError: if another process trains in the folder, or it holds a run and this is not its continuation.
    """
    with locked(folder, who="noble train"):
        _check(folder, config, store_digest, resume=resume)
        if not has_checkpoint(folder / CHECKPOINTS):  # of a run that ended before its first, nothing is worth keeping
            shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
        write_json(folder / RUN, _described(config, store_digest))
        yield


def other_settings(folder: Path, config: TrainConfig, store_digest: str) -> list[str]:
    """In what the run in a folder differs from a configuration and a store; nothing where there is no run."""
    record = folder / RUN
    if not record.exists():
        return []
    before, described = read_json(record, expected="the record of a training run"), _described(config, store_digest)
    if not isinstance(before, dict):
        raise ValueError(f"{record} is not the record of a training run; train into another folder.")
    # A key that the record lacks was added to the configuration since, and its default is what there was before.
    defaults = {name: field.default for name, field in type(config).model_fields.items()}
    return sorted(key for key in before | described if before.get(key, defaults.get(key)) != described.get(key, ...))


def _check(folder: Path, config: TrainConfig, store_digest: str, *, resume: bool) -> None:
    """Refuse a folder that is not this run's."""
    begun = has_checkpoint(folder / CHECKPOINTS)
    if not (folder / RUN).exists():
        if (folder / CHECKPOINTS).exists():
            raise ValueError(f"{folder} holds {CHECKPOINTS}/, which is of no run of ours; train into another folder.")
        return
    if begun and not resume:
        raise ValueError(f"{folder} holds a training run already; resume it, or train into another folder.")
    if resume and (different := [key for key in other_settings(folder, config, store_digest) if key not in _FREE]):
        raise ValueError(
            f"the run in {folder} was started with another {', '.join(different)}; resume it with its own "
            "configuration and store, or train into another folder."
        )


def _described(config: TrainConfig, store_digest: str) -> dict[str, Any]:
    """What a run's folder records of it."""
    return {**config.model_dump(mode="json"), _DIGEST: store_digest}
