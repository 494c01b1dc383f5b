"""A small hall with final checks, and the targets that it was checked against."""

from __future__ import annotations

import math
from typing import Any

from noble.cells import Cell, HallModel, HallOfFame, builtin_cell
from noble.targets import StepTargets, Target, Targets

CELL = builtin_cell("stylised-pv")
# Spikes of the recording by amplitude in nA; the step is short, so that it can be simulated in a test.
RECORDED = {"-0.05": 0.0, "0.05": 0.0, "0.1": 0.0, "0.3": 2.0, "0.4": 20.0}
STEP_MS = 30.0
# Corners and inner points of a hull in threshold (nA) and slope (Hz/nA).
PLANE = ((0.1, 200.0), (0.2, 200.0), (0.1, 400.0), (0.2, 400.0), (0.14, 290.0), (0.15, 300.0), (0.16, 310.0))


def values_of(share: float, cell: Cell = CELL) -> dict[str, float]:
    """Parameter values at a share of the (logarithmic) way between the bounds; potentials by the plain share."""
    found = {}
    for item in cell.parameters:
        if item.quantity == "e_pas":
            found[item.name] = item.low + share * (item.high - item.low)
        else:
            low = max(item.low, 1e-4 * item.high)
            found[item.name] = low * math.pow(item.high / low, share)
    return found


def targets() -> Targets:
    """One feature where the recording is silent, two where it fires."""
    steps = tuple(
        StepTargets(
            amplitude_na=float(amplitude),
            holding_na=0.0,
            spike_counts=(int(count), int(count)),
            features={"voltage_base": Target(-80.0, 1.0, 2)} | ({"Spikecount": Target(count, 1.0, 2)} if count else {}),
            left_out={},
        )
        for amplitude, count in RECORDED.items()
    )
    return Targets("made", "made.nwb", "0" * 64, STEP_MS, 0.0, steps, {"before_ms": 50.0, "after_ms": 100.0})


def check_of(score: float, **changes: Any) -> dict[str, Any]:
    """A final check with this mean |z| that nothing speaks against, with some of its parts replaced."""
    z = {f"{name}@{step.amplitude_na:g}": score for step in targets().steps for name in step.features}
    counts = {amplitude: int(count) for amplitude, count in RECORDED.items()}
    return {"z": z, "spike_counts": counts, **changes}


def checked_hall(
    name: str = "made", *, shares: tuple[float, ...] = (0.5, 0.52, 0.54, 0.56, 0.58, 0.6, 0.62)
) -> HallOfFame:
    """A model a share, best first, the last held out, of two seeds."""
    models = tuple(
        HallModel(
            values=values_of(share),
            features={"rheobase": PLANE[rank][0], "fi_gain": PLANE[rank][1]},
            score=0.5 + share,
            seed=1 + rank % 2,
            held_out=rank == len(shares) - 1,
            check=check_of(0.5 + share),
        )
        for rank, share in enumerate(shares)
    )
    recording = {"source": "made.nwb", "step_ms": STEP_MS, "spike_counts": dict(RECORDED)}
    provenance = {"check": {"digest": targets().digest}, "recording": recording, "versions": {"arbor": "0"}}
    return HallOfFame(name, CELL, models, {**provenance, "command": f"noble evolve {name}.yaml"})
