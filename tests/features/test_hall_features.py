"""What a hall knows of its models, against a model whose features are known and against the definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from noble.cells import HallOfFame
from noble.features import extract
from noble.features.catalogue import CURVE_PA, HALL_FEATURES
from noble.features.excitability import fi_curve, fi_gain, resting_features, rheobase
from noble.features.hall_features import measure_features
from noble.protocols import StepProtocol
from noble.simulators import ArborSimulator, SolverSettings
from noble.traces import TraceBatch


@dataclass(frozen=True)
class Toy:
    """Fires at once at some rate above a threshold, and faster by its slope."""

    name: str
    threshold_na: float = 0.1
    slope_hz_per_na: float = 400.0
    rest_mv: float = -80.0
    resistance_mohm: float = 50.0
    sag: float = 0.2
    time_constant_ms: float = 12.0
    least_hz: float = 60.0

    def period_ms(self, amplitude_na: float) -> float:
        return 1000 / (self.least_hz + self.slope_hz_per_na * (amplitude_na - self.threshold_na))


class ToyResponder:
    """Bell-shaped spikes of 0 mV, the first one 0.3 periods after the onset."""

    def respond(self, neurons, stimuli, grid):
        current = np.stack([stimulus.sample(grid) for stimulus in stimuli])
        voltage = np.empty_like(current)
        for row, toy, stimulus, injected in zip(voltage, neurons, stimuli, current, strict=True):
            late = grid.times_ms > stimulus.start_ms + 200
            shrink = np.where(late & (injected < 0), 1 - toy.sag, 1.0)
            charged = 1 - np.exp(-np.maximum(grid.times_ms - stimulus.start_ms, 0) / toy.time_constant_ms)
            row[:] = toy.rest_mv + toy.resistance_mohm * np.minimum(injected, 0.05) * shrink * charged
            if stimulus.amplitude_na > toy.threshold_na:
                period = toy.period_ms(stimulus.amplitude_na)
                times = np.arange(stimulus.start_ms + 0.3 * period, stimulus.stop_ms, period)
                near = np.abs(grid.times_ms[:, None] - times).min(axis=1)
                row[:] = row - row * np.exp(-0.5 * (near / 0.4) ** 2)
        return TraceBatch(grid, voltage, current)


def features_of(toys: Sequence[Any], responder: Any = None, **bracket: float) -> list[dict[str, float]]:
    return measure_features(toys, responder or ToyResponder(), **bracket)


def test_features_of_known_models():
    toys = [Toy("a"), Toy("b", threshold_na=0.13, slope_hz_per_na=700.0, rest_mv=-75.0, resistance_mohm=120.0, sag=0.4)]
    rows = features_of(toys, low_na=0.0, high_na=0.3)
    assert [set(row) for row in rows] == [set(HALL_FEATURES)] * 2
    for toy, row in zip(toys, rows, strict=True):
        assert toy.threshold_na <= row["rheobase"] <= toy.threshold_na + 1.01e-4
        assert row["fi_gain"] == pytest.approx(toy.slope_hz_per_na, rel=0.01)
        assert row["voltage_base"] == pytest.approx(toy.rest_mv, abs=1e-6)
        assert row["sag_ratio"] == pytest.approx(toy.sag, abs=1e-6)
        assert row["input_resistance"] == pytest.approx(toy.resistance_mohm * (1 - toy.sag), rel=1e-6)
        assert row["latency"] == pytest.approx(0.3 * toy.period_ms(row["rheobase"] + 0.02), abs=0.07)
        assert row["rise_time_63"] == pytest.approx(toy.time_constant_ms, rel=0.01)
        for above in CURVE_PA:
            period = toy.period_ms(row["rheobase"] + above * 1e-3)
            assert row[f"rate_rheobase_plus_{above}pA"] == pytest.approx(1000 / period, rel=1e-3)
            assert row[f"first_ISI_rheobase_plus_{above}pA"] == pytest.approx(period, abs=0.02)
            assert row[f"latency_rheobase_plus_{above}pA"] == pytest.approx(0.3 * period, abs=0.02)
        assert row["AP1_peak"] == pytest.approx(0.0, abs=0.5)
        assert row["ISI_CV"] == pytest.approx(0.0, abs=0.01)
        rate = 1000 / toy.period_ms(2 * row["rheobase"])
        assert row["mean_frequency"] == pytest.approx(rate, rel=0.05)


def test_a_slow_interval_is_taken_from_a_longer_step():
    """At 5 pA above its threshold this one fires at 100 ms, and again at 433 ms, when the step of 400 ms is over."""
    [row] = features_of([Toy("slow", least_hz=1.0)], low_na=0.0, high_na=0.3)
    assert row["latency_rheobase_plus_5pA"] == pytest.approx(100, rel=0.02)
    assert row["first_ISI_rheobase_plus_5pA"] == pytest.approx(1000 / 3, rel=0.02)
    assert row["rate_rheobase_plus_5pA"] == pytest.approx(3, rel=0.02)


def test_numbers_have_seven_digits():
    """More would depend on the machine."""
    [row] = features_of([Toy("a")], low_na=0.0, high_na=0.3)
    assert all(value == float(f"{value:.7g}") for value in row.values())


@pytest.mark.parametrize(("low_na", "high_na"), [(0.0, 0.12), (0.15, 0.3)])
def test_a_threshold_outside_the_bracket_is_named(low_na, high_na):
    toys = [Toy("first", threshold_na=0.05 if high_na < 0.13 else 0.2), Toy("second", threshold_na=0.14)]
    with pytest.raises(
        ValueError, match=f"model second has no rheobase between {low_na:g} and {high_na:g} nA"
    ) as caught:
        features_of(toys, low_na=low_na, high_na=high_na)
    assert "\n" not in str(caught.value)


def test_a_feature_that_a_model_lacks_is_named(monkeypatch):
    """One that falls silent at twice its threshold has no spikes to measure there."""

    class Blocked(ToyResponder):
        def respond(self, neurons, stimuli, grid):
            batch = super().respond(neurons, stimuli, grid)
            for row, stimulus in zip(batch.voltage_mv, stimuli, strict=True):
                if stimulus.amplitude_na > 0.19:
                    row[:] = -80.0
            return batch

    with pytest.raises(ValueError, match=r"AP1_peak.*cannot be measured") as caught:
        features_of([Toy("a")], Blocked(), low_na=0.0, high_na=0.15)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_features_of_a_cell_model_are_those_of_the_definitions():
    """On a model of a shipped hall; integrated coarsely, which the definitions do not mind."""
    hall = HallOfFame.load("stylised-pv")
    models = [hall.cell_model(0)]
    responder = ArborSimulator(threads=1, numerics=SolverSettings(dt_ms=0.06, equilibration_ms=60))
    low, high = (hall.models[0].features["rheobase"] + shift for shift in (-0.005, 0.005))
    [row] = measure_features(models, responder, low_na=low, high_na=high)
    protocol = StepProtocol()
    i_thr = rheobase(responder, models, low_na=low, high_na=high)
    rest = resting_features(responder, models)
    expected = {
        "rheobase": i_thr[0],
        "fi_gain": fi_gain(responder, models, i_thr)[0],
        "voltage_base": rest.voltage_base_mv[0],
        "input_resistance": rest.input_resistance_mohm[0],
        "sag_ratio": rest.sag_ratio[0],
        "rise_time_63": rest.rise_time_63_ms[0],
    }
    at_twice = ("AP1_peak", "AP1_width", "AHP_depth", "mean_AP_amplitude", "mean_frequency", "ISI_CV")
    for amplitude, names in (
        (i_thr[0] + 0.02, {"latency": "time_to_first_spike"}),
        (2 * i_thr[0], {name: name for name in at_twice}),
    ):
        batch = responder.respond(models, [protocol.stimulus(amplitude)], protocol.grid)
        found = extract(batch, onset_ms=15.0, offset_ms=protocol.offset_ms, names=list(names.values()))
        expected |= {name: found[efel][0] for name, efel in names.items()}
    for above in CURVE_PA:
        curve = fi_curve(responder, models, i_thr + above * 1e-3)
        expected[f"rate_rheobase_plus_{above}pA"] = curve.rates_hz[0, 0]
        expected[f"latency_rheobase_plus_{above}pA"] = curve.latencies_ms[0, 0]
        expected[f"first_ISI_rheobase_plus_{above}pA"] = curve.first_intervals_ms[0, 0]
    assert set(expected) == set(HALL_FEATURES)
    assert row == pytest.approx(expected, rel=1e-6)
    assert row["rheobase"] == pytest.approx(hall.models[0].features["rheobase"], abs=0.005)
