"""The paper's embedding: scalars become sinusoids in time whose frequency they set."""

from __future__ import annotations

import math
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

# The embedding's unit of current; the only place where currents are not in nA.
CURRENT_UNIT_NA: Final = 0.1


def channel_count(*, features: int, amplitude_frequencies: int, feature_frequencies: int) -> int:
    """Channels of `embed`: 23 for two features in the paper's configuration."""
    return 2 * (amplitude_frequencies + features * feature_frequencies) + 1


def signed_extreme(current_na: Float[Tensor, "batch time"]) -> Float[Tensor, "batch 1"]:
    """The sample of largest magnitude, with its sign: the amplitude of any current.

    It is a step's amplitude, and 0 for no current. Differentiable: the gradient reaches the extreme sample, the
    first of several equal ones.
    """
    return current_na.gather(1, current_na.detach().abs().argmax(dim=1, keepdim=True))


def embed(
    scaled_features: Float[Tensor, "batch feature"],
    current_na: Float[Tensor, "batch time"],
    *,
    dt_ms: float,
    window_ms: float,
    amplitude_frequencies: int,
    feature_frequencies: int,
) -> Float[Tensor, "batch channel time"]:
    """Input channels of the FNO (NOBLE, NeurIPS 2025, section on neuron-model embeddings).

    Every scalar p gives `sin(2^k pi p t)` and `cos(2^k pi p t)`, k < K, with t from 0 to 2 pi across the window. The
    scalars are the amplitude (`signed_extreme`, in units of 0.1 nA) and the scaled features. Channel order: all sines
    (amplitude k = 0, 1, ...; first feature k = 0, 1, ...; next feature ...), all cosines in the same order, then the
    current itself in units of 0.1 nA.

    Args:
        scaled_features: features mapped to [0.5, 3.5].
        current_na: nA. May run beyond the window (padding); t then continues beyond 2 pi.
        dt_ms: sampling interval, ms.
        window_ms: time that corresponds to t = 2 pi, ms.
        amplitude_frequencies, feature_frequencies: K of the amplitude and of every feature.
    """
    current = current_na / CURRENT_UNIT_NA
    rates = torch.cat(
        [
            _octaves(signed_extreme(current), amplitude_frequencies),
            _octaves(scaled_features, feature_frequencies),
        ],
        dim=1,
    )
    steps = torch.arange(current.shape[1], dtype=current.dtype, device=current.device)
    angles = rates[:, :, None] * (steps * (2 * math.pi * dt_ms / window_ms))
    return torch.cat([angles.sin(), angles.cos(), current[:, None, :]], dim=1)


def _octaves(scalars: Float[Tensor, "batch scalar"], frequencies: int) -> Float[Tensor, "batch rate"]:
    """`2^k pi p` for every scalar p and k < frequencies, k running fastest."""
    factors = math.pi * 2.0 ** torch.arange(frequencies, dtype=scalars.dtype, device=scalars.device)
    return (scalars[:, :, None] * factors).flatten(1)
