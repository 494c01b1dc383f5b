"""Which sweeps of a recording an operator can answer alike, and why the others not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from noble.recordings import NEGLIGIBLE_HOLDING_NA, Recording, Sweep, same_step_ms

# Too little to tell a rest before the step, or a decay after it.
_LEAST_AROUND_MS: Final = 5.0


def comparable_sweeps(recording: Recording, *, holding_na: float = 0.0) -> Recording:
    """The sweeps that an operator can answer alike; the others join the unusable ones, with the reason.

    An operator rests under its own holding current before a step, so the recording must be held by the same; some time before and
    after the step is needed; and of the steps that are left, those count that last as long as most (the longer, where two lengths
    are as frequent).

    Args:
        recording: all that can be read.
        holding_na: current under which the operator's neurons rest, nA.

    Raises:
        ValueError: if none is left.
    """
    reasons = {sweep.name: _reason_against(sweep, holding_na) for sweep in recording.with_steps().sweeps}
    if sound := [sweep for sweep in recording.sweeps if not reasons[sweep.name]]:
        step_ms = _commonest_step_ms(sound)
        reasons |= {sweep.name: _reason_of_length(sweep, step_ms) for sweep in sound}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    kept = tuple(sweep for sweep in recording.sweeps if not reasons[sweep.name])
    if not kept:
        name, reason = next(iter(left_out.items()))
        raise ValueError(
            f"{recording.source} has no sweep that an operator can answer alike; {name}, one of {len(left_out)}: {reason}"
        )
    return replace(recording, sweeps=kept, unusable={**recording.unusable, **left_out})


def _reason_against(sweep: Sweep, holding_na: float) -> str:
    """Why an operator cannot answer like this sweep, whatever the others are; empty if it can."""
    if abs(sweep.holding_na - holding_na) > NEGLIGIBLE_HOLDING_NA:
        own = f"rests under {holding_na:.3g} nA" if holding_na else "rests without"
        return f"it was recorded under a holding current of {sweep.holding_na:.3g} nA; an operator {own}."
    around_ms = min(sweep.onset_ms, after_step_ms(sweep))
    if around_ms < _LEAST_AROUND_MS:
        return f"only {around_ms:.2g} ms lie before or after its step; expected at least {_LEAST_AROUND_MS:g} ms on both sides."
    return ""


def _commonest_step_ms(sweeps: Sequence[Sweep]) -> float:
    """Length that most sweeps' steps have; the longer of two that are as frequent."""
    lengths = np.array([sweep.step_ms for sweep in sweeps])
    alike = np.abs(lengths[:, None] - lengths) <= np.array([same_step_ms(length) for length in lengths])
    _, longest = max(zip(alike.sum(axis=1).tolist(), lengths.tolist(), strict=True))
    return float(np.median(lengths[np.abs(lengths - longest) <= same_step_ms(longest)]))


def _reason_of_length(sweep: Sweep, step_ms: float) -> str:
    """Why a step does not count among steps of this length; empty if it does."""
    if abs(sweep.step_ms - step_ms) <= same_step_ms(step_ms):
        return ""
    return (
        f"its step lasts {sweep.step_ms:.4g} ms; expected {step_ms:.4g} ms, as most steps do. "
        "Choose another by --step-ms or --protocol."
    )


def after_step_ms(sweep: Sweep) -> float:
    """Time from the end of the step to the last sample, ms."""
    return sweep.trace.grid.duration_ms - sweep.trace.grid.dt_ms - sweep.offset_ms
