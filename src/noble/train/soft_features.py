"""Features of a voltage trace as differentiable functions, by the definitions of eFEL, for losses on predicted traces.

`noble.features` measures with eFEL itself, which knows no gradients. Here are those features whose definition is differentiable
almost everywhere: means and extremes over intervals that the step alone decides, as in eFEL 5.7 (`cppcore/Subthreshold.cpp`).
eFEL adds up its instants, so that a sample on the edge of an interval may fall to either side; here it lies on the edge. To
add a feature, write its function and enter it in `SOFT_FEATURES`; the tests compare every entry with eFEL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from noble.features import FeatureSettings

FeatureFunction = Callable[[Tensor, Tensor, Tensor, float], Tensor]
"""Voltage (batch, time) in mV, onset and offset (batch,) in ms from the first sample, dt in ms -> the feature, shape (batch,)."""

# A sample within so many samples of an edge lies on it: edges are products of dt, and rounded.
_ON_EDGE: Final = 1e-6
_LAST_PART: Final = 0.1
_BASE: Final = FeatureSettings()


@dataclass(frozen=True)
class SoftFeature:
    """A differentiable feature.

    Attributes:
        name: eFEL's.
        unit: of its values.
        values: the function; NaN for a trace without a sample in the feature's interval.
        is_level: whether its zero is arbitrary, as that of a voltage is and that of an amplitude is not. The size of an error is
            judged by the spread of levels and by the size of the others (`feature_scale`).
    """

    name: str
    unit: str
    values: FeatureFunction
    is_level: bool


@dataclass(frozen=True)
class Steps:
    """The hyperpolarising steps among some currents.

    Attributes:
        rows: which of the currents are such, shape (steps,).
        onset_ms: first sample of each step, shape (steps,), ms.
        offset_ms: first sample after it, shape (steps,), ms.
    """

    rows: Int[Tensor, " steps"]
    onset_ms: Float[Tensor, " steps"]
    offset_ms: Float[Tensor, " steps"]


def hyperpolarising_steps(current_na: Float[Tensor, "batch time"], dt_ms: float) -> Steps:
    """Currents that are zero but for one interval of one negative amplitude, which ends within the window."""
    on = current_na != 0
    flat = (current_na == current_na.amin(dim=1, keepdim=True)) | ~on
    edges = torch.diff(on.to(torch.int8), dim=1) != 0
    one_interval = (edges.sum(dim=1) + on[:, 0] == 2) & ~on[:, -1]
    rows = torch.nonzero((current_na.amin(dim=1) < 0) & flat.all(dim=1) & one_interval)[:, 0]
    first = on[rows].to(torch.int8).argmax(dim=1)
    return Steps(rows, first * dt_ms, (first + on[rows].sum(dim=1)) * dt_ms)


def soft_feature(name: str) -> SoftFeature:
    """A differentiable feature by eFEL's name.

    Raises:
        ValueError: if there is none.
    """
    if name not in SOFT_FEATURES:
        raise ValueError(
            f"feature {name!r} cannot be targeted, since no differentiable version of it is known; expected one of "
            f"{', '.join(SOFT_FEATURES)}."
        )
    return SOFT_FEATURES[name]


def feature_scale(feature: SoftFeature, values: Float[Tensor, " traces"], *, least: float) -> float:
    """The size by which errors of a feature are judged, in its unit: root mean square of the values, of levels about their mean.

    Args:
        feature: which.
        values: of reference traces; NaN is left out.
        least: where the values are smaller, or differ less, than this.

    Raises:
        ValueError: if no trace has the feature.
    """
    known = values[torch.isfinite(values)].double()
    if not len(known):
        raise ValueError(
            f"none of the {len(values)} hyperpolarising training traces has the feature {feature.name}; generate a store whose "
            "window has time before and within the step."
        )
    centre = known.mean() if feature.is_level else 0.0
    return max(float(((known - centre) ** 2).mean().sqrt()), least)


def _voltage_base(voltage_mv: Tensor, onset_ms: Tensor, offset_ms: Tensor, dt_ms: float) -> Tensor:
    """Mean over the last tenth of the time before the onset, the sample at the onset included."""
    first = _sample_from(_BASE.voltage_base_start * onset_ms, dt_ms)
    last = torch.floor(_BASE.voltage_base_end * onset_ms / dt_ms + _ON_EDGE)
    # At an onset of zero there is no time before it, and eFEL answers nothing.
    return _mean(voltage_mv, _between(voltage_mv, first, torch.where(onset_ms > 0, last + 1, first)))


def _steady_state_voltage_stimend(voltage_mv: Tensor, onset_ms: Tensor, offset_ms: Tensor, dt_ms: float) -> Tensor:
    """Mean over the last tenth of the step."""
    start = offset_ms - _LAST_PART * (offset_ms - onset_ms)
    return _mean(voltage_mv, _between(voltage_mv, _sample_from(start, dt_ms), _sample_from(offset_ms, dt_ms)))


def _sag_amplitude(voltage_mv: Tensor, onset_ms: Tensor, offset_ms: Tensor, dt_ms: float) -> Tensor:
    """From the minimum within the step up to `steady_state_voltage_stimend`.

    The minimum is eFEL's own and not a soft one: it is differentiable where one sample is lowest, and then the gradient is
    that sample's. eFEL answers nothing where the steady state lies above `voltage_base`; here the formula goes on, so that a
    prediction that is so wrong still has a gradient.
    """
    within = _between(voltage_mv, _sample_from(onset_ms, dt_ms), _sample_from(offset_ms, dt_ms))
    lowest = torch.where(within, voltage_mv, torch.inf).amin(dim=1)
    return _steady_state_voltage_stimend(voltage_mv, onset_ms, offset_ms, dt_ms) - lowest


def _sample_from(time_ms: Tensor, dt_ms: float) -> Tensor:
    """The first sample at or after an instant."""
    return torch.ceil(time_ms / dt_ms - _ON_EDGE)


def _between(voltage_mv: Tensor, first: Tensor, end: Tensor) -> Bool[Tensor, "batch time"]:
    """Which samples lie in [first, end), trace by trace."""
    samples = torch.arange(voltage_mv.shape[1], device=voltage_mv.device)
    return (samples >= first[:, None]) & (samples < end[:, None])


def _mean(voltage_mv: Tensor, mask: Tensor) -> Tensor:
    """Mean over a mask, NaN where it is empty; there, too, the gradient is zero and not NaN."""
    count = mask.sum(dim=1)
    total = torch.where(mask, voltage_mv, 0.0).sum(dim=1)
    return torch.where(count > 0, total / count.clamp(min=1), torch.nan)


SOFT_FEATURES: Final[Mapping[str, SoftFeature]] = {
    feature.name: feature
    for feature in (
        SoftFeature("sag_amplitude", "mV", _sag_amplitude, is_level=False),
        SoftFeature("steady_state_voltage_stimend", "mV", _steady_state_voltage_stimend, is_level=True),
        SoftFeature("voltage_base", "mV", _voltage_base, is_level=True),
    )
}
"""The features that can be targeted, by eFEL's names."""
