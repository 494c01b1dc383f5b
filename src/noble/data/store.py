"""Reading a store: traces in mV, their currents in nA and their spikes, and where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from noble.data.arrays import GroupReader
from noble.data.facts import StoreFacts, store_facts
from noble.data.part import FINISH, Part, features_sha256, model_features, open_part
from noble.data.place import Place
from noble.data.plan import Plan
from noble.data.schema import SCHEMA_NAME, SPLITS, canonical_sha256, decode_voltage
from noble.features.catalogue import canonical
from noble.protocols import Window
from noble.spikes import SpikeTrains
from noble.stimuli import Stimulus
from noble.traces import TimeGrid


@dataclass(frozen=True, eq=False)
class TraceRows:
    """Some samples of a store, read.

    Attributes:
        rows: shape (traces,), their positions in the store.
        voltage_mv: shape (traces, time), float32, mV.
        current_na: shape (traces, time), float32, nA.
        spikes: their spike trains, ms on the store's grid.
        model_index: shape (traces,), positions in the feature table.
    """

    rows: np.ndarray
    voltage_mv: np.ndarray
    current_na: np.ndarray
    spikes: SpikeTrains
    model_index: np.ndarray

    def __len__(self) -> int:
        return self.rows.size

    def take(self, positions: np.ndarray) -> TraceRows:
        """Some of them, in this order."""
        return TraceRows(
            self.rows[positions],
            self.voltage_mv[positions],
            self.current_na[positions],
            self.spikes.take(positions),
            self.model_index[positions],
        )


@dataclass(frozen=True, eq=False)
class Store:
    """A complete data set; voltages are read when asked for, everything else on opening.

    Attributes:
        place: where it lies.
        facts: what its parts share.
        parts: one for each generation.
        feature_names, feature_units: shape (features,).
        feature_table: shape (models, features), float64, in those units.
    """

    place: Place
    facts: StoreFacts
    parts: tuple[Part, ...]
    feature_names: tuple[str, ...]
    feature_units: tuple[str, ...]
    feature_table: np.ndarray

    @classmethod
    def open(cls, path: str | Path | Place) -> Store:
        """Open a complete store for reading.

        Args:
            path: its folder, or its URL.

        Raises:
            ValueError: if there is none, it cannot be read, was damaged, or was cut short.
        """
        store = open_unchecked(Place.of(path))
        for part in store.parts:
            written = len(part.written())
            if written < part.chunks:
                raise ValueError(f"{part.place} is cut short: {written} of {part.chunks} chunks are there; {FINISH}")
            if part.index is None and store.facts.version > 1:
                raise ValueError(f"{part.place} is cut short: its index is not there; {FINISH}")
        return store

    def __len__(self) -> int:
        return len(self.plan)

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.indices(split).size} {split}" for split in SPLITS)
        return f"Store({self.place}: {self.facts.hall.models} models of {self.facts.cell}, {counts})"

    @property
    def path(self) -> Path:
        """Its folder; only of a local store."""
        return self.place.path

    @property
    def grid(self) -> TimeGrid:
        """Instants of the traces: the window and its tail margin."""
        return self.facts.grid

    @property
    def protocol(self) -> Window:
        """Onset, length and margin of the window."""
        return self.facts.protocol

    @cached_property
    def plan(self) -> Plan:
        """Stimulus, model, split and seed of every sample."""
        return Plan.join([part.plan for part in self.parts])

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """Attributes of the store and of its first part, JSON-ready; `appended` has the configurations of the others."""
        first, *others = (part.facts.model_dump(mode="json") for part in self.parts)
        shared = self.facts.model_dump(mode="json", by_alias=True)
        first["stimulus_kinds"] = [kind.to_dict() for kind in self.parts[0].facts.stimulus_kinds]
        return {**shared, **first, **({"appended": [part["config"] for part in others]} if others else {})}

    @property
    def model_index(self) -> np.ndarray:
        """Position in the hall and in `feature_table` of each sample's model, shape (samples,)."""
        return self.plan.model_index

    @property
    def digest(self) -> str:
        """SHA-256 of what decides the data (configurations, hall, plans), for the provenance of what is made from it.

        A store of version 1 keeps its digest when it is migrated.
        """
        digests = [
            canonical_sha256(
                {
                    "schema": SCHEMA_NAME,
                    "schema_version": 1,
                    "config": part.facts.config,
                    "plan_digest": part.facts.plan_digest,
                    "hall_digest": self.facts.hall.digest,
                }
            )
            for part in self.parts
        ]
        return digests[0] if len(digests) == 1 else canonical_sha256(digests)

    def indices(self, split: str) -> np.ndarray:
        """Samples of a split, ascending, int64.

        Raises:
            ValueError: if there is no such split.
        """
        if split not in SPLITS:
            raise ValueError(f"split {split!r} is unknown; expected one of {', '.join(SPLITS)}.")
        return np.flatnonzero(self.plan.split == SPLITS.index(split))

    def stimulus(self, index: int) -> Stimulus:
        """The stimulus of one sample."""
        return self.plan.stimulus(int(self._checked([index])[0]))

    def voltage_mv(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Voltages of some samples in the order asked for, shape (samples, time), float32, mV.

        Each chunk is read once, so samples that are neighbours in the store are cheapest.

        Raises:
            ValueError: if a chunk is damaged, or is not the one that was written.
        """
        rows = self._checked(indices)
        voltage = np.empty((rows.size, self.grid.count), dtype=np.float32)
        numbers = self.chunk_of(rows)
        for number in np.unique(numbers):
            part = int(np.searchsorted(self._first_chunks, number, side="right")) - 1
            chunk = int(number - self._first_chunks[part])
            positions = np.flatnonzero(numbers == number)
            within = rows[positions] - self._first_rows[part] - chunk * self.parts[part].chunk_rows
            voltage[positions] = decode_voltage(self.parts[part].codes(chunk)[within])
        return voltage

    def current_na(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Injected currents of some samples on the grid, shape (samples, time), float32, nA."""
        rows = self._checked(indices)
        current = np.empty((rows.size, self.grid.count), dtype=np.float32)
        for position, row in enumerate(rows):
            current[position] = self.plan.stimulus(int(row)).sample(self.grid)
        return current

    def spikes(self, indices: Sequence[int] | np.ndarray) -> SpikeTrains:
        """Spike trains of some samples in the order asked for, ms from the first instant of the grid.

        Read from the index, or, in a store of version 1, found in the voltages.
        """
        rows = self._checked(indices)
        if self._stored_spikes is None:
            return SpikeTrains.detect(self.voltage_mv(rows), dt_ms=self.grid.dt_ms)
        return self._stored_spikes.take(rows)

    def read(self, indices: Sequence[int] | np.ndarray) -> TraceRows:
        """Everything about some samples, in the order asked for; each chunk is read once."""
        rows = self._checked(indices)
        voltage = self.voltage_mv(rows)
        stored = self._stored_spikes
        spikes = SpikeTrains.detect(voltage, dt_ms=self.grid.dt_ms) if stored is None else stored.take(rows)
        return TraceRows(rows, voltage, self.current_na(rows), spikes, self.model_index[rows])

    def by_chunk(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """These samples, ascending, in one array a chunk: what is cheapest to read at once."""
        rows = np.unique(self._checked(indices))
        return np.split(rows, np.flatnonzero(np.diff(self.chunk_of(rows))) + 1) if rows.size else []

    def chunk_of(self, indices: np.ndarray) -> np.ndarray:
        """Number of the chunk of each sample, counted over all parts, same shape."""
        rows = np.asarray(indices)
        part = np.searchsorted(self._first_rows, rows, side="right") - 1
        sizes = np.array([part.chunk_rows for part in self.parts])
        return self._first_chunks[part] + (rows - self._first_rows[part]) // sizes[part]

    def batches(self, split: str, *, most: int | None = None) -> Iterator[TraceRows]:
        """A split from its first sample to its last, one chunk in memory at a time, each read once.

        Args:
            split: its name.
            most: largest number of traces in a batch; None means whole chunks.
        """
        for rows in self.by_chunk(self.indices(split)):
            batch = self.read(rows)
            size = most or len(batch)
            for start in range(0, len(batch), size):
                yield batch.take(np.arange(start, min(start + size, len(batch))))

    @cached_property
    def _first_rows(self) -> np.ndarray:
        return np.cumsum([0, *(len(part) for part in self.parts[:-1])])

    @cached_property
    def _first_chunks(self) -> np.ndarray:
        return np.cumsum([0, *(part.chunks for part in self.parts[:-1])])

    @cached_property
    def _stored_spikes(self) -> SpikeTrains | None:
        trains = [part.index.spikes for part in self.parts if part.index is not None]
        if len(trains) < len(self.parts):
            return None
        return trains[0] if len(trains) == 1 else SpikeTrains.join(trains)

    def _checked(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Indices as int64, each a sample of this store."""
        checked = np.atleast_1d(np.asarray(indices))
        if checked.size == 0:
            return checked.astype(np.int64)
        if checked.dtype.kind not in "iu" or checked.min() < 0 or checked.max() >= len(self):
            raise ValueError(f"sample indices must be whole numbers from 0 to {len(self) - 1}; got {indices!r}.")
        return checked.astype(np.int64)


def open_unchecked(place: Place) -> Store:
    """A store that need not be complete.

    Raises:
        ValueError: if there is none, it cannot be read, or was damaged.
    """
    group = GroupReader(place)
    facts = store_facts(group.attributes, place)
    table, names, units = model_features(group)
    if len(table) != facts.hall.models:
        raise ValueError(f"{place} has features of {len(table)} models; its hall has {facts.hall.models}.")
    features = features_sha256(table, {"names": names, "units": units})
    groups = [group] if facts.version == 1 else [GroupReader(part) for part in part_places(place)]
    if facts.version > 1:
        GroupReader(place.at("parts"))  # which other Zarr readers need
    if not groups:
        raise ValueError(f"{place} has no parts: it was cut short; {FINISH}")
    parts = tuple(open_part(reader, facts, features) for reader in groups)
    # Stores of older releases have features under their former names.
    return Store(place, facts, parts, tuple(map(canonical, names)), units, table)


def part_places(place: Place) -> list[Place]:
    """The parts of a store of version 2, in order."""
    numbers = sorted(int(name) for name in place.names("parts") if name.isascii() and name.isdigit())
    found = [place.at(f"parts/{number}") for number in numbers]
    return [part for part in found if part.read("zarr.json") is not None]


def is_complete(path: str | Path | Place) -> bool:
    """Whether there is a store at a place that is complete, so that nothing remains to simulate."""
    try:
        Store.open(path)
    except ValueError:
        return False
    return True
