"""What features say of firing, against the curve that they were taken from."""

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from noble.operator import FeatureSpec
from noble.operator.spiking.fi_prior import STATES, FICurvePrior, _CardinalSpline, begun_share, expected_rate, relaxed

ABOVE_PA = (10, 25, 50, 100, 200)
NAMES = ("i_thr", "s_thr", *(f"{name}_{above}pA" for name in ("rate", "latency", "first_ISI") for above in ABOVE_PA))
UNITS = ("nA", "Hz/nA", *["Hz"] * 5, *["ms"] * 10)


def rate_hz(above_na: np.ndarray) -> np.ndarray:
    """A smooth F-I curve."""
    return 15 + 300 * np.sqrt(above_na + 0.002) * (1 - above_na)


def table(thresholds: tuple[float, ...] = (0.15, 0.16, 0.17)) -> np.ndarray:
    above = np.array(ABOVE_PA) * 1e-3
    rows = []
    for index, threshold in enumerate(thresholds):
        rates = rate_hz(above) * (1 + 0.05 * index)
        rows.append([threshold, 500 + 50 * index, *rates, *(700 / rates), *(1000 / rates)])
    return np.array(rows)


def drive_at(names: tuple[str, ...], currents_na: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Signals and expected rate in Hz of the first neuron."""
    columns = [NAMES.index(name) for name in names]
    values = table()[:, columns]
    spec = FeatureSpec.fit(values, names, [UNITS[column] for column in columns])
    drive = FICurvePrior(spec).double()
    scaled = spec.scale(torch.as_tensor(values[:1]))
    current = torch.tensor([currents_na], dtype=torch.float64)
    # Long enough for firing to have begun whatever the current.
    signals, log_rate = drive(scaled, current, torch.full_like(current, 1e6))
    assert signals.shape == (1, len(currents_na), drive.signals)
    return signals[0].numpy(), 1000 * torch.exp(log_rate[0]).numpy()


def test_the_curve_goes_through_its_points_and_between_them_stays_near_the_neurons():
    above = np.array([10, 16, 25, 37, 50, 75, 100, 150, 200]) * 1e-3
    signals, rates = drive_at(NAMES, (0.15 + above).tolist())
    exact = rate_hz(above)
    np.testing.assert_allclose(
        rates[[0, 2, 4, 6, 8]], exact[[0, 2, 4, 6, 8]], rtol=8e-3
    )  # the bend at threshold remains
    np.testing.assert_allclose(rates, exact, rtol=1e-2)
    np.testing.assert_allclose(signals[2:, 2], exact[2:] / 50, rtol=1e-2)
    np.testing.assert_allclose(signals[2:, 3], 20 / (700 / exact[2:]), rtol=1e-2)
    np.testing.assert_allclose(signals[2:, 4], 20 / (1000 / exact[2:]), rtol=1e-2)


def test_below_threshold_the_expected_rate_vanishes():
    _, rates = drive_at(NAMES, [0.15, 0.14, 0.1, 0.0, -0.2])
    assert np.all(np.diff(rates) < 0)
    assert rates[1] < 0.5
    assert rates[2] < 1e-8


def test_far_above_the_curve_goes_on_without_bounds_broken():
    signals, rates = drive_at(NAMES, [0.5, 1.0, 4.9])
    assert np.all(np.isfinite(signals))
    assert np.all(np.isfinite(rates))


@pytest.mark.parametrize(
    "names", [("i_thr", "s_thr"), ("i_thr", "s_thr", "rate_25pA", "latency_25pA"), ("i_thr", "rate_25pA", "rate_50pA")]
)
def test_without_a_whole_curve_the_line_is_used(names):
    signals, rates = drive_at(names, [0.2, 0.1])
    slope = 500.0
    assert signals.shape[1] == 3
    assert rates[0] == pytest.approx(0.05 * slope, rel=0.01)
    assert rates[1] < 0.2


def test_without_a_threshold_nothing_is_expected():
    signals, rates = drive_at(("s_thr",), [0.2, 0.1])
    np.testing.assert_array_equal(signals[:, 1:], 0.0)
    np.testing.assert_allclose(rates, 0.1)


def test_expectations_are_differentiable_in_features_and_current():
    values = table()
    spec = FeatureSpec.fit(values, NAMES, UNITS)
    drive = FICurvePrior(spec).double()
    scaled = spec.scale(torch.as_tensor(values[:2])).requires_grad_()
    current = torch.tensor([[0.1, 0.153, 0.21], [0.163, 0.24, 0.5]], dtype=torch.float64, requires_grad=True)
    duration = torch.tensor([[5.0, 40.0, 3.0]] * 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda f, i: drive(f, i, duration), (scaled, current), atol=1e-4, rtol=1e-3)


# --- when firing begins


@pytest.mark.parametrize(("latency", "interval"), [(1.3, 1.0), (0.6, 1.5), (1.1, 0.9)])
def test_a_step_is_answered_as_measured(latency, interval):
    """At the latency, a first interval later, and from first to last spike at the mean rate; times in mean intervals."""
    rate = 0.05
    duration = torch.full((1, 5000), 0.1, dtype=torch.float64)
    above = torch.full_like(duration, -0.15)
    above[:, 1000:] = 0.05
    known = [torch.full_like(duration, value) for value in (rate, latency / rate, interval / rate)]
    expected, _ = expected_rate(*known, above, duration, torch.zeros(1, 3, dtype=torch.float64))
    phase = np.concatenate([[0.0], np.cumsum(expected[0].numpy() * 0.1)])
    spikes = np.interp(np.arange(1, int(phase[-1]) + 1), phase, np.arange(5001) * 0.1) - 100.0
    # What is left to correct where firing has not begun adds up to a few thousandths of a spike.
    np.testing.assert_allclose(spikes[:2], [latency / rate, (latency + interval) / rate], atol=0.3)
    assert spikes.size >= 18
    assert (spikes.size - 1) / (spikes[-1] - spikes[0]) == pytest.approx(rate, rel=5e-3)
    assert np.diff(spikes)[-1] * rate == pytest.approx(1.0, abs=0.1)


def test_rates_stay_positive_whatever_was_measured():
    duration = torch.full((1, 300), 1.0, dtype=torch.float64)
    for values in np.random.default_rng(0).uniform(-6, 6, size=(50, 3)):
        known = [torch.full_like(duration, value) for value in np.exp(values)]
        expected, _ = expected_rate(*known, torch.full_like(duration, 0.05), duration, duration.new_zeros(1, 3))
        assert torch.isfinite(expected).all()
        assert (expected > 0).all()


@pytest.mark.parametrize("pieces_ms", [[30.0], [0.5] * 60, [3.0, 0.1, 26.9]])
def test_firing_begins_a_delay_after_a_drive_however_time_is_cut(pieces_ms):
    duration = torch.tensor([[10.0, *pieces_ms]], dtype=torch.float64)
    driven = torch.tensor([[False, *[True] * len(pieces_ms)]])
    begun, _ = begun_share(torch.full_like(duration, 12.3), driven, duration, duration.new_zeros(1))
    assert begun.sum() > 0
    torch.testing.assert_close((begun * duration).sum(), torch.tensor(30.0 - 12.3).double())


def test_a_short_pause_is_soon_forgiven_and_a_long_one_not():
    def waits(pause_ms: float) -> float:
        duration = torch.tensor([[200.0, pause_ms, 100.0]], dtype=torch.float64)
        driven = torch.tensor([[True, False, True]])
        begun, _ = begun_share(torch.full_like(duration, 12.3), driven, duration, duration.new_zeros(1))
        return float((1 - begun[0, 2]) * 100)

    assert waits(5.0) == 0
    assert 0 < waits(25.0) < waits(50.0) < 12.3
    assert waits(1000.0) == pytest.approx(12.3)


def test_relaxation_is_the_recurrence():
    generator = torch.Generator().manual_seed(0)
    decay, target = (torch.rand((2, 37), generator=generator).double() for _ in range(2))
    state, states = torch.zeros(2).double(), []
    for d, x in zip(decay.T, target.T, strict=True):
        states.append(state)
        state = d * state + (1 - d) * x
    before, after = relaxed(decay, target, torch.zeros(2).double())
    torch.testing.assert_close(before, torch.stack(states, dim=1))
    torch.testing.assert_close(after, state)


def test_a_current_in_pieces_is_expected_to_fire_as_in_one():
    values = table()
    spec = FeatureSpec.fit(values, NAMES, UNITS)
    prior, scaled = FICurvePrior(spec).double(), spec.scale(torch.as_tensor(values))
    current = 0.1 + 0.15 * torch.rand((3, 400), generator=torch.Generator().manual_seed(0)).double()
    duration = torch.full_like(current, 0.5)
    whole = prior(scaled, current, duration)
    state, signals, rates = current.new_zeros(3, STATES), [], []
    for part in (slice(0, 1), slice(1, 130), slice(130, 400)):
        some, rate, state = prior.advance(scaled, current[:, part], duration[:, part], state)
        signals.append(some)
        rates.append(rate)
    torch.testing.assert_close(torch.cat(signals, dim=1), whole[0])
    torch.testing.assert_close(torch.cat(rates, dim=1), whole[1])


def test_splines_are_the_natural_ones_and_straight_beyond_their_knots():
    knots = np.array([0.3, 1.0, 1.4, 2.7])
    values = np.random.default_rng(0).normal(size=(2, 3, 4))  # of two neurons, three curves each
    spline = _CardinalSpline(knots).double()

    def found(positions: np.ndarray, row: int) -> np.ndarray:
        rows = torch.as_tensor(np.stack([positions, positions + 0.1]))
        return spline(torch.as_tensor(values), rows)[row].numpy().T

    inside = np.linspace(0.3, 2.6, 41)
    for row, positions in enumerate((inside, inside + 0.1)):
        for curve, given in enumerate(values[row]):
            natural = CubicSpline(knots, given, bc_type="natural")
            np.testing.assert_allclose(found(inside, row)[curve], natural(positions), atol=1e-6)
            for edge, outside in ((0.3, np.array([-1.0, 0.0])), (2.7, np.array([3.0, 10.0]))):
                straight = natural(edge) + natural(edge, 1) * (outside + 0.1 * row - edge)
                np.testing.assert_allclose(found(outside, row)[curve], straight, atol=1e-5)
