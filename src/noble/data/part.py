"""Reading one part of a store: what one generation drew, simulated and sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from noble.data.arrays import LARGEST_RATIO, GroupReader
from noble.data.facts import PartFacts, StoreFacts, part_facts
from noble.data.place import Place
from noble.data.plan import Plan
from noble.data.schema import (
    CHUNK_DIGESTS,
    FEATURES,
    INDEX,
    PAYLOAD_ARRAYS,
    PLAN_ARRAYS,
    SPIKE_OFFSETS,
    SPIKE_TIMES,
    VOLTAGE,
    VOLTAGE_ATTRIBUTES,
    bytes_sha256,
    canonical_sha256,
    chunk_key,
    unpack_chunk,
)
from noble.data.stimulus_table import Payloads, StimulusTable
from noble.spikes import THRESHOLD_MV, SpikeTrains

FINISH: Final = "run noble generate again to finish it."


@dataclass(frozen=True, eq=False)
class Index:
    """What seals a part: it is written when every chunk is there.

    Attributes:
        chunk_sha256: of the chunks' files, uint8, shape (chunks, 32).
        spikes: of every sample, ms.
        sealed: SHA-256 of everything else that the part says.
    """

    chunk_sha256: np.ndarray
    spikes: SpikeTrains
    sealed: str

    @property
    def content_sha256(self) -> str:
        """SHA-256 of its arrays."""
        return bytes_sha256(self.chunk_sha256, self.spikes.offsets, self.spikes.times_ms)


@dataclass(frozen=True, eq=False)
class Part:
    """One part, opened.

    Attributes:
        place: its folder; that of the store, in version 1.
        facts: its attributes.
        plan: its samples.
        chunk_rows: traces in a chunk.
        count: samples of a trace.
        index: None where it is not sealed, and in version 1, which has none.
    """

    place: Place
    facts: PartFacts
    plan: Plan
    chunk_rows: int
    count: int
    index: Index | None

    def __len__(self) -> int:
        return len(self.plan)

    @property
    def chunks(self) -> int:
        """How many there are when it is complete."""
        return -(-len(self) // self.chunk_rows)

    def rows_of(self, chunk: int) -> range:
        """Rows of one chunk."""
        return range(chunk * self.chunk_rows, min((chunk + 1) * self.chunk_rows, len(self)))

    def codes(self, chunk: int) -> np.ndarray:
        """Voltage codes of one chunk, int16, shape (traces, time).

        Raises:
            ValueError: if it is not there, is damaged, or is not the chunk that was written there.
        """
        return self.unpacked(chunk, self.content(chunk))

    def content(self, chunk: int) -> bytes:
        """The bytes of a chunk's file.

        Raises:
            ValueError: if it is not there, or is not the one that was written there.
        """
        content = self.place.read(chunk_key(chunk))
        if content is None:
            raise ValueError(f"voltage chunk {chunk} of {self.place} is missing; {FINISH}")
        if self.index is not None and bytes.fromhex(bytes_sha256(content)) != self.index.chunk_sha256[chunk].tobytes():
            raise ValueError(
                f"voltage chunk {chunk} of {self.place} is not the one that was written; delete its file and "
                "run noble generate again."
            )
        return content

    def unpacked(self, chunk: int, content: bytes) -> np.ndarray:
        """The codes in the bytes of a chunk's file."""
        claimed = 2 * self.chunk_rows * self.count
        try:
            if claimed > LARGEST_RATIO * len(content):
                raise ValueError(f"it has {len(content)} bytes, too few for {self.chunk_rows} traces")
            return unpack_chunk(content, self.chunk_rows, self.count)[: len(self.rows_of(chunk))]
        except ValueError as error:
            raise ValueError(
                f"voltage chunk {chunk} of {self.place} cannot be read ({error}); delete its file and "
                "run noble generate again."
            ) from error

    def written(self) -> set[int]:
        """Numbers of the chunks that are there; a chunk's file appears whole."""
        names = self.place.names(f"{VOLTAGE}/c")
        numbers = (int(name) for name in names if name.isascii() and name.isdigit())
        return {number for number in numbers if number < self.chunks and self.place.size(chunk_key(number)) > 0}


def open_part(group: GroupReader, store: StoreFacts, features_sha256: str) -> Part:
    """A part with its plan, verified as far as can be without its voltages.

    Raises:
        ValueError: if something is missing, damaged, or not what was written.
    """
    facts = part_facts(group.attributes, group.place)
    plan = _plan(group, facts)
    chunk_rows, count = _voltage_layout(group, len(plan), store)
    index = None if store.version == 1 else _index(group, len(plan), chunk_rows)
    part = Part(group.place, facts, plan, chunk_rows, count, index)
    if index is not None and index.sealed != seal(part, store, features_sha256):
        raise ValueError(f"the attributes or features of {group.place} are not those that were written with it.")
    return part


def seal(part: Part, store: StoreFacts, features_sha256: str) -> str:
    """SHA-256 of what decides the meaning of a part's voltages: attributes, plan and features."""
    return canonical_sha256(
        {
            "store": store.model_dump(mode="json"),
            "part": part.facts.model_dump(mode="json"),
            "layout": [len(part), part.chunk_rows, part.count],
            "voltage": VOLTAGE_ATTRIBUTES,
            "features": features_sha256,
        }
    )


def features_sha256(table: np.ndarray, described: Mapping[str, Any]) -> str:
    """SHA-256 of the features of the models, with their names and units."""
    return canonical_sha256(
        {"values": bytes_sha256(table), "names": list(described["names"]), "units": list(described["units"])}
    )


def _plan(group: GroupReader, facts: PartFacts) -> Plan:
    arrays = {name: group.values(name, dtype=dtype, axes=axes) for name, (dtype, axes) in PLAN_ARRAYS.items()}
    samples = arrays["model_index"].size
    if wrong := [name for name, values in arrays.items() if len(values) != samples]:
        raise ValueError(f"{', '.join(wrong)} of {group.place} have another number of samples than model_index.")
    if samples == 0:
        raise ValueError(f"{group.place} has no samples: it was damaged; generate it again.")
    payloads, references = Payloads(), np.full(samples, -1, dtype=np.int32)
    if any(kind.payload is not None for kind in facts.stimulus_kinds) and group.place.read(
        "stimulus_payload/zarr.json"
    ):
        found = {name: group.values(name, dtype=dtype, axes=axes) for name, (dtype, axes) in PAYLOAD_ARRAYS.items()}
        payloads = Payloads(found["stimulus_payload"], found["stimulus_payload_offsets"])
        references = found["stimulus_payload_index"]
    table = StimulusTable(
        facts.stimulus_kinds, arrays["stimulus_kind"], arrays["stimulus_parameters"], references, payloads
    )
    plan = Plan(table, arrays["model_index"], arrays["split"], arrays["seed"])
    # Zarr reads a chunk that is not there as fill values, so only the digest tells a lost file from zeros.
    if plan.digest != facts.plan_digest:
        raise ValueError(
            f"{group.place} has lost or changed a part of its plan; delete it and run noble generate again."
        )
    return plan


def _voltage_layout(group: GroupReader, samples: int, store: StoreFacts) -> tuple[int, int]:
    """Traces in a chunk, and samples of a trace."""
    array = group.array(VOLTAGE)
    expected = (samples, store.grid.count)
    if array.shape != expected:
        raise ValueError(f"voltage of {group.place} has shape {array.shape}; expected {expected}.")
    if array.dtype != np.int16:
        raise ValueError(f"voltage of {group.place} has dtype {array.dtype}; expected int16.")
    if array.chunks[1] != store.grid.count or array.chunks[0] < 1:
        raise ValueError(
            f"voltage of {group.place} has chunks {array.chunks}; expected whole traces of {store.grid.count} samples."
        )
    scale = {key: array.attrs.asdict().get(key) for key in VOLTAGE_ATTRIBUTES}
    if scale != VOLTAGE_ATTRIBUTES:
        raise ValueError(f"voltage of {group.place} has {scale}; expected {VOLTAGE_ATTRIBUTES}.")
    return array.chunks[0], store.grid.count


def _index(group: GroupReader, samples: int, chunk_rows: int) -> Index | None:
    """The seal of a part, if it has one."""
    place = group.place.at(INDEX)
    if place.read("zarr.json") is None:
        return None
    reader = GroupReader(place)
    digests = reader.values(CHUNK_DIGESTS, dtype="uint8", axes=2)
    trains = SpikeTrains(
        reader.values(SPIKE_TIMES, dtype="float64", axes=1), reader.values(SPIKE_OFFSETS, dtype="int64", axes=1)
    )
    index = Index(digests, trains, str(reader.attributes.get("sealed_sha256")))
    chunks = -(-samples // chunk_rows)
    if digests.shape != (chunks, 32) or trains.offsets.shape != (samples + 1,):
        raise ValueError(f"{place} is the index of another part; delete it and run noble generate again.")
    if index.content_sha256 != reader.attributes.get("content_sha256"):
        raise ValueError(f"{place} has lost or changed a part of it; delete it and run noble generate again.")
    return index


def index_attributes(index: Index) -> dict[str, Any]:
    """The attributes of the index's group."""
    return {"sealed_sha256": index.sealed, "content_sha256": index.content_sha256, "spike_threshold_mv": THRESHOLD_MV}


def model_features(group: GroupReader) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Features of every model, shape (models, features), their names and units.

    Raises:
        ValueError: if they are not finite, or not described.
    """
    table = group.values(FEATURES, dtype="float64", axes=2)
    described = group.array(FEATURES).attrs.asdict()
    names, units = described.get("names"), described.get("units")
    if not (isinstance(names, list) and isinstance(units, list) and len(names) == len(units) == table.shape[1]):
        raise ValueError(f"model_features of {group.place} has shape {table.shape}, names {names} and units {units}.")
    if not np.all(np.isfinite(table)):
        raise ValueError(f"{group.place} has model features that are not finite: it was damaged; generate it again.")
    return table, tuple(map(str, names)), tuple(map(str, units))
