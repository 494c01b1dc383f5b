"""Writing the groups of a store: the store with its first part, further parts, and the index that seals a part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from noble.cells.hall import HallOfFame
from noble.data.arrays import GroupFiles
from noble.data.config import GenerationConfig
from noble.data.facts import installed_versions
from noble.data.part import Index, Part, index_attributes, seal
from noble.data.place import Place
from noble.data.plan import Plan
from noble.data.schema import (
    CHUNK_DIGESTS,
    FEATURES,
    INDEX,
    SCHEMA_NAME,
    SCHEMA_VERSION,
    SPIKE_OFFSETS,
    SPIKE_TIMES,
    SPLITS,
    VOLTAGE,
    VOLTAGE_ATTRIBUTES,
    VOLTAGE_MISSING,
)
from noble.data.store import Store, part_places
from noble.data.workers import Written, described_chunk
from noble.features.catalogue import unit_of
from noble.spikes import SpikeTrains


@dataclass(frozen=True, eq=False)
class PartDraft:
    """A part before it is written.

    Attributes:
        attributes: of its group.
        plan: its samples.
        chunk_rows: traces in a chunk.
        count: samples of a trace.
    """

    attributes: Mapping[str, Any]
    plan: Plan
    chunk_rows: int
    count: int

    @classmethod
    def of(cls, config: GenerationConfig, plan: Plan) -> PartDraft:
        """What a configuration asks for."""
        attributes = {
            "seed": config.seed,
            "config": config.identity(),
            "stimulus_kinds": [kind.to_dict() for kind in plan.stimuli.kinds],
            "plan_digest": plan.digest,
            "versions": installed_versions(),
        }
        return cls(attributes, plan, config.chunk_traces, config.window.simulated_grid.count)

    @property
    def files(self) -> dict[str, bytes]:
        """All but the voltages."""
        group = GroupFiles(self.attributes)
        for name, values in self.plan.arrays.items():
            group.add(name, values)
        shape = (len(self.plan), self.count)
        group.describe(VOLTAGE, shape, self.chunk_rows, VOLTAGE_MISSING, VOLTAGE_ATTRIBUTES)
        return group.files


def store_attributes(config: GenerationConfig, hall: HallOfFame) -> dict[str, Any]:
    """The attributes of a store's group, JSON-ready."""
    grid = config.window.simulated_grid
    return {
        "schema": SCHEMA_NAME,
        "schema_version": SCHEMA_VERSION,
        "grid": {"dt_ms": grid.dt_ms, "count": grid.count},
        "protocol": config.window.to_dict(),
        "splits": list(SPLITS),
        "cell": hall.cell.name,
        "hall": {
            "name": hall.name,
            "digest": hall.digest,
            "models": len(hall),
            "train": [int(index) for index in hall.train],
            "held_out": [int(index) for index in hall.held_out],
            **({"holding_na": hall.cell.holding_na} if hall.cell.holding_na else {}),
        },
    }


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of every model.

    Attributes:
        names, units: shape (features,).
        values: float64, shape (models, features).
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray

    @classmethod
    def of(cls, hall: HallOfFame) -> FeatureTable:
        """The features that every model of a hall has, in the first model's order.

        Raises:
            ValueError: if one is not finite.
        """
        first, *others = hall.models
        names = tuple(name for name in first.features if all(name in model.features for model in others))
        table = np.asarray(hall.feature_table(names), dtype=np.float64).reshape(len(hall), len(names))
        if not np.all(np.isfinite(table)):
            model, column = np.argwhere(~np.isfinite(table))[0]
            raise ValueError(
                f"hall {hall.name} has {names[column]} = {table[model, column]} for model {model}; every feature must be a "
                "finite number. Measure it again, or leave the model or the feature out of the hall."
            )
        return cls(names, tuple(unit_of(name) for name in names), table)


def create_store(place: Place, attributes: Mapping[str, Any], features: FeatureTable, part: PartDraft) -> None:
    """Write everything but the voltages; locally the store appears with its plan or does not exist."""
    group = GroupFiles(attributes)
    group.add(FEATURES, features.values, {"names": list(features.names), "units": list(features.units)})
    files = {"parts/zarr.json": GroupFiles({}).files["zarr.json"]}
    files |= {f"parts/0/{name}": content for name, content in part.files.items()}
    place.write_group("", files | group.files)


def append_part(place: Place, part: PartDraft) -> None:
    """Write a further part of a store, all but its voltages."""
    place.write_group(f"parts/{len(part_places(place))}", part.files)


def write_index(store: Store, part: Part, written: Mapping[int, Written], features_sha256: str) -> None:
    """Seal a part whose chunks are all there.

    Args:
        store: that it belongs to.
        part: the part.
        written: what is known of its chunks, by number; the rest is read.
        features_sha256: of the store's features.
    """
    digests = np.empty((part.chunks, 32), dtype=np.uint8)
    trains: list[SpikeTrains] = []
    for chunk in range(part.chunks):
        known = written.get(chunk) or known_chunk(part, chunk, dt_ms=store.grid.dt_ms)
        digests[chunk] = np.frombuffer(known.sha256, dtype=np.uint8)
        trains.append(known.spikes)
    index = Index(digests, SpikeTrains.join(trains), seal(part, store.facts, features_sha256))
    group = GroupFiles(index_attributes(index))
    group.add(CHUNK_DIGESTS, index.chunk_sha256)
    group.add(SPIKE_OFFSETS, index.spikes.offsets)
    group.add(SPIKE_TIMES, index.spikes.times_ms, {"unit": "ms"})
    part.place.remove_group(INDEX)
    part.place.write_group(INDEX, group.files)


def known_chunk(part: Part, chunk: int, *, dt_ms: float) -> Written:
    """What the index says of a chunk, or, without one, the chunk itself."""
    if part.index is not None:
        rows = part.rows_of(chunk)
        spikes = part.index.spikes.take(np.arange(rows.start, rows.stop))
        return Written(part.index.chunk_sha256[chunk].tobytes(), spikes)
    content = part.content(chunk)
    return described_chunk(content, part.unpacked(chunk, content), dt_ms=dt_ms)
