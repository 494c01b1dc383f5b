import warnings

import numpy as np
import pytest
import torch

from noble.operator import FeatureSpec, FnoConfig, Operator, OutsideHullWarning
from noble.stimuli import Chirp, OrnsteinUhlenbeck, Ramp, Sampled, Step, Stimulus
from noble.traces import TimeGrid

SPEC = FeatureSpec.fit(np.array([[0.1, 100.0], [0.3, 100.0], [0.1, 300.0]]), ("rheobase", "fi_gain"), ("nA", "Hz/nA"))
GRID = TimeGrid.spanning(100.0, dt_ms=0.5)
CONFIG = FnoConfig(layers=2, width=8, modes=16)
INSIDE = np.array([[0.15, 150.0]])
STEP = Step(start_ms=10.0, stop_ms=60.0, amplitude_na=0.2)


@pytest.fixture
def operator() -> Operator:
    return Operator.build(CONFIG, SPEC, GRID, seed=1)


def test_the_same_seed_builds_the_same_operator_and_leaves_the_global_state_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, second, other = (Operator.build(CONFIG, SPEC, GRID, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.rand(1) == expected
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_predict_is_forward_in_batches(operator):
    features = np.array([[0.1, 120.0], [0.2, 150.0], [0.15, 180.0], [0.12, 101.0], [0.1, 300.0]])
    stimuli = [Step(start_ms=10.0, stop_ms=60.0, amplitude_na=amplitude) for amplitude in (0.1, 0.2, -0.1, 0.05, 0.3)]
    batch = operator.predict(features, stimuli, GRID, batch_size=2)
    current = np.stack([stimulus.sample(GRID) for stimulus in stimuli]).astype(np.float32)
    np.testing.assert_array_equal(batch.current_na, current)
    with torch.no_grad():
        expected = operator(torch.tensor(features, dtype=torch.float32), torch.tensor(current), GRID.dt_ms).numpy()
    np.testing.assert_allclose(batch.voltage_mv, expected, rtol=1e-5, atol=1e-3)
    assert batch.provenance["operator"] == "fno"
    assert batch.provenance["seed"] == 1


def test_respond_is_predict_for_a_sequence_of_vectors(operator):
    neurons = [np.array([0.15, 150.0]), np.array([0.12, 110.0])]
    answered = operator.respond(neurons, [STEP, STEP], GRID)
    predicted = operator.predict(np.stack(neurons), [STEP, STEP], GRID)
    np.testing.assert_array_equal(answered.voltage_mv, predicted.voltage_mv)
    assert len(operator.respond([], [], GRID)) == 0


@pytest.mark.parametrize(
    "stimulus",
    [
        Step(start_ms=10.0, stop_ms=60.0, amplitude_na=0.0),
        Step(start_ms=10.0, stop_ms=60.0, amplitude_na=-0.11),
        Ramp(start_ms=10.0, stop_ms=60.0, first_na=0.1, last_na=-0.2),
        Chirp(start_ms=0.0, stop_ms=90.0, amplitude_na=0.1),
        OrnsteinUhlenbeck(start_ms=10.0, stop_ms=60.0, mean_na=0.05, sd_na=0.05, seed=4),
        Sampled(samples_na=np.linspace(0, 0.2, 50), dt_ms=1.0),
    ],
    ids=["zero", "negative", "ramp", "chirp", "noise", "sampled"],
)
def test_any_current_gets_a_finite_answer_of_its_own(operator, stimulus: Stimulus):
    batch = operator.predict(np.repeat(INSIDE, 2, axis=0), [stimulus, STEP], GRID)
    assert np.all(np.isfinite(batch.voltage_mv))
    assert not np.allclose(batch.voltage_mv[0], batch.voltage_mv[1])


def test_features_reach_the_answer_and_gradients_reach_features_and_current(operator):
    features = torch.tensor([[0.15, 150.0], [0.15, 200.0]], requires_grad=True)
    current = torch.tensor(np.stack([STEP.sample(GRID)] * 2), dtype=torch.float32, requires_grad=True)
    voltage = operator(features, current, GRID.dt_ms)
    assert not torch.allclose(voltage[0], voltage[1])
    voltage.square().mean().backward()
    for gradient in (features.grad, current.grad):
        assert gradient is not None
        assert torch.isfinite(gradient).all()
        assert gradient.abs().sum() > 0


def test_dt_is_free_but_the_duration_is_not(operator):
    fine = operator.predict(INSIDE, [STEP], TimeGrid.spanning(100.0, dt_ms=0.3))
    assert fine.voltage_mv.shape == (1, 333)
    with pytest.raises(ValueError, match="window of 120 ms was asked for, but this fno operator was trained on 100 ms"):
        operator.predict(INSIDE, [STEP], TimeGrid.spanning(120.0, dt_ms=0.5))
    with pytest.raises(ValueError, match="trained on 100 ms"):
        operator(torch.tensor([[0.15, 150.0]]), torch.zeros(1, 100), 0.5)


def test_a_causal_core_answers_on_any_window():
    class Echo(torch.nn.Module):
        causal = True

        def __init__(self) -> None:
            super().__init__()
            self.gain = torch.nn.Parameter(torch.tensor(2.0))

        def forward(self, scaled_features, current_na, dt_ms):
            return self.gain * current_na + scaled_features[:, :1]

    operator = Operator(CONFIG, SPEC, GRID, core=Echo())
    batch = operator.predict(np.array([[0.1, 100.0]]), [STEP], TimeGrid.spanning(333.0, dt_ms=0.7))
    np.testing.assert_allclose(batch.voltage_mv, 2 * batch.current_na + 0.5, rtol=1e-6)


def test_features_outside_the_hull_warn_with_how_far(operator):
    features = np.array([[0.15, 150.0], [0.3, 300.0]])  # the second is in the box, outside the triangle
    with pytest.warns(OutsideHullWarning) as record:
        operator.predict(features, [STEP, STEP], GRID)
    message = str(record[0].message)
    assert message.startswith("1 of 2 feature vectors lie outside the hull of the 3 training models")
    assert (
        "vector 1: rheobase = 0.3 nA, +50.0% of its range away; fi_gain = 300 Hz/nA, +50.0% of its range away"
        in message
    )


def test_features_inside_the_hull_do_not_warn(operator):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        operator.predict(np.float32(SPEC.training_features), [STEP] * 3, GRID)


def test_predict_leaves_the_training_mode_as_it_was(operator):
    operator.train()
    operator.predict(INSIDE, [STEP], GRID)
    assert operator.training


@pytest.mark.parametrize(
    ("features", "stimuli", "message"),
    [
        (
            np.array([[0.1]]),
            [STEP],
            r"shape \(1, 1\) were given; expected 2 per neuron, in this order: rheobase in nA, fi_gain",
        ),
        (np.array([0.1, 150.0]), [STEP], r"shape \(2,\) were given"),
        (np.array([[0.1, np.nan]]), [STEP], "feature fi_gain of vector 0 is nan; expected a finite number in Hz/nA"),
        (INSIDE, [STEP, STEP], "1 feature vectors and 2 stimuli"),
        (INSIDE, [Step(start_ms=0.0, stop_ms=50.0, amplitude_na=200.0)], "divide it by 1000"),
        (INSIDE, [Step(start_ms=0.0, stop_ms=500.0, amplitude_na=0.1)], "Shorten the stimulus"),
    ],
)
def test_bad_input_gets_one_clear_sentence(operator, features, stimuli, message):
    with pytest.raises(ValueError, match=message):
        operator.predict(features, stimuli, GRID)


def test_respond_names_the_wrong_vector_length(operator):
    with pytest.raises(ValueError, match=r"shape \(3,\) were given; expected 2 per neuron"):
        operator.respond([np.array([0.1, 150.0]), np.array([0.1, 150.0, 1.0])], [STEP, STEP], GRID)


def test_threshold_and_slope_alone_name_a_neuron():
    """In the operator's own order or not; the rest is completed."""
    generator = np.random.default_rng(1)
    table = np.column_stack(
        [generator.normal(20, 1, 12), generator.uniform(0.1, 0.2, 12), generator.uniform(100, 300, 12)]
    )
    spec = FeatureSpec.fit(table, ("AP1_peak", "rheobase", "fi_gain"), ("mV", "nA", "Hz/nA"))
    operator = Operator.build(CONFIG, spec, GRID, seed=2).eval()
    point = table[:, 1:].mean(axis=0, keepdims=True)
    whole = spec.complete(torch.as_tensor(point)).numpy()
    np.testing.assert_array_equal(
        operator.predict(point, [STEP], GRID).voltage_mv, operator.predict(whole, [STEP], GRID).voltage_mv
    )
    np.testing.assert_array_equal(
        operator.respond([point[0]], [STEP], GRID).voltage_mv, operator.respond([whole[0]], [STEP], GRID).voltage_mv
    )
    with pytest.raises(ValueError, match="one form"):
        operator.respond([point[0], whole[0]], [STEP, STEP], GRID)
    with pytest.raises(ValueError, match=r"expected 3 per neuron.*or rheobase and fi_gain alone"):
        operator.predict(np.ones((1, 4)), [STEP], GRID)
    with pytest.raises(ValueError, match="feature fi_gain of vector 0 is nan; expected a finite number in Hz/nA"):
        operator.predict(np.array([[0.15, np.nan]]), [STEP], GRID)


def test_spikes_of_a_core_that_only_draws_are_found_in_its_voltage():
    class Bells(torch.nn.Module):
        """Bells of 90 mV wherever the current does not vanish, so that the current says where."""

        def __init__(self) -> None:
            super().__init__()
            self.rest_mv = torch.nn.Parameter(torch.tensor(-70.0))

        def forward(self, scaled_features, current_na, dt_ms):
            times = torch.arange(current_na.shape[1]) * dt_ms
            away = (times[None, :, None] - times[None, None, :]) / 0.5
            return self.rest_mv + (90 * torch.exp(-0.5 * away**2) * (current_na != 0)[:, None]).sum(dim=2)

    def at(*times_ms: float) -> Sampled:
        samples = np.zeros(GRID.count)
        samples[np.round(np.array(times_ms) / GRID.dt_ms).astype(int)] = 0.1
        return Sampled(samples_na=samples, dt_ms=GRID.dt_ms)

    expected = [(20.0, 60.5), (), (33.0,)]
    found = Operator(CONFIG, SPEC, GRID, core=Bells()).spike_times(
        np.repeat(INSIDE, 3, axis=0), [at(*times) for times in expected], GRID, batch_size=2
    )
    assert len(found) == 3
    for times, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(times, wanted, atol=1e-3)


def test_spikes_of_a_phase_are_told_without_drawing():
    """A neuron whose phase rate is its first scaled feature in 1/ms, on a window that ends before the last token does."""
    from noble.operator.spiking.core import Firing

    class Ticks(torch.nn.Module):
        causal = True

        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(0.1))
            self.batches: list[int] = []

        def forward(self, *inputs):
            raise AssertionError("nothing is to be drawn")

        def firing(self, scaled_features, current_na, dt_ms):
            self.batches.append(len(current_na))
            assert not torch.is_grad_enabled()
            assert not self.training
            rate = (self.scale * scaled_features[:, :1]).expand(-1, 12)
            return Firing(rate, bin_ms=10.0)

    core = Ticks()
    operator = Operator(CONFIG, SPEC, GRID, core=core).train()
    features = np.array([[0.1, 100.0], [0.3, 100.0], [0.1, 300.0]])  # scaled: 0.5, 3.5, 0.5
    found = operator.spike_times(features, [STEP] * 3, GRID, batch_size=2)
    assert core.batches == [2, 1]
    assert operator.training
    last_ms = 99.5
    for times, rate_per_ms in zip(found, (0.05, 0.35, 0.05), strict=True):
        regular = np.arange(1, 100) / rate_per_ms
        np.testing.assert_allclose(times, regular[regular < last_ms], rtol=1e-5)
    for times, same in zip(operator.spike_times(list(features), [STEP] * 3, GRID), found, strict=True):
        np.testing.assert_array_equal(times, same)
    assert operator.spike_times([], [], GRID) == []
    with pytest.warns(OutsideHullWarning):
        operator.spike_times(np.array([[0.3, 300.0]]), [STEP], GRID)
    with pytest.raises(ValueError, match="1 feature vectors and 2 stimuli"):
        operator.spike_times(INSIDE, [STEP, STEP], GRID)
