"""NumPy's seeds and generator states of many samples at once.

A sample's seed is the first word of `SeedSequence(entropy=seed, spawn_key=(index,))`, and its generator is `default_rng` of
that. Making two such objects takes longer than drawing a stimulus; here the same numbers come from arrays. NumPy promises that
the algorithms of `SeedSequence` (O'Neill's `seed_seq_fe`) and `PCG64` (O'Neill, HMC-CS-2014-0905) never change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

_WORD: Final = 0xFFFFFFFF
_POOL: Final = 4  # words of a SeedSequence's pool
_INIT_A, _MULT_A = 0x43B0D7E5, 0x931E8875
_INIT_B, _MULT_B = 0x8B51F9DD, 0x58F38DED
_MIX_LEFT, _MIX_RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
_HALF: Final = np.uint32(16)
_PCG_MULTIPLIER: Final = 0x2360ED051FC65DA44385DF649FCCF645
_PCG_MASK: Final = (1 << 128) - 1


def sample_seeds(seed: int, count: int) -> np.ndarray:
    """`SeedSequence(entropy=seed, spawn_key=(index,)).generate_state(1, uint64)` of samples 0 to count - 1, uint64."""
    words = []
    rest = seed
    while rest or not words:
        words.append(rest & _WORD)
        rest >>= 32
    words += [0] * (_POOL - len(words))  # so that a spawn key cannot be taken for a part of the seed
    columns = [np.full(count, word, dtype=np.uint32) for word in words]
    return _words(_pool([*columns, np.arange(count, dtype=np.uint32)]), 1)[0]


def generators(seeds: np.ndarray) -> Iterator[np.random.Generator]:
    """`default_rng(seed)` of each seed, uint64, one after the other: the same object in another state."""
    bits = np.random.PCG64(0)
    generator = np.random.Generator(bits)
    low = (seeds & np.uint64(_WORD)).astype(np.uint32)
    high = (seeds >> np.uint64(32)).astype(np.uint32)
    states = [column.tolist() for column in _words(_pool([low, high]), 4)]
    for upper, lower, stream_upper, stream_lower in zip(*states, strict=True):
        increment = (((stream_upper << 64 | stream_lower) << 1) | 1) & _PCG_MASK
        state = ((increment + (upper << 64 | lower)) * _PCG_MULTIPLIER + increment) & _PCG_MASK
        bits.state = {
            "bit_generator": "PCG64",
            "state": {"state": state, "inc": increment},
            "has_uint32": 0,
            "uinteger": 0,
        }
        yield generator


def _pool(columns: list[np.ndarray]) -> list[np.ndarray]:
    """The pools of many SeedSequences, from the words of their entropy."""
    constant = _INIT_A

    def hashed(values: np.ndarray) -> np.ndarray:
        nonlocal constant
        values = values ^ np.uint32(constant)
        constant = constant * _MULT_A & _WORD
        values = values * np.uint32(constant)
        return values ^ (values >> _HALF)

    def mixed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        result = one * _MIX_LEFT - other * _MIX_RIGHT
        return result ^ (result >> _HALF)

    nothing = np.zeros_like(columns[0])
    pool = [hashed(columns[index] if index < len(columns) else nothing) for index in range(_POOL)]
    for source in range(_POOL):
        for target in range(_POOL):
            if source != target:
                pool[target] = mixed(pool[target], hashed(pool[source]))
    for extra in columns[_POOL:]:
        for target in range(_POOL):
            pool[target] = mixed(pool[target], hashed(extra))
    return pool


def _words(pool: list[np.ndarray], count: int) -> list[np.ndarray]:
    """The first so many words of 64 bits that the SeedSequences give."""
    constant, halves = _INIT_B, []
    for index in range(2 * count):
        values = pool[index % _POOL] ^ np.uint32(constant)
        constant = constant * _MULT_B & _WORD
        values = values * np.uint32(constant)
        halves.append((values ^ (values >> _HALF)).astype(np.uint64))
    return [low | high << np.uint64(32) for low, high in zip(halves[::2], halves[1::2], strict=True)]
