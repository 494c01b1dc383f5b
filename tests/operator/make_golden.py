"""Make the golden files again: `python tests/operator/make_golden.py FOLDER`, with the reconstructions in FOLDER.

A minute on one core for the three halls. The files change only when a hall or the simulator does, so commit them with
whatever changed those.
"""

from __future__ import annotations

import sys
from pathlib import Path

import golden_traces
import numpy as np
from golden_traces import PROTOCOL

from noble.cells import HallOfFame
from noble.operator import shipped_bundles
from noble.simulators import ArborSimulator
from noble.stimuli import Chirp, OrnsteinUhlenbeck, Ramp, Stimulus
from noble.traces import TraceBatch

MODELS_OF_EACH_KIND = 3
# For every other model: steps at these distances from its rheobase, none of which is one where halls measure rates, and steps
# of these amplitudes, all nA.
ABOVE_RHEOBASE_NA = ((-0.005, 0.015, 0.09), (0.004, 0.04))
AMPLITUDES_NA = ((-0.1,), (-0.03, 0.27))


def chosen_models(hall: HallOfFame) -> list[int]:
    """Some training models and some held-out ones, spread evenly over the hall's order, in turn."""
    kinds = [np.array(kind) for kind in (hall.train, hall.held_out)]
    spread = [kind[np.linspace(0, kind.size - 1, MODELS_OF_EACH_KIND).round().astype(int)] for kind in kinds]
    return [int(index) for index in np.concatenate(spread)]


def planned(hall: HallOfFame) -> tuple[list[int], list[Stimulus]]:
    """The pairs (model, current) to simulate: steps for every model, and one of each other kind for the first."""
    chosen = chosen_models(hall)
    rheobase_na = hall.feature_table(["rheobase"])[:, 0]
    models, stimuli = [], []
    for turn, index in enumerate(chosen):
        near = [rheobase_na[index] + above for above in ABOVE_RHEOBASE_NA[turn % 2]]
        for amplitude in (*AMPLITUDES_NA[turn % 2], *near):
            models.append(index)
            stimuli.append(PROTOCOL.stimulus(round(float(amplitude), 6)))
    drive_na = round(float(rheobase_na[chosen[0]]), 6)
    onset_ms, offset_ms = PROTOCOL.onset_ms, PROTOCOL.offset_ms
    others = (
        OrnsteinUhlenbeck(onset_ms, offset_ms, mean_na=drive_na, sd_na=0.5 * drive_na, tau_ms=5.0, seed=1),
        Ramp(onset_ms, offset_ms, 0.0, 1.5 * drive_na),
        Chirp(onset_ms, offset_ms, amplitude_na=0.5 * drive_na, offset_na=drive_na, first_hz=1.0, last_hz=50.0),
    )
    return [*models, *[chosen[0]] * len(others)], [*stimuli, *others]


def main(data_folder: Path) -> None:
    """Simulate and write the golden file of every hall that has a shipped bundle."""
    for name in shipped_bundles():
        hall = HallOfFame.load(name)
        simulator = ArborSimulator(threads=1, data_folder=data_folder)
        models, stimuli = planned(hall)
        neurons = [hall.cell_model(index) for index in models]
        parts = [  # a few at a time, for memory
            simulator.respond(neurons[start : start + 4], stimuli[start : start + 4], PROTOCOL.grid)
            for start in range(0, len(neurons), 4)
        ]
        path = golden_traces.save(name, hall, np.array(models), stimuli, TraceBatch.join(parts))
        print(f"{path}: {len(models)} traces, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
