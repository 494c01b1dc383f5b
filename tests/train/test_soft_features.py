"""Differentiable features against eFEL itself, explicit formulas and finite differences."""

import numpy as np
import pytest
import torch

from noble.features import extract, unit_of
from noble.traces import TimeGrid, TraceBatch
from noble.train.soft_features import SOFT_FEATURES, feature_scale, hyperpolarising_steps, soft_feature

GRID = TimeGrid.spanning(515.0, dt_ms=0.06)
# On the grid, off it, and not long enough for a steady state.
STEPS = [(15.0, 415.0), (15.02, 415.01), (30.0, 430.0), (7.5, 60.0), (0.06, 300.0)]


def traces(*, onset_ms: float, offset_ms: float, count: int = 6, noise_mv: float = 0.02, seed: int = 0) -> np.ndarray:
    """A membrane that is charged and sags back, as a simulated one does, each deeper than the last; float64, mV."""
    times = GRID.times_ms
    rest, depth, sag = -70 - 3.0 * np.arange(count), 4.0 + 3 * np.arange(count), 0.4 + 0.5 * np.arange(count)
    since = np.clip(times - onset_ms, 0, offset_ms - onset_ms)[None]
    after = np.clip(times - offset_ms, 0, None)[None]
    charged = 1 - np.exp(-since / 9.0)
    deflection = -depth[:, None] * charged + sag[:, None] * (1 - np.exp(-since / 60.0)) * charged
    noise = noise_mv * np.random.default_rng(seed).standard_normal((count, times.size))
    return rest[:, None] + deflection * np.exp(-after / 12.0) + noise


def soft(name: str, voltage_mv, *, onset_ms: float, offset_ms: float) -> torch.Tensor:
    voltage = torch.as_tensor(voltage_mv)
    onset, offset = (torch.full((len(voltage),), edge, dtype=torch.float64) for edge in (onset_ms, offset_ms))
    return SOFT_FEATURES[name].values(voltage, onset, offset, GRID.dt_ms)


@pytest.mark.parametrize("name", SOFT_FEATURES)
@pytest.mark.parametrize(("onset_ms", "offset_ms"), STEPS)
def test_a_feature_is_efels(name, onset_ms, offset_ms):
    voltage = traces(onset_ms=onset_ms, offset_ms=offset_ms)
    batch = TraceBatch(GRID, voltage, np.zeros_like(voltage))
    expected = extract(batch, onset_ms=onset_ms, offset_ms=offset_ms, names=[name])[name]
    assert np.isfinite(expected).all()
    found = soft(name, voltage, onset_ms=onset_ms, offset_ms=offset_ms)
    # eFEL adds up its instants, so that a sample on an edge may fall to the other side: one of hundreds, of noise.
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert SOFT_FEATURES[name].unit == unit_of(name)


@pytest.mark.parametrize("name", SOFT_FEATURES)
def test_single_precision_and_edges_of_their_own_are_enough(name):
    """As in training: float32, every trace with another onset."""
    rows = [traces(onset_ms=onset, offset_ms=offset, count=1)[0] for onset, offset in STEPS]
    edges = torch.tensor(STEPS, dtype=torch.float64)
    found = SOFT_FEATURES[name].values(
        torch.tensor(np.array(rows), dtype=torch.float32), edges[:, 0], edges[:, 1], GRID.dt_ms
    )
    for row, (onset, offset), value in zip(rows, STEPS, found, strict=True):
        batch = TraceBatch(GRID, row[None], np.zeros((1, GRID.count)))
        expected = extract(batch, onset_ms=onset, offset_ms=offset, names=[name])[name][0]
        assert float(value) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("name", SOFT_FEATURES)
def test_the_gradient_is_that_of_finite_differences(name):
    grid = TimeGrid.spanning(60.0, dt_ms=0.5)
    generator = torch.Generator().manual_seed(1)
    voltage = (-80 + torch.randn(3, grid.count, generator=generator, dtype=torch.float64)).requires_grad_()
    onset, offset = torch.tensor([5.0, 8.0, 10.0]).double(), torch.tensor([45.0, 48.0, 50.0]).double()

    def values(voltage: torch.Tensor) -> torch.Tensor:
        return SOFT_FEATURES[name].values(voltage, onset, offset, grid.dt_ms)

    assert torch.autograd.gradcheck(values, (voltage,), eps=1e-6, atol=1e-6)
    values(voltage).sum().backward()
    assert voltage.grad is not None
    assert voltage.grad.abs().sum(dim=1).min() > 0.5


def test_sag_by_hand():
    """Ten samples a ms: -90 at the minimum, -85 in the last tenth; the one lowest sample pulls against sixteen of the mean."""
    grid = TimeGrid.spanning(30.0, dt_ms=0.1)
    voltage = torch.full((1, grid.count), -70.0)
    voltage[0, 50:210] = -85.0
    voltage[0, 80] = -90.0
    voltage[0, 250] = -200.0  # after the step, and of no account
    voltage.requires_grad_()
    sag = SOFT_FEATURES["sag_amplitude"].values(voltage, torch.tensor([5.0]), torch.tensor([21.0]), 0.1)
    assert float(sag.detach()) == pytest.approx(5.0, abs=1e-5)
    sag.sum().backward()
    assert voltage.grad is not None
    assert voltage.grad[0, 80] == -1
    assert (voltage.grad[0, 194:210] - 1 / 16).abs().max() < 1e-6
    assert int((voltage.grad != 0).sum()) == 17


def test_a_prediction_on_the_wrong_side_has_a_sag_and_a_gradient():
    onset, offset = 15.0, 415.0
    voltage = traces(onset_ms=onset, offset_ms=offset, count=2)
    voltage[1] = 2 * voltage[1, 0] - voltage[1]  # depolarised
    batch = TraceBatch(GRID, voltage, np.zeros_like(voltage))
    expected = extract(batch, onset_ms=onset, offset_ms=offset, names=["sag_amplitude"])["sag_amplitude"]
    assert np.isnan(expected[1])
    leaf = torch.tensor(voltage, requires_grad=True)
    found = soft("sag_amplitude", leaf, onset_ms=onset, offset_ms=offset)
    assert torch.isfinite(found).all()
    found.sum().backward()
    assert leaf.grad is not None
    assert leaf.grad[1].abs().sum() > 1


def test_without_time_before_the_step_there_is_no_base_and_no_gradient():
    voltage = torch.full((2, GRID.count), -70.0, dtype=torch.float64, requires_grad=True)
    found = SOFT_FEATURES["voltage_base"].values(
        voltage, torch.tensor([0.0, 15.0]), torch.tensor([400.0, 415.0]), GRID.dt_ms
    )
    assert torch.isnan(found[0])
    assert float(found[1].detach()) == pytest.approx(-70.0)
    torch.where(torch.isfinite(found), found, 0.0).sum().backward()
    assert voltage.grad is not None
    assert torch.isfinite(voltage.grad).all()


def test_hyperpolarising_steps_are_found():
    def current(*pieces: tuple[int, int, float]) -> list[float]:
        values = np.zeros(20)
        for start, stop, amplitude in pieces:
            values[start:stop] = amplitude
        return values.tolist()

    steps = hyperpolarising_steps(
        torch.tensor(
            [
                current((5, 15, -0.1)),
                current((5, 15, 0.1)),
                current(),
                current((0, 8, -0.2)),
                current((3, 6, -0.1), (8, 12, -0.1)),  # two
                current((5, 10, -0.1), (10, 15, -0.2)),  # a staircase
                current((5, 20, -0.1)),  # its end is not in the window
                current((5, 10, -0.1), (10, 15, 0.2)),
                current((9, 10, -0.01)),
            ]
        ),
        0.5,
    )
    assert steps.rows.tolist() == [0, 3, 8]
    assert steps.onset_ms.tolist() == [2.5, 0.0, 4.5]
    assert steps.offset_ms.tolist() == [7.5, 4.0, 5.0]
    assert len(hyperpolarising_steps(torch.zeros(3, 20), 0.5).rows) == 0


def test_amplitudes_are_judged_by_their_size_and_levels_by_their_spread():
    values = torch.tensor([3.0, 4.0, torch.nan])
    assert feature_scale(soft_feature("sag_amplitude"), values, least=0.1) == pytest.approx(np.sqrt(12.5))
    assert feature_scale(soft_feature("voltage_base"), values, least=0.1) == pytest.approx(0.5)
    assert feature_scale(soft_feature("voltage_base"), torch.tensor([-70.0, -70.0]), least=0.1) == 0.1
    with pytest.raises(ValueError, match="none of the 2 hyperpolarising training traces has the feature voltage_base"):
        feature_scale(soft_feature("voltage_base"), torch.tensor([torch.nan, torch.nan]), least=0.1)


def test_an_unknown_feature_names_the_known():
    with pytest.raises(ValueError, match=r"'AP1_width' cannot be targeted.*sag_amplitude, steady_state.*voltage_base"):
        soft_feature("AP1_width")
