"""Thresholds of the integrated hazard: hashed from keys, exponential, and the same as in plain Python."""

import math

import numpy as np
import pytest
from scipy.stats import kstest

from noble.operator.feedback.thresholds import HALF_OF_THE_CHANCE, threshold, thresholds
from noble.operator.trials import MOST_LIKELY, mixed, trial_keys

_ALL = (1 << 64) - 1


def plain_mix(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _ALL
    return value ^ (value >> 31)


def plain_threshold(key: int, number: int) -> float:
    drawn = plain_mix((plain_mix(key) + 0x9E3779B97F4A7C15 * (number + 1)) & _ALL)
    return -math.log(((drawn >> 12) + 0.5) / 2**52)


def drawn(keys: np.ndarray, count: int) -> np.ndarray:
    """Thresholds 0 ... count - 1 of each key, shape (key, count)."""
    numbers = np.tile(np.arange(count), len(keys))
    return thresholds(np.repeat(keys, count), numbers).reshape(len(keys), count)


def test_the_hash_is_splitmix64():
    """The first numbers that the published generator gives for the seed 1234567."""
    states = np.uint64(1234567) + np.arange(1, 4, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert mixed(states).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_thresholds_are_those_of_plain_python():
    keys = [0, 1, 2**40 + 17, 2**63 - 1, *trial_keys(0, 1, 1, 20).ravel().tolist()]
    found = drawn(np.array(keys), 50)
    expected = np.array([[plain_threshold(key, number) for number in range(50)] for key in keys], np.float32)
    np.testing.assert_allclose(found, expected, rtol=3e-7)
    assert float(threshold(keys[2], 7)) == found[2, 7]
    np.testing.assert_array_equal(drawn(np.array([MOST_LIKELY]), 3), np.float32(HALF_OF_THE_CHANCE))


@pytest.mark.parametrize("keys", [np.arange(2000), trial_keys(5, 10, 10, 20).ravel()], ids=["in a row", "hashed"])
def test_thresholds_are_exponential_and_of_their_own(keys):
    found = drawn(keys, 50)
    assert kstest(found.ravel(), "expon").pvalue > 0.01
    assert kstest(found[:, 0], "expon").pvalue > 0.01  # over keys as over numbers
    # Neighbours in either direction have nothing to do with each other: correlations of 1e5 pairs scatter by 0.003.
    for one, other in ((found[:-1], found[1:]), (found[:, :-1], found[:, 1:])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.013


def test_keys_depend_on_their_own_place_alone():
    many = trial_keys(7, 4, 5, 60)
    np.testing.assert_array_equal(trial_keys(7, 2, 3, 10), many[:2, :3, :10])
    assert np.unique(np.concatenate([many.ravel(), trial_keys(8, 4, 5, 60).ravel()])).size == 2 * many.size
    assert many.min() >= 0


@pytest.mark.parametrize(
    ("seed", "trials", "message"),
    [
        (-1, 1, "seed is -1; expected a whole number from 0"),
        (0.5, 1, "seed is 0.5"),
        (1 << 63, 1, "seed is 9223372036854775808"),
        (0, 0, "trials is 0; expected a whole number from 1"),
        (0, "ten", "trials is 'ten'"),
    ],
)
def test_what_is_no_seed_or_number_is_refused(seed, trials, message):
    with pytest.raises(ValueError, match=message):
        trial_keys(seed, 1, 1, trials)
