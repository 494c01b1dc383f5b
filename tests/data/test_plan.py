import numpy as np
import pytest
from fake_family import FakeHall, FakeModel, small_config
from scipy.stats import skewnorm

from noble.data import AmplitudeConfig, StimulusMix, TraceCounts
from noble.data.plan import AmplitudeDistribution, draw_plan, shared_samples, standard_mode
from noble.data.stimulus_table import FIRST_KINDS


@pytest.mark.parametrize("skewness", [-6.0, 0.0, 0.5, 4.0, 20.0])
def test_mode_is_the_maximum_of_the_density(skewness):
    values = np.linspace(-2, 2, 400_001)
    assert standard_mode(skewness) == pytest.approx(values[np.argmax(skewnorm.pdf(values, skewness))], abs=2e-5)


def test_amplitudes_peak_at_the_thresholds_with_a_heavy_positive_tail():
    law = AmplitudeDistribution.with_mode(AmplitudeConfig(), mode_na=0.055)
    generator = np.random.default_rng(1)
    drawn = np.array([law.draw_na(generator) for _ in range(40_000)])
    assert drawn.min() >= -0.11
    assert drawn.max() <= 0.28
    density, edges = np.histogram(drawn, bins=39)
    peak = int(np.argmax(np.convolve(density, np.ones(5) / 5, mode="same")))
    assert (edges[peak] + edges[peak + 1]) / 2 == pytest.approx(0.055, abs=0.02)
    assert np.mean(drawn > 0.055) > 1.5 * np.mean(drawn < 0.055)
    # The draws follow the truncated density everywhere, not only at its peak.
    exact = skewnorm(4.0, loc=law.location_na, scale=law.scale_na)
    grid = np.linspace(-0.1, 0.27, 12)
    low, high = exact.cdf(-0.11), exact.cdf(0.28)
    expected = (exact.cdf(grid) - low) / (high - low)
    assert np.max(np.abs(np.mean(drawn[:, None] <= grid, axis=0) - expected)) < 0.01


def test_a_share_of_amplitudes_comes_from_anywhere_in_the_range():
    law = AmplitudeDistribution.with_mode(AmplitudeConfig(uniform=0.5), mode_na=0.15)
    generator = np.random.default_rng(1)
    drawn = np.array([law.draw_na(generator) for _ in range(20_000)])
    # Of the skew-normal nothing is left of 0.03 nA; of the uniform half, 0.11 of 0.39 nA are negative.
    assert np.mean(drawn < 0) == pytest.approx(0.5 * 0.11 / 0.39, abs=0.01)
    none = AmplitudeDistribution.with_mode(AmplitudeConfig(), mode_na=0.15)
    assert np.mean([none.draw_na(generator) < 0 for _ in range(20_000)]) < 1e-3


def test_the_default_mode_is_the_training_models_mean_threshold():
    # Training models have 0.04, 0.05, 0.06, 0.07 nA; the held-out ones, at 0.08 and 0.09, must not count.
    def first_mean(**amplitude):
        config = small_config(amplitude=AmplitudeConfig(low_na=-1, high_na=1, scale_na=1e-4, skewness=0, **amplitude))
        return draw_plan(config, FakeHall()).stimuli.parameters[:, 2].mean()

    assert first_mean() == pytest.approx(0.055, abs=1e-4)
    assert first_mean(mode_na=0.2) == pytest.approx(0.2, abs=1e-4)


def test_splits_keep_models_and_currents_apart():
    plan = draw_plan(small_config(), FakeHall())
    assert np.bincount(plan.split).tolist() == [20, 6, 6, 8]
    assert set(plan.model_index[plan.split < 3]) <= {0, 1, 2, 3}
    assert set(plan.model_index[plan.split == 3]) == {4, 5}
    assert shared_samples(plan) == 0
    pairs = set(zip(plan.model_index.tolist(), plan.stimuli.parameters[:, 2].tolist(), strict=True))
    assert len(pairs) == len(plan)


def test_a_sample_depends_on_seed_and_index_alone():
    plan = draw_plan(small_config(), FakeHall())
    assert draw_plan(small_config(), FakeHall()).digest == plan.digest
    assert draw_plan(small_config(seed=8), FakeHall()).digest != plan.digest
    fewer = draw_plan(small_config(traces=TraceCounts(train=5, validation=0, test=0, unseen_models=0)), FakeHall())
    assert np.array_equal(fewer.seed, plan.seed[:5])
    assert np.array_equal(fewer.model_index, plan.model_index[:5])
    assert np.array_equal(fewer.stimuli.parameters[:, :3], plan.stimuli.parameters[:5, :3])
    assert len(set(plan.seed.tolist())) == len(plan)


def test_a_mix_has_all_kinds_within_the_window():
    mix = StimulusMix(step=1, ramp=1, chirp=1, ornstein_uhlenbeck=1)
    plan = draw_plan(
        small_config(mix=mix, traces=TraceCounts(train=400, validation=0, test=0, unseen_models=0)), FakeHall()
    )
    counts = np.bincount(plan.stimuli.kind, minlength=4)
    assert counts.min() > 60
    assert all(plan.stimulus(index).end_ms == 415.0 for index in range(len(plan)))
    seeds = plan.stimuli.parameters[plan.stimuli.kind == FIRST_KINDS.index("OrnsteinUhlenbeck"), 5]
    assert len(set(seeds.tolist())) == seeds.size


@pytest.mark.parametrize(
    ("amplitude", "hall", "message"),
    [
        (AmplitudeConfig(low_na=0.1, high_na=0.2), FakeHall(), "mode is 0.055 nA"),
        (AmplitudeConfig(scale_na=100.0), FakeHall(), "choose a scale_na"),
        (AmplitudeConfig(), FakeHall(models=(FakeModel({"rheobase": 0.1}),)), "holds out no model"),
        (AmplitudeConfig(), FakeHall(models=(FakeModel({}), FakeModel({}, held_out=True))), "no rheobase"),
    ],
)
def test_impossible_plans_are_refused(amplitude, hall, message):
    with pytest.raises(ValueError, match=message):
        draw_plan(small_config(amplitude=amplitude), hall)
