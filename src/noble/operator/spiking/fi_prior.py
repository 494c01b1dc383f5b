"""What the measured features of a neuron say about its firing at a current, before a network corrects it.

A neuron that nobody has trained on is known by its features alone. Those of its F-I curve (threshold; rate, latency and first
interval at a few currents above it) already say how it answers a steady current, to the accuracy of interpolating between the
points. The network is given that answer, and what is left for it to learn is much the same for all models of a family.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from noble.features.catalogue import curve_point
from noble.operator.feedback.recurrence import linear_recurrence
from noble.operator.spec import FeatureSpec

# The scales on which the network sees current: 0.1 nA, and the 50 pA above threshold that hold the F-I curve's bend.
_CURRENT_SCALE_NA: Final = 0.1
_DRIVE_SCALE_NA: Final = 0.05
_RATE_SCALE_HZ: Final = 50.0
_TIME_SCALE_MS: Final = 20.0

# A family may hold a model whose curve falls above threshold; a rate has to stay positive all the same.
_LEAST_SLOPE_HZ_PER_NA: Final = 20.0
_USUAL_SLOPE_HZ_PER_NA: Final = 500.0
_WIDE_BEND_NA: Final = 0.005
# Width of the bend at threshold; below it the expected rate falls by e every so much current.
_BEND_NA: Final = 0.002
# Where the curve is nearly a straight line on a logarithmic axis of current above threshold.
_LOG_OFFSET_NA: Final = 0.005
# Added to the rate expected from threshold and slope: a phase of 0.05 in a 500 ms window of silence.
_SILENT_RATE_PER_MS: Final = 1e-4

# A current drives from so many bends below threshold on, where the expected rate is a seventh already. Firing begins so long
# after it at least, and what has begun is forgotten so fast without it. Where firing has not begun, so much of its rate is left
# for the network to correct.
_LEAST_DELAY_MS: Final = 0.05
_DRIVEN_BENDS: Final = 2.0
_FORGET_MS: Final = 20.0
_LEAST_BEGUN: Final = 1e-3
# See `FICurvePrior.uncertainty`: 2 % where the curve is known, e^0.2 where there are threshold and slope at most.
_KNOWN_CURVE_UNCERTAINTY: Final = 0.02
_LINE_UNCERTAINTY: Final = 0.2
# The steps of the measured curve (`noble.features.excitability`), and how fast firing adapts after the first spike:
# interneurons of both kinds in 15 to 40 ms.
_STEP_MS: Final = 400.0
_RELAXATION_MS: Final = 30.0
# Numbers that a current which goes on takes over, see `expected_rate`.
STATES: Final = 3


class FICurvePrior(nn.Module):
    """Expected firing at a current, from whichever features the neurons are known by.

    Args:
        spec: with `rheobase` and, at two or more steps above it, rate, latency and first interval of the F-I curve: the curve
            through these points; with `rheobase` alone, or with `fi_gain`: a straight line; with neither: nothing.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        super().__init__()
        self._spec = spec
        points: dict[str, dict[int, int]] = {"rate": {}, "latency": {}, "first_ISI": {}}
        for column, name in enumerate(spec.names):
            if (point := curve_point(name)) is not None:
                points[point.quantity][point.above_pa] = column
        above = sorted(set.intersection(*(set(columns) for columns in points.values())))
        self._has_curve = "rheobase" in spec.names and len(above) >= 2
        self._columns = [[columns[step] for step in above] for columns in points.values()]
        if self._has_curve:
            self._spline = _CardinalSpline(np.log1p(np.array(above) * 1e-3 / _LOG_OFFSET_NA))

    @property
    def signals(self) -> int:
        """Signals in each piece."""
        return 6 if self._has_curve else 3

    @property
    def uncertainty(self) -> float:
        """Usual error of the logarithm of the expected rate: the unit in which a network had best correct it."""
        return _KNOWN_CURVE_UNCERTAINTY if self._has_curve else _LINE_UNCERTAINTY

    def curve(self) -> dict[str, list[Any]] | None:
        """What the curve is evaluated with, for a port to another language; None where there is no curve.

        Returns:
            `points`: names of the features at the knots, for rate, latency and first interval each; `edges`, `anchors` and
            `coefficients`: see `_CardinalSpline`.
        """
        if not self._has_curve:
            return None
        spline = self._spline
        return {
            "points": [[self._spec.names[column] for column in columns] for columns in self._columns],
            "edges": spline.edges.tolist(),
            "anchors": spline.anchors.tolist(),
            "coefficients": spline.coefficients.tolist(),
        }

    def forward(
        self,
        scaled_features: Float[Tensor, "batch feature"],
        current_na: Float[Tensor, "batch piece"],
        duration_ms: Float[Tensor, "batch piece"],
    ) -> tuple[Float[Tensor, "batch piece signal"], Float[Tensor, "batch piece"]]:
        """Signals for a network, of order one, and the logarithm of the expected rate in 1/ms, from rest on.

        Args:
            scaled_features: as `FeatureSpec.scale` gives them.
            current_na: mean in each of consecutive pieces of time, nA.
            duration_ms: of each piece, ms.
        """
        before = scaled_features.new_zeros(len(scaled_features), STATES)
        return self.advance(scaled_features, current_na, duration_ms, before)[:2]

    def advance(
        self,
        scaled_features: Float[Tensor, "batch feature"],
        current_na: Float[Tensor, "batch piece"],
        duration_ms: Float[Tensor, "batch piece"],
        before: Float[Tensor, "batch state"],
    ) -> tuple[Float[Tensor, "batch piece signal"], Float[Tensor, "batch piece"], Float[Tensor, "batch state"]]:
        """As `forward`, for a current that goes on, with the state that it goes on from; the state after it comes last.

        Args:
            scaled_features, current_na, duration_ms: as there.
            before: zeros at rest, shape (batch, STATES).
        """
        physical = self._spec.unscale(scaled_features)
        named = dict(zip(self._spec.names, physical.unbind(dim=1), strict=True))
        current = current_na / _CURRENT_SCALE_NA
        if "rheobase" not in named:
            nothing = torch.zeros_like(current)
            return torch.stack([current, nothing, nothing], dim=2), nothing + math.log(_SILENT_RATE_PER_MS), before
        above = current_na - named["rheobase"][:, None]
        # Saturating far from threshold, where the drive says no more than the current itself.
        drive = torch.tanh(above / (2 * _DRIVE_SCALE_NA)) * 2
        if not self._has_curve:
            slope = (
                named["fi_gain"][:, None]
                if "fi_gain" in named
                else torch.full_like(above[:, :1], _USUAL_SLOPE_HZ_PER_NA)
            )
            slope = slope.clamp(min=_LEAST_SLOPE_HZ_PER_NA)
            expected = nn.functional.softplus(above / _WIDE_BEND_NA) * _WIDE_BEND_NA * slope / _RATE_SCALE_HZ
            log_rate = torch.log(expected * (_RATE_SCALE_HZ * 1e-3) + _SILENT_RATE_PER_MS)
            return torch.stack([current, drive, expected], dim=2), log_rate, before
        fires = torch.sigmoid(above / _BEND_NA)
        position = torch.log1p(nn.functional.softplus(above / _BEND_NA) * (_BEND_NA / _LOG_OFFSET_NA))
        knots = torch.stack([physical[:, columns] for columns in self._columns], dim=1)
        curves = self._spline(torch.log(knots.clamp(min=1e-3)), position)
        rate, latency, interval = curves.clamp(-8.0, 8.0).unbind(dim=2)
        known = torch.exp(rate) * 1e-3, torch.exp(latency), torch.exp(interval)
        moment, after = expected_rate(*known, above, duration_ms, before)
        log_rate = torch.log(moment) + nn.functional.logsigmoid(above / _BEND_NA)
        scale = math.log(_TIME_SCALE_MS)
        expected = [
            torch.exp(item) * fires for item in (rate - math.log(_RATE_SCALE_HZ), scale - latency, scale - interval)
        ]
        signals = torch.stack([current, drive, *expected, moment * fires * (1e3 / _RATE_SCALE_HZ)], dim=2)
        return signals, log_rate, after


def expected_rate(
    rate_per_ms: Float[Tensor, "batch piece"],
    latency_ms: Float[Tensor, "batch piece"],
    interval_ms: Float[Tensor, "batch piece"],
    above_na: Float[Tensor, "batch piece"],
    duration_ms: Float[Tensor, "batch piece"],
    before: Float[Tensor, "batch state"],
) -> tuple[Float[Tensor, "batch piece"], Float[Tensor, "batch state"]]:
    """Expected rate in each of consecutive pieces of time, 1/ms, such that a step is answered as measured.

    Its integral is one a latency after the onset, and two a first interval later; then the rate relaxes exponentially to where
    its mean over a step of `_STEP_MS` is the measured one. Before the first spike it is the mean rate, begun late, or, where the
    latency is too short for that, a higher one from the onset on.

    Args:
        rate_per_ms, latency_ms, interval_ms: mean rate from first to last spike, latency and first interval that a step
            of each piece's current would have.
        above_na: current above threshold, nA.
        duration_ms: of each piece.
        before: states that the first piece begins with, zeros at rest: of begun firing, of past first spikes, of relaxation.

    Returns:
        The rate, and the states after the last piece.
    """
    delay_ms = (latency_ms - 1 / rate_per_ms).clamp(min=_LEAST_DELAY_MS)
    driven = above_na > -_DRIVEN_BENDS * _BEND_NA
    driven_twice, duration_twice = (torch.cat([item, item]) for item in (driven, duration_ms))
    waits = torch.cat([delay_ms, latency_ms])
    shares, charged = begun_share(waits, driven_twice, duration_twice, torch.cat([before[:, 0], before[:, 1]]))
    begun, fired = shares.chunk(2)
    # After the first spike r + c exp(-t / tau): one spike in the first interval, the mean rate over the rest of the step.
    rest_ms = torch.maximum(_STEP_MS - latency_ms - 0.5 / rate_per_ms, 1.5 * interval_ms)
    relaxed_early, relaxed_late = (-torch.expm1(-time / _RELAXATION_MS) for time in (interval_ms, rest_ms))
    share = relaxed_late / relaxed_early
    steady = (rate_per_ms * rest_ms - share) / (rest_ms - share * interval_ms)
    steady = torch.minimum(torch.maximum(steady, rate_per_ms / 3), 3 * rate_per_ms)
    change = (1 - steady * interval_ms) / (relaxed_early * _RELAXATION_MS)
    change = torch.minimum(torch.maximum(change, -0.9 * steady), 9 * steady)
    relaxing, relaxed_after = relaxed(torch.exp(-duration_ms / _RELAXATION_MS), fired, before[:, 2])
    gone = fired + (relaxing - fired) * torch.exp(-0.5 * duration_ms / _RELAXATION_MS)
    first = 1 / (latency_ms - delay_ms)
    rate = torch.maximum(first * (begun - fired) + (steady + change * (1 - gone)) * fired, _LEAST_BEGUN * rate_per_ms)
    return rate, torch.stack([*charged.chunk(2), relaxed_after], dim=1)


def begun_share(
    delay_ms: Float[Tensor, "batch piece"],
    driven: Bool[Tensor, "batch piece"],
    duration_ms: Float[Tensor, "batch piece"],
    before: Float[Tensor, " batch"],
) -> tuple[Float[Tensor, "batch piece"], Float[Tensor, " batch"]]:
    """In how much of each of consecutive pieces of time firing has begun, `delay_ms` after a drive sets in.

    Begun is where a leaky integrator, `delay ds/dt = 1 - s` while driven, has passed `1 - 1/e`: exactly the delay after a step's
    onset, and for any other current sooner after a short pause than after a long one. Without drive it forgets in `_FORGET_MS`.
    The integrator is `before` at the first piece; what it is after the last comes second.
    """
    decay = torch.exp(-duration_ms / torch.where(driven, delay_ms, _FORGET_MS))
    state, after = relaxed(decay, driven.to(duration_ms.dtype), before)
    wait_ms = delay_ms * (1 + torch.log1p(-state.clamp(max=0.999)))
    share = torch.where(driven, 1 - wait_ms / duration_ms, (state > 1 - math.exp(-1)).to(duration_ms.dtype)).clamp(0, 1)
    return share, after


def relaxed(
    decay: Float[Tensor, "batch piece"], target: Float[Tensor, "batch piece"], before: Float[Tensor, " batch"]
) -> tuple[Float[Tensor, "batch piece"], Float[Tensor, " batch"]]:
    """State before each piece of `s -> d s + (1 - d) target`, and after the last."""
    states = linear_recurrence(decay[..., None], ((1 - decay) * target)[..., None], before[:, None])[..., 0]
    return torch.cat([before[:, None], states[:, :-1]], dim=1), states[:, -1]


class _CardinalSpline(nn.Module):
    """The natural cubic splines through values at fixed knots, straight lines beyond the outer ones."""

    edges: Tensor
    anchors: Tensor
    coefficients: Tensor

    def __init__(self, knots: np.ndarray) -> None:
        super().__init__()
        from scipy.interpolate import CubicSpline

        unit = np.eye(len(knots))
        spline = CubicSpline(knots, unit, bc_type="natural")
        pieces = [spline.c[:, piece] for piece in range(len(knots) - 1)]  # (powers 3 to 0, knots) each
        first, last = (
            np.stack([0 * unit[0], 0 * unit[0], spline(x, 1), unit[k]]) for x, k in ((knots[0], 0), (knots[-1], -1))
        )
        table = np.stack([first, *pieces, last])
        anchors = np.concatenate([knots[:1], knots[:-1], knots[-1:]])
        for name, value in (("edges", knots), ("anchors", anchors), ("coefficients", table)):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32), persistent=False)

    def forward(
        self, values: Float[Tensor, "batch curve knot"], positions: Float[Tensor, "batch points"]
    ) -> Float[Tensor, "batch points curve"]:
        """Each of a batch's splines at its positions."""
        # Each spline's own polynomials first: a point then picks four numbers a curve, not four a knot.
        pieces = torch.einsum("bck,pwk->bpwc", values, self.coefficients)
        piece = torch.searchsorted(self.edges, positions.detach().contiguous())
        rows = piece + torch.arange(len(pieces), device=piece.device)[:, None] * pieces.shape[1]
        step = (positions - self.anchors[piece])[..., None]
        chosen = pieces.flatten(0, 1).index_select(0, rows.reshape(-1)).unflatten(0, rows.shape)
        cubic, square, slope, value = chosen.unbind(dim=-2)
        return ((cubic * step + square) * step + slope) * step + value
