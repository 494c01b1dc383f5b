"""F-I curves of neurons whose rate is known in closed form."""

from pathlib import Path

import numpy as np
import pytest

from noble.protocols import StepProtocol
from noble.studies.fi_curves import (
    SimulatedRates,
    compare_curves,
    estimate,
    family_rates_hz,
    fi_amplitudes_na,
    recorded_points,
    summarise_curves,
)

AMPLITUDES = np.linspace(0.1, 0.3, 401)  # 0.5 pA apart
THRESHOLDS, SLOPES, JUMPS = np.array([0.1502, 0.18]), np.array([400.0, 250.0]), np.array([10.0, 0.5])


def straight(thresholds=THRESHOLDS, slopes=SLOPES, jumps=JUMPS) -> np.ndarray:
    """Silent up to the threshold, and from there on a straight line that begins with a jump."""
    above = AMPLITUDES - thresholds[:, None]
    return np.where(above >= 0, jumps[:, None] + slopes[:, None] * above, 0.0)


def test_amplitudes_begin_below_the_lowest_threshold_and_end_above_the_highest():
    amplitudes = fi_amplitudes_na(np.array([0.1301, 0.165]), count=500)
    assert amplitudes.shape == (500,)
    assert amplitudes[0] == pytest.approx(0.12)
    assert amplitudes[-1] == pytest.approx(0.28)  # the paper's largest step is enough here
    assert fi_amplitudes_na(np.array([0.213]), count=2)[-1] == pytest.approx(0.32)
    np.testing.assert_allclose(fi_amplitudes_na(THRESHOLDS, count=3, low_na=0.0, high_na=0.2), [0, 0.1, 0.2])
    for options in ({"count": 1}, {"count": 5, "low_na": 0.3, "high_na": 0.2}):
        with pytest.raises(ValueError, match="expected at least 2, and the first below the last"):
            fi_amplitudes_na(THRESHOLDS, **options)


def test_threshold_and_slope_come_back_to_the_resolution_of_the_curve():
    found = estimate(AMPLITUDES, straight())
    np.testing.assert_allclose(found.rheobase_na, [0.1505, 0.18], atol=1e-9)  # the first amplitude that fires
    np.testing.assert_allclose(found.fi_gain_hz_per_na, SLOPES)


def test_the_slope_is_fitted_to_eight_interpolated_rates_over_fifty_picoampere():
    rates = np.where(AMPLITUDES >= 0.15, 1e4 * (AMPLITUDES - 0.1) ** 2, 0.0)
    rheobase = AMPLITUDES[np.argmax(rates > 0)]
    offsets = 0.05 * np.arange(1, 9) / 8
    expected = np.polyfit(offsets, 1e4 * (rheobase + offsets - 0.1) ** 2, 1)[0]
    [slope] = estimate(AMPLITUDES, rates[None]).fi_gain_hz_per_na
    assert slope == pytest.approx(expected, rel=1e-3)


def test_what_a_curve_does_not_show_is_not_read_from_it():
    silent, always = np.zeros(AMPLITUDES.size), np.ones(AMPLITUDES.size)
    late = np.where(AMPLITUDES >= 0.26, 20.0, 0.0)  # whose slope would need 0.31 nA
    found = estimate(AMPLITUDES, np.stack([silent, always, late]))
    np.testing.assert_allclose(found.rheobase_na, [np.nan, np.nan, 0.26], atol=6e-4)
    assert np.isnan(found.fi_gain_hz_per_na).all()


def test_models_are_compared_with_what_the_hall_measured_and_with_simulations():
    simulated_at = np.array([0, 200, 400])  # 0.1, 0.2, 0.3 nA
    simulated = straight()[:, simulated_at] + [[0.0, 3.0, -4.0], [0.0, 0.0, 0.5]]
    first, second = compare_curves(
        (4, 7),
        AMPLITUDES,
        straight(),
        THRESHOLDS,
        np.array([410.0, 250.0]),
        simulated=SimulatedRates(simulated_at, AMPLITUDES[simulated_at], simulated),
    )
    assert (first.model, second.model) == (4, 7)
    assert first.simulation is not None
    assert second.simulation is not None
    assert first.rheobase_na_error == pytest.approx(0.0003)
    assert first.fi_gain_hz_per_na == 410
    assert first.fi_gain_hz_per_na_error == pytest.approx(-10)
    assert (first.simulation.largest_deviation_hz, first.simulation.largest_deviation_at_na) == (
        pytest.approx(4),
        pytest.approx(0.3),
    )
    assert first.simulation.mean_deviation_hz == pytest.approx(7 / 3)
    assert second.simulation.largest_deviation_hz == pytest.approx(0.5)
    np.testing.assert_allclose(first.simulation.predicted_hz, straight()[0, simulated_at])
    [silent] = compare_curves((0,), AMPLITUDES, np.zeros((1, 401)), THRESHOLDS[:1], SLOPES[:1])
    assert silent.to_dict() == {
        "model": 0,
        **{"i_thr_na": 0.1502, "i_thr_na_read_back": None, "i_thr_na_error": None},
        **{"s_thr_hz_per_na": 400.0, "s_thr_hz_per_na_read_back": None, "s_thr_hz_per_na_error": None},
    }


def test_a_family_is_summarised_by_quantiles_and_by_what_it_was_requested_to_have():
    rates = np.vstack([straight(), np.zeros((1, AMPLITUDES.size))])
    requested = {
        "rheobase": np.array([0.1495, 0.18, 0.2]),
        "fi_gain": np.array([400.0, 240.0, 1.0]),
        "other": np.zeros(3),
    }
    summary = summarise_curves(AMPLITUDES, rates, requested=requested)
    np.testing.assert_allclose(summary.median_hz, np.median(rates, axis=0))
    assert summary.resolution_na == pytest.approx(0.0005)
    assert summary.to_dict()["asked"]["i_thr_na"] == {
        "median": pytest.approx(0.0005, abs=1e-9),
        "largest": pytest.approx(0.001),
        "missing": 1,
    }
    assert summary.to_dict()["asked"]["s_thr_hz_per_na"]["largest"] == pytest.approx(10)
    assert summarise_curves(AMPLITUDES, rates, requested={"rheobase": requested["rheobase"]}).requested is None
    nobody = summarise_curves(AMPLITUDES, rates[2:], requested={name: values[2:] for name, values in requested.items()})
    assert nobody.to_dict()["asked"]["i_thr_na"] == {"median": None, "largest": None, "missing": 1}


def test_rates_of_a_family_are_those_of_its_neurons_in_order():
    class Regular:
        """A neuron is its rate in Hz per nA."""

        def respond(self, neurons, stimuli, grid):
            raise AssertionError("it tells its spikes")

        def spike_times(self, neurons, stimuli, grid):
            steps = [1000 / (rate * stimulus.amplitude_na) for rate, stimulus in zip(neurons, stimuli, strict=True)]
            return [np.arange(step, grid.duration_ms, step) for step in steps]

    told = []
    amplitudes = np.array([0.1, 0.2])
    rates = family_rates_hz(
        Regular(), [500.0, 1000.0], amplitudes, StepProtocol(), progress=lambda done, total: told.append((done, total))
    )
    np.testing.assert_allclose(rates, [[50, 100], [100, 200]])
    assert told == [(1, 2), (2, 2)]


def test_a_recording_has_a_point_a_sweep_by_amplitude(tmp_path: Path):
    pytest.importorskip("pynwb")
    from noble.recordings import read_recording
    from nwb_files import good, write_nwb

    sweeps = [good(0.2, (20.0, 40.0, 60.0, 80.0)), good(-0.05), good(0.2, (20.0, 45.0, 70.0, 95.0)), good(0.1, (50.0,))]
    recording = read_recording(write_nwb(tmp_path / "cell.nwb", sweeps))
    points = recorded_points(recording, 1000.0)
    np.testing.assert_allclose(points[:, 0], [-0.05, 0.1, 0.2, 0.2])
    np.testing.assert_allclose(points[:, 1], [0, 10, 50, 40], rtol=1e-2)  # one spike in a step of 100 ms is 10 Hz
    # Within 42 ms the step of 0.1 nA has no spike yet, and one of 0.2 nA has two, 20 ms apart.
    first = recorded_points(recording, 42.0)
    np.testing.assert_allclose(first[[0, 1, 2], 1], [0, 0, 50], rtol=1e-2)
