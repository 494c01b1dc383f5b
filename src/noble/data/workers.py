"""What a worker does: simulate one chunk after the other with one responder, and write each to its place itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from noble.data.part import Part
from noble.data.place import Place
from noble.data.schema import bytes_sha256, chunk_key, decode_voltage, encode_voltage, pack_chunk
from noble.spikes import SpikeTrains
from noble.stimuli import Stimulus
from noble.traces import TimeGrid

if TYPE_CHECKING:
    from noble.cells.hall import HallOfFame

# Makes something with `respond(neurons, stimuli, grid) -> TraceBatch`; must be picklable, since every worker calls it.
ResponderFactory = Callable[[], Any]


@dataclass(frozen=True)
class Job:
    """One chunk to simulate and to write."""

    chunk: int
    first_sample: int
    model_index: tuple[int, ...]
    stimuli: tuple[Stimulus, ...]


class Jobs(Sequence[Job]):
    """The chunks of a part that are not there, each made when it is looked at."""

    def __init__(self, part: Part, chunks: Iterable[int]) -> None:
        self._part, self._chunks = part, list(chunks)

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, index: Any) -> Any:
        plan, rows = self._part.plan, self._part.rows_of(self._chunks[index])
        return Job(
            chunk=self._chunks[index],
            first_sample=rows.start,
            model_index=tuple(plan.model_index[rows.start : rows.stop].tolist()),
            stimuli=tuple(plan.stimulus(row) for row in rows),
        )


@dataclass(frozen=True)
class Written:
    """A chunk that a worker has written.

    Attributes:
        sha256: of its file.
        spikes: of its traces, ms.
    """

    sha256: bytes
    spikes: SpikeTrains


class ChunkWriter:
    """Simulates a chunk and writes it; a worker keeps one, with its responder, for all chunks."""

    def __init__(
        self, place: Place, chunk_rows: int, grid: TimeGrid, factory: ResponderFactory, hall: HallOfFame
    ) -> None:
        self._place, self._chunk_rows, self._grid = place, chunk_rows, grid
        self._factory, self._hall = factory, hall
        self._responder: Any = None

    def __call__(self, job: Job) -> Written:
        """Write a chunk, and say what was written.

        Raises:
            ValueError: for a voltage that cannot be stored, or an answer of another shape.
        """
        codes = self._simulated(job)
        content = pack_chunk(codes, self._chunk_rows)
        self._place.write(chunk_key(job.chunk), content)
        return described_chunk(content, codes, dt_ms=self._grid.dt_ms)

    def _simulated(self, job: Job) -> np.ndarray:
        # Made here, not when the process starts, so that its errors are those of a job.
        self._responder = self._responder or self._factory()
        neurons = [self._hall.cell_model(index) for index in job.model_index]
        try:
            batch = self._responder.respond(neurons, job.stimuli, self._grid)
        except Exception as error:
            error.add_note(f"in samples {job.first_sample} to {job.first_sample + len(neurons) - 1}")
            raise
        expected = (len(neurons), self._grid.count)
        if np.shape(batch.voltage_mv) != expected:
            raise ValueError(
                f"the simulator answered {len(neurons)} stimuli with voltages of shape {np.shape(batch.voltage_mv)}; "
                f"expected {expected}."
            )
        return _encode(job, [neuron.name for neuron in neurons], batch.voltage_mv)


def described_chunk(content: bytes, codes: np.ndarray, *, dt_ms: float) -> Written:
    """The digest of a chunk's file, and the spikes in its codes."""
    spikes = SpikeTrains.detect(decode_voltage(codes), dt_ms=dt_ms)
    return Written(bytes.fromhex(bytes_sha256(content)), spikes)


def _encode(job: Job, names: Sequence[str], voltage_mv: np.ndarray) -> np.ndarray:
    """Voltage codes, with the sample, model and stimulus named where a voltage cannot be stored."""
    codes = np.empty(voltage_mv.shape, dtype=np.int16)
    for row, name in enumerate(names):
        try:
            codes[row] = encode_voltage(voltage_mv[row])
        except ValueError as error:
            raise ValueError(
                f"sample {job.first_sample + row}, model {job.model_index[row]} ({name}), {job.stimuli[row]}: {error}"
            ) from error
    return codes
