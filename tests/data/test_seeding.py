import numpy as np
import pytest

from noble.data.seeding import generators, sample_seeds


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, 2**40 + 3, 2**128 - 1, 2**200 + 5])
def test_seeds_are_those_of_numpy(seed):
    expected = [
        np.random.SeedSequence(entropy=seed, spawn_key=(index,)).generate_state(1, np.uint64)[0] for index in range(50)
    ]
    assert sample_seeds(seed, 50).tolist() == [int(value) for value in expected]


def test_generators_are_those_of_numpy():
    seeds = np.array([0, 5, 2**32 - 1, 2**32, 2**63 + 11, 2**64 - 1], dtype=np.uint64)
    for seed, generator in zip(seeds.tolist(), generators(seeds), strict=True):
        other = np.random.default_rng(seed)
        assert [generator.integers(50), generator.standard_normal(), generator.random(), generator.integers(2**32)] == [
            other.integers(50),
            other.standard_normal(),
            other.random(),
            other.integers(2**32),
        ]
