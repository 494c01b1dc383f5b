"""Many neurons streamed at once: `python benchmarks/streaming.py [BUNDLE] [--neurons N] [--piece MS] [--json FILE]`.

One second of noise into neurons of the bundle's hall, in pieces, on all cores. Times and memory of this process.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from noble.cells import HallOfFame
from noble.features.neurons import Neurons
from noble.files import write_json
from noble.machine import tune_process
from noble.operator import Operator, bundle
from noble.stimuli import OrnsteinUhlenbeck
from noble.traces import TimeGrid

RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", nargs="?", default="human-pv")
    parser.add_argument("--neurons", type=int, default=1000)
    parser.add_argument("--piece", type=float, default=20.0, help="length of a piece, ms")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    tune_process()
    operator = Operator.load(given.bundle)
    hall = HallOfFame.load(str(bundle.identity(given.bundle)["hall"]))
    table = hall.feature_table(operator.feature_names)
    chosen = np.random.default_rng(0).integers(len(table), size=given.neurons)
    grid = TimeGrid.spanning(1000.0, dt_ms=operator.grid.dt_ms)
    current_na = OrnsteinUhlenbeck(0, 1000, mean_na=0.15, sd_na=0.08, tau_ms=5, seed=1).sample(grid)
    samples = round(given.piece / grid.dt_ms)
    seconds, spikes = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(RUNS):
            stream = operator.stream(Neurons(operator.feature_names, table[chosen]))
            stream.copy().advance(current_na[:samples])  # compiles, on first use
            started = time.perf_counter()
            pieces = [stream.advance(current_na[at : at + samples]) for at in range(0, grid.count, samples)]
            seconds.append(time.perf_counter() - started)
            spikes = sum(len(train) for piece in pieces for train in piece.spikes_ms)
    found = {
        "bundle": bundle.identity(given.bundle),
        "neurons": given.neurons,
        "piece_ms": given.piece,
        "threads": torch.get_num_threads(),
        "seconds": [round(item, 3) for item in seconds],
        "spikes": spikes,
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 3),
    }
    print(found)
    if given.json is not None:
        write_json(given.json, found)


if __name__ == "__main__":
    main()
