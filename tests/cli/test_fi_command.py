"""`noble fi` with an untrained operator, and a simulator that answers as the operator does."""

import json

import numpy as np
import pytest

from noble.cells import HallOfFame
from noble.stimuli import Step
from noble.traces import TraceBatch

TIMING = ("--onset", 10, "--length", 40, "--window", 60, "--dt", 0.1)
COMMAND = (
    "fi",
    "bundle",
    "--hall",
    "stylised-pv",
    *TIMING,
    "--count",
    11,
    "--low",
    0.0,
    "--high",
    0.3,
    "--json",
    "f.json",
)


@pytest.fixture
def simulated(place, monkeypatch) -> list[str]:
    """Names of the models that were simulated: cells that fire every 10 ms from 0.15 nA on."""
    asked = []

    class Simulator:
        def __init__(self, **options) -> None:
            pass

        def respond(self, neurons, stimuli, grid):
            asked.extend(neuron.name for neuron in neurons)
            voltage = np.full((len(neurons), grid.count), -70.0)
            for row, stimulus in zip(voltage, stimuli, strict=True):
                assert isinstance(stimulus, Step)
                for spike in (15.0, 25.0, 35.0, 45.0) if stimulus.amplitude_na >= 0.15 else ():
                    row += 100 * np.exp(-0.5 * ((grid.times_ms - spike) / 0.3) ** 2)
            return TraceBatch(grid, voltage, np.stack([stimulus.sample(grid) for stimulus in stimuli]))

    monkeypatch.setattr("noble.simulators.ArborSimulator", Simulator)
    return asked


def test_the_hall_is_compared_with_its_measurements_and_simulations(noble, place, simulated):
    hall = HallOfFame.load("stylised-pv")
    result = noble(*COMMAND, "--simulate", 3, "-o", "figures")
    assert result.code == 0, result.err
    told = json.loads((place / "f.json").read_text())
    assert told["neurons"] == len(hall.train)
    np.testing.assert_allclose(told["amplitudes_na"], np.linspace(0, 0.3, 11))
    assert len(told["median_hz"]) == 11
    assert [row["model"] for row in told["per_model"]] == list(hall.train)
    assert len(simulated) == 3 * len(hall.train)
    row = told["per_model"][0]
    assert row["i_thr_na"] == hall.models[hall.train[0]].features["rheobase"]
    np.testing.assert_allclose(row["simulated_at_na"], [0, 0.15, 0.3])
    np.testing.assert_allclose(row["simulated_hz"], [0, 100, 100], rtol=1e-3)
    furthest = np.abs(np.subtract(row["predicted_hz"], row["simulated_hz"])).max()
    assert row["largest_deviation_hz"] == pytest.approx(furthest)
    assert "the 12 of 20 models that deviate most" in result.out
    assert "deviation (Hz)" in result.out
    assert (place / "figures" / "fi.png").stat().st_size > 10_000


def test_simulated_rates_are_labelled_with_their_own_amplitudes(noble, place, monkeypatch):
    """Cells whose rate grows with the amplitude: a shifted amplitude would show."""
    from rising_family import Simulator, rate_hz

    monkeypatch.setattr("noble.simulators.ArborSimulator", Simulator)
    timing = ("--onset", 10, "--length", 400, "--window", 420, "--dt", 0.1)
    options = ("--count", 11, "--low", 0.0, "--high", 0.3, "--models", "disc:9:0.1", "--n", 1, "--simulate", 4)
    result = noble("fi", "bundle", "--hall", "stylised-pv", *timing, *options, "--json", "f.json")
    assert result.code == 0, result.err
    [row] = json.loads((place / "f.json").read_text())["per_model"]
    np.testing.assert_allclose(row["simulated_at_na"], [0.0, 0.09, 0.21, 0.3])
    np.testing.assert_allclose(row["simulated_hz"], [rate_hz(at) for at in row["simulated_at_na"]], rtol=1e-2)


def test_a_disc_is_compared_with_its_model_and_the_hull_with_none(noble, place, simulated):
    result = noble(*COMMAND, "--models", "disc:9:0.1", "--n", 3)
    assert result.code == 0, result.err
    told = json.loads((place / "f.json").read_text())
    assert (told["neurons"], [row["model"] for row in told["per_model"]]) == (3, [9])
    assert "largest_deviation_hz" not in told["per_model"][0]
    assert set(told["asked"]) == {"i_thr_na", "s_thr_hz_per_na"}
    result = noble(*COMMAND, "--models", "hull", "--n", 3)
    assert result.code == 0, result.err
    assert "3 neurons (hull) x 11 amplitudes" in result.out
    assert json.loads((place / "f.json").read_text())["per_model"] == []
    assert simulated == []


def test_a_recording_lends_its_points(noble, place):
    pytest.importorskip("pynwb")
    from nwb_files import good, write_nwb

    write_nwb(place / "cell.nwb", [good(0.1), good(0.2, (20.0, 40.0, 60.0))])
    result = noble(*COMMAND, "--models", "hull", "--n", 2, "--recording", "cell.nwb", "-o", "figures")
    assert result.code == 0, result.err
    assert "cell.nwb: 2 sweeps, the first 40 of their 100 ms, beside predictions for 40 ms" in result.out
    recording = json.loads((place / "f.json").read_text())["recording"]
    # Of three spikes 20 ms apart, the two of the first 40 ms, and a silence.
    np.testing.assert_allclose(recording["points"], [[0.1, 0], [0.2, 50.0]], rtol=2e-2)
    assert noble(*COMMAND, "--recording", "no.nwb").code == 2


def test_amplitudes_out_of_order_are_refused(noble, place):
    result = noble("fi", "bundle", "--hall", "stylised-pv", "--low", 0.3, "--high", 0.2)
    assert result.code == 2
    assert "the first below the last" in result.error
