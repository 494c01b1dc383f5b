"""Voltage traces on a time grid: one, or a batch of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from noble.traces.grid import TimeGrid


@dataclass(frozen=True, repr=False)
class Trace:
    """One answer of one neuron.

    Attributes:
        grid: the instants.
        voltage_mv: somatic voltage, shape (count,), mV.
        current_na: injected current on the same instants, shape (count,), nA.
        provenance: who made it (simulator or operator, versions, model name).
    """

    grid: TimeGrid
    voltage_mv: np.ndarray
    current_na: np.ndarray
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("voltage_mv", "current_na"):
            shape = getattr(self, name).shape
            if shape != (self.grid.count,):
                raise ValueError(f"{name} has shape {shape}; the time grid expects ({self.grid.count},).")

    def __repr__(self) -> str:
        return f"<Trace: {self.grid.duration_ms:g} ms at dt {self.grid.dt_ms:g} ms>"


@dataclass(frozen=True, repr=False)
class TraceBatch:
    """Answers to a batch of stimuli on one grid; indexing gives a `Trace`.

    Attributes:
        grid: the instants, shared by all.
        voltage_mv: shape (batch, count), mV.
        current_na: shape (batch, count), nA.
        provenance: who made them.
    """

    grid: TimeGrid
    voltage_mv: np.ndarray
    current_na: np.ndarray
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.voltage_mv.shape != self.current_na.shape or self.voltage_mv.shape[1:] != (self.grid.count,):
            raise ValueError(
                f"voltage has shape {self.voltage_mv.shape} and current {self.current_na.shape}; "
                f"both must be (batch, {self.grid.count})."
            )

    def __len__(self) -> int:
        return self.voltage_mv.shape[0]

    def __repr__(self) -> str:
        return f"<TraceBatch: {len(self)} traces of {self.grid.duration_ms:g} ms at dt {self.grid.dt_ms:g} ms>"

    def __getitem__(self, index: int) -> Trace:
        return Trace(self.grid, self.voltage_mv[index], self.current_na[index], self.provenance)

    def __iter__(self) -> Iterator[Trace]:
        return (self[index] for index in range(len(self)))

    def take(self, rows: Sequence[int] | slice) -> TraceBatch:
        """Some of the traces, in this order; a trace may be taken several times."""
        return TraceBatch(self.grid, self.voltage_mv[rows], self.current_na[rows], self.provenance)

    @classmethod
    def join(cls, batches: Sequence[TraceBatch]) -> TraceBatch:
        """All traces of several batches of one maker, one batch after the other.

        Raises:
            ValueError: if there is none, or if their grids differ.
        """
        grids = {batch.grid for batch in batches}
        if len(grids) != 1:
            raise ValueError(
                f"{len(batches)} batches on {len(grids)} time grids were to be joined; expected some on one grid."
            )
        voltage_mv, current_na = (
            np.concatenate([getattr(batch, name) for batch in batches]) for name in ("voltage_mv", "current_na")
        )
        return cls(batches[0].grid, voltage_mv, current_na, batches[0].provenance)
