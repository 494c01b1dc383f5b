import warnings

import numpy as np
import pandas
import pytest
import torch
from toy_core import ToyCore

from noble.features.neurons import Neurons
from noble.operator import FeatureSpec, FnoConfig, Operator, OutsideHullWarning
from noble.stimuli import Chirp, OrnsteinUhlenbeck, Ramp, Sampled, Step, Stimulus
from noble.traces import TimeGrid

SPEC = FeatureSpec.fit(np.array([[0.1, 100.0], [0.3, 100.0], [0.1, 300.0]]), ("rheobase", "fi_gain"), ("nA", "Hz/nA"))
GRID = TimeGrid.spanning(100.0, dt_ms=0.5)
CONFIG = FnoConfig(layers=2, width=8, modes=16)
INSIDE = {"rheobase": 0.15, "fi_gain": 150.0}
STEP = Step(start_ms=10.0, stop_ms=60.0, amplitude_na=0.2)


def named(table: np.ndarray) -> Neurons:
    return Neurons(("rheobase", "fi_gain"), table)


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


def test_respond_is_forward_in_batches(operator):
    features = np.array([[0.1, 120.0], [0.2, 150.0], [0.15, 180.0], [0.12, 101.0], [0.1, 300.0]])
    stimuli = [Step(start_ms=10.0, stop_ms=60.0, amplitude_na=amplitude) for amplitude in (0.1, 0.2, -0.1, 0.05, 0.3)]
    batch = operator.respond(named(features), stimuli, GRID, batch_size=2)
    current = np.stack([stimulus.sample(GRID) for stimulus in stimuli]).astype(np.float32)
    np.testing.assert_array_equal(batch.current_na, current)
    with torch.no_grad():
        expected = operator(torch.tensor(features, dtype=torch.float32), torch.tensor(current), GRID.dt_ms).numpy()
    np.testing.assert_allclose(batch.voltage_mv, expected, rtol=1e-5, atol=1e-3)
    assert batch.provenance["operator"] == "fno"
    assert batch.provenance["seed"] == 1


def test_predict_lets_every_neuron_answer_every_stimulus_and_labels_it(operator):
    neurons = {"rheobase": [0.15, 0.12], "fi_gain": [150.0, 110.0]}
    stimuli = [STEP, Step(start_ms=20.0, stop_ms=50.0, amplitude_na=-0.05), Ramp(10.0, 60.0, 0.0, 0.1)]
    traces = operator.predict(neurons, stimuli)
    assert dict(traces.sizes) == {"neuron": 2, "stimulus": 3, "time": GRID.count}
    assert {name: traces[name].attrs["units"] for name in ("voltage", "current", "time", "onset")} == {
        "voltage": "mV",
        "current": "nA",
        "time": "ms",
        "onset": "ms",
    }
    for row, neuron in enumerate(Neurons.of(neurons)):
        for column, stimulus in enumerate(stimuli):
            alone = operator.respond([neuron], [stimulus], GRID)
            np.testing.assert_allclose(traces["voltage"][row, column], alone.voltage_mv[0], atol=1e-3)
            np.testing.assert_array_equal(traces["current"][column], alone.current_na[0])
    np.testing.assert_array_equal(traces["rheobase"], [0.15, 0.12])
    assert traces["fi_gain"].attrs["units"] == "Hz/nA"
    assert traces["onset"].values.tolist() == [10.0, 20.0, 10.0]
    assert traces["offset"].values.tolist() == [60.0, 50.0, 60.0]
    assert "Step" in str(traces["stimulus"].values[0])


def test_one_neuron_and_one_current_are_enough(operator):
    traces = operator.predict(INSIDE, STEP, dt_ms=0.25)
    assert dict(traces.sizes) == {"neuron": 1, "stimulus": 1, "time": 400}


def test_names_decide_and_not_their_order(operator):
    table = np.array([[0.15, 150.0], [0.12, 110.0]])
    expected = operator.respond(named(table), [STEP, STEP], GRID).voltage_mv
    swapped = pandas.DataFrame({"s_thr": table[:, 1], "i_thr": table[:, 0]})
    mappings = [{"fi_gain": 150.0, "rheobase": 0.15}, {"rheobase": 0.12, "fi_gain": 110.0}]
    for neurons in (swapped, swapped.to_xarray(), mappings):
        np.testing.assert_array_equal(operator.respond(neurons, [STEP, STEP], GRID).voltage_mv, expected)
    assert len(operator.respond([], [], GRID)) == 0


@pytest.mark.parametrize(
    "stimulus",
    [
        Step(start_ms=10.0, stop_ms=60.0, amplitude_na=0.0),
        Step(start_ms=10.0, stop_ms=60.0, amplitude_na=-0.11),
        Ramp(start_ms=10.0, stop_ms=60.0, start_na=0.1, stop_na=-0.2),
        Chirp(start_ms=0.0, stop_ms=90.0, amplitude_na=0.1),
        OrnsteinUhlenbeck(start_ms=10.0, stop_ms=60.0, mean_na=0.05, sd_na=0.05, seed=4),
        Sampled(samples_na=np.linspace(0, 0.2, 50), dt_ms=1.0),
    ],
    ids=["zero", "negative", "ramp", "chirp", "noise", "sampled"],
)
def test_any_current_gets_a_finite_answer_of_its_own(operator, stimulus: Stimulus):
    batch = operator.respond([INSIDE, INSIDE], [stimulus, STEP], GRID)
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
    fine = operator.respond([INSIDE], [STEP], TimeGrid.spanning(100.0, dt_ms=0.3))
    assert fine.voltage_mv.shape == (1, 333)
    with pytest.raises(ValueError, match="window of 120 ms was asked for, but this fno operator was trained on 100 ms"):
        operator.predict(INSIDE, STEP, duration_ms=120.0)
    with pytest.raises(ValueError, match="trained on 100 ms"):
        operator(torch.tensor([[0.15, 150.0]]), torch.zeros(1, 100), 0.5)


def test_a_causal_core_answers_on_any_window():
    class Echo(ToyCore):
        def __init__(self) -> None:
            super().__init__()
            self.gain = torch.nn.Parameter(torch.tensor(2.0))

        def forward(self, scaled_features, current_na, dt_ms, *, keys=None):
            return self.gain * current_na + scaled_features[:, :1]

    operator = Operator(CONFIG, SPEC, GRID, core=Echo())
    batch = operator.respond(named(np.array([[0.1, 100.0]])), [STEP], TimeGrid.spanning(333.0, dt_ms=0.7))
    np.testing.assert_allclose(batch.voltage_mv, 2 * batch.current_na + 0.5, rtol=1e-6)


def test_features_outside_the_hull_warn_with_how_far(operator):
    features = np.array([[0.15, 150.0], [0.3, 300.0]])  # the second is in the box, outside the triangle
    with pytest.warns(OutsideHullWarning) as record:
        operator.respond(named(features), [STEP, STEP], GRID)
    message = str(record[0].message)
    assert message.startswith("1 of 2 neurons lie outside the hull of the 3 training models")
    assert (
        "neuron 1: rheobase = 0.3 nA, +50.0% of its range away; fi_gain = 300 Hz/nA, +50.0% of its range away"
        in message
    )


def test_features_inside_the_hull_do_not_warn(operator):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        operator.respond(named(np.float32(SPEC.training_features)), [STEP] * 3, GRID)


def test_predict_leaves_the_training_mode_as_it_was(operator):
    operator.train()
    operator.predict(INSIDE, STEP)
    assert operator.training


@pytest.mark.parametrize(
    ("neurons", "stimuli", "message"),
    [
        (np.array([[0.1, 150.0]]), [STEP], "array without names"),
        ([np.array([0.1, 150.0])], [STEP], "without names"),
        (
            {"rheobase": 0.1, "AP1_width": 0.5},
            [STEP],
            r"AP1_width was given .* knows: rheobase \(nA\), fi_gain \(Hz/nA\)",
        ),
        ({"rheobase": 0.1, "fi_gain": np.nan}, [STEP], "fi_gain of neuron 0 is nan; expected a finite number in Hz/nA"),
        ({"rheobase": 155.0, "fi_gain": 150.0}, [STEP], "divide"),
        (INSIDE, [STEP, STEP], "1 neurons and 2 stimuli"),
        (INSIDE, [Step(start_ms=0.0, stop_ms=50.0, amplitude_na=200.0)], "divide it by 1000"),
        (INSIDE, [Step(start_ms=0.0, stop_ms=500.0, amplitude_na=0.1)], "Shorten the stimulus"),
    ],
)
def test_bad_input_gets_one_clear_sentence(operator, neurons, stimuli, message):
    with pytest.raises(ValueError, match=message):
        operator.respond(neurons, stimuli, GRID)


@pytest.mark.parametrize("current", [0.2, np.zeros(10), [STEP, 0.2]], ids=["amplitude", "array", "mixed"])
def test_a_bare_current_is_refused_with_what_is_expected(operator, current):
    with pytest.raises(ValueError, match=r"was given as a current; expected a stimulus such as noble\.Step"):
        operator.predict(INSIDE, current)


def family() -> Operator:
    """Three features, of which the first follows from the other two up to noise."""
    generator = np.random.default_rng(1)
    rheobase, gain = generator.uniform(0.1, 0.2, 12), generator.uniform(100, 300, 12)
    table = np.column_stack([20 + 30 * rheobase + generator.normal(0, 0.1, 12), rheobase, gain])
    spec = FeatureSpec.fit(table, ("AP1_peak", "rheobase", "fi_gain"), ("mV", "nA", "Hz/nA"))
    return Operator.build(CONFIG, spec, GRID, seed=2).eval()


def test_what_is_not_given_takes_its_conditional_mean():
    operator = family()
    table = np.array(operator.spec.training_features)
    design = np.column_stack([np.ones(12), table[:, 1:]])
    slopes, *_ = np.linalg.lstsq(design, table[:, 0], rcond=None)
    completed = operator.neurons({"fi_gain": 180.0, "rheobase": 0.14})
    assert completed.names == ("AP1_peak", "rheobase", "fi_gain")
    np.testing.assert_allclose(completed.values, [[slopes @ [1, 0.14, 180.0], 0.14, 180.0]], rtol=1e-9)
    from_one = operator.neurons({"rheobase": 0.14})
    assert from_one.values[0, 1] == 0.14
    assert table[:, 2].min() < from_one.values[0, 2] < table[:, 2].max()


def test_a_completed_neuron_answers_as_the_same_neuron_given_whole():
    operator = family()
    point = {"rheobase": 0.15, "fi_gain": 200.0}
    whole = operator.neurons(point)
    np.testing.assert_array_equal(
        operator.respond([point], [STEP], GRID).voltage_mv, operator.respond(whole, [STEP], GRID).voltage_mv
    )


def test_completing_is_differentiable_in_what_is_given():
    operator = family()
    given = {"fi_gain": torch.tensor([150.0, 200.0]), "rheobase": torch.tensor([0.12, 0.15])}
    for value in given.values():
        value.requires_grad_()
    whole = operator.complete(given)
    np.testing.assert_allclose(
        whole.detach(),
        operator.neurons({name: value.detach().numpy() for name, value in given.items()}).values,
        rtol=1e-6,
    )
    whole[:, 0].sum().backward()
    _, slopes = operator.spec.prior.regression(("fi_gain", "rheobase"))
    np.testing.assert_allclose(given["rheobase"].grad, [slopes[1, 0]] * 2, rtol=1e-6)


def test_spikes_of_a_phase_are_told_without_drawing():
    """A neuron whose phase rate is its first scaled feature in 1/ms, on a window that ends before the last token does."""
    from noble.operator.spiking.firing import Firing

    class Ticks(ToyCore):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(0.1))
            self.batches: list[int] = []

        def spike_times_ms(self, scaled_features, current_na, dt_ms, *, keys=None):
            self.batches.append(len(current_na))
            assert not torch.is_grad_enabled()
            assert not self.training
            rate = (self.scale * scaled_features[:, :1]).expand(-1, 12)
            return Firing(rate, bin_ms=10.0).spike_times_ms()

    core = Ticks()
    operator = Operator(CONFIG, SPEC, GRID, core=core).train()
    features = np.array([[0.1, 100.0], [0.3, 100.0], [0.1, 300.0]])  # scaled: 0.5, 3.5, 0.5
    found = operator.spike_times(named(features), [STEP] * 3, GRID, batch_size=2)
    assert core.batches == [2, 1]
    assert operator.training
    last_ms = 99.5
    for times, rate_per_ms in zip(found, (0.05, 0.35, 0.05), strict=True):
        regular = np.arange(1, 100) / rate_per_ms
        np.testing.assert_allclose(times, regular[regular < last_ms], rtol=1e-5)
    assert operator.spike_times([], [], GRID) == []
    with pytest.warns(OutsideHullWarning):
        operator.spike_times({"rheobase": 0.3, "fi_gain": 300.0}, [STEP], GRID)
    with pytest.raises(ValueError, match="1 neurons and 2 stimuli"):
        operator.spike_times(INSIDE, [STEP, STEP], GRID)
