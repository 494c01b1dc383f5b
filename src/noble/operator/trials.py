"""Trials: answers to one current that differ by chance, and are the same whenever they are asked for again.

A trial is named by a key. Whoever draws for it draws by hashing the key and the number of the draw, so that there is no random
state to carry: a draw depends on nothing else, neither on the pieces in which a current comes, nor on who is asked along with it.
"""

from __future__ import annotations

import operator
from typing import Final, no_type_check

import numpy as np
from jaxtyping import Int

MOST_LIKELY: Final = -1
"""In place of a key: nothing is drawn, and the answer is the most likely one."""

# Steele, Lea & Flood (2014), Fast splittable pseudorandom number generators: SplitMix64, by its increment and its two factors.
INCREMENT: Final = 0x9E3779B97F4A7C15
_FACTORS: Final = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_LARGEST: Final = (1 << 63) - 1


@no_type_check  # it is compiled, too
def mixed(values: np.ndarray) -> np.ndarray:
    """A hash of 64 bits; it maps no two numbers to one.

    Args:
        values: uint64; where it is compiled, a single number.
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(_FACTORS[0])
    values = (values ^ (values >> np.uint64(27))) * np.uint64(_FACTORS[1])
    return values ^ (values >> np.uint64(31))


def trial_keys(seed: int, neurons: int, stimuli: int, trials: int) -> Int[np.ndarray, "neuron stimulus trial"]:
    """Keys of all trials; each depends on its own place and the seed, and not on how many others there are.

    Args:
        seed: of all of them, from 0.
        neurons, stimuli, trials: how many; at least one trial.

    Raises:
        ValueError: for a seed or a number of trials that is not such.
    """
    seed, trials = _whole(seed, "seed", least=0), _whole(trials, "trials", least=1)
    keys = mixed(np.array([seed], np.uint64))  # an array: a single number warns where it overflows, which is meant here
    for count in (neurons, stimuli, trials):
        places = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(INCREMENT)
        keys = mixed(keys[..., None] + places)
    return (keys[0] >> np.uint64(1)).astype(np.int64)


def _whole(value: object, name: str, *, least: int) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # whatever it is, this is how to ask
    except TypeError:
        number = least - 1
    if not least <= number <= _LARGEST:
        raise ValueError(f"{name} is {value!r}; expected a whole number from {least} to {_LARGEST}.")
    return number
