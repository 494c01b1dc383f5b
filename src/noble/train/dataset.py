"""What a run learns from: some models and traces of one store or several, addressed by some features."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property, reduce
from pathlib import Path
from typing import Final

import numpy as np

from noble.data import StimulusMix, Store
from noble.features import canonical
from noble.operator import FeatureSpec, Scope
from noble.operator.scope import RANGED_SHARES
from noble.traces import TimeGrid
from noble.train.stream import TraceSet, TraceSets, bytes_of

_MODELS_STREAM: Final = 0x6D6F646C
_CURRENTS_LOOKED_AT: Final = 4000


class StoreData:
    """Training and validation splits of stores; traces are read when they are first asked for.

    Several stores hold traces of the same models, for example windows of another length. What they are one by one is
    asked of the first.

    Args:
        paths: the store's, or those of several.
        features: names or aliases of the model features that identify a neuron; None for all in which the training models
            differ.
        validation_limit: most validation traces used; fewer than there are come evenly from the whole split, so that every
            part of a store that was appended to has its share. Several stores share it by their numbers of traces.
        seed: seed of the run, which draws the models.
        models, traces: how many to learn from, as in `TrainConfig`; None is all. Validation is on the same models.
        memory_gb: as in `TrainConfig`; several stores share it by their size.

    Raises:
        ValueError: for more models or traces than the store has, or for stores of different models.
    """

    def __init__(
        self,
        paths: Path | str | Sequence[Path | str],
        *,
        features: tuple[str, ...] | None,
        validation_limit: int,
        seed: int,
        models: int | None = None,
        traces: int | None = None,
        memory_gb: float = 1.0,
    ) -> None:
        listed = [paths] if isinstance(paths, str | Path) else list(paths)
        self.stores = tuple(Store.open(path) for path in listed)
        self.store = self.stores[0]
        _check_alike(self.stores)
        if traces is not None and len(self.stores) > 1:
            raise ValueError(
                f"traces is {traces}, but there are {len(self.stores)} stores to take them from; give one."
            )
        self._memory_bytes = memory_gb * 1e9
        self._models = self._drawn_models(models, seed)
        self.training_indices = tuple(self._of_models(store, "train", traces) for store in self.stores)
        validation = [self._of_models(store, "validation", None) for store in self.stores]
        shares = _shares(validation_limit, [len(indices) for indices in validation])
        self.validation_indices = tuple(map(evenly_spread, validation, shares))
        self._features = self.varying_features() if features is None else tuple(canonical(name) for name in features)

    @property
    def window(self) -> TimeGrid:
        """The training window: the store's grid without its tail margin."""
        return training_window(self.store)

    @property
    def digest(self) -> str:
        """Of the store, or of the digests of several."""
        if len(self.stores) == 1:
            return self.store.digest
        return hashlib.sha256(" ".join(store.digest for store in self.stores).encode()).hexdigest()

    @property
    def models(self) -> tuple[int, ...]:
        """Indices of the models that are learned from, in order."""
        return tuple(sorted(self._models.tolist()))

    def scope(self) -> Scope:
        """The currents that are learned from: by the configuration if it tells their range, else as they were drawn.

        Of more than 4,000 drawn currents as many are looked at, evenly spread.
        """
        return reduce(Scope.united, map(_scope_of, self.stores, self.training_indices))

    @cached_property
    def training(self) -> TraceSet | TraceSets:
        """The traces that are learned from."""
        return self._traces(self.training_indices)

    @cached_property
    def validation(self) -> TraceSet | TraceSets:
        """The traces that choose the epoch."""
        return self._traces(self.validation_indices)

    def load(self) -> None:
        """Read the traces of both splits that are to be in memory."""
        self.training.load()
        self.validation.load()

    def feature_spec(self) -> FeatureSpec:
        """Names, units and range of the features over the models that occur in the training split, and only those."""
        columns = self._columns()
        units = [self.store.feature_units[column] for column in columns]
        return FeatureSpec.fit(self._training_table()[:, columns], self._features, units)

    def varying_features(self) -> tuple[str, ...]:
        """Features in which the training models differ.

        Raises:
            ValueError: if there are none.
        """
        names, table = self.store.feature_names, self._training_table()
        if not len(table):
            return tuple(names)
        spread = np.ptp(table, axis=0)
        if not np.any(spread > 0):
            raise ValueError(
                f"the {len(table)} training models do not differ in any feature; train on at least two that do."
            )
        return tuple(name for name, width in zip(names, spread, strict=True) if width > 0)

    def _traces(self, indices: Sequence[np.ndarray]) -> TraceSet | TraceSets:
        sizes = np.array(list(map(bytes_of, self.stores, indices)))
        memory = self._memory_bytes * sizes / max(1, sizes.sum()) if sizes.sum() > self._memory_bytes else sizes
        sets = [
            TraceSet(store, chosen, columns=self._columns(), window=training_window(store), memory_bytes=float(allowed))
            for store, chosen, allowed in zip(self.stores, indices, memory, strict=True)
        ]
        return sets[0] if len(sets) == 1 else TraceSets(sets)

    def _columns(self) -> list[int]:
        known = self.store.feature_names
        if missing := [name for name in self._features if name not in known]:
            raise ValueError(f"the store has no model feature {', '.join(missing)}; it knows {', '.join(known)}.")
        return [known.index(name) for name in self._features]

    def _drawn_models(self, count: int | None, seed: int) -> np.ndarray:
        """Indices of the models to learn from."""
        models = np.unique(self.store.model_index[self.store.indices("train")])
        if count is not None and count > len(models):
            raise ValueError(
                f"{count} models are to be learned from, but the store's training split has {len(models)}; ask for fewer."
            )
        # Another stream than that of the order of traces.
        return np.random.default_rng([seed, _MODELS_STREAM]).permutation(models)[:count]

    def _of_models(self, store: Store, split: str, count: int | None) -> np.ndarray:
        """Samples of a split that belong to those models, the first `count` of them."""
        indices = store.indices(split)
        indices = indices[np.isin(store.model_index[indices], self._models)]
        if count is not None and count > len(indices):
            raise ValueError(
                f"{count} traces are to be learned from, but {len(self._models)} models have {len(indices)} in the {split} "
                "split; ask for fewer."
            )
        return indices[:count]

    def _training_table(self) -> np.ndarray:
        """All features of the models that occur among the training traces, shape (models, features)."""
        return self.store.feature_table[np.unique(self.store.model_index[self.training_indices[0]])]


def training_window(store: Store) -> TimeGrid:
    """A store's grid without its tail margin."""
    return TimeGrid.spanning(store.protocol.window_ms, dt_ms=store.grid.dt_ms)


def _scope_of(store: Store, indices: np.ndarray) -> Scope:
    generation = store.attributes["config"]
    shares = StimulusMix.model_validate(generation["mix"]).shares
    if RANGED_SHARES.issuperset(name for name, share in shares.items() if share):
        return Scope.of_generation(generation)
    stimuli = (store.stimulus(index) for index in evenly_spread(indices, _CURRENTS_LOOKED_AT).tolist())
    return Scope.of_stimuli(stimuli, store.grid, duration_ms=store.protocol.window_ms)


def _check_alike(stores: Sequence[Store]) -> None:
    """Refuse stores that cannot be learned from together."""
    first = stores[0]
    for other in stores[1:]:
        same = {
            "features": (first.feature_names, first.feature_units) == (other.feature_names, other.feature_units),
            "models": np.array_equal(first.feature_table, other.feature_table)
            and first.attributes["splits"] == other.attributes["splits"],
            "sampling interval": first.grid.dt_ms == other.grid.dt_ms,
        }
        if different := [name for name, equal in same.items() if not equal]:
            raise ValueError(
                f"{other.place} has another {', '.join(different)} than {first.place}; generate both from one hall, split by "
                "one seed, with one dt_ms."
            )


def _shares(limit: int, counts: Sequence[int]) -> list[int]:
    """How a limit is shared by some counts: as they are, but at least one of each."""
    total = max(1, sum(counts))
    return [max(1, limit * count // total) for count in counts]


def evenly_spread(indices: np.ndarray, limit: int) -> np.ndarray:
    """At most `limit` of some indices at equal distances, the first among them: element `floor(k n / limit)` for each k."""
    count = len(indices)
    return indices if count <= limit else indices[np.arange(limit) * count // limit]
