"""Reading a store: traces in mV, their currents in nA, and where they come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import zarr

from noble.data.plan import Plan
from noble.data.schema import ARRAY_DTYPES, PLAN_DTYPES, SPLITS, check_schema, decode_voltage, written_chunks
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
    """A complete data set on disk; voltages are read when asked for, everything else on opening.

    Attributes:
        path: its folder.
        attributes: the group's attributes, as written.
        grid: instants of the traces, the window and its tail margin.
        protocol: onset, length and margin of the window.
        plan: kind and parameters of the stimulus, model, split and seed of every sample.
        feature_names, feature_units: shape (features,).
        feature_table: shape (models, features), float64, in those units.
        voltage: the Zarr array of int16 codes.
    """

    path: Path
    attributes: Mapping[str, Any]
    grid: TimeGrid
    protocol: Window
    plan: Plan
    feature_names: tuple[str, ...]
    feature_units: tuple[str, ...]
    feature_table: np.ndarray
    voltage: zarr.Array[Any]

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open a complete store for reading.

        Raises:
            ValueError: if there is none, it has another schema version, or it was cut short.
        """
        path = Path(path)
        group = open_group(path)
        attributes = attributes_of(group)
        check_schema(attributes, path)
        arrays = read_arrays(group, path)
        voltage, features = arrays["voltage"], arrays["model_features"]
        chunks, written = voltage.cdata_shape[0], len(written_chunks(path))
        if written < chunks:
            raise ValueError(f"{path} is cut short: {written} of {chunks} chunks are there; {_FINISH}")
        table, described = np.asarray(features[:]), attributes_of(features)
        if not np.all(np.isfinite(table)):
            raise ValueError(f"{path} has model features that are not finite: it was damaged; generate it again.")
        return cls(
            path=path,
            attributes=attributes,
            grid=TimeGrid(**attributes["grid"]),
            protocol=Window(**attributes["protocol"]),
            plan=verified_plan(arrays, attributes, path),
            feature_names=tuple(described["names"]),
            feature_units=tuple(described["units"]),
            feature_table=table,
            voltage=voltage,
        )

    def __len__(self) -> int:
        return len(self.plan)

    @property
    def model_index(self) -> np.ndarray:
        """Position in the hall and in `feature_table` of each sample's model, shape (samples,)."""
        return self.plan.model_index

    @property
    def digest(self) -> str:
        """SHA-256 of what decides the data (configuration, hall, plan), for the provenance of what is made from it."""
        return store_digest(self.attributes)

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
        """
        indices = self._checked(indices)
        voltage = np.empty((indices.size, self.grid.count), dtype=np.float32)
        size = self.voltage.chunks[0]
        for chunk in np.unique(indices // size):
            rows = np.flatnonzero(indices // size == chunk)
            codes = np.asarray(self.voltage[chunk * size : (chunk + 1) * size])
            voltage[rows] = decode_voltage(codes[indices[rows] - chunk * size])
        return voltage

    def current_na(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Injected currents of some samples on the grid, shape (samples, time), float32, nA."""
        indices = self._checked(indices)
        current = np.empty((indices.size, self.grid.count), dtype=np.float32)
        for row, index in enumerate(indices):
            current[row] = self.plan.stimulus(int(index)).sample(self.grid)
        return current

    def spikes(self, indices: Sequence[int] | np.ndarray) -> SpikeTrains:
        """Spike trains of some samples in the order asked for, ms from the first instant of the grid."""
        return SpikeTrains.detect(self.voltage_mv(indices), dt_ms=self.grid.dt_ms)

    def read(self, indices: Sequence[int] | np.ndarray) -> TraceRows:
        """Everything about some samples, in the order asked for; each chunk is read once."""
        rows = self._checked(indices)
        voltage = self.voltage_mv(rows)
        spikes = SpikeTrains.detect(voltage, dt_ms=self.grid.dt_ms)
        return TraceRows(rows, voltage, self.current_na(rows), spikes, self.model_index[rows])

    def by_chunk(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """These samples, ascending, in one array a chunk: what is cheapest to read at once."""
        rows = np.unique(self._checked(indices))
        return np.split(rows, np.flatnonzero(np.diff(self.chunk_of(rows))) + 1) if rows.size else []

    def chunk_of(self, indices: np.ndarray) -> np.ndarray:
        """Number of the chunk of each sample, same shape."""
        return np.asarray(indices) // self.voltage.chunks[0]

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

    def _checked(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Indices as int64, each a sample of this store."""
        checked = np.atleast_1d(np.asarray(indices))
        if checked.size == 0:
            return checked.astype(np.int64)
        if checked.dtype.kind not in "iu" or checked.min() < 0 or checked.max() >= len(self):
            raise ValueError(f"sample indices must be whole numbers from 0 to {len(self) - 1}; got {indices!r}.")
        return checked.astype(np.int64)


_FINISH = "run noble generate again to finish it."


def open_group(path: Path) -> zarr.Group:
    """The Zarr group at a path, read-only.

    Raises:
        ValueError: if there is none.
    """
    if not path.is_dir():
        raise ValueError(f"{path} is not a folder; expected a store made by `noble generate`.")
    try:
        return zarr.open_group(path, mode="r", zarr_format=3)
    except Exception as error:  # zarr raises many kinds for a folder without, or with unreadable, metadata
        raise ValueError(f"{path} is not a readable Zarr group; expected a store made by `noble generate`.") from error


def read_arrays(group: zarr.Group, path: Path) -> dict[str, zarr.Array[Any]]:
    """The arrays that the schema names.

    Raises:
        ValueError: if one is missing.
    """
    arrays: dict[str, zarr.Array[Any]] = {}
    for name in ARRAY_DTYPES:
        found = group.get(name)
        if not isinstance(found, zarr.Array):
            raise ValueError(f"{path} has no array {name}: it was cut short; {_FINISH}")
        arrays[name] = found
    return arrays


def read_plan(arrays: Mapping[str, zarr.Array[Any]]) -> Plan:
    """The plan of a store, in memory."""
    return Plan(**{name: np.asarray(arrays[name][:]) for name in PLAN_DTYPES})


def verified_plan(arrays: Mapping[str, zarr.Array[Any]], attributes: Mapping[str, Any], path: Path) -> Plan:
    """The plan of a store, if it is the one that was written.

    Zarr reads a chunk that is not there as fill values, so only the digest tells a lost file from zeros.

    Raises:
        ValueError: if a part of it was lost or changed.
    """
    plan = read_plan(arrays)
    if plan.digest != attributes["plan_digest"]:
        raise ValueError(f"{path} has lost or changed a part of its plan; delete it and run noble generate again.")
    return plan


def attributes_of(node: zarr.Group | zarr.Array[Any]) -> dict[str, Any]:
    """The attributes of a group or an array."""
    return cast("dict[str, Any]", node.attrs.asdict())


def store_digest(attributes: Mapping[str, Any]) -> str:
    """SHA-256 over configuration, hall and plan, as canonical JSON."""
    parts = {key: attributes[key] for key in ("schema", "schema_version", "config", "plan_digest")}
    parts["hall_digest"] = attributes["hall"]["digest"]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
