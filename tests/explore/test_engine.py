"""The page's program, run by node, answers as Python does."""

import numpy as np
import pytest
from explored import GRID, curve_spec, in_node, line_spec, operator_of, told_of, twin_spec

import noble
from noble.features import extract
from noble.features.excitability import firing_rate_hz
from noble.features.neurons import Neurons
from noble.operator import Operator
from noble.operator.feedback.config import SpikeFeedbackConfig
from noble.stimuli import OrnsteinUhlenbeck, PulseTrain, Stimulus
from noble.traces import TimeGrid, TraceBatch

CURRENTS: tuple[Stimulus, ...] = (
    noble.Step(15, 415, 0.3),
    noble.Step(15, 415, -0.1),
    noble.Ramp(15, 415, -0.05, 0.5),
    OrnsteinUhlenbeck(start_ms=10, stop_ms=500, mean_na=0.2, sd_na=0.1, tau_ms=3.0, seed=1),
    PulseTrain(start_ms=15, stop_ms=415, amplitude_na=2.0, width_ms=4.0, interval_ms=20.0),  # beyond the learned range
)
# A spike that moves by so much moves the voltage on its flank by the slope times this, ms; single precision does no better.
FLANK_MS = 0.0005
ANSWER = """
    const operator = new Operators.Operator(data.told);
    if (data.plain) operator.weights.heap.compiled = null;
    return data.cases.map(({ features, current, dt }) => {
      const { spikes, voltage } = operator.respond(features, Float32Array.from(current), dt);
      return { spikes, voltage: [...voltage], compiled: Boolean(operator.weights.heap.compiled) };
    });
"""


def neurons_of(operator: Operator) -> list[dict[str, float]]:
    if not operator.feature_names:
        return [{}]
    rows = operator.spec.training_features[:2]
    return [dict(zip(operator.feature_names, row, strict=True)) for row in rows]


def check(operator: Operator, currents: tuple[Stimulus, ...], grid: TimeGrid, *, plain: bool = False) -> None:
    told = told_of(operator)
    pairs = [(neuron, current) for neuron in neurons_of(operator) for current in currents]
    cases = [
        {"features": neuron, "current": current.sample(grid).tolist(), "dt": grid.dt_ms} for neuron, current in pairs
    ]
    answers = in_node(ANSWER, {"told": told, "cases": cases, "plain": plain})
    fired = 0
    for (neuron, current), answer in zip(pairs, answers, strict=True):
        assert answer["compiled"] != plain
        given = Neurons(tuple(neuron), np.array([list(neuron.values())]))
        voltage = operator.respond(given, [current], grid).voltage_mv[0].astype(float)
        spikes = operator.spike_times(given, [current], grid)[0]
        assert len(answer["spikes"]) == len(spikes)
        np.testing.assert_allclose(answer["spikes"], spikes, atol=0.01)
        slope = np.abs(np.gradient(voltage, grid.dt_ms))
        off = np.abs(np.array(answer["voltage"]) - voltage)
        assert np.all(off <= 0.05 + slope * FLANK_MS), f"{off.max():.3g} mV at {off.argmax() * grid.dt_ms:g} ms"
        fired += spikes.size
    assert fired > 10


@pytest.mark.filterwarnings("ignore::noble.operator.scope.OutsideTrainingWarning")
@pytest.mark.parametrize("spec", [curve_spec(), line_spec(), twin_spec()], ids=["curve", "line", "twin"])
def test_voltage_and_spikes_are_those_of_python(spec):
    check(operator_of(spec), CURRENTS, GRID)


@pytest.mark.filterwarnings("ignore::noble.operator.scope.OutsideTrainingWarning")
def test_at_the_usual_size_and_another_sampling_interval():
    operator = operator_of(curve_spec(), SpikeFeedbackConfig())
    check(operator, (noble.Step(15, 215, 0.3), noble.Ramp(15, 215, 0, 0.5)), TimeGrid.spanning(250.0, dt_ms=0.1))


@pytest.mark.filterwarnings("ignore::noble.operator.scope.OutsideTrainingWarning")
def test_without_vector_instructions_it_is_the_same():
    check(operator_of(curve_spec()), CURRENTS[:2], TimeGrid.spanning(450.0, dt_ms=0.06), plain=True)


def test_what_is_not_known_of_a_neuron_takes_its_conditional_mean():
    operator = operator_of(curve_spec())
    first = dict(zip(operator.feature_names, operator.spec.training_features[0], strict=True))
    wanted = [
        {"rheobase": 0.12, "fi_gain": 600.0},
        {"rheobase": 0.12, "fi_gain": 600.0, "input_resistance": 95.0},
        {"rheobase": 0.13},
        {"input_resistance": 100.0, "rate_rheobase_plus_50pA": 33.0},
        first,
    ]
    found = in_node(
        "return data.wanted.map((known) => Family.complete(data.told, known));",
        {"told": told_of(operator), "wanted": wanted},
    )
    for known, completed in zip(wanted, found, strict=True):
        values = operator.neurons(known).values[0]
        np.testing.assert_allclose([completed[name] for name in operator.feature_names], values, rtol=1e-9)


def test_the_hull_is_that_of_python():
    operator = operator_of(curve_spec())
    points = np.random.default_rng(2).uniform([0.09, 350], [0.17, 850], (200, 2))
    found = in_node(
        "return data.points.map(([first, second]) => Family.inside(data.told, first, second));",
        {"told": told_of(operator), "points": points.tolist()},
    )
    assert 20 < sum(found) < 180
    assert found == (~operator.spec.hull.outside(points)).tolist()


def test_neurons_nearby_lie_in_their_disc_and_keep_what_is_their_own():
    operator = operator_of(curve_spec())
    told = told_of(operator)
    first = dict(zip(operator.feature_names, operator.spec.training_features[0], strict=True))
    found = in_node("return Family.near(data.told, data.first, 40, 0.1);", {"told": told, "first": first})
    points = operator.spec.hull.in_ranges(np.array([[row["rheobase"], row["fi_gain"]] for row in found]))
    middle = operator.spec.hull.in_ranges(np.array([[first["rheobase"], first["fi_gain"]]]))
    distances = np.linalg.norm(points - middle, axis=1)
    assert 0.08 < distances.max() <= 0.1
    _, slopes = operator.spec.prior.regression(("rheobase", "fi_gain"))
    moves = np.array([[row["rheobase"] - first["rheobase"], row["fi_gain"] - first["fi_gain"]] for row in found])
    resistance = first["input_resistance"] + moves @ slopes[:, operator.feature_names.index("input_resistance")]
    np.testing.assert_allclose([row["input_resistance"] for row in found], resistance)


@pytest.mark.parametrize(
    ("current", "stimulus"),
    [
        ({"kind": "step", "start_ms": 15, "stop_ms": 415, "amplitude_na": 0.25}, noble.Step(15, 415, 0.25)),
        (
            {"kind": "ramp", "start_ms": 20, "stop_ms": 400, "start_na": 0.1, "stop_na": 0.4},
            noble.Ramp(20, 400, 0.1, 0.4),
        ),
        (
            {
                "kind": "chirp",
                "start_ms": 15,
                "stop_ms": 415,
                "amplitude_na": 0.1,
                "offset_na": 0.2,
                "f0_hz": 2,
                "f1_hz": 60,
            },
            noble.Chirp(15, 415, 0.1, 0.2, 2, 60),
        ),
        (
            {"kind": "pulses", "start_ms": 15, "stop_ms": 415, "amplitude_na": 0.8, "width_ms": 4.2, "interval_ms": 36},
            PulseTrain(15, 415, 0.8, 4.2, 36),
        ),
        (
            {"kind": "recorded", "dt_ms": 5, "values": [0.0, 0.1, 0.3, 0.2]},
            noble.Sampled(np.array([0.0, 0.1, 0.3, 0.2]), dt_ms=5),
        ),
    ],
    ids=["step", "ramp", "chirp", "pulses", "sampled"],
)
def test_currents_are_sampled_as_in_python(current, stimulus):
    found = in_node(
        """const samples = Stimuli.sample(data.current, data.count, data.dt);
        return { line: Stimuli.python(data.current), samples: [...samples] };""",
        {"current": current, "count": GRID.count, "dt": GRID.dt_ms},
    )
    expected = stimulus.sample(GRID)
    if current["kind"] == "recorded":
        # Between the last sample and its end Python holds the value, and so does the page.
        assert found["line"] is None
    else:
        np.testing.assert_allclose(eval(found["line"], {"noble": noble}).sample(GRID), expected)
    np.testing.assert_allclose(found["samples"], expected, atol=1e-6)


def test_noise_has_the_mean_deviation_and_correlation_that_it_is_asked_for():
    current = {"kind": "noise", "start_ms": 0, "stop_ms": 60_000, "mean_na": 0.2, "sd_na": 0.05, "tau_ms": 5, "seed": 4}
    samples = np.array(
        in_node(
            "return [...Stimuli.sample(data, 120000, 0.5)];",
            current,
        )
    )
    assert abs(samples.mean() - 0.2) < 0.003
    assert abs(samples.std() - 0.05) < 0.002
    centred = samples - samples.mean()
    assert abs(np.mean(centred[10:] * centred[:-10]) / centred.var() - np.exp(-1)) < 0.03


def test_numbers_are_those_of_python():
    operator = operator_of(curve_spec())
    current = {"kind": "step", "start_ms": 15, "stop_ms": 415, "amplitude_na": 0.3}
    first = dict(zip(operator.feature_names, operator.spec.training_features[0], strict=True))
    found = in_node(
        """const samples = Stimuli.sample(data.current, data.count, data.dt);
        const answer = new Operators.Operator(data.told).respond(data.first, samples, data.dt);
        return { ...Measure.all(answer, data.current, samples, data.dt), times: answer.spikes };""",
        {"told": told_of(operator), "current": current, "first": first, "count": GRID.count, "dt": GRID.dt_ms},
    )
    batch = operator.respond({name: [value] for name, value in first.items()}, [noble.Step(15, 415, 0.3)], GRID)
    times = np.array(found["times"])
    within = times[(times >= 15) & (times < 415)]
    assert found["spikes"] == times.size
    assert found["rate"] == pytest.approx(firing_rate_hz(within, onset_ms=15, offset_ms=415))
    assert found["latency"] == pytest.approx(within[0] - 15)
    rest = extract(batch, onset_ms=15, offset_ms=415, names=["voltage_base"])["voltage_base"][0]
    assert found["rest"] == pytest.approx(rest, abs=0.01)


def test_the_width_of_a_spike_is_efels():
    times = GRID.times_ms
    since = times - 100.0
    voltage = -70 + 95 * np.exp(np.where(since < 0, since / 0.12, -since / 0.4)) * (since > -3)
    found = in_node(
        "return Measure.all({ voltage: Float32Array.from(data.voltage), spikes: Measure.peaks(data.voltage, data.dt) },"
        " { kind: 'step', start_ms: 15, stop_ms: 415, amplitude_na: 1 }, new Float32Array(data.voltage.length), data.dt);",
        {"voltage": voltage.tolist(), "dt": GRID.dt_ms},
    )
    batch = TraceBatch(GRID, voltage[None], np.zeros((1, GRID.count)))
    expected = extract(batch, onset_ms=15, offset_ms=415, names=["AP1_width"])["AP1_width"][0]
    assert found["spikes"] == 1
    assert found["width"] == pytest.approx(expected, rel=0.15)
    assert found["latency"] == pytest.approx(85, abs=0.06)
