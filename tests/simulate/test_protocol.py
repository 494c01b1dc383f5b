"""What both simulators do alike: sampling, low-pass, and refusing what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from noble.simulate import Numerics
from noble.simulate.protocol import check_pairs, decimate, decimation_factor
from noble.stimuli import Step
from noble.traces import TimeGrid


def test_the_paper_keeps_every_third_sample() -> None:
    assert decimation_factor(TimeGrid.spanning(515, dt_ms=0.06), Numerics()) == 3
    assert decimation_factor(TimeGrid.spanning(515, dt_ms=0.02), Numerics()) == 1
    assert decimation_factor(TimeGrid.spanning(515, dt_ms=0.1), Numerics(dt_ms=0.025)) == 4


@pytest.mark.parametrize("dt_ms", [0.05, 0.01, 0.0605])
def test_a_step_that_is_no_multiple_is_refused(dt_ms: float) -> None:
    with pytest.raises(ValueError, match=r"no multiple of the integration step 0\.02 ms"):
        decimation_factor(TimeGrid.spanning(515, dt_ms=dt_ms), Numerics())


def test_slow_voltage_passes_and_fast_voltage_does_not() -> None:
    """1 kHz is far below the new Nyquist frequency of 8.3 kHz; 15 kHz would come back as 1.7 kHz."""
    fine_ms = np.arange(3 * 8583) * 0.02
    slow, fast = (5.0 * np.sin(2 * np.pi * khz * fine_ms) - 70.0 for khz in (1.0, 15.0))
    kept = decimate(np.stack([slow, fast]), 3, count=8583)
    assert kept.shape == (2, 8583)
    inner = slice(200, -200)  # the filter starts and ends within these
    np.testing.assert_allclose(kept[0, inner], slow[::3][inner], atol=0.06)  # its ripple, 0.05 dB twice, of 5 mV
    np.testing.assert_allclose(kept[1, inner], -70.0, atol=0.01)


def test_rest_stays_rest_to_the_edges() -> None:
    np.testing.assert_allclose(decimate(np.full((1, 900), -77.7), 3, count=300), -77.7, atol=1e-9)


def test_factor_one_changes_nothing() -> None:
    voltage = np.random.default_rng(0).normal(size=(2, 50))
    np.testing.assert_array_equal(decimate(voltage, 1, count=40), voltage[:, :40])


@pytest.mark.parametrize(("models", "stimuli"), [(2, 1), (0, 0), (0, 1)])
def test_what_does_not_pair_up_is_refused(models: int, stimuli: int) -> None:
    with pytest.raises(ValueError, match=f"got {models} models and {stimuli} stimuli"):
        check_pairs([object()] * models, [Step(0.0, 1.0, 0.1)] * stimuli)
