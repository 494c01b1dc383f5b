import numpy as np
import pytest
import torch
from small_operator import CONFIG, FIRING, GRID, NAMED, NEURON, SILENT, SPEC, STEP, core_of, current_of, operator_of

from noble.features.neurons import Neurons
from noble.operator import FeatureSpec, Operator
from noble.operator.spiking.adaptive_bins import bin_means
from noble.operator.spiking.waveform import LOOK_AHEAD_MS
from noble.stimuli import OrnsteinUhlenbeck, Ramp, Step
from noble.traces import TimeGrid


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75])
def test_a_step_that_begins_within_a_bin_is_expected_to_fire_for_the_rest_of_it(share):
    core, bin_ms = core_of(operator_of()), CONFIG.bin_ms
    current = torch.zeros(1, 4000, dtype=torch.float64)
    dt_ms = bin_ms / 100
    current[:, 1000 + round(share * 100) :] = 0.2  # from within the eleventh bin on
    signals, log_rate = core._expectations(SPEC.scale(torch.as_tensor(NEURON)), current, dt_ms, tokens=14)
    rates = torch.exp(log_rate[0])
    assert rates[9] < 0.02 * rates[11]  # what is expected of silence
    found = (rates[10] - rates[9]) / (rates[11] - rates[9])
    torch.testing.assert_close(found, torch.tensor(1 - share).double(), rtol=0, atol=1e-3)
    assert signals.shape == (1, 15, core.drive.signals * CONFIG.bins)


def test_the_voltage_is_differentiable_in_features_and_current():
    operator = operator_of()
    features = torch.tensor([[0.15, 150.0]], dtype=torch.float64, requires_grad=True)
    current = current_of(STEP, TimeGrid(1.7, 40)).requires_grad_()
    encoded = core_of(operator).encode(operator.spec.scale(features), current, 1.7)
    last = float(encoded.phase()[0, -1].detach())
    assert last > 2
    assert 0.05 < last % 1 < 0.95, "a spike is about to be born; choose another seed"
    assert torch.autograd.gradcheck(lambda f, i: operator(f, i, 1.7), (features, current), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("rate", [SILENT, FIRING, 0.6])
def test_no_gradient_is_nan_whether_or_not_a_trace_fires(rate):
    operator = operator_of(rate=rate).float()
    features = torch.tensor([[0.15, 150.0], [0.1, 300.0]], requires_grad=True)
    current = torch.cat([current_of(STEP), 0 * current_of(STEP)]).float().requires_grad_()
    voltage = operator(features, current, GRID.dt_ms)
    voltage.square().mean().backward()
    named = {"features": features.grad, "current": current.grad}
    named |= {name: parameter.grad for name, parameter in operator.named_parameters()}
    without = [name for name, gradient in named.items() if gradient is None]
    assert all(torch.isfinite(gradient).all() for gradient in named.values() if gradient is not None)
    # Where nobody fires, the voltage does not depend on the rate.
    assert rate == SILENT or without == []
    assert all(name.startswith("core.timing.") for name in without)
    assert features.grad is not None
    assert features.grad.abs().sum() > 0


def test_a_firing_and_a_silent_trace_in_one_batch():
    """The padding of one trace's spikes must not leak into the other's voltage or gradient."""
    operator = operator_of(rate=0.05)
    features = torch.as_tensor(NEURON).repeat(2, 1)
    current = torch.cat([current_of(STEP) * factor for factor in (1.0, 0.0)])
    core = core_of(operator)
    counts = torch.isfinite(core.encode(SPEC.scale(features), current, GRID.dt_ms).spike_times_ms()).sum(dim=1)
    assert counts.min() == 0 < counts.max(), f"{counts.tolist()} spikes; choose currents of which only one fires"
    together = operator(features, current, GRID.dt_ms)
    for row in range(2):
        alone = operator(features[row : row + 1], current[row : row + 1], GRID.dt_ms)
        torch.testing.assert_close(together[row], alone[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("changed_from_ms", [20.0, 41.3, 70.0])
def test_the_present_does_not_depend_on_the_far_future(changed_from_ms):
    operator = operator_of()
    current = current_of(OrnsteinUhlenbeck(start_ms=0.0, stop_ms=99.0, mean_na=0.15, sd_na=0.1, seed=4))
    times = torch.arange(GRID.count) * GRID.dt_ms
    for size in (0.02, 0.5, -0.5):
        changed = current + size * (times >= changed_from_ms)
        with torch.no_grad():
            before, after = (operator(torch.as_tensor(NEURON), item, GRID.dt_ms)[0] for item in (current, changed))
        safe = times < changed_from_ms - (CONFIG.token_ms + LOOK_AHEAD_MS)
        torch.testing.assert_close(before[safe], after[safe], rtol=0, atol=1e-9)
        assert (before[~safe] - after[~safe]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("duration_ms", "dt_ms"), [(1000.0, 0.02), (1000.0, 0.1), (3.0, 0.06), (1.0, 0.5), (515.0, 0.06)]
)
def test_any_duration_and_dt(duration_ms, dt_ms):
    grid = TimeGrid.spanning(duration_ms, dt_ms=dt_ms)
    stimulus = Step(start_ms=0.2, stop_ms=0.9, amplitude_na=0.2)
    voltage = operator_of().respond(NAMED, [stimulus], grid).voltage_mv
    assert voltage.shape == (1, grid.count)
    assert np.isfinite(voltage).all()


def test_a_longer_window_only_adds_to_the_answer():
    operator = operator_of()
    short = operator.respond(NAMED, [STEP], TimeGrid.spanning(80.64, dt_ms=0.06)).voltage_mv[0]
    long = operator.respond(NAMED, [STEP], TimeGrid.spanning(300.0, dt_ms=0.06)).voltage_mv[0]
    kept = int((80.64 - LOOK_AHEAD_MS) / 0.06)
    np.testing.assert_allclose(short[:kept], long[:kept], rtol=0, atol=1e-4)


def test_two_sampling_intervals_agree_at_common_instants():
    operator = operator_of()
    coarse = operator.respond(NAMED, [STEP], TimeGrid.spanning(99.0, dt_ms=0.06)).voltage_mv[0]
    fine = operator.respond(NAMED, [STEP], TimeGrid.spanning(99.0, dt_ms=0.03)).voltage_mv[0]
    assert np.ptp(coarse) > 0.1
    np.testing.assert_allclose(coarse, fine[::2][: coarse.size], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "stimulus",
    [
        Step(start_ms=10.0, stop_ms=60.0, amplitude_na=0.0),
        Step(start_ms=10.0, stop_ms=60.0, amplitude_na=-0.2),
        Step(start_ms=10.0, stop_ms=60.0, amplitude_na=4.9),
        Ramp(start_ms=10.0, stop_ms=60.0, start_na=-0.2, stop_na=0.4),
        OrnsteinUhlenbeck(start_ms=10.0, stop_ms=60.0, mean_na=0.1, sd_na=0.1, seed=5),
    ],
    ids=["zero", "negative", "huge", "ramp", "noise"],
)
@pytest.mark.parametrize("rate", [SILENT, FIRING])
def test_any_current_has_a_finite_answer(stimulus, rate):
    voltage = operator_of(rate=rate).respond(NAMED, [stimulus], GRID).voltage_mv
    assert np.isfinite(voltage).all()
    assert np.abs(voltage).max() < 1e4


def test_the_size_of_the_parts_decoded_at_once_does_not_matter():
    features, current = torch.as_tensor(NEURON).repeat(2, 1), torch.cat([current_of(STEP)] * 2)
    large, small = (operator_of(config=CONFIG.model_copy(update={"decode_points": points})) for points in (10**9, 7))
    with torch.no_grad():
        one, many = (operator(features, current, GRID.dt_ms) for operator in (large, small))
    torch.testing.assert_close(one, many, rtol=0, atol=1e-9)


@pytest.mark.parametrize("dt_ms", [0.01, 0.06, 0.2, 0.4])
def test_what_is_drawn_in_evaluation_is_right_to_a_tenth_of_a_mv(dt_ms):
    """In training every sample is drawn by the network; in evaluation by a table, and away from spikes at every few samples."""
    operator, features = operator_of(rate=FIRING), torch.as_tensor(NEURON)
    with torch.no_grad():
        core_of(operator).slow.leave.bias[CONFIG.bins :] += 25.0  # the shape channels
    current = current_of(STEP, TimeGrid.spanning(100.0, dt_ms=dt_ms))
    with torch.no_grad():
        exact, drawn = (operator.train(training)(features, current, dt_ms) for training in (True, False))
    assert exact.max() - exact.min() > 50
    torch.testing.assert_close(drawn, exact, rtol=0, atol=0.1)
    assert not torch.equal(drawn, exact)


def test_a_prediction_follows_the_weights_without_leaving_evaluation():
    """Shapes are looked up in a table, which must not outlive them."""
    operator, other = operator_of(), operator_of()
    with torch.no_grad():
        for weight in core_of(other).shapes.parameters():
            weight.mul_(1.5)
    arguments = (torch.as_tensor(NEURON), current_of(STEP), GRID.dt_ms)
    with torch.inference_mode():
        before, wanted = operator(*arguments), other(*arguments)
    assert not torch.allclose(before, wanted)
    operator.load_state_dict(other.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(operator(*arguments), wanted)
        half = operator.float()(*(item.float() if torch.is_tensor(item) else item for item in arguments))
    assert half.dtype == torch.float32


def test_any_instants_can_be_decoded_from_given_spikes():
    core = core_of(operator_of())
    current = torch.cat([current_of(STEP)] * 2)
    encoded = core.encode(SPEC.scale(torch.as_tensor(NEURON).repeat(2, 1)), current, GRID.dt_ms)
    spikes = torch.tensor([[20.0, 31.7, torch.inf], [torch.inf] * 3], dtype=torch.float64)
    times = (torch.arange(GRID.count, dtype=torch.float64) * GRID.dt_ms).expand(2, -1)
    whole = core.decode(encoded, times, spikes)
    some = torch.tensor([[5, 600, 333, 334], [0, 1, 1200, 800]])
    part = core.decode(encoded, times.gather(1, some), spikes)
    torch.testing.assert_close(part, whole.gather(1, some), rtol=0, atol=1e-9)
    # Away from spikes the waveform is the slow voltage's; at them it is the decoder's.
    silent = core.decode(encoded, times, torch.full_like(spikes, torch.inf))
    near = (times[0] - 20.0).abs() < 0.3
    assert (whole[0, near] - silent[0, near]).abs().max() > 1e-3
    before = times[0] < 20.0 - LOOK_AHEAD_MS
    torch.testing.assert_close(whole[0, before], silent[0, before], rtol=0, atol=1e-9)
    torch.testing.assert_close(whole[1], silent[1], rtol=0, atol=1e-9)


def test_the_voltage_has_no_jump_at_a_spike():
    # There the last and the next spike trade places; three spikes, so that both have neighbours near and far.
    core = core_of(operator_of())
    encoded = core.encode(torch.full((1, 2), 2.0, dtype=torch.float64), current_of(STEP), GRID.dt_ms)
    spikes = torch.tensor([[20.0, 23.0, 50.0]], dtype=torch.float64)
    around = torch.cat([spikes - 1e-7, spikes, spikes + 1e-7], dim=1)
    drawn = core.decode(encoded, around, spikes).reshape(3, 3)
    torch.testing.assert_close(drawn[0], drawn[2], rtol=0, atol=1e-5)
    torch.testing.assert_close(drawn[0], drawn[1], rtol=0, atol=1e-5)


def test_the_threshold_is_not_needed_but_used_if_known():
    table = np.array([[0.1, 90.0], [0.2, 120.0], [0.1, 100.0]])
    for names, units, columns in [
        (("input_resistance",), ("MOhm",), [1]),
        (("i_thr",), ("nA",), [0]),
        (("input_resistance", "i_thr"), ("MOhm", "nA"), [1, 0]),
    ]:
        spec = FeatureSpec.fit(table[:, columns], names, units)
        operator = operator_of(spec=spec)
        assert np.isfinite(operator.respond(Neurons(names, table[:1, columns]), [STEP], GRID).voltage_mv).all()
        signals, _ = core_of(operator).drive(
            spec.scale(torch.as_tensor(table[:1, columns])), torch.zeros(1, 4).double(), torch.ones(1, 4).double()
        )
        assert bool((signals[..., 1:] == 0).all()) == ("i_thr" not in names)


def test_a_bundle_keeps_every_bit(tmp_path):
    operator = Operator.build(CONFIG, SPEC, GRID, seed=5)
    operator.save(tmp_path / "bundle")
    loaded = Operator.load(tmp_path / "bundle")
    assert loaded.config == CONFIG
    for name, value in operator.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    answers = [item.respond(NAMED, [STEP], GRID).voltage_mv for item in (operator, loaded)]
    np.testing.assert_array_equal(*answers)


def test_double_precision_is_kept_throughout():
    voltage = operator_of()(torch.as_tensor(NEURON), current_of(STEP), GRID.dt_ms)
    assert voltage.dtype == torch.float64
    encoded = core_of(operator_of()).encode(SPEC.scale(torch.as_tensor(NEURON)), current_of(STEP), GRID.dt_ms)
    assert {item.dtype for item in (encoded.rate_per_ms, encoded.slow_mv, encoded.channels)} == {torch.float64}


def test_without_features_the_current_alone_decides():
    operator = operator_of(spec=FeatureSpec.fit(np.zeros((2, 0)), (), ()))
    answer = operator.respond(Neurons((), np.zeros((2, 0))), [STEP, STEP], GRID).voltage_mv
    np.testing.assert_array_equal(answer[0], answer[1])
    assert np.ptp(answer[0]) > 10


def test_firing_alone_is_the_firing_of_everything():
    operator = operator_of()
    scaled = operator.spec.scale(torch.as_tensor(NEURON))
    core, current = core_of(operator), current_of(STEP)
    firing, encoded = core.firing(scaled, current, GRID.dt_ms), core.encode(scaled, current, GRID.dt_ms)
    torch.testing.assert_close(firing.rate_per_ms, encoded.rate_per_ms, rtol=0, atol=0)
    torch.testing.assert_close(firing.spike_times_ms(), encoded.spike_times_ms(), rtol=0, atol=0)
    assert firing.spike_times_ms().numel() > 0


@pytest.mark.parametrize(
    "stimulus", [STEP, OrnsteinUhlenbeck(15.0, 60.0, 0.15, 0.05, seed=1), Ramp(15.0, 60.0, 0.0, 0.3)]
)
def test_expectations_are_those_of_a_bins_parts_averaged(stimulus):
    core, scaled = core_of(operator_of()), torch.tensor([[1.0, 2.0], [2.5, 1.5]], dtype=torch.float64)
    current = current_of(stimulus).expand(2, -1)
    tokens, bins, parts = 17, core.config.bins, 16
    found, found_log = core._expectations(scaled, current, GRID.dt_ms, tokens)
    means = bin_means(current, dt_ms=GRID.dt_ms, bin_ms=core.config.bin_ms / parts, bins=tokens * bins * parts)
    signals, log_rate = core.drive(scaled, means, torch.full_like(means, core.config.bin_ms / parts))
    signals = signals.unflatten(1, (tokens * bins, parts)).mean(dim=2).unflatten(1, (tokens, bins)).flatten(2)
    rates = torch.exp(log_rate).unflatten(1, (tokens * bins, parts)).mean(dim=2)
    torch.testing.assert_close(found[:, 1:], signals, rtol=0, atol=1e-6)
    torch.testing.assert_close(torch.exp(found_log), rates.clamp(min=np.exp(-11.0)), rtol=1e-5, atol=0)
