"""Arbor against NEURON: the same cable, the same channels, the same spikes.

Below threshold the two agree to the solver's rounding. Spike times differ by less than a step for the first spikes; the
difference comes from the channels' solvers, shrinks with dt, and accumulates from spike to spike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_cells import ALL_ACTIVE, FIRING, SHORT_SETTLING, WINDOW, stylised

from noble.cells import Cell, CellModel, HallOfFame, MorphologySource, read_allen_fit
from noble.simulators import ArborSimulator, NeuronSimulator, SolverSettings
from noble.spikes import spike_times_ms
from noble.stimuli import Chirp, OrnsteinUhlenbeck, Ramp, Sampled, Step, Stimulus
from noble.traces import TimeGrid

pytestmark = pytest.mark.neuron


def both(
    models: Sequence[CellModel],
    stimuli: Sequence[Stimulus],
    grid: TimeGrid = WINDOW,
    numerics: SolverSettings = SHORT_SETTLING,
) -> tuple[np.ndarray, np.ndarray]:
    """Voltage of Arbor and of NEURON, each (models, time), mV."""
    arbor = ArborSimulator(threads=1, numerics=numerics).respond(models, stimuli, grid)
    neuron = NeuronSimulator(numerics=numerics).respond(models, stimuli, grid)
    np.testing.assert_array_equal(arbor.current_na, neuron.current_na)
    return arbor.voltage_mv, neuron.voltage_mv


def assert_same_spikes(arbor_mv: np.ndarray, neuron_mv: np.ndarray, *, dt_ms: float, within_ms: float) -> int:
    """Compare counts and times; return the count."""
    arbor, neuron = (spike_times_ms(voltage, dt_ms=dt_ms) for voltage in (arbor_mv, neuron_mv))
    assert arbor.size == neuron.size
    np.testing.assert_allclose(arbor, neuron, atol=within_ms)
    return arbor.size


def test_the_published_pv_model(shared_data: Path) -> None:
    source = MorphologySource.from_swc(shared_data / "Pvalb_470522102_m.swc")
    model = read_allen_fit(shared_data / "472912177_fit.json", source)
    grid = TimeGrid.spanning(515.0, dt_ms=0.02)
    amplitudes_na = (-0.11, 0.05, 0.1, 0.2, 0.28)
    arbor, neuron = both(
        [model] * 5, [Step(15.0, 415.0, amplitude) for amplitude in amplitudes_na], grid, SolverSettings()
    )
    # Half a second of settling ends 0.1 mV above the -95.4 mV that a window started at v_init shows at its onset.
    np.testing.assert_allclose(arbor[:, 0], -95.27, atol=0.01)
    assert arbor[0].min() == pytest.approx(-131.35, abs=0.05)
    np.testing.assert_allclose(arbor[:3], neuron[:3], atol=1e-3)
    counts = [assert_same_spikes(*pair, dt_ms=0.02, within_ms=0.05) for pair in zip(arbor, neuron, strict=True)]
    assert counts == [0, 0, 0, 11, 25]


def test_rest_without_settling_is_the_published_one(shared_data: Path) -> None:
    """-95.4 mV is the voltage 15 ms after starting from v_init, with the slow Ih still on its way."""
    source = MorphologySource.from_swc(shared_data / "Pvalb_470522102_m.swc")
    model = read_allen_fit(shared_data / "472912177_fit.json", source)
    arbor, neuron = both(
        [model], [Step(15.0, 16.0, 0.0)], TimeGrid.spanning(16.0, dt_ms=0.02), SolverSettings(equilibration_ms=0.0)
    )
    assert arbor[0, 750] == pytest.approx(-95.4, abs=0.02)
    np.testing.assert_allclose(arbor, neuron, atol=1e-3)


@pytest.mark.parametrize("name", ["stylised-pv", "stylised-vip"])
def test_a_stylised_cell(name: str) -> None:
    model = stylised(name, FIRING)
    stimuli = [Step(5.0, 95.0, amplitude) for amplitude in (-0.05, 0.01, 0.2)]
    arbor, neuron = both([model] * 3, stimuli)
    np.testing.assert_allclose(arbor[:2], neuron[:2], atol=1e-3)
    assert assert_same_spikes(arbor[2], neuron[2], dt_ms=0.02, within_ms=0.02) >= 5


def test_all_channels_at_once() -> None:
    model = stylised("stylised-vip", ALL_ACTIVE)
    arbor, neuron = both([model] * 2, [Step(5.0, 95.0, amplitude) for amplitude in (-0.05, 0.3)])
    np.testing.assert_allclose(arbor[0], neuron[0], atol=1e-3)
    assert assert_same_spikes(arbor[1], neuron[1], dt_ms=0.02, within_ms=0.1) >= 2


def test_the_shipped_hall() -> None:
    hall = HallOfFame.load("stylised-pv")
    threshold_na = float(hall.feature_table(["i_thr"])[0, 0])
    stimuli = [Step(5.0, 95.0, -0.05), Step(5.0, 95.0, threshold_na + 0.1)]
    arbor, neuron = both([hall.cell_model(0)] * 2, stimuli)
    np.testing.assert_allclose(arbor[0], neuron[0], atol=1e-3)
    assert assert_same_spikes(arbor[1], neuron[1], dt_ms=0.02, within_ms=0.1) >= 3


def test_the_difference_between_spike_times_shrinks_with_the_step() -> None:
    model, stimulus = stylised("stylised-vip", FIRING), Step(5.0, 80.0, 0.2)
    largest = []
    for dt_ms in (0.02, 0.005):
        grid, numerics = TimeGrid.spanning(80.0, dt_ms=dt_ms), SolverSettings(dt_ms=dt_ms, equilibration_ms=50.0)
        times = [spike_times_ms(voltage[0], dt_ms=dt_ms) for voltage in both([model], [stimulus], grid, numerics)]
        assert times[0].size == times[1].size == 9
        largest.append(np.abs(times[0] - times[1]).max())
    assert largest[1] < 0.5 * largest[0]


def test_currents_that_are_not_steps() -> None:
    model = stylised("stylised-vip", FIRING)
    noise = np.random.default_rng(0).normal(-0.02, 0.01, size=90)
    stimuli: list[Stimulus] = [
        Ramp(5.0, 95.0, -0.1, 0.01),
        Ramp(5.0, 95.0, 0.0, 0.4),
        OrnsteinUhlenbeck(5.0, 95.0, mean_na=-0.02, sd_na=0.01, seed=3),
        OrnsteinUhlenbeck(5.0, 95.0, mean_na=0.15, sd_na=0.05, seed=3),
        Chirp(5.0, 95.0, amplitude_na=0.03, f0_hz=5.0, f1_hz=200.0),
        Sampled(noise, dt_ms=1.0, start_ms=0.0),
        Step(20.0, 40.0, 0.03) + Ramp(10.0, 80.0, 0.02, -0.05),
    ]
    arbor, neuron = both([model] * len(stimuli), stimuli)
    fired = [
        assert_same_spikes(*pair, dt_ms=0.02, within_ms=0.05) if index in (1, 3) else np.abs(pair[0] - pair[1]).max()
        for index, pair in enumerate(zip(arbor, neuron, strict=True))
    ]
    assert min(fired[1], fired[3]) >= 3
    # Arbor takes a step's current at its start, NEURON at its middle: half a step of a changing current apart.
    below = [fired[index] for index in (0, 2, 4, 5, 6)]
    assert max(below) < 0.1, below


def test_the_channels_of_the_blue_brain_catalogue(tmp_path: Path) -> None:
    values = {name: FIRING[name] for name in ("cm.all", "Ra.all", "g_pas.all", "e_pas.all")}
    values |= {"gbar_NaTs2_t.soma": 1.0, "gbar_NaTa_t.soma": 0.2, "gbar_Nap_Et2.soma": 1e-3, "gbar_Kv3_1.soma": 0.3}
    values |= {"gbar_K_Tst.soma": 0.05, "gbar_K_Pst.soma": 0.05, "gbar_NaTs2_t.dend": 1e-2}
    stimuli = [Step(5.0, 95.0, -0.1), Step(5.0, 95.0, 0.02), Step(5.0, 95.0, 0.3)]
    # Their rates are those at 34 C in both simulators, whatever the temperature.
    for celsius in (34.0, 24.0):
        model = stylised("stylised-pv", values | {"cm.axon": 1.0}, celsius=celsius)
        arbor, neuron = both([model] * 3, stimuli)
        np.testing.assert_allclose(arbor[:2], neuron[:2], atol=1e-2)
        assert assert_same_spikes(arbor[2], neuron[2], dt_ms=0.02, within_ms=0.05) >= 3


def test_a_held_model_settles_under_its_current_and_answers_on_top_of_it() -> None:
    model = stylised("stylised-pv", ALL_ACTIVE)
    held = CellModel(replace(model.cell, holding_na=0.03), {})
    step = Step(20.0, 80.0, 0.2)
    arbor, neuron = both([held, held], [Step(0.0, 1.0, 0.0), step])
    np.testing.assert_allclose(arbor[0], neuron[0], atol=1e-2)
    assert assert_same_spikes(arbor[1], neuron[1], dt_ms=0.02, within_ms=0.05) >= 3
    # As if a free model had been given the current for long enough, and then the step on top of it.
    settled = ArborSimulator(threads=1).respond([held], [step], WINDOW).voltage_mv[0]
    grid = TimeGrid.spanning(600.0, dt_ms=0.02)
    later = Step(0.0, 600.0, 0.03) + Step(520.0, 580.0, 0.2)
    free = ArborSimulator(threads=1).respond([model], [later], grid).voltage_mv[0, 25_000:]
    assert settled[:500].mean() == pytest.approx(free[:500].mean(), abs=0.02)
    assert assert_same_spikes(settled, free[: settled.size], dt_ms=0.02, within_ms=0.1) >= 3


def test_a_deleted_axon(tmp_path: Path) -> None:
    path = tmp_path / f"{tmp_path.name}.swc"
    dendrite = "2 3 6 0 0 1 1\n3 3 300 40 0 1 2\n4 3 400 80 0 0.5 3\n"
    axon = "5 2 0 -6 0 1 1\n6 2 0 -200 0 1 5\n7 2 300 100 0 1 3\n8 2 300 300 0 1 7\n"  # on the soma, and on a dendrite
    path.write_text("1 1 0 0 0 6 -1\n" + dendrite + axon)
    models = [
        Cell(kind, MorphologySource.from_swc(path, axon=kind), fixed=FIRING).model({}) for kind in ("none", "keep")
    ]
    grid, numerics = TimeGrid.spanning(40.0, dt_ms=0.02), SolverSettings(equilibration_ms=50.0)
    arbor, neuron = both(models * 2, [Step(5.0, 35.0, current) for current in (-0.02, -0.02, 0.1, 0.1)], grid, numerics)
    np.testing.assert_allclose(arbor[0], neuron[0], atol=0.02)
    assert assert_same_spikes(arbor[2], neuron[2], dt_ms=0.02, within_ms=0.02) >= 1
    assert abs(arbor[0].min() - arbor[1].min()) > 1.0  # the axon would have drawn current


@pytest.mark.parametrize(
    "soma",
    [
        pytest.param("1 1 0 0 0 4 -1\n2 1 12 0 0 9 1\n3 1 13 0 0 9 2\n4 1 17 0 0 2 3\n", id="uneven line"),
        pytest.param("1 1 0 0 0 4 -1\n2 1 -9 0 0 9 1\n3 1 3 0 0 3 1\n", id="uneven three points"),
        pytest.param("1 1 0 0 0 4 -1\n2 1 12 0 0 9 1\n", id="two points"),
        pytest.param("1 1 0 0 0 6 -1\n", id="one point"),
    ],
)
@pytest.mark.parametrize("axon", ["keep", "stub"])
def test_somata_of_any_shape(soma: str, axon, tmp_path: Path) -> None:
    dendrite = "10 3 0 20 0 1 1\n11 3 300 40 0 1 10\n12 3 400 80 0 0.5 11\n13 3 400 -80 0 0.5 11\n"
    path = tmp_path / f"{tmp_path.name}.swc"  # a name of its own, since folders are remembered by name
    path.write_text(soma + dendrite)
    model = Cell("soma", MorphologySource.from_swc(path, axon=axon), fixed=FIRING).model({})
    grid = TimeGrid.spanning(40.0, dt_ms=0.02)
    arbor, neuron = both(
        [model] * 2, [Step(5.0, 35.0, -0.02), Step(5.0, 35.0, 0.1)], grid, SolverSettings(equilibration_ms=50.0)
    )
    np.testing.assert_allclose(arbor[0], neuron[0], atol=0.02)
    assert assert_same_spikes(arbor[1], neuron[1], dt_ms=0.02, within_ms=0.02) >= 1


# What reconstructions have that is no plain cable: each must be one for both simulators.
ODD = {
    "branched soma": "1 1 0 0 0 6 -1\n2 1 0 5 0 4 1\n3 1 0 9 0 2 2\n4 1 0 -5 0 4 1\n5 1 5 0 0 4 1\n"
    "6 3 10 0 0 1 5\n7 3 160 0 0 0.7 6\n8 3 0 12 0 1 3\n9 3 0 170 0 0.7 8\n",
    "soma with a branch on its branch": "1 1 0 0 0 6 -1\n2 1 0 5 0 4 1\n3 1 0 9 0 2 2\n4 1 5 9 0 2 2\n5 1 0 -5 0 4 1\n"
    "6 3 10 9 0 1 4\n7 3 160 9 0 0.7 6\n",
    "outline": "1 1 6 0 0 0 -1\n2 1 4.2 4.2 0 0 1\n3 1 0 6 0 0 2\n4 1 -4.2 4.2 0 0 3\n5 1 -6 0 0 0 4\n"
    "6 1 -4.2 -4.2 0 0 5\n7 1 0 -6 0 0 6\n8 1 4.2 -4.2 0 0 7\n9 3 6 0 0 1 1\n10 3 160 0 0 0.7 9\n",
    "tips of radius 0": "1 1 0 0 0 6 -1\n2 3 6 0 0 1 1\n3 3 40 0 0 0.9 2\n4 3 190 20 0 0 3\n5 3 60 -20 0 0 3\n",
    "three-way fork as two": "1 1 0 0 0 6 -1\n2 3 6 0 0 1 1\n3 3 40 0 0 0.9 2\n4 3 40 0 0 0.9 3\n5 3 90 -20 0 0.6 3\n"
    "6 3 90 20 0 0.6 4\n7 3 60 60 0 0.6 4\n",
    "stems at the soma's centre": "1 1 0 0 0 6 -1\n2 3 6 0 0 1 1\n3 3 60 0 0 0.7 2\n4 3 0 0 0 1 1\n5 3 0 0 0 1 1\n"
    "6 3 0 90 0 1 5\n7 3 40 90 0 1 5\n",
    "tip on its parent": "1 1 0 0 0 6 -1\n2 3 6 0 0 1 1\n3 3 60 0 0 0.7 2\n4 3 60 0 0 0.7 3\n5 3 90 0 0 0.7 3\n",
    "fork at a stem's first point": "1 1 0 0 0 6 -1\n2 3 6 0 0 1 1\n3 3 40 0 0 0.9 2\n4 3 0 6 0 1 1\n5 3 0 140 0 1 4\n"
    "6 3 20 140 0 1 4\n",
    "roots at the soma": "1 1 0 0 0 6 -1\n2 3 0 0 0 1 -1\n3 3 90 0 0 1 2\n4 3 0 6 0 1 -1\n5 3 0 90 0 1 4\n",
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("axon", ["keep", "stub"])
def test_odd_reconstructions(kind: str, axon, tmp_path: Path) -> None:
    path = tmp_path / f"{tmp_path.name}.swc"
    path.write_text(ODD[kind])
    model = Cell("odd", MorphologySource.from_swc(path, axon=axon), fixed=FIRING).model({})
    grid = TimeGrid.spanning(40.0, dt_ms=0.02)
    arbor, neuron = both(
        [model] * 2, [Step(5.0, 35.0, -0.02), Step(5.0, 35.0, 0.1)], grid, SolverSettings(equilibration_ms=50.0)
    )
    np.testing.assert_allclose(arbor[0], neuron[0], atol=0.02)
    assert assert_same_spikes(arbor[1], neuron[1], dt_ms=0.02, within_ms=0.02) >= 1


@pytest.mark.slow
def test_a_pyramidal_cell_from_an_asc_file(shared_data: Path) -> None:
    """A layer 5 cell with 26 mm of cable (SSCxEModelExamples, CC BY 4.0); its axon kept."""
    path = shared_data / "recordings" / "l5pc-C060110A2" / "C060110A2.asc"
    if not path.is_file():
        pytest.skip(f"the reconstruction is absent ({path})")
    model = Cell("l5pc", MorphologySource.from_swc(path, axon="keep"), fixed=FIRING).model({})
    grid = TimeGrid.spanning(60.0, dt_ms=0.02)
    arbor, neuron = both(
        [model] * 2, [Step(5.0, 55.0, -0.1), Step(5.0, 55.0, 2.0)], grid, SolverSettings(equilibration_ms=50.0)
    )
    np.testing.assert_allclose(arbor[0], neuron[0], atol=0.02)
    assert assert_same_spikes(arbor[1], neuron[1], dt_ms=0.02, within_ms=0.02) >= 2
