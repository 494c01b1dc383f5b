"""An operator without features is one neuron: asked without any, it answers as every other does."""

import copy
import warnings

import numpy as np
import pytest
import torch

import noble
from lone_neuron import GRID, RECORDING, SCOPE, SPEC, core_of, lone_bundle, lone_neuron
from noble.features.neurons import Neurons
from noble.operator import FeatureSpec, Operator, OutsideScopeWarning, Scope
from noble.operator.core import Examples
from noble.operator.losses import LossConfig
from noble.stimuli import Chirp, OrnsteinUhlenbeck, Sampled, Step

STEP = Step(10.0, 140.0, 0.3)
NOISE = OrnsteinUhlenbeck(10.0, 140.0, mean_na=0.15, sd_na=0.05, tau_ms=5.0, seed=2)


@pytest.fixture(params=["recorded", "of a hall"])
def operator(request) -> Operator:
    """Of a recorded neuron, or trained on all models as if they were one."""
    of_hall = FeatureSpec.fit(np.zeros((5, 0)), (), ())
    return lone_neuron() if request.param == "recorded" else lone_neuron(spec=of_hall, recorded=False)


def test_nothing_is_warned_of_when_it_is_built():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lone_neuron()


@pytest.mark.parametrize("nobody", [None, {}, Neurons((), np.zeros((1, 0)))])
def test_it_is_asked_by_the_current_alone(operator, nobody):
    answer = operator.predict(stimuli=[STEP, NOISE])
    assert dict(answer.sizes) == {"neuron": 1, "stimulus": 2, "time": GRID.count}
    assert set(answer.coords) == {"neuron", "stimulus", "time", "onset", "offset"}
    assert answer.neuron.values.tolist() == [0]
    assert answer.onset.values.tolist() == [10.0, 10.0]
    assert len(operator.spike_times(None, [STEP], GRID)[0]) > 5
    np.testing.assert_array_equal(operator.predict(nobody, [STEP, NOISE]).voltage, answer.voltage)


def test_it_answers_every_current_and_as_many_copies_as_are_asked_for(operator):
    together = operator.respond(None, [STEP, NOISE], GRID).voltage_mv
    np.testing.assert_array_equal(together, operator.respond([{}, {}], [STEP, NOISE], GRID).voltage_mv)
    copies = operator.neurons().repeated(3)
    assert (len(copies), copies.names) == (3, ())
    answer = operator.predict(copies, STEP)
    assert answer.sizes["neuron"] == 3
    np.testing.assert_allclose(answer.voltage.values[:, 0], np.tile(together[:1], (3, 1)), atol=1e-3)
    assert operator.complete({}).shape == (1, 0)
    assert operator(operator.complete({}), torch.zeros(1, 100), 0.1).shape == (1, 100)


def test_a_stream_of_it_is_what_predict_gives(operator, tmp_path):
    current = np.stack([stimulus.sample(GRID) for stimulus in (STEP, NOISE)]).astype(np.float32)
    stream = operator.stream(operator.neurons().repeated(2))
    pieces = [stream.advance(current[:, :700])]
    stream.save(tmp_path / "state.safetensors")
    pieces.append(operator.resume(tmp_path / "state.safetensors").advance(current[:, 700:]))
    voltage = np.concatenate([piece.voltage_mv for piece in pieces], axis=1)
    whole = operator.predict(stimuli=[STEP, NOISE]).voltage.values[0]
    np.testing.assert_allclose(voltage, whole[:, : voltage.shape[1]], atol=1e-3)
    alone = operator.stream()
    assert repr(alone) == "Stream(1 neuron of an operator, dt_ms=0.1)"
    assert repr(stream).startswith("Stream(2 neurons of")
    alone.advance(current[0])
    assert alone.voltage_now_mv().shape == (1,)


@pytest.mark.parametrize("given", [{"rheobase": 0.1}, Neurons(("rheobase",), np.array([[0.1]]))])
def test_features_are_refused(operator, given):
    message = r"rheobase was given, but this operator has no features: it is one neuron\. Give none"
    for ask in (operator.neurons, lambda it: operator.predict(it, STEP), operator.stream):
        with pytest.raises(ValueError, match=message):
            ask(given)


def test_a_family_that_is_given_no_neuron_says_which_features_it_knows():
    family = noble.load("human-pv")
    for nobody in (None, {}):
        with pytest.raises(
            ValueError, match=r"nothing was given of the neurons; expected some of what.*rheobase \(nA\)"
        ):
            family.predict(nobody, STEP)
    with pytest.raises(ValueError, match=r"no stimulus was given; expected a current, for one neuron by its name"):
        family.predict({"rheobase": 0.15})


def test_a_current_in_the_place_of_the_neurons_is_told():
    with pytest.raises(ValueError, match=r"no stimulus was given; a Step came in the place of the neurons; expected"):
        lone_neuron().predict(STEP)


def test_it_says_that_it_is_one_neuron(operator):
    operator.name = "twin"
    assert "0 features" not in repr(operator)
    assert repr(operator).startswith("<Operator twin: spike-feedback, one neuron")
    assert ("recorded in cell.nwb" in repr(operator)) == ("recording" in operator.provenance)
    assert repr(operator).endswith("sampled currents from -0.2 to 0.4 nA, at most 1000 ms long>")
    shown = operator._repr_html_()
    assert "<polyline" in shown
    assert "one neuron" in shown
    assert "median" not in shown


def test_hull_and_prior_know_no_family(operator):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        operator.predict(stimuli=STEP)  # no neuron lies outside of nothing
    assert operator.spec.one_neuron
    assert not operator.spec.hull.outside(np.zeros((4, 0))).any()
    with pytest.raises(ValueError, match=r"a distribution of features needs neurons that differ.* it is one neuron"):
        _ = operator.spec.prior


def test_only_the_range_of_sampled_currents_is_a_scope():
    """Samples may be of any kind, so that no kind is another; a scope that knows kinds goes on naming others."""
    operator = lone_neuron()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        operator.predict(stimuli=[STEP, 0.5 * STEP + 0.3 * NOISE, Sampled(np.full(100, 0.1), dt_ms=1.0)])
    with pytest.warns(OutsideScopeWarning, match=r"may be wrong: 0\.6 nA \(learned: -0\.2 to 0\.4 nA"):
        operator.predict(stimuli=2.0 * STEP)
    operator.scope = SCOPE.model_copy(update={"kinds": ("Sampled", "Step")})
    with pytest.warns(OutsideScopeWarning, match=r"kind Chirp \(learned: Sampled, Step\) in 1 of 1"):
        operator.predict(stimuli=Chirp(10, 140, 0.1))
    grid_scope = Scope.of_stimuli([Sampled(np.linspace(-0.1, 0.3, 100), dt_ms=1.0)], GRID, duration_ms=150.0)
    assert grid_scope.describe() == "sampled currents from -0.1 to 0.3 nA, at most 150 ms long"


def test_a_bundle_gives_it_back(tmp_path):
    lone_bundle(tmp_path / "twin")
    loaded = Operator.load(tmp_path / "twin")
    assert (loaded.spec, loaded.provenance["recording"]) == (SPEC, RECORDING)
    np.testing.assert_array_equal(loaded.predict(stimuli=NOISE).voltage, lone_neuron().predict(stimuli=NOISE).voltage)
    held = lone_neuron()
    held.provenance["recording"]["holding_na"] = -0.03
    assert held.holding_na == -0.03
    held.provenance["recording"]["holding_na"] = "none"
    with pytest.raises(ValueError, match=r"provenance: recording\.holding_na: Input should be a valid number"):
        held.save(tmp_path / "wrong")


def moved() -> Operator:
    """With an address that is not zero, as training makes it."""
    operator = lone_neuron()
    with torch.no_grad():
        core_of(operator).address[0].bias.uniform_(-0.3, 0.3, generator=torch.Generator().manual_seed(1))
    return operator


def currents() -> torch.Tensor:
    return torch.as_tensor(np.stack([STEP.sample(GRID), NOISE.sample(GRID)]), dtype=torch.float32)


def test_the_compiled_way_and_that_of_gradients_agree_without_features():
    core = core_of(moved())
    nobody = torch.empty(2, 0)
    with torch.no_grad():
        voltage, times = core(nobody, currents(), GRID.dt_ms), core.spike_times_ms(nobody, currents(), GRID.dt_ms)
    assert torch.isfinite(times).sum() > 10
    current = currents().requires_grad_()
    torch.testing.assert_close(core(nobody, current, GRID.dt_ms).detach(), voltage, rtol=0, atol=1e-3)
    torch.testing.assert_close(core.spike_times_ms(nobody, current, GRID.dt_ms).detach(), times, rtol=0, atol=1e-5)
    core(nobody, current, GRID.dt_ms).mean().backward()
    assert current.grad is not None
    assert float(current.grad.abs().sum()) > 0
    own, none = (
        core.objective(
            Examples(nobody, currents(), voltage, spikes, GRID.dt_ms), LossConfig(), torch.Generator().manual_seed(0)
        )
        for spikes in (times.float(), torch.full((2, 1), torch.inf))
    )
    assert float(own["waveform"]) < 0.5 * float(none["waveform"])  # told its own spikes, it draws its own voltage


def test_every_weight_learns_and_the_address_of_the_one_neuron_too():
    operator = moved()
    core, nobody = core_of(operator), torch.empty(2, 0)
    silent = torch.full((2, 1), torch.inf)
    examples = Examples(nobody, currents(), torch.full_like(currents(), -70.0), silent, GRID.dt_ms)
    before = copy.deepcopy(core.state_dict())
    optimiser = torch.optim.AdamW(core.parameters(), lr=1e-2)
    core.train().objective(examples, LossConfig(), torch.Generator().manual_seed(0))["loss"].backward()
    assert [name for name, weight in core.named_parameters() if weight.grad is None] == []
    optimiser.step()
    assert not torch.equal(core.state_dict()["address.0.bias"], before["address.0.bias"])


def test_without_features_the_f_i_prior_expects_the_same_of_every_current():
    prior = core_of(lone_neuron()).prior
    signals, log_rate = prior(torch.empty(2, 0), torch.tensor([[0.0, 0.3], [-0.1, 0.1]]), torch.full((2, 2), 0.5))
    assert float(np.ptp(log_rate.numpy())) == 0
    assert torch.equal(signals[..., 1:], torch.zeros(2, 2, 2))
