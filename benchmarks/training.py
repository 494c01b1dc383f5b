"""Training from memory and from disk: `python benchmarks/training.py STORE.zarr [--traces 200000] [--json FILE]`.

Traces a second and peak memory of an epoch of a large store that is streamed, beside those of a part of it that is held in
memory, each in a process of its own. The store is made if it is not there: made-up voltages, as long and as full of spikes as
real ones. It takes 17 kB a trace or less on disk, and some minutes for 200,000. Run on an idle machine; an epoch of 200,000
traces takes the time of 200,000 training traces of `benchmarks/operators.py`.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from made_up import made_up_store, peak_memory_bytes

from noble.data import Store
from noble.files import write_json
from noble.train import TrainConfig, fit, read_curves


def measure(store: Path, settings: dict[str, Any]) -> dict[str, float]:
    """The last epoch of a run; in a process of its own, whose peak memory is then the run's."""
    config = TrainConfig.model_validate({"validation_limit": 16, **settings})
    with tempfile.TemporaryDirectory() as folder:
        fit(config, store, Path(folder) / "run")
        last = read_curves(Path(folder) / "run" / "curves.csv")[-1]
    traces = config.traces or len(Store.open(store).indices("train"))
    return {
        "traces": traces,
        "memory_gb": config.memory_gb,
        "epoch_s": last["seconds"],
        "traces_per_s": traces / last["seconds"],
        "peak_memory_gb": peak_memory_bytes() / 1e9,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--traces", type=int, default=200_000, help="training traces of the store")
    parser.add_argument("--in-memory", type=int, default=5_000, help="traces of the run that holds them in memory")
    parser.add_argument("--streamed", type=int, default=None, help="traces of the run that streams: all")
    parser.add_argument("--memory-gb", type=float, default=1.0, help="of the run that streams")
    parser.add_argument("--operator", default="spike-phase")
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    made_up_store(arguments.store, arguments.traces)
    runs = {
        "in_memory": {"traces": arguments.in_memory, "memory_gb": 1e3, "epochs": 2},  # the second is the measured one
        # So it is of a part; all traces take minutes, beside which a start is nothing.
        "streamed": {
            "traces": arguments.streamed,
            "memory_gb": arguments.memory_gb,
            "epochs": 1 if arguments.streamed is None else 2,
        },
    }
    rows: dict[str, Any] = {}
    for name, settings in runs.items():
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            job = pool.submit(measure, arguments.store, {"operator": arguments.operator, **settings})
            rows[name] = job.result()
        print(name, " ".join(f"{key}={value:.4g}" for key, value in rows[name].items()), flush=True)
    rows["streamed_over_in_memory"] = rows["streamed"]["traces_per_s"] / rows["in_memory"]["traces_per_s"]
    print(f"streamed / in memory: {rows['streamed_over_in_memory']:.3f} of the traces a second")
    if arguments.json is not None:
        facts = {"operator": arguments.operator, "threads": torch.get_num_threads(), "torch": torch.__version__}
        write_json(arguments.json, {**facts, **rows})


if __name__ == "__main__":
    main()
