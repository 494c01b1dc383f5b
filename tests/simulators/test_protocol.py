"""What both simulators do alike: sampling, low-pass, and refusing what does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from noble.cells import Cell, MorphologySource, all_active_cell, read_allen_fit
from noble.simulators import ArborSimulator, NeuronSimulator, SolverSettings
from noble.simulators.numerics import check_membrane, check_pairs, decimate, decimation_factor
from noble.stimuli import Step
from noble.traces import TimeGrid


def test_the_paper_keeps_every_third_sample() -> None:
    assert decimation_factor(TimeGrid.spanning(515, dt_ms=0.06), SolverSettings()) == 3
    assert decimation_factor(TimeGrid.spanning(515, dt_ms=0.02), SolverSettings()) == 1
    assert decimation_factor(TimeGrid.spanning(515, dt_ms=0.1), SolverSettings(dt_ms=0.025)) == 4


@pytest.mark.parametrize("dt_ms", [0.05, 0.01, 0.0605])
def test_a_step_that_is_no_multiple_is_refused(dt_ms: float) -> None:
    with pytest.raises(ValueError, match=r"no multiple of the integration step 0\.02 ms"):
        decimation_factor(TimeGrid.spanning(515, dt_ms=dt_ms), SolverSettings())


def test_slow_voltage_passes_and_fast_voltage_does_not() -> None:
    """1 kHz is far below the new Nyquist frequency of 8.3 kHz; 15 kHz would come back as 1.7 kHz."""
    fine_ms = np.arange(3 * 8583) * 0.02
    slow, fast = (5.0 * np.sin(2 * np.pi * khz * fine_ms) - 70.0 for khz in (1.0, 15.0))
    kept = decimate(np.stack([slow, fast]), 3, count=8583)
    assert kept.shape == (2, 8583)
    inner = slice(200, -200)  # the filter starts and ends within these
    np.testing.assert_allclose(kept[0, inner], slow[::3][inner], atol=0.06)  # its ripple, 0.05 dB twice, of 5 mV
    np.testing.assert_allclose(kept[1, inner], -70.0, atol=0.01)


@pytest.mark.parametrize("factor", [2, 3, 5, 12])
def test_a_deflection_keeps_its_height(factor: int) -> None:
    """Or e-features would all be too small: SciPy's filter alone lacks 0.1 dB at zero frequency."""
    step_mv = np.where(np.arange(12000) < 3000, -80.0, -60.0)[None]
    kept = decimate(step_mv, factor, count=12000 // factor)
    np.testing.assert_allclose(kept[0, [1000 // factor, 9000 // factor]], [-80.0, -60.0], atol=1e-6)


def test_rest_stays_rest_to_the_edges() -> None:
    np.testing.assert_allclose(decimate(np.full((1, 900), -77.7), 3, count=300), -77.7, atol=1e-9)


def test_factor_one_changes_nothing() -> None:
    voltage = np.random.default_rng(0).normal(size=(2, 50))
    np.testing.assert_array_equal(decimate(voltage, 1, count=40), voltage[:, :40])


@pytest.mark.parametrize(("models", "stimuli"), [(2, 1), (0, 0), (0, 1)])
def test_what_does_not_pair_up_is_refused(models: int, stimuli: int) -> None:
    with pytest.raises(ValueError, match=f"got {models} models and {stimuli} stimuli"):
        check_pairs([object()] * models, [Step(0.0, 1.0, 0.1)] * stimuli)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cm.soma": 1.0, "g_pas.soma": 1e-4}, "has no cm and no g_pas or any channel on region dend"),
        ({"cm.soma": 1.0, "g_pas.all": 1e-4}, "has no cm on region dend"),
        ({"cm.all": 1.0, "gbar_Ih.soma": 1e-5, "e_pas.all": -70.0}, "has no g_pas or any channel on region dend"),
        (
            {"cm.soma": 1.0, "cm.dend": 1.0, "g_pas.all": 1e-4},
            r"no cm on region apic.*all_active_cell\(\.\.\., apical=True\).*cm\.apic",
        ),
    ],
)
def test_a_region_without_a_membrane_is_refused(values: dict[str, float], message: str) -> None:
    model = Cell("c", MorphologySource("any.swc"), fixed=values).model({})
    with pytest.raises(ValueError, match=message):
        check_membrane(model, ("soma", "dend", "apic"))


def test_a_membrane_may_be_all_channels() -> None:
    values = {"cm.all": 1.0, "gbar_Ih.soma": 1e-5, "g_pas.dend": 1e-4}
    check_membrane(Cell("c", MorphologySource("any.swc"), fixed=values).model({}), ("soma", "dend"))


@pytest.mark.parametrize(
    ("name", "regions"),
    [
        ("472912177_fit.json", ("soma", "axon", "dend")),
        ("318331342_fit.json", ("soma", "axon", "dend", "apic")),
    ],
)
def test_the_published_fits_have_membranes(name: str, regions: tuple[str, ...], shared_data: Path) -> None:
    check_membrane(read_allen_fit(shared_data / name, MorphologySource("stylised-pv")), regions)


@pytest.mark.parametrize("simulator", [ArborSimulator(threads=1), NeuronSimulator()], ids=["arbor", "neuron"])
@pytest.mark.parametrize("apical", [False, True])
def test_the_simulators_refuse_an_apical_dendrite_left_to_defaults(simulator, apical: bool, tmp_path: Path) -> None:
    path = tmp_path / "apical.swc"
    path.write_text("1 1 0 0 0 5 -1\n2 3 6 0 0 1 1\n3 3 30 0 0 1 2\n4 4 0 6 0 1 1\n5 4 0 30 0 1 4\n")
    cell = all_active_cell("c", MorphologySource.from_swc(path), apical=apical)
    model = cell.model({item.name: max(item.low, min(item.high, 1e-4)) for item in cell.parameters})
    if apical:
        check_membrane(model, cell.morphology.load().regions)
        return
    with pytest.raises(ValueError, match="no cm on region apic"):
        simulator.respond([model], [Step(0.0, 1.0, 0.1)], TimeGrid.spanning(2.0, dt_ms=0.02))


def test_arbor_uses_the_cores_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noble.simulators.arbor.available_cores", lambda: 3)
    assert ArborSimulator().threads == 3
    assert ArborSimulator(threads=2).threads == 2
