"""A twin that learned from noise alone, asked for the step sweeps of the same neuron.

python experiments/twin/steps.py FOLDER/DRN162_5HT/current_steps.abf runs/twin/drn162 --json experiments/twin/drn162-steps.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import noble
from noble.comparison.subthreshold import between_spikes, explained
from noble.features.neurons import Neurons
from noble.files import write_json
from noble.operator import Operator
from noble.recordings import survey
from noble.stimuli import Sampled

TRIALS = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("twin", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    operator, neuron = Operator.load(given.twin), Neurons((), np.empty((1, 0)))
    rows = []
    for sweep in survey(noble.read_recording(given.recording)).sweeps:
        raw = sweep.raw
        assert raw is not None
        grid, peaks = raw.trace.grid, raw.peaks * raw.trace.grid.dt_ms
        stimulus = [Sampled(raw.commanded_na - operator.holding_na, grid.dt_ms)]
        voltage = operator.respond(neuron, stimulus, grid).voltage_mv[0]
        (one,) = operator.spike_times(neuron, stimulus, grid)
        (drawn,) = operator.spike_trials(neuron, stimulus, grid, trials=TRIALS)
        quiet = [between_spikes(train, grid.count, dt_ms=grid.dt_ms) for train in (peaks, one)]
        rows.append(
            {
                "amplitude_na": sweep.amplitude_na,
                "spikes": len(peaks),
                "spikes_one_answer": len(one),
                "spikes_drawn_mean": float(np.mean([len(train) for train in drawn])),
                "first_spike_ms": _first(peaks),
                "first_spike_one_answer_ms": _first(one),
                "variance_explained": explained(raw.trace.voltage_mv, voltage, quiet[0] & quiet[1]),
                "offset_mv": float(np.median((voltage - raw.trace.voltage_mv)[quiet[0] & quiet[1]])),
            }
        )
    for row in rows:
        print({key: None if value is None else round(value, 3) for key, value in row.items()})
    if given.json is not None:
        write_json(given.json, {"recording": given.recording.name, "trials": TRIALS, "sweeps": rows})


def _first(train: np.ndarray) -> float | None:
    return float(train[0]) if len(train) else None


if __name__ == "__main__":
    main()
