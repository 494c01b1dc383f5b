"""What features say of firing, against the curve that they were taken from."""

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from noble.operator import FeatureSpec
from noble.operator.drive import Drive, _CardinalSpline

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
        rows.append([threshold, 500 + 50 * index, *rates, *(700 / rates), *(900 / rates)])
    return np.array(rows)


def drive_at(names: tuple[str, ...], currents_na: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Signals and expected rate in Hz of the first neuron."""
    columns = [NAMES.index(name) for name in names]
    values = table()[:, columns]
    spec = FeatureSpec.fit(values, names, [UNITS[column] for column in columns])
    drive = Drive(spec).double()
    scaled = spec.scale(torch.as_tensor(values[:1]))
    signals, log_rate = drive(scaled, torch.tensor([currents_na], dtype=torch.float64))
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
    np.testing.assert_allclose(signals[2:, 4], 20 / (900 / exact[2:]), rtol=1e-2)


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
    drive = Drive(spec).double()
    scaled = spec.scale(torch.as_tensor(values[:2])).requires_grad_()
    current = torch.tensor([[0.1, 0.153, 0.21], [0.163, 0.24, 0.5]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f, i: drive(f, i), (scaled, current), atol=1e-4, rtol=1e-3)


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
