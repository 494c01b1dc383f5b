"""The address of a neuron: what a network knows it by."""

from __future__ import annotations

import warnings

from torch import nn


def address(features: int, size: int) -> nn.Sequential:
    """A layer from scaled features (batch, feature) to an address (batch, size).

    Without features the address is learned all the same, one for the one neuron that there is; it begins at zero.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")  # only the bias is left, as it should be
        return nn.Sequential(nn.Linear(features, size), nn.SiLU())
