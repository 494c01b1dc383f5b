import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from noble.protocols import step_end_ms
from noble.stimuli import (
    STIMULUS_KINDS,
    Chirp,
    Interval,
    OrnsteinUhlenbeck,
    PulseTrain,
    Ramp,
    Sampled,
    Scaled,
    Step,
    Stimulus,
    Sum,
    from_dict,
    register,
)
from noble.traces import TimeGrid

# A busy machine must not fail a test by its time.
steady = settings(deadline=None, max_examples=60)

GRID = TimeGrid.spanning(515.0, dt_ms=0.06)

amplitudes = st.floats(-4.0, 4.0)
intervals = st.tuples(st.floats(0.0, 100.0), st.floats(1.0, 400.0)).map(lambda pair: (pair[0], sum(pair)))
steps = st.builds(lambda edges, height: Step(*edges, height), intervals, amplitudes)
ramps = st.builds(lambda edges, first, last: Ramp(*edges, first, last), intervals, amplitudes, amplitudes)
chirps = st.builds(
    lambda edges, height, offset, low, high: Chirp(*edges, height, offset, low, high),
    intervals,
    st.floats(0.0, 2.0),
    st.floats(-2.0, 2.0),
    st.floats(0.0, 10.0),
    st.floats(10.0, 200.0),
)
noises = st.builds(
    lambda edges, mean, sd, tau, seed: OrnsteinUhlenbeck(*edges, mean, sd, tau, seed),
    intervals,
    st.floats(-0.5, 0.5),
    st.floats(0.0, 0.2),
    st.floats(0.5, 50.0),
    st.integers(0, 2**32 - 1),
)
pulses = st.builds(
    lambda edges, height, width, gap: PulseTrain(*edges, height, width, width + gap),
    intervals,
    amplitudes,
    st.floats(0.1, 50.0),
    st.floats(0.1, 300.0),
)
samples = st.builds(
    lambda values, dt, start: Sampled(np.array(values), dt, start),
    st.lists(amplitudes, min_size=2, max_size=50),
    st.floats(0.01, 5.0),
    st.floats(0.0, 50.0),
)
single = st.one_of(steps, ramps, chirps, noises, pulses, samples)
sums = st.lists(single, min_size=1, max_size=3).map(lambda parts: Sum(tuple(parts)))
multiples = st.builds(lambda stimulus, factor: factor * stimulus, st.one_of(single, sums), st.floats(-2.0, 2.0))
stimuli = st.one_of(single, sums, multiples)


@steady
@given(stimulus=stimuli)
def test_every_stimulus_survives_json(stimulus: Stimulus):
    again = from_dict(json.loads(json.dumps(stimulus.to_dict())))
    assert type(again) is type(stimulus)
    assert again.to_dict() == stimulus.to_dict()
    times = GRID.times_ms[::50]
    np.testing.assert_array_equal(again.current_na(times), stimulus.current_na(times))
    assert again.end_ms == stimulus.end_ms


@steady
@given(stimulus=stimuli, by_ms=st.floats(0.0, 30.0))
def test_shifting_moves_the_current_and_nothing_else(stimulus: Stimulus, by_ms: float):
    times = np.linspace(0.013, 505.0, 500)  # off the edges, where a rounded sum may fall on either side
    shifted = stimulus.shifted(by_ms)
    assert shifted.end_ms == pytest.approx(stimulus.end_ms + by_ms)
    before, after = stimulus.current_na(times), shifted.current_na(times + by_ms)
    assert np.mean(np.abs(before - after) < 1e-6) > 0.98  # all but instants within rounding of a jump


@steady
@given(stimulus=stimuli)
def test_the_current_is_zero_after_its_end(stimulus: Stimulus):
    assert not np.any(stimulus.current_na(stimulus.end_ms + np.array([0.0, 1.0, 1e4])))


@steady
@given(stimulus=stimuli)
@example(stimulus=Sampled(np.full(8003, 0.2), 0.05, 14.9))  # ends at 415.05 ms, no multiple of the envelope's 0.02 ms
@example(stimulus=Chirp(15.0, 415.01, 0.1, 0.1))
@example(stimulus=Step(10.0, 20.0, 0.1) + Chirp(5.003, 20.0, 0.1, 0.1))
@example(stimulus=Step(10.0, 20.0, 0.1) + Step(20.0, 30.0, 0.1))
def test_the_envelope_is_the_current(stimulus: Stimulus):
    times, currents = stimulus.envelope()
    assert np.all(np.diff(times) >= 0)
    assert (times[0], times[-1]) == (0.0, stimulus.end_ms)
    assert currents[-1] == 0.0
    instants = np.linspace(0.0123, stimulus.end_ms, 3000)
    jumps = times[1:][np.diff(times) == 0]
    nearest = np.abs(instants[:, None] - np.unique(jumps)).min(axis=1, initial=np.inf)
    instants = instants[nearest > 1e-6]
    # Between its points a sine of at most 2 nA and 200 Hz bends away from the line by 2 (2 pi 200 0.02e-3)^2 / 8 = 1.6e-4 nA.
    np.testing.assert_allclose(
        np.interp(instants, times, currents, right=0.0),
        stimulus.current_na(instants),
        atol=1.2e-3 if "Chirp" in repr(stimulus) else 1e-7,
    )


@pytest.mark.parametrize(
    "stimulus",
    [
        Step(15.0, 415.01, 0.2),
        Ramp(15.0, 415.01, 0.2, 0.3),
        Chirp(15.003, 415.01, 0.1, 0.2),
        OrnsteinUhlenbeck(15.003, 415.01, 0.2, 0.05, seed=7),
        Sampled(np.full(8000, 0.2), 0.05, 15.05),
        Step(15.0, 415.01, 0.2) + Step(15.0, 100.0, 0.1),
    ],
)
def test_edges_are_jumps_and_not_ramps(stimulus: Stimulus):
    times, currents = stimulus.envelope()
    onset = times[np.flatnonzero(currents)[0]]
    assert times[np.flatnonzero(currents)[0] - 1] == onset
    np.testing.assert_allclose(currents[times == onset][[0, -1]], [0.0, stimulus.current_na(np.array([onset]))[0]])
    before_end, end = currents[times == stimulus.end_ms][[0, -1]]
    assert end == 0.0
    assert before_end == pytest.approx(stimulus.current_na(np.array([stimulus.end_ms - 1e-6]))[0], abs=1e-4)


def test_a_sum_keeps_the_jumps_of_its_parts():
    times, currents = (Step(10.0, 20.0, 0.2) + Ramp(15.0, 30.0, 0.0, 0.3) + Step(20.0, 40.0, -0.1)).envelope()
    np.testing.assert_array_equal(times, [0, 10, 10, 15, 20, 20, 30, 30, 40, 40])
    np.testing.assert_allclose(currents, [0, 0, 0.2, 0.2, 0.3, 0.0, 0.2, -0.1, -0.1, 0], atol=1e-12)


def test_a_steps_end_is_the_last_sample_where_only_rounding_parts_them():
    grid = TimeGrid(dt_ms=0.1, count=8)
    assert 0.1 + 0.6 != 7 * 0.1
    assert step_end_ms(0.1, 0.6, grid) == 7 * 0.1
    assert step_end_ms(0.1, 0.5, grid) == 0.6
    assert step_end_ms(0.1, 0.7, grid) == pytest.approx(0.8)


@pytest.mark.parametrize("stimulus", [Chirp(15.0, 415.0, 0.1, 0.1), OrnsteinUhlenbeck(15.0, 415.0, 0.1, 0.05, seed=7)])
def test_the_envelope_of_a_curve_follows_it(stimulus: Stimulus):
    times, currents = stimulus.envelope()
    instants = np.linspace(15.5, 414.5, 5000)
    np.testing.assert_allclose(np.interp(instants, times, currents), stimulus.current_na(instants), atol=5e-3)


@steady
@given(onset=st.integers(0, 8000), length=st.integers(1, 500), amplitude=st.floats(0.01, 4.0))
def test_a_step_on_a_grid_has_exactly_its_samples(onset: int, length: int, amplitude: float):
    stop = min(onset + length, GRID.count)
    current = Step(onset * GRID.dt_ms, stop * GRID.dt_ms, amplitude).sample(GRID)
    np.testing.assert_array_equal(np.flatnonzero(current), np.arange(onset, stop))
    assert set(np.unique(current)) <= {0.0, amplitude}


@pytest.mark.parametrize("dt_ms", [0.02, 0.05, 0.06, 0.1])
def test_the_charge_of_a_step_does_not_depend_on_the_grid(dt_ms: float):
    grid = TimeGrid.spanning(515.0, dt_ms=dt_ms)
    charge = Step(15.0, 415.0, 0.2).sample(grid).sum() * dt_ms
    assert charge == pytest.approx(0.2 * 400.0, abs=0.2 * dt_ms)


def test_a_jump_takes_its_later_value():
    np.testing.assert_array_equal(
        Step(15.0, 415.0, 0.2).current_na(np.array([14.999, 15.0, 414.999, 415.0])), [0, 0.2, 0.2, 0]
    )


def test_a_ramp_is_linear():
    np.testing.assert_allclose(Ramp(10.0, 110.0, -0.1, 0.3).current_na(np.array([10.0, 35.0, 60.0])), [-0.1, 0.0, 0.1])


def test_a_chirp_sweeps_its_frequencies():
    stimulus = Chirp(0.0, 1000.0, 0.1, f0_hz=5.0, f1_hz=25.0)
    current = stimulus.current_na(np.arange(0.0, 1000.0, 0.01))
    rises = np.flatnonzero((current[:-1] < 0) & (current[1:] >= 0)) * 0.01
    assert rises.size in (14, 15)  # the mean frequency, 15 Hz, times one second
    assert 1000 / np.diff(rises)[0] == pytest.approx(5.0 + 20.0 * rises[:2].mean() / 1000, rel=0.02)
    assert 1000 / np.diff(rises)[-1] == pytest.approx(5.0 + 20.0 * rises[-2:].mean() / 1000, rel=0.02)


def test_the_noise_has_its_mean_deviation_and_correlation_time():
    stimulus = OrnsteinUhlenbeck(0.0, 200_000.0, mean_na=0.1, sd_na=0.05, tau_ms=5.0, seed=3)
    current = stimulus.current_na(np.arange(0.0, 200_000.0, 0.5))
    assert current.mean() == pytest.approx(0.1, abs=0.002)
    assert current.std() == pytest.approx(0.05, rel=0.03)
    centred = current - current.mean()
    assert np.mean(centred[10:] * centred[:-10]) / centred.var() == pytest.approx(np.exp(-1), abs=0.03)


def test_the_noise_is_the_same_on_any_grid_and_another_for_another_seed():
    noise = OrnsteinUhlenbeck(15.0, 415.0, 0.1, 0.05, seed=1)
    coarse = noise.sample(TimeGrid.spanning(515.0, dt_ms=0.06))
    fine = noise.sample(TimeGrid.spanning(515.0, dt_ms=0.02))
    np.testing.assert_allclose(coarse, fine[::3][: coarse.size], atol=1e-9)
    other = OrnsteinUhlenbeck(15.0, 415.0, 0.1, 0.05, seed=2).sample(GRID)
    assert np.abs(other - coarse).max() > 0.01


def test_a_sum_adds():
    total = Step(10.0, 100.0, 0.2) + Ramp(50.0, 200.0, 0.0, 0.3)
    assert isinstance(total, Sum)
    assert total.end_ms == 200.0
    times = GRID.times_ms
    np.testing.assert_array_equal(
        total.current_na(times),
        Step(10.0, 100.0, 0.2).current_na(times) + Ramp(50.0, 200.0, 0.0, 0.3).current_na(times),
    )


def test_samples_on_their_own_grid_come_back():
    values = np.random.default_rng(0).normal(size=GRID.count) * 0.1
    np.testing.assert_allclose(Sampled(values, GRID.dt_ms).sample(GRID), values, atol=1e-12)


def test_zero_current_is_a_stimulus():
    assert not Step(15.0, 415.0, 0.0).sample(GRID).any()


def test_a_stimulus_longer_than_the_window_is_refused():
    with pytest.raises(ValueError, match=r"ends at 600 ms but the window is 514\.98 ms long"):
        Step(15.0, 600.0, 0.1).sample(GRID)


def test_picoampere_as_nanoampere_is_refused():
    with pytest.raises(ValueError, match=r"reaches 200 nA.*divide it by 1000"):
        Step(15.0, 415.0, 200.0).sample(GRID)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(bad: float):
    with pytest.raises(ValueError, match="expected a finite number"):
        Step(15.0, 415.0, bad)
    with pytest.raises(ValueError, match="expected a finite number"):
        Sampled(np.array([0.0, bad]), 0.1)


@pytest.mark.parametrize(("start_ms", "stop_ms"), [(415.0, 15.0), (15.0, 15.0), (-1.0, 15.0)])
def test_edges_out_of_order_are_refused(start_ms: float, stop_ms: float):
    with pytest.raises(ValueError, match="expected 0 <= start_ms < stop_ms"):
        Step(start_ms, stop_ms, 0.1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: OrnsteinUhlenbeck(0.0, 1.0, 0.1, 0.1, tau_ms=0.0),
        lambda: OrnsteinUhlenbeck(0.0, 1.0, 0.1, -0.1),
        lambda: Sampled(np.array([1.0]), 0.1),
        lambda: Sampled(np.zeros((2, 2)), 0.1),
        lambda: Sampled(np.zeros(3), 0.0),
    ],
)
def test_impossible_parameters_are_refused(make):
    with pytest.raises(ValueError, match="expected"):
        make()


def test_an_unknown_kind_or_parameter_is_named():
    with pytest.raises(ValueError, match=f"'Sine' is unknown; expected one of {', '.join(STIMULUS_KINDS)}"):
        from_dict({"kind": "Sine"})
    with pytest.raises(ValueError, match="Step got start_ms, end_ms; expected start_ms, stop_ms, amplitude_na"):
        from_dict({"kind": "Step", "start_ms": 0.0, "end_ms": 1.0})


def test_parameters_that_are_no_numbers_are_named():
    for bad in (None, "0.1", [0.1]):
        with pytest.raises(ValueError, match=r"Step\.amplitude_na is .*; expected a finite number"):
            from_dict({"kind": "Step", "start_ms": 0.0, "stop_ms": 1.0, "amplitude_na": bad})


def test_stimuli_add_up_and_scale():
    step, ramp, times = Step(10.0, 100.0, 0.2), Ramp(50.0, 200.0, 0.0, 0.3), GRID.times_ms
    a, b = step.current_na(times), ramp.current_na(times)
    for stimulus, expected in [
        (sum([step, ramp, step]), a + b + a),
        (0.5 * step, 0.5 * a),
        (np.float64(0.5) * step, 0.5 * a),
        (step * 2, 2 * a),
        (-(step + ramp), -(a + b)),
        (step - ramp, a - b),
        (3 * (2 * step), 6 * a),
    ]:
        np.testing.assert_allclose(stimulus.current_na(times), expected, atol=1e-15)
    assert sum([step]) is step
    assert [type(part) for part in (step + ramp + step).parts] == [Step, Ramp, Step]  # type: ignore[attr-defined]
    assert isinstance(3 * (2 * step), Scaled)
    for wrong in (lambda: step + 1, lambda: 1 + step, lambda: step * "2", lambda: step * step):
        with pytest.raises(TypeError):
            wrong()


def test_kinds_are_those_of_the_leaves():
    step, ramp = Step(10.0, 100.0, 0.2), Ramp(50.0, 200.0, 0.0, 0.3)
    assert step.kinds == (0.5 * step).kinds == Sum((step,)).kinds == {"Step"}
    assert (step + 2 * ramp).kinds == (-(step + ramp)).kinds == {"Step", "Ramp", "Sum"}


def test_repr_is_short():
    step = Step(15.0, 415.0, 0.1)
    assert repr(step) == "Step(start_ms=15, stop_ms=415, amplitude_na=0.1)"
    assert repr(0.5 * (step + step)) == f"0.5 * ({step} + {step})"
    assert repr(Sampled(np.zeros(8000), 0.05)) == "Sampled(8000 samples, dt_ms=0.05, start_ms=0)"


def test_descriptions_of_the_first_version_are_read():
    old = {"kind": "Ramp", "start_ms": 5, "stop_ms": 45, "first_na": 0, "last_na": 0.3}
    assert from_dict(old) == Ramp(5, 45, start_na=0, stop_na=0.3)
    old = {"kind": "Chirp", "start_ms": 5, "stop_ms": 45, "amplitude_na": 0.1, "first_hz": 2.0, "last_hz": 9.0}
    assert from_dict({"kind": "Sum", "parts": [old]}) == Sum((Chirp(5, 45, 0.1, f0_hz=2.0, f1_hz=9.0),))


def test_a_kind_of_ones_own_is_known_by_its_name():
    @register(columns=("start_ms", "stop_ms", "rate_hz"))
    @dataclass(frozen=True)
    class Pulses(Interval):
        rate_hz: float

        def _inside_na(self, since_start_ms: np.ndarray) -> np.ndarray:
            return 0.1 * (np.floor(since_start_ms * self.rate_hz / 500) % 2 == 0)

    try:
        pulses = Pulses(10.0, 30.0, 100.0)
        assert from_dict((pulses + pulses).to_dict()) == pulses + pulses
        assert pulses.current_na(np.array([12.0, 17.0, 22.0])).tolist() == [0.1, 0.0, 0.1]
        assert not STIMULUS_KINDS["Pulses"].described
    finally:
        del STIMULUS_KINDS["Pulses"]

    with pytest.raises(ValueError, match="a stimulus kind Step is already known"):

        @register()
        @dataclass(frozen=True)
        class Step(Interval):
            pass


def test_nonsense_is_refused_in_one_sentence():
    deep = Step(0.0, 1.0, 0.1).to_dict()
    for _ in range(5000):
        deep = {"kind": "Sum", "parts": [deep]}
    with pytest.raises(ValueError, match="nested too deeply"):
        from_dict(deep)
    for bad in ({"kind": "Sum", "parts": []}, {"kind": "Sum", "parts": "abc"}, {"kind": "Sum", "parts": ["abc"]}):
        with pytest.raises(ValueError, match="expected"):
            from_dict(bad)
    with pytest.raises(ValueError, match="Scaled got factor; expected stimulus, factor"):
        from_dict({"kind": "Scaled", "factor": 2.0})
    with pytest.raises(ValueError, match="is unknown"):
        from_dict({"kind": ["Step"]})
