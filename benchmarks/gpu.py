"""A shipped operator on a GPU: does it answer as on the CPU, and how fast: `python benchmarks/gpu.py [--json FILE]`.

Needs CUDA. Random models of the hall under random steps in the paper's window and range; seeded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from noble.cells import HallOfFame
from noble.evaluation import outside_hull_expected
from noble.evaluation.speed import AMPLITUDES_NA, seconds_of
from noble.features import Neurons
from noble.files import write_json
from noble.operator import Operator
from noble.protocols import StepProtocol
from noble.stimuli import Stimulus

TRACES = 256
BATCHES = (1, 128, 1024, 4096)


def draw(operator: Operator, hall: HallOfFame, count: int) -> tuple[Neurons, list[Stimulus]]:
    generator = np.random.default_rng(0)
    protocol = StepProtocol()
    models = generator.integers(len(hall), size=count)
    stimuli = [protocol.stimulus(value) for value in generator.uniform(*AMPLITUDES_NA, count)]
    return hall.neurons(operator.feature_names, models), stimuli


def agreement(operator: Operator, hall: HallOfFame) -> dict[str, float]:
    """Differences between the answers of both devices."""
    neurons, stimuli = draw(operator, hall, TRACES)
    grid = StepProtocol().grid
    voltage, trains = [], []
    for device in ("cpu", "cuda"):
        operator.to(device)
        voltage.append(operator.respond(neurons, stimuli, grid).voltage_mv.astype(float))
        trains.append(operator.spike_times(neurons, stimuli, grid))
    pairs = [(a, b) for a, b in zip(*trains, strict=True) if len(a) == len(b)]
    apart_ms = np.concatenate([np.abs(a - b) for a, b in pairs])
    return {
        "traces": TRACES,
        "traces_of_same_spike_count": len(pairs),
        "spike_time_difference_ms_median": float(np.median(apart_ms)),
        "spike_time_difference_ms_p99": float(np.quantile(apart_ms, 0.99)),
        "spike_time_difference_ms_max": float(apart_ms.max()),
        "relative_l2_percent": float(100 * np.linalg.norm(voltage[0] - voltage[1]) / np.linalg.norm(voltage[0])),
    }


def speed(operator: Operator, hall: HallOfFame) -> dict[str, float]:
    """Milliseconds a trace of the core alone, whose currents are on the GPU already, and of all that `predict` does."""
    grid, found = StepProtocol().grid, {}
    for batch in BATCHES:
        neurons, stimuli = draw(operator, hall, batch)
        scaled = operator.spec.scale(torch.as_tensor(np.array(neurons.values), dtype=torch.float32, device="cuda"))
        current = torch.as_tensor(np.stack([item.sample(grid) for item in stimuli]), dtype=torch.float32, device="cuda")

        def core(scaled: torch.Tensor = scaled, current: torch.Tensor = current) -> None:
            with torch.inference_mode():
                operator.core(scaled, current, grid.dt_ms)
            torch.cuda.synchronize()

        found[f"core_ms_per_trace_batch{batch}"] = 1e3 * float(np.median(seconds_of(core, repeats=7, each=batch)))
    neurons, stimuli = draw(operator, hall, 1024)
    times = seconds_of(lambda: operator.respond(neurons, stimuli, grid, batch_size=1024), repeats=5, each=1024)
    return {**found, "predict_ms_per_trace_batch1024": 1e3 * float(np.median(times))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", default="human-pv")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    operator, hall = Operator.load(options.bundle), HallOfFame.load(options.bundle)
    report = {"bundle": options.bundle, "device": torch.cuda.get_device_name(), "torch": torch.__version__}
    with outside_hull_expected():
        report |= agreement(operator, hall) | speed(operator, hall)
    for name, value in report.items():
        print(f"{name:36} {value}")
    if options.json is not None:
        write_json(options.json, report)


if __name__ == "__main__":
    main()
