import math
from typing import Literal

import numpy as np
import pytest
import torch
from spiking_family import TINY_FNO, TINY_PHASE, make_store, training

from noble.data import StimulusMix
from noble.operator import Operator
from noble.operator.losses import relative_h1, relative_lp
from noble.operator.spiking.core import SpikePhaseCore
from noble.train import LossConfig, OptimiserConfig
from noble.train.batches import shifted_window
from noble.train.dataset import StoreData
from noble.train.learner import Learner
from noble.train.objectives import objective_for
from noble.train.optimiser import optimiser_for, schedule_for
from noble.train.scores import score_row, validation_summary


@pytest.fixture
def data(store_path) -> StoreData:
    return StoreData(store_path, features=("rheobase", "fi_gain"), validation_limit=8, seed=0)


def batch_of(data: StoreData, count: int = 6):
    [batch] = data.training.batches([np.arange(count)], count)
    return shifted_window(batch, torch.zeros(count, dtype=torch.long))


def build(data: StoreData, operator=TINY_PHASE) -> Operator:
    return Operator.build(operator, data.feature_spec(), data.window, seed=1)


# --- objectives


@pytest.mark.parametrize(
    ("name", "norm"),
    [
        ("l2", lambda one, two, dt: relative_lp(one, two, p=2.0)),
        ("l4", lambda one, two, dt: relative_lp(one, two, p=4.0)),
        ("h1", lambda one, two, dt: relative_h1(one, two, dt_ms=dt)),
    ],
)
def test_an_fno_is_trained_on_voltage(data, name, norm):
    operator, batch = build(data, TINY_FNO), batch_of(data)
    losses = objective_for(LossConfig(voltage=name))(operator, batch, torch.Generator())
    predicted = operator(batch.features, batch.current_na, data.window.dt_ms)
    torch.testing.assert_close(losses["loss"], norm(predicted, batch.voltage_mv, data.window.dt_ms))


def test_the_spike_phase_loss_is_the_weighted_sum_of_its_terms(data):
    operator, batch = build(data), batch_of(data)
    weights = {"timing": 2.0, "intervals": 3.0, "silence": 5.0, "waveform": 7.0}
    objective = objective_for(LossConfig(waveform_points=32, **weights))
    losses = objective(operator, batch, torch.Generator().manual_seed(0))
    expected = sum(weight * losses[name] for name, weight in weights.items())
    torch.testing.assert_close(losses["loss"], expected)


def test_every_weight_gets_a_finite_gradient(data):
    operator, batch = build(data), batch_of(data)
    objective = objective_for(LossConfig(waveform_points=32))
    objective(operator, batch, torch.Generator().manual_seed(0))["loss"].backward()
    for name, parameter in operator.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_the_waveform_term_is_teacher_forced(data):
    """With the true spikes given, the drawing does not depend on where the operator would fire."""
    operator, batch = build(data), batch_of(data)
    objective = objective_for(LossConfig(waveform_points=32))
    before = objective(operator, batch, torch.Generator().manual_seed(0))
    assert isinstance(operator.core, SpikePhaseCore)
    with torch.no_grad():
        operator.core.timing.leave.bias += 2.0
    after = objective(operator, batch, torch.Generator().manual_seed(0))
    assert after["timing"] != before["timing"]
    assert after["waveform"] == before["waveform"]


# --- validation


def test_a_trace_is_scored_by_its_spikes():
    times = np.arange(400) * 0.1
    voltage = -80 + sum(100 * np.exp(-0.5 * ((times - at) / 0.4) ** 2) for at in (10.0, 20.3, 33.0))
    true = np.array([10.2, 20.0, np.inf, np.inf])
    count, found, timing, relative = score_row(voltage, true, 3.0, dt_ms=0.1)
    assert (count, found, relative) == (2, 3, 3.0)
    assert timing == pytest.approx(np.median([0.2, 0.3]), abs=0.01)
    assert math.isnan(score_row(np.full(400, -80.0), true, 3.0, dt_ms=0.1)[2])


def test_the_score_by_hand():
    nan = float("nan")
    rows = np.array([[4, 3, 0.5, 1.0], [2, 0, nan, 3.0], [0, 0, nan, 1.0], [0, 1, nan, 1.0], [5, 5, 0.1, 4.0]])
    summary = validation_summary(rows)
    assert summary.pop("score") == pytest.approx(20 + 20 + 125 / 3 + 10 * 0.3 + 2)
    assert summary == pytest.approx(
        {
            "missed_percent": 20.0,
            "false_percent": 20.0,
            "spike_count_error_percent": (25 + 100 + 0) / 3,
            "timing_ms": 0.3,
            "relative_l2_percent": 2.0,
        }
    )


def test_silence_never_scores_better_than_firing():
    silent = validation_summary(np.array([[4, 0, np.nan, 5.0], [3, 0, np.nan, 5.0]]))
    late = validation_summary(np.array([[4, 3, 2.0, 12.0], [3, 3, 2.0, 12.0]]))
    assert silent["timing_ms"] == 10.0
    assert silent["score"] > late["score"]
    nothing_to_fire = validation_summary(np.array([[0, 0, np.nan, 1.5]]))
    assert nothing_to_fire["score"] == pytest.approx(1.5)


# --- optimiser and augmentation


def learner_of(data: StoreData, **changes) -> Learner:
    config = training(**changes)
    return Learner(build(data, config.operator), config)


def test_cosine_warms_up_and_falls_to_zero(data):
    learner = learner_of(data, epochs=6, optimiser=OptimiserConfig(learning_rate=0.1, warmup_epochs=1.0))
    optimiser = optimiser_for(learner, learner.config.optimiser)
    schedule = schedule_for(optimiser, learner.config, steps=60)
    assert isinstance(optimiser, torch.optim.AdamW)
    assert isinstance(schedule, torch.optim.lr_scheduler.LambdaLR)
    rates = []
    for _ in range(60):
        rates.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    np.testing.assert_allclose(rates[:10], 0.1 * np.arange(1, 11) / 10)
    assert rates[10] == pytest.approx(0.1)
    assert rates[35] == pytest.approx(0.05)
    assert all(np.diff(rates[10:]) < 0)
    assert schedule.get_last_lr()[0] == pytest.approx(0, abs=1e-12)


def test_the_papers_optimiser(data):
    learner = learner_of(data, optimiser=OptimiserConfig(name="adam", schedule="plateau", learning_rate=0.004))
    optimiser = optimiser_for(learner, learner.config.optimiser)
    schedule = schedule_for(optimiser, learner.config, steps=60)
    assert type(optimiser) is torch.optim.Adam
    assert isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau)
    assert (schedule.factor, schedule.patience) == (0.4, 4)
    for _ in range(6):
        schedule.step(1.0)
    assert optimiser.param_groups[0]["lr"] == pytest.approx(0.4 * 0.004)


def test_soap_turns_to_the_axes_of_a_badly_scaled_loss():
    """A quadratic that is a hundred times steeper one way than another, none of them an axis of the weights."""
    generator = torch.Generator().manual_seed(0)
    steep = torch.logspace(0, -2, 8)[:, None] * torch.linalg.qr(torch.randn(8, 8, generator=generator))[0]
    goal = torch.randn(8, 8, generator=generator)

    def left(name: Literal["adamw", "soap"]) -> float:
        layer = torch.nn.Linear(8, 8, bias=False)
        torch.nn.init.zeros_(layer.weight)
        optimiser = optimiser_for(layer, OptimiserConfig(name=name, learning_rate=0.05, weight_decay=0))
        schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1, 0, total_iters=400)
        for _ in range(400):
            optimiser.zero_grad()
            loss = ((steep @ (layer.weight - goal)) ** 2).sum()
            loss.backward()
            optimiser.step()
            schedule.step()
        return loss.item()

    assert left("soap") < 0.01 * left("adamw")


def test_shifts_depend_on_seed_step_and_device_alone(data, monkeypatch):
    """A resumed run must draw what the uninterrupted one drew, whatever was drawn before."""
    [batch] = data.training.batches([np.arange(4)], 4)
    seen = []

    def note(batch, shift):
        seen.append(tuple(shift.tolist()))
        return shifted_window(batch, shift)

    monkeypatch.setattr("noble.train.learner.shifted_window", note)
    for seed, step, rank in [(5, 0, 0), (5, 1, 0), (6, 0, 0), (5, 0, 1), (5, 0, 0)]:
        torch.manual_seed(len(seen))
        learner_of(data, seed=seed)(batch, step=step, rank=rank)
    assert seen[0] == seen[4]
    assert len(set(seen)) == 4
    assert max(abs(shift) for item in seen for shift in item) <= 40  # 4 ms at 0.1 ms


def test_currents_that_are_held_from_the_start_are_not_shifted(tmp_path, monkeypatch):
    """No window of theirs but the first begins at rest."""
    store = make_store(tmp_path / "held.zarr", mix=StimulusMix.model_validate({"step": 1, "held": 1}))
    data = StoreData(store.path, features=("rheobase", "fi_gain"), validation_limit=8, seed=0)
    [batch] = data.training.batches([np.arange(len(data.training))], len(data.training))
    seen = []

    def note(batch, shift):
        seen.append(shift)
        return shifted_window(batch, shift)

    monkeypatch.setattr("noble.train.learner.shifted_window", note)
    learner_of(data)(batch, step=0, rank=0)
    held = batch.current_na[:, 0] != 0
    assert 0 < int(held.sum()) < len(held)
    assert (seen[0][held] == 0).all()
    assert (seen[0][~held] != 0).any()
