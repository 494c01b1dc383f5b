"""What a family's prior says of features that were not measured: against regression, Bayes by hand, and the shipped halls."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from noble.cells import HallOfFame
from noble.family.prior import FamilyPrior, shrunk_correlations
from noble.features.catalogue import HALL_FEATURES, LATENT_FEATURES

RICH = ("rate_rheobase_plus_50pA", "rheobase", "AP1_peak", "fi_gain", "voltage_base")
HUMAN = HallOfFame.load("human-pv")
WHOLE = FamilyPrior(HALL_FEATURES, HUMAN.feature_table(HALL_FEATURES)[list(HUMAN.train)])


def made_table(models: int = 40, seed: int = 0) -> np.ndarray:
    """Rate and peak are linear in rheobase and gain up to noise, which the two share; rest is noise alone."""
    generator = np.random.default_rng(seed)
    rheobase, gain = generator.uniform(0.14, 0.17, models), generator.uniform(450, 650, models)
    shared, own, rest = generator.standard_normal((3, models))
    rate = 5 + 100 * rheobase + 0.04 * gain + shared
    return np.column_stack([rate, rheobase, 20 - 50 * rheobase + shared + own, gain, -80 + rest])


def test_given_the_latent_features_alone_the_mean_is_the_regression_on_the_models():
    table = made_table()
    prior = FamilyPrior(RICH, table)
    found = prior.conditional({"fi_gain": 500.0, "i_thr": 0.15})
    design = np.column_stack([np.ones(len(table)), table[:, [1, 3]]])
    weights = np.linalg.lstsq(design, table, rcond=None)[0]
    np.testing.assert_allclose(found.mean, [1, 0.15, 500.0] @ weights, rtol=1e-9)
    residual = table - design @ weights
    np.testing.assert_allclose(found.sd, residual.std(axis=0), atol=1e-9)
    assert found.sd[1] == found.sd[3] == 0


@pytest.mark.parametrize("name", ["human-pv", "human-vip", "stylised-pv", "stylised-vip"])
def test_the_latent_completion_of_shipped_halls_is_that_of_their_bundles(name):
    """The regression as operators were evaluated with: by least squares in standard units."""
    hall = HallOfFame.load(name)
    table = hall.feature_table(HALL_FEATURES)[list(hall.train)]
    mean, spread = table.mean(axis=0), table.std(axis=0)
    standard = (table - mean) / spread
    slopes = np.linalg.lstsq(standard[:, :2], standard, rcond=None)[0] * spread / spread[:2, None]
    points = hall.feature_table(LATENT_FEATURES)
    expected = mean + (points - mean[:2]) @ slopes
    prior = FamilyPrior(HALL_FEATURES, table)
    offset, found = prior.regression(LATENT_FEATURES)
    np.testing.assert_allclose(offset + points @ found, expected, rtol=1e-9)
    given = dict(zip(LATENT_FEATURES, points[0].tolist(), strict=True))
    np.testing.assert_allclose(prior.conditional(given).mean, expected[0], rtol=1e-9)


def test_nothing_given_leaves_the_family_and_all_given_leaves_nothing_open():
    nothing = WHOLE.conditional({})
    np.testing.assert_allclose(nothing.mean, WHOLE.table.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(nothing.sd, WHOLE.table.std(axis=0), rtol=1e-9)
    neuron = WHOLE.table[3]
    everything = WHOLE.conditional(dict(zip(HALL_FEATURES, neuron.tolist(), strict=True)))
    np.testing.assert_array_equal(everything.mean, neuron)
    np.testing.assert_array_equal(everything.covariance, np.zeros((34, 34)))
    offset, slopes = WHOLE.regression(HALL_FEATURES[::-1])
    np.testing.assert_array_equal(offset + neuron[::-1] @ slopes, neuron)


def test_a_conditional_is_that_of_the_joint_distribution():
    prior = FamilyPrior(RICH, made_table())
    joint = prior.conditional({})
    given, others = [0, 4], [1, 2, 3]
    values = {"rate_50pA": (42.0, 0.5), "voltage_base": -80.5}
    noisy = joint.covariance[np.ix_(given, given)] + np.diag([0.25, 0.0])
    gain = joint.covariance[:, given] @ np.linalg.inv(noisy)
    found = prior.conditional(values)
    np.testing.assert_allclose(found.mean, joint.mean + gain @ (np.array([42.0, -80.5]) - joint.mean[given]), rtol=1e-9)
    expected = joint.covariance - gain @ joint.covariance[given]
    np.testing.assert_allclose(found.covariance[np.ix_(others, others)], expected[np.ix_(others, others)], rtol=1e-6)
    assert found.sd[4] == 0
    assert 0 < found.sd[0] < 0.5


def test_an_exact_value_stays_and_a_vague_one_says_nothing():
    exact = WHOLE.conditional({"voltage_base": -84.25})
    assert exact.mean[HALL_FEATURES.index("voltage_base")] == -84.25
    vague = WHOLE.conditional({"voltage_base": (-84.25, 1e6)})
    np.testing.assert_allclose(vague.mean, WHOLE.table.mean(axis=0), rtol=1e-6)
    sharp = WHOLE.conditional({"voltage_base": (-84.25, 1e-6)})
    np.testing.assert_allclose(sharp.mean, exact.mean, rtol=1e-6)


def test_order_does_not_matter_and_regression_is_the_conditional_mean():
    names = ("sag_ratio", "AP1_width", "rheobase", "rate_100pA")
    values = [0.02, 0.31, 0.155, 60.0]
    offset, slopes = WHOLE.regression(names)
    mean = WHOLE.conditional(dict(zip(names, values, strict=True))).mean
    np.testing.assert_allclose(offset + np.array(values) @ slopes, mean, rtol=1e-9)
    backwards = WHOLE.conditional(dict(zip(names[::-1], values[::-1], strict=True))).mean
    np.testing.assert_allclose(backwards, mean, rtol=1e-9)


def test_every_subset_of_34_features_of_fifty_models_has_a_proper_distribution():
    generator = np.random.default_rng(2)
    for count in (1, 5, 12, 20, 30, 33):
        names = generator.choice(HALL_FEATURES, count, replace=False).tolist()
        neuron = dict(zip(HALL_FEATURES, HUMAN.feature_table(HALL_FEATURES)[HUMAN.held_out[0]].tolist(), strict=True))
        found = WHOLE.conditional({name: neuron[name] for name in names})
        free = found.sd > 0
        assert free.sum() == 34 - count
        scaled = found.covariance[np.ix_(free, free)] / np.outer(found.sd[free], found.sd[free])
        assert np.linalg.eigvalsh(scaled).min() > 1e-9
        assert np.all(found.sd <= WHOLE.conditional({}).sd * (1 + 1e-9))


def test_more_features_tell_more_of_held_out_models():
    """Each further third of the features brings the rest of the unseen models nearer, in units of the spread."""
    held_out = HUMAN.feature_table(HALL_FEATURES)[list(HUMAN.held_out)]
    spread, errors = WHOLE.table.std(axis=0), []
    for given in (0, 2, 13):
        offset, slopes = WHOLE.regression(HALL_FEATURES[:given])
        completed = offset + held_out[:, :given] @ slopes
        errors.append(np.sqrt(np.mean(((completed - held_out) / spread)[:, 13:] ** 2)))
    assert errors[0] > 1.5 * errors[1] > 1.5 * errors[2]


def test_samples_have_the_moments_and_follow_the_seed():
    found = FamilyPrior(RICH, made_table()).conditional({"rheobase": 0.15, "voltage_base": (-80.0, 0.5)})
    drawn = found.sample(20_000, seed=1)
    np.testing.assert_array_equal(drawn[:, 1], np.full(20_000, 0.15))
    np.testing.assert_allclose((drawn.mean(axis=0) - found.mean)[[0, 2, 3, 4]] / found.sd[[0, 2, 3, 4]], 0, atol=0.04)
    assert found.covariance[0, 2] > 0.1 * found.sd[0] * found.sd[2]
    np.testing.assert_allclose(np.cov(drawn.T)[0, 2], found.covariance[0, 2], atol=0.02 * found.sd[0] * found.sd[2])
    np.testing.assert_array_equal(drawn, found.sample(20_000, seed=1))
    assert found.sample(0, seed=1).shape == (0, 5)


def test_densities_are_those_of_scipy():
    prior = FamilyPrior(RICH, made_table())
    joint = prior.conditional({})
    queries = prior.sample(6, seed=3)
    expected = multivariate_normal(joint.mean, joint.covariance).logpdf(queries)
    np.testing.assert_allclose(prior.log_prob(queries), expected, rtol=1e-7)
    found = prior.conditional({"rheobase": 0.15})
    free = [0, 2, 3, 4]
    queries[:, 1] = [0.15, 0.15, 0.15, 0.15, 0.15, 0.16]
    expected = multivariate_normal(found.mean[free], found.covariance[np.ix_(free, free)]).logpdf(queries[:, free])
    np.testing.assert_allclose(found.log_prob(queries)[:5], expected[:5], rtol=1e-7)
    assert found.log_prob(queries)[5] == -np.inf


def test_shrinkage_finds_the_truth_that_the_sample_cannot():
    """Of 30 independent variables seen 20 times, correlations are noise and go; of many observations they stay."""
    generator = np.random.default_rng(5)
    few = generator.standard_normal((20, 30))
    few -= few.mean(axis=0)
    sample, found = few.T @ few / 20, shrunk_correlations(few)
    assert np.linalg.norm(found - np.eye(30)) < 0.3 * np.linalg.norm(sample - np.eye(30))
    assert np.linalg.eigvalsh(found).min() > 0.1
    truth = np.array([[1.0, 0.8], [0.8, 1.0]])
    many = generator.multivariate_normal([0, 0], truth, size=20_000)
    np.testing.assert_allclose(shrunk_correlations(many), truth, atol=0.03)


def test_shrinkage_is_ledoit_and_wolfs_formula():
    observations = np.array([[3.0, 2.0, 0.0], [-3.0, -1.0, 1.0], [2.0, 2.0, 1.0], [-2.0, -3.0, -2.0]])
    sample = sum(np.outer(row, row) for row in observations) / 4
    middle = np.trace(sample) / 3 * np.eye(3)
    distance = np.sum((sample - middle) ** 2)
    error = sum(np.sum((np.outer(row, row) - sample) ** 2) for row in observations) / 16
    share = min(error, distance) / distance
    assert 0.01 < share < 0.99
    np.testing.assert_allclose(shrunk_correlations(observations), share * middle + (1 - share) * sample, rtol=1e-12)


def test_without_the_latent_features_all_correlations_are_shrunk():
    table = made_table()[:, [0, 2, 4]]
    prior = FamilyPrior(("rate_50pA", "AP1_peak", "voltage_base"), table)
    standard = (table - table.mean(axis=0)) / table.std(axis=0)
    expected = shrunk_correlations(standard) * np.outer(table.std(axis=0), table.std(axis=0))
    np.testing.assert_allclose(prior.conditional({}).covariance, expected, rtol=1e-9)


def test_a_frame_shows_mean_and_deviation():
    frame = WHOLE.conditional({"rheobase": 0.15}).to_frame()
    assert frame.loc["rheobase"].tolist() == [0.15, 0.0]
    assert list(frame.index) == list(HALL_FEATURES)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"warmth": 1.0}, "the family has no feature 'warmth'; it has rate_rheobase_plus_50pA"),
        ({"i_thr": 0.15, "rheobase": 0.15}, "the feature rheobase is given twice"),
        ({"rheobase": np.nan}, "feature rheobase is nan .* finite numbers in nA"),
        ({"rheobase": (0.15, -0.1)}, "a standard deviation of -0.1"),
        ({"rheobase": (0.15, np.inf)}, "a standard deviation of inf"),
        ({"rheobase": 150.0}, "in pA, divide by 1000"),
    ],
)  # fmt: skip
def test_what_cannot_be_conditioned_on_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        FamilyPrior(RICH, made_table()).conditional(given)


def test_tables_that_say_nothing_are_refused():
    with pytest.raises(ValueError, match="at least two models"):
        FamilyPrior(("AP1_peak",), np.array([[1.0]]))
    with pytest.raises(ValueError, match="finite values"):
        FamilyPrior(("AP1_peak",), np.array([[1.0], [np.nan]]))
    with pytest.raises(ValueError, match="AP1_peak is the same in all models"):
        FamilyPrior(("AP1_peak",), np.array([[1.0], [1.0]]))
    with pytest.raises(ValueError, match="count is -1"):
        WHOLE.sample(-1, seed=0)
    with pytest.raises(ValueError, match=r"expected \(n, 34\)"):
        WHOLE.log_prob(np.zeros(34))
