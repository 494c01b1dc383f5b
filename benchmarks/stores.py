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
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from made_up import HALL, made_up_config, made_up_store, peak_memory_bytes

from noble.cells import HallOfFame
from noble.data import Store
from noble.data.plan import draw_plan
from noble.files import write_json


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
    peak = peak_memory_bytes() / 2**20
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
        draw_plan(made_up_config(arguments.traces), HallOfFame.load(HALL))
        found: dict[str, Any] = {"cores": os.cpu_count(), "plan_s": time.perf_counter() - started}
        started = time.perf_counter()
        found["traces"] = len(made_up_store(path, arguments.traces))
        found["make_s"] = time.perf_counter() - started
        for name, read in (("open", None), ("in order", in_order), ("in random chunks", in_random_chunks)):
            found[name] = in_own_process(read, path)
    print(json.dumps(found, indent=1))
    if arguments.json is not None:
        write_json(arguments.json, found)


if __name__ == "__main__":
    main()
