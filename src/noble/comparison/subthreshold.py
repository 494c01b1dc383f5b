"""How much of a neuron's voltage between spikes a model explains, and how much one repeat explains of another.

Spikes are cut out: near a spike of either trace neither is looked at, so what is compared is only the voltage on which both agree
that nothing fires. A repeat is no better a prediction of another than the cell is reproducible, so a model is held against that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from noble.results import Result, finite_mean

BEFORE_MS: Final = 3.0
"""Cut out before the peak of each spike."""

AFTER_MS: Final = 10.0
"""Cut out after it."""


@dataclass(frozen=True, repr=False)
class VoltageExplained(Result):
    """Variance of a neuron's voltage between spikes that a model, and that another repeat, explains.

    Attributes:
        trials: number of repeats.
        before_ms, after_ms: cut out round each spike of either.
        model: mean over the repeats, 1 - mean((V - model)^2) / var(V); 1 is perfect, below 0 is worse than the mean of V.
        model_bias_mv: mean of model - V, mean over the repeats.
        repeats: mean over all ordered pairs of repeats, the first explained by the second.
        model_over_repeats: their ratio.
        model_kept, repeats_kept: mean share of the samples that were compared.
    """

    trials: int
    before_ms: float
    after_ms: float
    model: float | None
    model_bias_mv: float | None
    repeats: float | None
    model_over_repeats: float | None
    model_kept: float
    repeats_kept: float


def voltage_explained(
    voltage_mv: Float[np.ndarray, "trial sample"],
    spikes_ms: Sequence[np.ndarray],
    model_mv: Float[np.ndarray, " sample"],
    model_spikes_ms: np.ndarray,
    *,
    dt_ms: float,
    before_ms: float = BEFORE_MS,
    after_ms: float = AFTER_MS,
) -> VoltageExplained:
    """What a model explains of each repeat of one current, and the repeats of each other.

    Args:
        voltage_mv: of the repeats, mV.
        spikes_ms: peaks of each, ms.
        model_mv: the model's answer to the same current, mV.
        model_spikes_ms: its spikes, ms.
        dt_ms: sampling interval.
        before_ms, after_ms: what is cut out round each spike of either trace.

    Raises:
        ValueError: for fewer than two repeats.
    """
    if len(voltage_mv) < 2 or len(voltage_mv) != len(spikes_ms):
        raise ValueError(
            f"there are {len(voltage_mv)} voltages and spikes of {len(spikes_ms)} trials; expected at least two of each."
        )
    samples = voltage_mv.shape[1]

    def quiet(spikes: np.ndarray) -> np.ndarray:
        return between_spikes(spikes, samples, dt_ms=dt_ms, before_ms=before_ms, after_ms=after_ms)

    masks, of_model = [quiet(train) for train in spikes_ms], quiet(model_spikes_ms)
    by_model = [explained(voltage, model_mv, mask & of_model) for voltage, mask in zip(voltage_mv, masks, strict=True)]
    bias = [_mean(model_mv - voltage, mask & of_model) for voltage, mask in zip(voltage_mv, masks, strict=True)]
    pairs = list(combinations(range(len(voltage_mv)), 2))
    by_repeat = [
        explained(voltage_mv[one], voltage_mv[other], masks[one] & masks[other])
        for pair in pairs
        for one, other in (pair, pair[::-1])
    ]
    model, repeats = finite_mean(np.array(by_model)), finite_mean(np.array(by_repeat))
    return VoltageExplained(
        len(voltage_mv),
        before_ms,
        after_ms,
        model,
        finite_mean(np.array(bias)),
        repeats,
        model / repeats if model is not None and repeats else None,
        float(np.mean([(mask & of_model).mean() for mask in masks])),
        float(np.mean([(masks[one] & masks[other]).mean() for one, other in pairs])),
    )


def between_spikes(
    spikes_ms: np.ndarray, samples: int, *, dt_ms: float, before_ms: float = BEFORE_MS, after_ms: float = AFTER_MS
) -> Bool[np.ndarray, " sample"]:
    """Where no spike is near: not from so long before a peak to so long after it, both included.

    Args:
        spikes_ms: peaks.
        samples: of the trace.
        dt_ms: sampling interval.
        before_ms, after_ms: how near is near.
    """
    quiet = np.ones(samples, dtype=bool)
    for peak in np.round(np.asarray(spikes_ms) / dt_ms).astype(int):
        quiet[max(0, peak - round(before_ms / dt_ms)) : max(0, peak + round(after_ms / dt_ms) + 1)] = False
    return quiet


def explained(
    voltage_mv: Float[np.ndarray, " sample"],
    model_mv: Float[np.ndarray, " sample"],
    where: Bool[np.ndarray, " sample"],
) -> float:
    """Share of the variance of a voltage that a model explains, 1 - mean((V - model)^2) / var(V); NaN where nothing varies.

    Args:
        voltage_mv, model_mv: mV.
        where: samples that are compared.
    """
    of = voltage_mv[where]
    variance = float(of.var()) if of.size else 0.0
    return 1 - float(np.mean((of - model_mv[where]) ** 2)) / variance if variance > 0 else float("nan")


def _mean(values: np.ndarray, where: np.ndarray) -> float:
    return float(values[where].mean()) if where.any() else float("nan")
