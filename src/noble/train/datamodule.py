"""Training data in memory, in an order that depends on seed and epoch alone, so that a resumed run sees the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from noble.data import Store
from noble.features.catalogue import canonical
from noble.operator import FeatureSpec
from noble.spikes import spike_times_ms
from noble.traces import TimeGrid

_MODELS_STREAM: Final = 0x6D6F646C


@dataclass(frozen=True)
class Batch:
    """Traces on their way into a training step.

    Attributes:
        features: shape (batch, features), physical units.
        current_na: shape (batch, window and tail), nA.
        voltage_mv: shape (batch, window and tail), mV.
        spikes_ms: true spike times, filled up with infinity, shape (batch, spikes), ms.
        index: position of each trace in its split, shape (batch,).
    """

    features: Tensor
    current_na: Tensor
    voltage_mv: Tensor
    spikes_ms: Tensor
    index: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


class TraceSet(Dataset[int]):
    """Samples of a store in memory; items are positions among them, `gather` makes a batch of those."""

    def __init__(self, store: Store, indices: np.ndarray, *, features: tuple[str, ...]) -> None:
        voltage_mv = store.voltage_mv(indices)
        table = store.feature_table[store.model_index[indices]][:, _columns(store, features)]
        self.features = torch.as_tensor(table, dtype=torch.float32)
        self.voltage_mv = torch.as_tensor(voltage_mv)
        self.current_na = torch.as_tensor(store.current_na(indices))
        self.spikes_ms = _spike_table(voltage_mv, dt_ms=store.grid.dt_ms)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: int) -> int:
        return index

    def gather(self, indices: list[int]) -> Batch:
        """The collate function."""
        index = torch.as_tensor(indices)
        return Batch(self.features[index], self.current_na[index], self.voltage_mv[index], self.spikes_ms[index], index)


def _columns(store: Store, features: tuple[str, ...]) -> list[int]:
    features = tuple(canonical(name) for name in features)  # configurations may have the former names
    if missing := [name for name in features if name not in store.feature_names]:
        raise ValueError(
            f"the store has no model feature {', '.join(missing)}; it knows {', '.join(store.feature_names)}."
        )
    return [store.feature_names.index(name) for name in features]


def _spike_table(voltage_mv: np.ndarray, *, dt_ms: float) -> Tensor:
    trains = [spike_times_ms(row, dt_ms=dt_ms) for row in voltage_mv]
    table = np.full((len(trains), max(1, max((train.size for train in trains), default=0))), np.inf, dtype=np.float32)
    for row, train in zip(table, trains, strict=True):
        row[: train.size] = train
    return torch.as_tensor(table)


class SeededShuffle(Sampler[int]):
    """A permutation drawn from (seed, epoch); Lightning tells the epoch."""

    def __init__(self, count: int, *, seed: int) -> None:
        self._count, self._seed, self._epoch = count, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.default_rng([self._seed, self._epoch]).permutation(self._count).tolist())


class StoreData(LightningDataModule):
    """Training and validation splits of a store.

    Args:
        path: of the store.
        features: names of the model features that address a neuron; None for all in which the training models differ.
        batch_size: traces a step.
        validation_limit: most validation traces used.
        seed: of the order.
        models, traces: how many to learn from, as in `TrainConfig`; None is all. Validation is on the same models.

    Raises:
        ValueError: for more models or traces than the store has.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        features: tuple[str, ...] | None,
        batch_size: int,
        validation_limit: int,
        seed: int,
        models: int | None = None,
        traces: int | None = None,
    ) -> None:
        super().__init__()
        self.store = Store.open(path)
        self._batch_size, self._seed = batch_size, seed
        self._models = self._drawn_models(models, seed)
        self._indices = {
            "train": self._of_models("train", traces),
            "validation": self._of_models("validation", None)[:validation_limit],
        }
        self._features = self._telling() if features is None else features
        self._train: TraceSet | None = None
        self._validation: TraceSet | None = None

    @property
    def window(self) -> TimeGrid:
        """The training window: the store's grid without its tail margin."""
        return TimeGrid.spanning(self.store.protocol.window_ms, dt_ms=self.store.grid.dt_ms)

    def feature_spec(self) -> FeatureSpec:
        """Names, units and range of the features over the models that occur in the training split, and only those."""
        columns = _columns(self.store, self._features)
        units = [self.store.feature_units[column] for column in columns]
        return FeatureSpec.fit(self._training_table()[:, columns], self._features, units)

    @property
    def models(self) -> tuple[int, ...]:
        """Indices of the models that are learned from, in order."""
        return tuple(sorted(self._models.tolist()))

    def _drawn_models(self, count: int | None, seed: int) -> np.ndarray:
        """Indices of the models to learn from."""
        models = np.unique(self.store.model_index[self.store.indices("train")])
        if count is not None and count > len(models):
            raise ValueError(
                f"{count} models are to be learned from, but the store's training split has {len(models)}; ask for fewer."
            )
        # Another stream than that of the order of traces.
        return np.random.default_rng([seed, _MODELS_STREAM]).permutation(models)[:count]

    def _of_models(self, split: str, count: int | None) -> np.ndarray:
        """Samples of a split that belong to those models, the first `count` of them."""
        indices = self.store.indices(split)
        indices = indices[np.isin(self.store.model_index[indices], self._models)]
        if count is not None and count > len(indices):
            raise ValueError(
                f"{count} traces are to be learned from, but {len(self._models)} models have {len(indices)} in the {split} "
                "split; ask for fewer."
            )
        return indices[:count]

    def _training_table(self) -> np.ndarray:
        """All features of the models that occur among the training traces, shape (models, features)."""
        return self.store.feature_table[np.unique(self.store.model_index[self._indices["train"]])]

    def _telling(self) -> tuple[str, ...]:
        """Features in which the training models differ."""
        table = self._training_table()
        if not len(table):
            return tuple(self.store.feature_names)
        if not np.any(np.ptp(table, axis=0) > 0):
            raise ValueError(
                f"the {len(table)} training models do not differ in any feature; train on at least two that do."
            )
        return tuple(
            name for name, spread in zip(self.store.feature_names, np.ptp(table, axis=0), strict=True) if spread > 0
        )

    def setup(self, stage: str) -> None:
        """Read both splits, once."""
        if self._train is None:
            self._train, self._validation = (
                TraceSet(self.store, self._indices[split], features=self._features) for split in ("train", "validation")
            )

    @property
    def training(self) -> TraceSet:
        """The training split, once it has been read."""
        assert self._train is not None
        return self._train

    def train_dataloader(self) -> DataLoader[int]:
        """Shuffled by seed and epoch."""
        assert self._train is not None
        return DataLoader(
            self._train,
            batch_size=self._batch_size,
            sampler=SeededShuffle(len(self._train), seed=self._seed),
            collate_fn=self._train.gather,
        )

    def val_dataloader(self) -> DataLoader[int]:
        """In order."""
        assert self._validation is not None
        return DataLoader(self._validation, batch_size=self._batch_size, collate_fn=self._validation.gather)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Lightning does not know our `Batch`."""
        return batch.to(device)


def shifted_window(batch: Batch, shift: Tensor, *, window: TimeGrid) -> Batch:
    """The window of each trace, its onset moved by a number of samples.

    A trace moved later is continued to the left by its first sample, which is rest; one moved earlier ends in the tail.

    Args:
        batch: with the tail margin.
        shift: samples, shape (batch,); positive is later.
        window: of training.
    """
    index = (torch.arange(window.count, device=shift.device)[None] - shift[:, None]).clamp(min=0)
    spikes = batch.spikes_ms + (shift * window.dt_ms)[:, None]
    inside = (spikes >= 0) & (spikes < (window.count - 1) * window.dt_ms)
    # Sorted, since a cell that fires before the onset can lose its first spikes at the start of the window.
    return Batch(
        batch.features,
        batch.current_na.gather(1, index),
        batch.voltage_mv.gather(1, index),
        torch.where(inside, spikes, torch.inf).sort(dim=1).values,
        batch.index,
    )
