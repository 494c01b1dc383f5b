"""Spikes along a voltage: their likelihood, which is concave in all that enters the threshold linearly, and its maximum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

_STEPS: Final = 100
_SHORTEST_STEP: Final = 1e-6
_LEAST_GAIN: Final = 1e-6
_LARGEST_EXPONENT: Final = 30.0
_LARGEST_HAZARD: Final = 500.0


class Maximum(NamedTuple):
    """Where the likelihood is largest.

    Attributes:
        weights: of each row of the data.
        log_likelihood: there.
    """

    weights: Float[np.ndarray, " row"]
    log_likelihood: float


@dataclass(frozen=True)
class SpikeData:
    """What the hazard depends on, where a neuron could fire and where it did; the hazard is exp(weights @ rows) / ms.

    A sample without a spike has the likelihood exp(-h), one with a spike 1 - exp(-h); h is the hazard times dt.

    Attributes:
        free: rows of data at the samples at which the neuron could fire and did not.
        fired: rows of data at the spikes.
        open_now: where, in each trace, are the samples of `free`.
        peaks: samples of the spikes of each trace.
        dt_ms: sampling interval.
        free_ms: time for which each sample of `free` stands.
    """

    free: Float[np.ndarray, "row sample"]
    fired: Float[np.ndarray, "row spike"]
    open_now: Bool[np.ndarray, "trace time"]
    peaks: Sequence[np.ndarray]
    dt_ms: float
    free_ms: float

    @classmethod
    def of(
        cls,
        rows: Sequence[Float[np.ndarray, "row sample"]],
        peaks: Sequence[np.ndarray],
        *,
        dt_ms: float,
        refractory: int,
    ) -> SpikeData:
        """The data of some traces.

        Args:
            rows: of each trace.
            peaks: samples of its spikes.
            dt_ms: sampling interval.
            refractory: samples from a spike on in which there is no other.
        """
        open_now = np.ones((len(rows), rows[0].shape[1]), dtype=bool)
        for row, train in enumerate(peaks):
            for peak in train:
                open_now[row, peak : peak + refractory] = False
        free = np.hstack([known[:, where] for known, where in zip(rows, open_now, strict=True)])
        fired = np.hstack([known[:, train] for known, train in zip(rows, peaks, strict=True)])
        return cls(free, fired, open_now, peaks, dt_ms, dt_ms)

    def with_row(self, values: Float[np.ndarray, "trace time"]) -> SpikeData:
        """The same with one more row, the last."""
        fired = np.concatenate([trace[train] for trace, train in zip(values, self.peaks, strict=True)])
        return replace(self, free=np.vstack([self.free, values[self.open_now]]), fired=np.vstack([self.fired, fired]))

    def thinned(self, interval_ms: float) -> SpikeData:
        """The same with the silent time sampled more coarsely: all spikes stay, and a silent sample stands for several."""
        every = max(1, round(interval_ms / self.dt_ms))
        open_now = np.zeros_like(self.open_now)
        open_now.flat[np.flatnonzero(self.open_now)[::every]] = True
        return replace(self, free=self.free[:, ::every], open_now=open_now, free_ms=self.free_ms * every)

    @property
    def rate_per_ms(self) -> float:
        """Of the spikes, over the time in which there could be any."""
        return self.fired.shape[1] / (self.free.shape[1] * self.free_ms)

    def maximum(self, start: Float[np.ndarray, " row"], *, ridge: float) -> Maximum:
        """By Newton's method.

        Args:
            start: weights to begin with.
            ridge: added to the diagonal of the curvature, relative to its mean; it slows the steps, and moves nothing.
        """
        weights, step, reached = start.copy(), np.zeros_like(start), -math.inf
        for _ in range(_STEPS):
            hazard, firing = (
                np.exp(np.minimum(weights @ rows, _LARGEST_EXPONENT)) * time
                for rows, time in ((self.free, self.free_ms), (self.fired, self.dt_ms))
            )
            now = float(np.log(-np.expm1(-firing)).sum() - hazard.sum())
            if not now >= reached:  # too far: half of the step back
                weights -= step / 2
                step /= 2
                if np.abs(step).max() < _SHORTEST_STEP:
                    break
                continue
            reached = now
            pull = firing / np.expm1(np.minimum(firing, _LARGEST_HAZARD))
            bend = pull * (firing / -np.expm1(-firing) - 1)
            gradient = self.fired @ pull - self.free @ hazard
            curvature = (self.free * hazard) @ self.free.T + (self.fired * bend) @ self.fired.T
            curvature[np.diag_indices(len(weights))] += ridge * np.trace(curvature) / len(weights)
            step = np.linalg.solve(curvature, gradient)
            weights = weights + step
            if float(gradient @ step) < _LEAST_GAIN:  # about twice what the step gains
                break
        return Maximum(weights, reached)
