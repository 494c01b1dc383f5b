"""When the next spike comes: how much of its integrated hazard is used up by then.

By time rescaling, spikes that come with a given hazard are those at which its integral since the last one reaches a number drawn
from the exponential distribution of mean 1, each time anew. Its median, ln 2, stands for the most likely train: it fires where a
spike is as likely to have come as not.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from torch import Tensor

from noble.operator.trials import INCREMENT, mixed

HALF_OF_THE_CHANCE: Final = math.log(2)
_UNIT: Final = 2.0**-52
_mixed = njit(cache=True, nogil=True)(mixed)


class Draws(NamedTuple):
    """Which thresholds neurons are at.

    Attributes:
        keys: of the trials, `MOST_LIKELY` where nothing is drawn, shape (neuron,), int64.
        fired: how many spikes each has fired since rest, which is the number of its threshold, shape (neuron,), int64.
    """

    keys: Tensor
    fired: Tensor


@njit(cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def threshold(key, number):
    """What the integrated hazard passes at a spike of a trial, counted from 0; float32."""
    if key < 0:
        return np.float32(HALF_OF_THE_CHANCE)
    drawn = _mixed(_mixed(np.uint64(key)) + np.uint64(INCREMENT) * (np.uint64(number) + np.uint64(1)))
    # 52 bits and a half of one more: never 0 and never 1, and exact.
    return np.float32(-np.log((np.float64(drawn >> np.uint64(12)) + 0.5) * _UNIT))


@njit(cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def thresholds(keys: Int[np.ndarray, " neuron"], fired: Int[np.ndarray, " neuron"]) -> Float[np.ndarray, " neuron"]:
    """The present threshold of each neuron."""
    result = np.empty(len(keys), np.float32)
    for neuron in range(len(keys)):
        result[neuron] = threshold(keys[neuron], fired[neuron])
    return result
