"""What the measured features of a neuron say about its firing at a current, before a network corrects it.

A neuron that nobody has trained on is known by its features alone. Those of its F-I curve (threshold; rate, latency and first
interval at a few currents above it) already say how it answers a steady current, to the accuracy of interpolating between the
points. The network is given that answer, and what is left for it to learn is much the same for all models of a family.
"""

from __future__ import annotations

import math
import re
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

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

_CURVE_FEATURE: Final = re.compile(r"(rate|latency|first_ISI)_(\d+)pA")


class Drive(nn.Module):
    """Expected firing at a current, from whichever features the neurons are known by.

    Args:
        spec: with `i_thr` and at least two of `rate_NpA`, `latency_NpA` and `first_ISI_NpA` each, at the same N: the curve
            through these points; with `i_thr` alone, or with `s_thr`: a straight line; with neither: nothing.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        super().__init__()
        self._spec = spec
        points: dict[str, dict[int, int]] = {"rate": {}, "latency": {}, "first_ISI": {}}
        for column, name in enumerate(spec.names):
            if found := _CURVE_FEATURE.fullmatch(name):
                points[found[1]][int(found[2])] = column
        above = sorted(set.intersection(*(set(columns) for columns in points.values())))
        self._has_curve = "i_thr" in spec.names and len(above) >= 2
        self._columns = [[columns[step] for step in above] for columns in points.values()]
        if self._has_curve:
            self._spline = _CardinalSpline(np.log1p(np.array(above) * 1e-3 / _LOG_OFFSET_NA))

    @property
    def signals(self) -> int:
        """Signals in each bin."""
        return 5 if self._has_curve else 3

    def forward(
        self, scaled_features: Float[Tensor, "batch feature"], current_na: Float[Tensor, "batch bins"]
    ) -> tuple[Float[Tensor, "batch bins signals"], Float[Tensor, "batch bins"]]:
        """Signals for a network, of order one, and the logarithm of the expected rate in 1/ms.

        Args:
            scaled_features: as `FeatureSpec.scale` gives them.
            current_na: mean in each bin, nA.
        """
        physical = self._spec.unscale(scaled_features)
        named = dict(zip(self._spec.names, physical.unbind(dim=1), strict=True))
        current = current_na / _CURRENT_SCALE_NA
        if "i_thr" not in named:
            nothing = torch.zeros_like(current)
            return torch.stack([current, nothing, nothing], dim=2), nothing + math.log(_SILENT_RATE_PER_MS)
        above = current_na - named["i_thr"][:, None]
        # Saturating far from threshold, where the drive says no more than the current itself.
        drive = torch.tanh(above / (2 * _DRIVE_SCALE_NA)) * 2
        if not self._has_curve:
            slope = (
                named["s_thr"][:, None] if "s_thr" in named else torch.full_like(above[:, :1], _USUAL_SLOPE_HZ_PER_NA)
            )
            slope = slope.clamp(min=_LEAST_SLOPE_HZ_PER_NA)
            expected = nn.functional.softplus(above / _WIDE_BEND_NA) * _WIDE_BEND_NA * slope / _RATE_SCALE_HZ
            log_rate = torch.log(expected * (_RATE_SCALE_HZ * 1e-3) + _SILENT_RATE_PER_MS)
            return torch.stack([current, drive, expected], dim=2), log_rate
        fires = torch.sigmoid(above / _BEND_NA)
        position = torch.log1p(nn.functional.softplus(above / _BEND_NA) * (_BEND_NA / _LOG_OFFSET_NA))
        knots = torch.stack([physical[:, columns] for columns in self._columns], dim=1)
        curves = self._spline(torch.log(knots.clamp(min=1e-3)), position)
        rate, latency, interval = curves.clamp(-8.0, 8.0).unbind(dim=2)
        log_rate = rate + math.log(1e-3) + nn.functional.logsigmoid(above / _BEND_NA)
        scale = math.log(_TIME_SCALE_MS)
        expected = [
            torch.exp(item) * fires for item in (rate - math.log(_RATE_SCALE_HZ), scale - latency, scale - interval)
        ]
        return torch.stack([current, drive, *expected], dim=2), log_rate


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
