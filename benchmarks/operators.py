"""Training traces a second and inference ms a trace of each operator: `python benchmarks/operators.py [--json FILE]`.

Untrained weights: the cost does not depend on them, but for the number of spikes that the spike-phase decoder has to look up.
Run on an idle machine; numbers of one run are comparable with each other, not across machines.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from made_up import peak_memory_bytes

from noble.evaluation.speed import seconds_of
from noble.files import write_json
from noble.machine.allocator import keep_freed_memory
from noble.operator import FeatureSpec, Operator, preset
from noble.traces import TimeGrid
from noble.train.batches import Batch
from noble.train.config import LossConfig
from noble.train.objectives import objective_for

WINDOW = TimeGrid.spanning(515.0, dt_ms=0.06)


def build(name: str) -> Operator:
    generator = np.random.default_rng(0)
    table = np.column_stack([generator.uniform(0.13, 0.18, 20), generator.uniform(450, 700, 20)])
    spec = FeatureSpec.fit(table, ("i_thr", "s_thr"), ("nA", "Hz/nA"))
    return Operator.build(preset(name), spec, WINDOW, seed=0)


def make_batch(count: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    current = torch.zeros(count, WINDOW.count)
    current[:, 250:6917] = torch.rand((count, 1), generator=generator) * 0.3
    spikes = torch.sort(15 + 400 * torch.rand((count, 20), generator=generator), dim=1).values
    voltage = -75 + 5 * torch.rand((count, WINDOW.count), generator=generator)
    return Batch(torch.tensor([[0.15, 550.0]]).repeat(count, 1), current, voltage, spikes, torch.arange(count))


def inference_ms(operator: Operator, count: int, repeats: int) -> float:
    batch = make_batch(count)
    operator.eval()

    def run() -> None:
        with torch.inference_mode():
            operator(batch.features, batch.current_na, WINDOW.dt_ms)

    return 1e3 * float(np.median(seconds_of(run, repeats=repeats, each=count)))


def training_ms(operator: Operator, count: int, repeats: int) -> float:
    batch = make_batch(count)
    objective = objective_for(LossConfig(), window=WINDOW)
    operator.train()
    optimiser = torch.optim.Adam(operator.parameters(), lr=1e-4)
    generator = torch.Generator().manual_seed(0)

    def run() -> None:
        optimiser.zero_grad()
        objective(operator, batch, generator)["loss"].backward()
        optimiser.step()

    return 1e3 * float(np.median(seconds_of(run, repeats=repeats, each=count)))


def measure(name: str, batches: list[int], repeats: int) -> dict[str, float]:
    """All numbers of one operator; run in a process of its own, whose peak memory is then the operator's."""
    keep_freed_memory()
    operator = build(name)
    row = {f"inference_ms_batch{count}": inference_ms(operator, count, repeats) for count in batches}
    row["peak_inference_memory_mb"] = peak_memory_bytes() / 2**20
    row["training_ms_batch16"] = training_ms(operator, 16, repeats)
    row["training_traces_per_s"] = 1e3 / row["training_ms_batch16"]
    row["parameters"] = sum(item.numel() for item in operator.parameters())
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operators", nargs="+", default=["paper-pv", "spike-phase"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16, 128])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    rows = {}
    for name in arguments.operators:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            rows[name] = pool.submit(measure, name, arguments.batches, arguments.repeats).result()
        print(name, " ".join(f"{key}={value:.3g}" for key, value in rows[name].items()), flush=True)
    if arguments.json is not None:
        facts = {"threads": torch.get_num_threads(), "torch": torch.__version__}
        write_json(arguments.json, {**facts, "operators": rows})


if __name__ == "__main__":
    main()
