"""Stimuli as numbers: a table of kinds and parameters, and beside it what does not fit into one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

import numpy as np

from noble.stimuli import Kind, Stimulus, from_dict, kind_named, todays_name

# A payload is an array of float64, or a description in JSON.
_ARRAY_DTYPE: Final = "<f8"


@dataclass(frozen=True)
class StoredKind:
    """How a table keeps the stimuli of one kind.

    Attributes:
        name: of the kind.
        parameters: names of the numbers in a row, in order; the rest of the row is NaN.
        payload: what else there is: nothing, the name of the parameter that is an array, or "description".
    """

    name: str
    parameters: tuple[str, ...]
    payload: str | None = None

    @classmethod
    def of(cls, kind: Kind) -> StoredKind:
        """As the kind says that a store keeps it."""
        return cls(kind.name, () if kind.described else kind.columns, "description" if kind.described else kind.array)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; one without a payload is written as version 1 wrote it."""
        described: dict[str, Any] = {"name": self.name, "parameters": list(self.parameters)}
        return described | ({} if self.payload is None else {"payload": self.payload})


def stored_kind(name: str) -> StoredKind:
    """How a table keeps a kind, by its name."""
    return StoredKind.of(kind_named(name))


# These have the codes 0 to 3 in every store, so that plans of them are the same bytes in all versions.
FIRST_KINDS: Final = ("Step", "Ramp", "Chirp", "OrnsteinUhlenbeck")
LEAST_COLUMNS: Final = 6
_NO_PAYLOAD: Final = -1


@dataclass(frozen=True, eq=False)
class Payloads:
    """Distinct pieces of bytes, one after the other; stimuli refer to them by number.

    Attributes:
        content: uint8, shape (bytes,).
        offsets: int64, shape (pieces + 1,).
    """

    content: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.uint8))
    offsets: np.ndarray = field(default_factory=lambda: np.zeros(1, dtype=np.int64))

    def __len__(self) -> int:
        return self.offsets.size - 1

    def __getitem__(self, index: int) -> bytes:
        if not 0 <= index < len(self):
            raise ValueError(f"payload {index} is not there; there are {len(self)}.")
        start, stop = int(self.offsets[index]), int(self.offsets[index + 1])
        if not 0 <= start <= stop <= self.content.size:
            raise ValueError(f"payload {index} runs from byte {start} to {stop} of {self.content.size}.")
        return self.content[start:stop].tobytes()

    @classmethod
    def of(cls, pieces: Sequence[bytes]) -> Payloads:
        """Some pieces."""
        sizes = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
        return cls(np.frombuffer(b"".join(pieces), dtype=np.uint8), sizes)


@dataclass(frozen=True, eq=False)
class StimulusTable:
    """Many stimuli.

    Attributes:
        kinds: by code.
        kind: int8 codes, shape (stimuli,).
        parameters: float64, shape (stimuli, columns), NaN padded.
        payload_index: int32, shape (stimuli,); -1 where there is none.
        payloads: what they refer to.
    """

    kinds: tuple[StoredKind, ...]
    kind: np.ndarray
    parameters: np.ndarray
    payload_index: np.ndarray
    payloads: Payloads

    def __len__(self) -> int:
        return self.kind.size

    def __getitem__(self, index: int) -> Stimulus:
        """One stimulus.

        Raises:
            ValueError: if its kind is unknown, or its row does not describe one.
        """
        code = int(self.kind[index])
        if not 0 <= code < len(self.kinds):
            known = ", ".join(f"{code} ({kind.name})" for code, kind in enumerate(self.kinds))
            raise ValueError(f"stimulus kind {code} is unknown; expected one of {known}.")
        stored = self.kinds[code]
        kind = kind_named(stored.name)
        if stored.payload == "description":
            try:
                return from_dict(json.loads(self.payloads[int(self.payload_index[index])]))
            except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
                raise ValueError(f"a {stored.name} has a description that is not JSON ({error}).") from error
        names = [todays_name(stored.name, name) for name in stored.parameters]
        values: dict[str, Any] = dict(zip(names, self.parameters[index].tolist(), strict=False))
        if len(values) < len(names) or not np.all(np.isfinite(list(values.values()))):
            raise ValueError(f"a {stored.name} has parameters {values}; every one must be a finite number.")
        whole = {item.name for item in fields(kind.type) if item.type in ("int", int)}  # type: ignore[arg-type]
        values = {name: int(value) if name in whole else value for name, value in values.items()}
        if stored.payload is not None:
            piece = self.payloads[int(self.payload_index[index])]
            values[stored.payload] = np.frombuffer(piece, dtype=_ARRAY_DTYPE).astype(np.float64)
        try:
            return kind.type(**values)
        except TypeError as error:
            raise ValueError(f"a {stored.name} of this version has no such parameters: {', '.join(values)}.") from error

    def surplus(self, index: int) -> bool:
        """Whether a row holds more parameters than its kind has."""
        return not np.all(np.isnan(self.parameters[index, len(self.kinds[int(self.kind[index])].parameters) :]))

    @property
    def key_columns(self) -> np.ndarray:
        """One row of numbers a stimulus, float64; equal for equal stimuli of one table."""
        return np.column_stack([self.kind, self.payload_index, np.nan_to_num(self.parameters, nan=np.inf)])

    @classmethod
    def of(cls, stimuli: Sequence[Stimulus]) -> StimulusTable:
        """The table of some stimuli.

        Raises:
            ValueError: for a parameter that float64 cannot hold exactly.
        """
        kinds = [stored_kind(name) for name in FIRST_KINDS]
        codes = np.empty(len(stimuli), dtype=np.int8)
        rows: list[list[float]] = []
        references = np.full(len(stimuli), _NO_PAYLOAD, dtype=np.int32)
        pieces: dict[bytes, int] = {}
        for row, stimulus in enumerate(stimuli):
            stored = stored_kind(type(stimulus).__name__)
            if stored not in kinds:
                kinds.append(stored)
            codes[row] = kinds.index(stored)
            rows.append(_numbers(stimulus, stored))
            if stored.payload is not None:
                references[row] = pieces.setdefault(_piece(stimulus, stored), len(pieces))
        table = np.full((len(stimuli), max([LEAST_COLUMNS, *map(len, rows)])), np.nan)
        for row, values in enumerate(rows):
            table[row, : len(values)] = values
        return cls(tuple(kinds), codes, table, references, Payloads.of(list(pieces)))

    @classmethod
    def filled(cls, count: int) -> StimulusTable:
        """An empty table of so many rows, for `put`."""
        kinds = tuple(stored_kind(name) for name in FIRST_KINDS)
        table = np.full((count, LEAST_COLUMNS), np.nan)
        references = np.full(count, _NO_PAYLOAD, dtype=np.int32)
        return cls(kinds, np.zeros(count, dtype=np.int8), table, references, Payloads())

    def put(self, rows: np.ndarray, kind: str, values: Mapping[str, np.ndarray | float]) -> None:
        """Write stimuli of one of the first kinds into some rows, a parameter at a time."""
        code = FIRST_KINDS.index(kind)
        self.kind[rows] = code
        for column, name in enumerate(self.kinds[code].parameters):
            self.parameters[rows, column] = values[name]

    def replaced(self, rows: np.ndarray, others: StimulusTable) -> StimulusTable:
        """This table with other stimuli in some rows."""
        joined = StimulusTable.join([self, others])
        order = np.arange(len(self))
        order[rows] = len(self) + np.arange(len(others))
        return joined.take(order)

    def take(self, rows: np.ndarray) -> StimulusTable:
        """Some of the stimuli, in this order."""
        return replace(
            self, kind=self.kind[rows], parameters=self.parameters[rows], payload_index=self.payload_index[rows]
        )

    @classmethod
    def join(cls, tables: Sequence[StimulusTable]) -> StimulusTable:
        """All stimuli of several tables, in order."""
        if len(tables) == 1:
            return tables[0]
        kinds: list[StoredKind] = []
        for table in tables:
            kinds += [kind for kind in table.kinds if kind not in kinds]
        pieces: dict[bytes, int] = {}
        codes, references = [], []
        for table in tables:
            codes.append(np.array([kinds.index(kind) for kind in table.kinds], dtype=np.int8)[table.kind])
            numbers = [pieces.setdefault(table.payloads[index], len(pieces)) for index in range(len(table.payloads))]
            references.append(np.array([*numbers, _NO_PAYLOAD], dtype=np.int32)[table.payload_index])
        columns = max(table.parameters.shape[1] for table in tables)
        padded = [
            np.pad(table.parameters, ((0, 0), (0, columns - table.parameters.shape[1])), constant_values=np.nan)
            for table in tables
        ]
        return cls(
            tuple(kinds),
            np.concatenate(codes),
            np.concatenate(padded),
            np.concatenate(references),
            Payloads.of(list(pieces)),
        )


def _numbers(stimulus: Stimulus, stored: StoredKind) -> list[float]:
    given = [getattr(stimulus, name) for name in stored.parameters]
    values = [float(value) for value in given]
    if values != given:
        raise ValueError(f"{stimulus} has a parameter that float64 does not hold exactly; keep seeds below 2**53.")
    return values


def _piece(stimulus: Stimulus, stored: StoredKind) -> bytes:
    if stored.payload == "description":
        return json.dumps(stimulus.to_dict(), sort_keys=True, allow_nan=False).encode()
    return np.ascontiguousarray(getattr(stimulus, str(stored.payload)), dtype=_ARRAY_DTYPE).tobytes()
