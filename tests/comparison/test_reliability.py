"""Repeats of a neuron, and a model beside them."""

import numpy as np
import pytest

from noble.comparison.reliability import md_star, reliability

DURATION_MS = 10_000.0


def repeats(count: int, *, jitter_ms: float, kept: float = 1.0, seed: int = 0) -> list[np.ndarray]:
    """Trials whose spikes are those of one train, each moved a little, some of them left out."""
    times = np.sort(np.random.default_rng(99).uniform(0, DURATION_MS, 60))
    generator = np.random.default_rng(seed)
    return [
        np.sort((times + generator.normal(0, jitter_ms, times.size))[generator.random(times.size) < kept])
        for _ in range(count)
    ]


def test_equal_trials_are_wholly_reliable_and_so_is_a_model_that_gives_them():
    trials = repeats(3, jitter_ms=0.0)
    found = reliability(trials, duration_ms=DURATION_MS, deterministic=trials[0], drawn=trials).to_dict()
    for window in (1, 2, 4, 8):
        assert found[f"reliability_{window}ms"] == pytest.approx(1.0)
        assert found[f"coincidence_over_reliability_{window}ms"] == pytest.approx(1.0)
        assert found[f"md_star_{window}ms"] == pytest.approx(1.0)
    assert (found["trials"], found["spikes"], found["fano_factor"], found["jitter_ms"]) == (3, 60, 0.0, 0.0)


def test_jitter_is_found_and_costs_reliability_in_narrow_windows():
    found = reliability(repeats(10, jitter_ms=1.0), duration_ms=DURATION_MS)
    assert found.jitter_ms == pytest.approx(1.0, rel=0.05)
    narrow, *_, wide = found.windows
    # Two spikes differ by a normal number of SD sqrt(2) ms.
    assert narrow.reliability == pytest.approx(0.52, abs=0.04)
    assert wide.reliability == pytest.approx(1.0, abs=0.01)
    assert narrow.coincidence is None
    assert "coincidence_1ms" not in found.to_dict()


def test_the_most_likely_train_comes_nearer_to_trials_than_they_to_each_other():
    trials = repeats(10, jitter_ms=1.0)
    found = reliability(trials, duration_ms=DURATION_MS, deterministic=repeats(1, jitter_ms=0.0)[0])
    assert found.windows[0].coincidence == pytest.approx(0.68, abs=0.04)
    assert found.windows[0].coincidence_over_reliability > 1.2


@pytest.mark.parametrize("kept", [1.0, 0.5])
def test_md_star_is_one_for_trials_of_one_distribution_however_unreliable(kept: float):
    several = [
        md_star(
            repeats(10, jitter_ms=2.0, kept=kept, seed=seed),
            repeats(50, jitter_ms=2.0, kept=kept, seed=100 + seed),
            window_ms=4.0,
        )
        for seed in range(10)
    ]
    assert np.mean(several) == pytest.approx(1.0, abs=0.02)


def test_md_star_falls_where_the_model_fires_elsewhere_or_too_much():
    trials = repeats(10, jitter_ms=1.0)
    other = [np.sort(np.random.default_rng(seed).uniform(0, DURATION_MS, 60)) for seed in range(20)]
    assert md_star(trials, other, window_ms=4.0) < 0.1
    too_much = [
        np.sort(np.concatenate([train, extra]))
        for train, extra in zip(repeats(20, jitter_ms=1.0, seed=5), other, strict=True)
    ]
    assert 0.8 < md_star(trials, too_much, window_ms=4.0) < 0.98
    assert md_star([np.empty(0)] * 2, [np.empty(0)] * 2, window_ms=4.0) is None


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="there are 1 trials; expected at least two repeats"):
        reliability(repeats(1, jitter_ms=0.0), duration_ms=DURATION_MS)
    with pytest.raises(ValueError, match="there are 1 drawn trials"):
        reliability(repeats(2, jitter_ms=0.0), duration_ms=DURATION_MS, drawn=repeats(1, jitter_ms=0.0))


def test_the_serotonergic_neuron_is_as_reliable_as_measured(shared_data):
    """0.741 at 4 ms and 0.856 at 8 ms in the reference, by threshold crossings of its own."""
    from noble.recordings import read_recording
    from noble.spikes import spike_times_ms

    path = shared_data / "recordings/gifk-drn-noise/DRN162_5HT/DRN162_5ht_test.abf"
    if not path.exists():
        pytest.skip("the real recordings are not here")
    recording = read_recording(path)
    grid = recording.raw[0].trace.grid
    trials = [
        spike_times_ms(raw.trace.voltage_mv, dt_ms=grid.dt_ms, threshold_mv=recording.spike_threshold_mv)
        for raw in recording.raw
    ]
    found = reliability(trials, duration_ms=grid.duration_ms).to_dict()
    assert found["reliability_4ms"] == pytest.approx(0.741, abs=0.02)
    assert found["reliability_8ms"] == pytest.approx(0.856, abs=0.02)
