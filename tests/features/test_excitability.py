"""A leaky integrate-and-fire neuron has its threshold, F-I curve and input resistance in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from noble.features import extract
from noble.features.excitability import (
    fi_curve,
    fi_gain,
    firing_rate_hz,
    resting_features,
    rheobase,
)
from noble.protocols import StepProtocol
from noble.stimuli import Step, Stimulus
from noble.traces import TimeGrid, TraceBatch

PROTOCOL = StepProtocol()


@dataclass(frozen=True)
class Lif:
    """Fires `gap_mv` above rest, resets to rest; resistance in MOhm, tau in ms."""

    resistance_mohm: float = 200.0
    tau_ms: float = 10.0
    gap_mv: float = 15.0
    rest_mv: float = -70.0

    def interval_ms(self, current_na: np.ndarray) -> np.ndarray:
        drive = self.resistance_mohm * np.asarray(current_na, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(drive > self.gap_mv, -self.tau_ms * np.log1p(-self.gap_mv / drive), np.inf)

    @property
    def threshold_na(self) -> float:
        """The current whose first spike comes exactly at the end of the step."""
        return self.gap_mv / self.resistance_mohm / -np.expm1(-PROTOCOL.step_ms / self.tau_ms)


@dataclass
class LifResponder:
    """Draws a Lif's exact spike times into the voltage as narrow bumps."""

    batches: list[int] = field(default_factory=list)

    def respond(self, neurons: Sequence[Lif], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
        assert len(neurons) == len(stimuli)
        self.batches.append(len(neurons))
        pairs = list(zip(neurons, stimuli, strict=True))
        voltage = np.stack([self._voltage(neuron, stimulus, grid) for neuron, stimulus in pairs])
        return TraceBatch(grid, voltage, np.stack([stimulus.sample(grid) for stimulus in stimuli]))

    def _voltage(self, neuron: Lif, stimulus: Stimulus, grid: TimeGrid) -> np.ndarray:
        assert isinstance(stimulus, Step)
        times = grid.times_ms
        interval = float(neuron.interval_ms(np.array(stimulus.amplitude_na)))
        since = np.clip(times - stimulus.start_ms, 0, None)
        inside = (times >= stimulus.start_ms) & (times < stimulus.stop_ms)
        steady = neuron.resistance_mohm * stimulus.amplitude_na
        phase = np.where(np.isfinite(interval), since % interval, since) if np.isfinite(interval) else since
        voltage = neuron.rest_mv + np.where(inside, steady * -np.expm1(-phase / neuron.tau_ms), 0.0)
        if np.isfinite(interval):
            count = int(np.floor(PROTOCOL.step_ms / interval))
            for spike in stimulus.start_ms + interval * np.arange(1, count + 1):
                near = np.abs(times - spike) < 1.0
                voltage[near] = neuron.rest_mv + 90.0 * np.exp(-0.5 * ((times[near] - spike) / 0.15) ** 2)
        return voltage


FAMILY = [Lif(), Lif(resistance_mohm=120.0), Lif(tau_ms=20.0, gap_mv=20.0)]


def test_the_protocol_is_the_papers():
    assert PROTOCOL.grid.count == 8583
    assert PROTOCOL.offset_ms == 415.0
    assert PROTOCOL.stimulus(0.1) == Step(15.0, 415.0, 0.1)


@pytest.mark.parametrize("options", [{"onset_ms": -1.0}, {"step_ms": 0.0}, {"step_ms": 501.0}, {"dt_ms": 0.0}])
def test_a_step_outside_its_window_is_refused(options: dict[str, float]):
    with pytest.raises(ValueError, match="expected onset_ms >= 0"):
        StepProtocol(**options)


def test_rounding_does_not_put_a_step_outside_its_window():
    assert 0.1 + 0.2 > 0.3
    assert StepProtocol(onset_ms=0.1, step_ms=0.2, window_ms=0.3, dt_ms=0.1).grid.count == 3


def test_features_can_be_measured_of_a_step_that_ends_at_the_last_sample():
    for onset, step, samples in ((0.1, 0.6, 8), (0.1, 0.7, 9), (0.2, 0.4, 7), (0.3, 0.6, 10)):
        protocol = StepProtocol(onset_ms=onset, step_ms=step, window_ms=samples * 0.1, dt_ms=0.1)
        voltage = np.zeros((1, protocol.grid.count))
        edges = {"onset_ms": protocol.onset_ms, "offset_ms": protocol.offset_ms}
        assert extract(TraceBatch(protocol.grid, voltage, voltage), names=["Spikecount"], **edges)["Spikecount"] == 0


def test_threshold_current_is_the_rheobase_to_a_tenth_of_a_picoampere():
    found = rheobase(LifResponder(), FAMILY, low_na=0.0, high_na=0.5)
    exact = np.array([neuron.threshold_na for neuron in FAMILY])
    assert np.all(found >= exact - 1e-6)  # the answer fires (up to the time a peak takes to fit in the step) ...
    assert np.all(found <= exact + 1e-4)  # ... and a step smaller by the tolerance does not


def test_bisection_simulates_all_open_neurons_in_one_batch_an_iteration():
    responder = LifResponder()
    silent = Lif(resistance_mohm=10.0)
    rheobase(responder, [*FAMILY, silent], low_na=0.0, high_na=0.5, tolerance_na=1e-4)
    assert responder.batches[0] == 2 * 4
    assert responder.batches[1:] == [3] * int(np.ceil(np.log2(0.5 / 1e-4)))


def test_a_bracket_without_a_threshold_gives_nan():
    silent, eager = Lif(resistance_mohm=10.0), Lif(gap_mv=0.1)
    found = rheobase(LifResponder(), [silent, Lif(), eager], low_na=0.01, high_na=0.5)
    np.testing.assert_array_equal(np.isnan(found), [True, False, True])


@pytest.mark.parametrize(
    "options", [{"low_na": 0.5, "high_na": 0.1}, {"low_na": 0.0, "high_na": 0.1, "tolerance_na": 0.0}]
)
def test_a_bad_bracket_is_refused(options: dict[str, float]):
    with pytest.raises(ValueError, match="expected low_na < high_na"):
        rheobase(LifResponder(), FAMILY, **options)


def test_picoampere_as_nanoampere_is_refused():
    with pytest.raises(ValueError, match="pA"):
        rheobase(LifResponder(), FAMILY, low_na=0.0, high_na=280.0)


def test_the_firing_curve_is_the_formula():
    amplitudes = [-0.05, 0.0, 0.05, 0.1, 0.15, 0.2, 0.28]
    curve = fi_curve(LifResponder(), FAMILY, amplitudes)
    intervals = np.stack([neuron.interval_ms(np.array(amplitudes)) for neuron in FAMILY])
    counts = np.floor(PROTOCOL.step_ms / intervals).astype(int)
    np.testing.assert_array_equal(curve.amplitudes_na, amplitudes)
    np.testing.assert_array_equal(curve.spike_counts, counts)
    np.testing.assert_allclose(curve.rates_hz, 1000 / intervals, rtol=2e-4, atol=1e-9)  # 2.5 Hz apart would be 3 %
    assert curve.rates_hz.shape == (3, 7)
    fires = counts > 0
    np.testing.assert_allclose(curve.latencies_ms[fires], intervals[fires], rtol=2e-3)
    np.testing.assert_allclose(curve.first_intervals_ms[counts > 1], intervals[counts > 1], rtol=2e-3)
    np.testing.assert_array_equal(np.isnan(curve.latencies_ms), ~fires)
    np.testing.assert_array_equal(np.isnan(curve.first_intervals_ms), counts < 2)


def test_every_neuron_may_have_its_own_amplitudes():
    amplitudes = np.array([[0.1, 0.2], [0.15, 0.25], [0.12, 0.22]])
    curve = fi_curve(LifResponder(), FAMILY, amplitudes)
    for row, neuron in enumerate(FAMILY):
        alone = fi_curve(LifResponder(), [neuron], amplitudes[row])
        np.testing.assert_array_equal(curve.rates_hz[row], alone.rates_hz[0])
    with pytest.raises(ValueError, match=r"shape \(2, 2\); expected .* \(3, amplitudes\) for 3 neurons"):
        fi_curve(LifResponder(), FAMILY, amplitudes[:2])


def test_the_firing_curve_holds_few_traces_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("noble.features.excitability.LARGEST_BATCH", 4)
    responder = LifResponder()
    curve = fi_curve(responder, FAMILY, [0.05, 0.1, 0.2])
    assert responder.batches == [4, 4, 1]
    np.testing.assert_array_equal(curve.spike_counts, fi_curve(LifResponder(), FAMILY, [0.05, 0.1, 0.2]).spike_counts)


class TellingResponder:
    """Knows the spikes of a Lif in closed form, also of one that goes on after the step, and draws nothing."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def respond(self, neurons: Sequence[Lif], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
        raise AssertionError("no voltage is needed")

    def spike_times(self, neurons: Sequence[Lif], stimuli: Sequence[Stimulus], grid: TimeGrid) -> list[np.ndarray]:
        self.batches.append(len(neurons))
        trains = []
        for neuron, stimulus in zip(neurons, stimuli, strict=True):
            assert isinstance(stimulus, Step)
            interval = float(neuron.interval_ms(np.array(stimulus.amplitude_na)))
            count = int(grid.duration_ms / interval)
            trains.append(stimulus.start_ms + interval * np.arange(1, count + 1))
        return trains


def test_a_responder_that_tells_its_spikes_is_not_asked_for_voltage(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("noble.features.excitability.LARGEST_BATCH", 4)
    responder, amplitudes = TellingResponder(), np.array([0.05, 0.13, 0.2])
    curve = fi_curve(responder, FAMILY, amplitudes)
    assert responder.batches == [4, 4, 1]
    intervals = np.stack([neuron.interval_ms(amplitudes) for neuron in FAMILY])
    fires = intervals <= PROTOCOL.step_ms
    np.testing.assert_array_equal(curve.spike_counts, np.floor(PROTOCOL.step_ms / intervals))  # those within the step
    np.testing.assert_allclose(curve.rates_hz[fires], 1000 / intervals[fires], rtol=1e-9)
    np.testing.assert_allclose(curve.latencies_ms[fires], intervals[fires], rtol=1e-9)
    found = rheobase(responder, FAMILY, low_na=0.0, high_na=0.5)
    np.testing.assert_allclose(found, [neuron.threshold_na for neuron in FAMILY], atol=1e-4)


EDGES = {"onset_ms": 15.0, "offset_ms": 415.0}


def test_rates_below_two_spikes_are_counts_over_the_step():
    assert firing_rate_hz(np.array([]), **EDGES) == 0.0
    assert firing_rate_hz(np.array([50.0]), **EDGES) == 2.5


def test_the_rate_of_a_steady_train_is_its_inverse_interval():
    assert firing_rate_hz(np.arange(20.0, 415.0, 20.0), **EDGES) == pytest.approx(50.0)
    assert firing_rate_hz(np.array([20.0, 30.0, 60.0, 400.0]), **EDGES) == pytest.approx(1000 * 3 / 380)


def test_silence_after_a_doublet_counts():
    assert firing_rate_hz(np.array([20.0, 30.0]), **EDGES) == pytest.approx(1000 * 2 / 395)
    # Continuous where the silence is just one interval long.
    assert firing_rate_hz(np.array([215.0, 315.0]), **EDGES) == pytest.approx(10.0)


def test_spikes_outside_the_step_do_not_count():
    class Rebound(LifResponder):
        def respond(self, neurons: Sequence[Lif], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
            answers = super().respond(neurons, stimuli, grid)
            for spike in (5.0, 420.0):
                answers.voltage_mv[:] += 90.0 * np.exp(-0.5 * ((grid.times_ms - spike) / 0.15) ** 2)
            return answers

    curve = fi_curve(Rebound(), FAMILY, [-0.1, 0.0])
    np.testing.assert_array_equal(curve.spike_counts, np.zeros((3, 2)))


def test_slope_is_the_least_squares_slope_of_the_formula():
    thresholds = np.array([neuron.threshold_na for neuron in FAMILY])
    found = fi_gain(LifResponder(), FAMILY, thresholds)
    for neuron, threshold, slope in zip(FAMILY, thresholds, found, strict=True):
        amplitudes = threshold + 0.05 * np.arange(1, 9) / 8
        exact = np.polyfit(amplitudes, 1000 / neuron.interval_ms(amplitudes), 1)[0]
        assert slope == pytest.approx(exact, rel=1e-3)


def test_slope_over_another_span():
    threshold = np.array([Lif().threshold_na])
    found = fi_gain(LifResponder(), [Lif()], threshold, span_na=0.1, points=2)
    low, high = 1000 / Lif().interval_ms(threshold + np.array([0.05, 0.1]))
    assert found[0] == pytest.approx((high - low) / 0.05, rel=1e-3)


def test_slope_without_a_threshold_is_nan():
    found = fi_gain(LifResponder(), FAMILY[:2], np.array([np.nan, FAMILY[1].threshold_na]))
    assert np.isnan(found[0])
    assert found[1] > 0
    assert np.isnan(fi_gain(LifResponder(), [Lif()], np.array([np.nan]))).all()


@pytest.mark.parametrize(("options", "thresholds"), [({"points": 1}, 3), ({"span_na": 0.0}, 3), ({}, 2)])
def test_a_bad_slope_request_is_refused(options: dict[str, float], thresholds: int):
    with pytest.raises(ValueError, match="expected at least two points"):
        fi_gain(LifResponder(), FAMILY, np.full(thresholds, 0.1), **options)  # type: ignore[arg-type]


def test_rest_and_input_resistance_are_the_neurons():
    rest = resting_features(LifResponder(), FAMILY, amplitude_na=-0.04)
    np.testing.assert_allclose(rest.voltage_base_mv, [neuron.rest_mv for neuron in FAMILY])
    np.testing.assert_allclose(rest.input_resistance_mohm, [neuron.resistance_mohm for neuron in FAMILY], rtol=1e-6)
    np.testing.assert_allclose(rest.sag_ratio, 0.0, atol=1e-6)
    np.testing.assert_allclose(rest.rise_time_63_ms, [neuron.tau_ms for neuron in FAMILY], rtol=1e-3)


def test_sag_is_the_part_that_comes_back_and_rest_agrees_with_efel():
    class Sagging(LifResponder):
        def respond(self, neurons: Sequence[Lif], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
            answers = super().respond(neurons, stimuli, grid)
            answers.voltage_mv[:, np.searchsorted(grid.times_ms, 100.0) : np.searchsorted(grid.times_ms, 415.0)] += 2.0
            return answers

    neuron = Lif()
    rest = resting_features(Sagging(), [neuron], amplitude_na=-0.05)  # 10 mV down, 2 mV back
    assert rest.sag_ratio[0] == pytest.approx(0.2, rel=2e-3)
    assert rest.input_resistance_mohm[0] == pytest.approx(8.0 / 0.05, rel=1e-3)
    traces = Sagging().respond([neuron], [PROTOCOL.stimulus(-0.05)], PROTOCOL.grid)
    efel = extract(traces, onset_ms=15.0, offset_ms=415.0, names=("voltage_base", "steady_state_voltage_stimend"))
    assert rest.voltage_base_mv[0] == pytest.approx(efel["voltage_base"][0], abs=1e-6)
    expected = (efel["steady_state_voltage_stimend"][0] - efel["voltage_base"][0]) / -0.05
    assert rest.input_resistance_mohm[0] == pytest.approx(expected, rel=1e-4)


def test_a_cell_that_does_not_move_has_no_time_constant():
    class Deaf(LifResponder):
        def respond(self, neurons: Sequence[Lif], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
            answers = super().respond(neurons, stimuli, grid)
            answers.voltage_mv[:] = -70.0
            return answers

    assert np.isnan(resting_features(Deaf(), [Lif()]).rise_time_63_ms).all()


def test_rest_needs_a_hyperpolarising_step():
    with pytest.raises(ValueError, match="expected a negative amplitude"):
        resting_features(LifResponder(), FAMILY, amplitude_na=0.05)


def test_no_neurons_give_empty_answers():
    assert rheobase(LifResponder(), [], low_na=0.0, high_na=0.5).shape == (0,)
    assert resting_features(LifResponder(), []).sag_ratio.shape == (0,)
    assert fi_curve(LifResponder(), [], [0.1]).rates_hz.shape == (0, 1)
