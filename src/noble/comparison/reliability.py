"""How alike a neuron's answers to one frozen current are, and how alike a model's are to them.

A neuron does not fire alike twice, so a model can be asked for no more than a repeat gives: the coincidence of model and trials
is held against that between trials, the reliability. What is drawn at random is compared by Md*, which does not ask that trials
match one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np

from noble.results import Result, finite_mean, plain
from noble.spikes import coincidence_factor, matched_pairs

WINDOWS_MS: Final = (1.0, 2.0, 4.0, 8.0)
"""Largest distances of two spikes that count as one, ms."""

Trains = Sequence[np.ndarray]
"""Spike times of each trial, ascending, ms."""


@dataclass(frozen=True, repr=False)
class Reliability(Result):
    """Repeats of one neuron, and a model beside them.

    Attributes:
        trials: number of repeats.
        spikes: mean number of spikes of a repeat.
        fano_factor: variance over mean of the spike counts of the repeats.
        jitter_ms: standard deviation of the times of one spike over repeats, from matched spikes of pairs within 8 ms.
        windows: at each of `WINDOWS_MS`.
    """

    trials: int
    spikes: float
    fano_factor: float | None
    jitter_ms: float | None
    windows: tuple[WindowReliability, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; numbers of a window have its length in their key, as `reliability_4ms`."""
        shared = {key: plain(getattr(self, key)) for key in ("trials", "spikes", "fano_factor", "jitter_ms")}
        return shared | {
            f"{key}_{window.window_ms:g}ms": value
            for window in self.windows
            for key, value in window.to_dict().items()
            if key != "window_ms" and value is not None
        }


@dataclass(frozen=True, repr=False)
class WindowReliability(Result):
    """Within one window.

    Attributes:
        window_ms: largest distance of two spikes that count as one, ms.
        reliability: mean coincidence factor over all pairs of repeats.
        coincidence: mean coincidence factor of the deterministic model with each repeat; None without one.
        coincidence_over_reliability: their ratio.
        md_star: of the drawn trials with the repeats; None without any.
    """

    window_ms: float
    reliability: float | None
    coincidence: float | None = None
    coincidence_over_reliability: float | None = None
    md_star: float | None = None


def reliability(
    trials: Trains, *, duration_ms: float, deterministic: np.ndarray | None = None, drawn: Trains | None = None
) -> Reliability:
    """How reliable a neuron is, and how near a model comes.

    Args:
        trials: of the neuron under one frozen current, at least two.
        duration_ms: length of a trial, ms.
        deterministic: spikes of a model that has one answer, ms.
        drawn: trials of a model that has many, at least two.

    Raises:
        ValueError: for fewer than two trials of either.
    """
    for name, several in (("trials", trials), ("drawn trials", drawn)):
        if several is not None and len(several) < 2:
            raise ValueError(f"there are {len(several)} {name}; expected at least two repeats of one current.")
    counts = np.array([train.size for train in trials])
    return Reliability(
        len(trials),
        float(counts.mean()),
        float(counts.var(ddof=1) / counts.mean()) if counts.sum() else None,
        _jitter_ms(trials),
        tuple(_within(window, trials, duration_ms, deterministic, drawn) for window in WINDOWS_MS),
    )


def _within(
    window_ms: float, trials: Trains, duration_ms: float, deterministic: np.ndarray | None, drawn: Trains | None
) -> WindowReliability:
    def coincidence(reference: np.ndarray, other: np.ndarray) -> float:
        return coincidence_factor(reference, other, duration_ms=duration_ms, window_ms=window_ms)

    pairs = [coincidence(*order) for pair in combinations(trials, 2) for order in (pair, pair[::-1])]
    found = finite_mean(np.array(pairs))
    if deterministic is None:
        share = reached = None
    else:
        reached = finite_mean(np.array([coincidence(train, deterministic) for train in trials]))
        share = reached / found if reached is not None and found else None
    return WindowReliability(
        window_ms, found, reached, share, None if drawn is None else md_star(trials, drawn, window_ms=window_ms)
    )


def md_star(trials: Trains, drawn: Trains, *, window_ms: float) -> float | None:
    """Md* of Naud, Gerhard, Mensi and Gerstner (Neural Comput. 23, 2011), unbiased for few trials, with a rectangular window.

    Twice the mean number of coincident spikes of a trial and a drawn one, over the sum of those between distinct trials and
    between distinct drawn ones. 1 where both come from one distribution.

    Args:
        trials, drawn: at least two each.
        window_ms: largest distance of coincident spikes, ms.

    Returns:
        None where no two trials have coincident spikes.
    """
    across = np.mean([_coincident(one, other, window_ms) for one in trials for other in drawn])
    within = sum(np.mean(list(_between(several, window_ms))) for several in (trials, drawn))
    return float(2 * across / within) if within > 0 else None


def _between(trains: Trains, window_ms: float) -> Iterator[int]:
    return (_coincident(one, other, window_ms) for one, other in combinations(trains, 2))


def _coincident(one: np.ndarray, other: np.ndarray, window_ms: float) -> int:
    """Pairs of spikes of two trains no further apart than a window."""
    first = np.searchsorted(other, one - window_ms, side="left")
    return int(np.sum(np.searchsorted(other, one + window_ms, side="right") - first))


def _jitter_ms(trials: Trains) -> float | None:
    """From the distances of matched spikes, whose variance is twice that of one spike."""
    apart = [
        one[first] - other[second]
        for one, other in combinations(trials, 2)
        for first, second in matched_pairs(one, other, window_ms=WINDOWS_MS[-1])
    ]
    return float(np.sqrt(np.mean(np.square(apart)) / 2)) if apart else None
