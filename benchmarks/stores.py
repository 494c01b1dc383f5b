"""How fast a store is read, and in how much memory: `python benchmarks/stores.py [--traces N] [--path FOLDER] [--json FILE]`.

Makes a synthetic store (made-up voltages with spikes, the paper's window) unless it is there already, then, each in a process
of its own: opens it, reads its training split once from the first trace to the last, and reads it once in random chunks, as a
training does. 200,000 traces take 3 GB of disk and a few minutes to make. Run on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from noble.data import GenerationConfig, Store, TraceCounts, generate
from noble.data.plan import draw_plan
from noble.files import write_json
from noble.stimuli import Stimulus
from noble.traces import TimeGrid, TraceBatch


@dataclass(frozen=True)
class SyntheticCell:
    name: str = "synthetic"


@dataclass(frozen=True)
class SyntheticModel:
    features: dict[str, float]


@dataclass(frozen=True)
class SyntheticNeuron:
    name: str
    rate_hz: float


@dataclass(frozen=True)
class SyntheticHall:
    """Fifty models, of which ten are held out."""

    name: str = "synthetic"
    digest: str = "5" * 64
    cell: SyntheticCell = field(default_factory=SyntheticCell)
    models: tuple[SyntheticModel, ...] = tuple(
        SyntheticModel({"i_thr": 0.05 + 0.001 * k, "s_thr": 400.0 + k, "input_resistance": 90.0 + k}) for k in range(50)
    )
    train: tuple[int, ...] = tuple(range(40))
    held_out: tuple[int, ...] = tuple(range(40, 50))

    def __len__(self) -> int:
        return len(self.models)

    def cell_model(self, index: int) -> SyntheticNeuron:
        return SyntheticNeuron(f"synthetic/{index}", 20.0 + index)

    def feature_table(self, names: Sequence[str]) -> np.ndarray:
        return np.array([[model.features[name] for name in names] for model in self.models])


@dataclass(frozen=True)
class SyntheticResponder:
    """Noise around rest and a regular train of spikes: no physics, but bytes that compress like a simulation's."""

    def __call__(self) -> SyntheticResponder:
        return self

    def respond(self, neurons: Sequence[SyntheticNeuron], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
        current = np.stack([stimulus.sample(grid) for stimulus in stimuli])
        rate = np.array([neuron.rate_hz for neuron in neurons])[:, None]
        phase = grid.times_ms[None] * rate / 1000.0 % 1.0
        spikes = 100.0 * np.exp(-0.5 * ((phase - 0.5) * 1000.0 / rate / 0.4) ** 2)
        voltage = -75.0 + 60.0 * current + spikes + np.sin(grid.times_ms / 7.0)
        return TraceBatch(grid, voltage, current)


def synthetic_config(traces: int) -> GenerationConfig:
    counts = TraceCounts(train=traces, validation=traces // 20, test=traces // 20, unseen_models=traces // 20)
    return GenerationConfig(hall="synthetic", traces=counts)


def make(path: Path, traces: int) -> Store:
    return generate(synthetic_config(traces), SyntheticHall(), path, responder_factory=SyntheticResponder())  # type: ignore[arg-type]


def in_order(store: Store) -> Iterator[int]:
    for batch in store.batches("train"):
        yield len(batch)


def in_random_chunks(store: Store) -> Iterator[int]:
    chunks = store.by_chunk(store.indices("train"))
    for number in np.random.default_rng(0).permutation(len(chunks)):
        yield len(store.read(chunks[number]))


def measured(read: Callable[[Store], Iterator[int]] | None, path: Path, answers: Any) -> None:
    started = time.perf_counter()
    store = Store.open(path)
    opened = time.perf_counter() - started
    rows = sum(read(store)) if read else 0
    seconds = time.perf_counter() - started - opened
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answers.put(
        {"open_s": opened, "rows": rows, "rows_per_s": rows / seconds if rows else None, "peak_memory_mb": peak}
    )


def in_own_process(read: Callable[[Store], Iterator[int]] | None, path: Path) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=measured, args=(read, path, answers))
    process.start()
    answer = answers.get()
    process.join()
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=200_000)
    parser.add_argument("--path", type=Path, default=None, help="kept, and used again")
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.path or Path(folder) / "synthetic.zarr"
        started = time.perf_counter()
        draw_plan(synthetic_config(arguments.traces), SyntheticHall())  # type: ignore[arg-type]
        found: dict[str, Any] = {"cores": os.cpu_count(), "plan_s": time.perf_counter() - started}
        started = time.perf_counter()
        found["traces"] = len(make(path, arguments.traces))
        found["make_s"] = time.perf_counter() - started
        for name, read in (("open", None), ("in order", in_order), ("in random chunks", in_random_chunks)):
            found[name] = in_own_process(read, path)
    print(json.dumps(found, indent=1))
    if arguments.json is not None:
        write_json(arguments.json, found)


if __name__ == "__main__":
    main()
