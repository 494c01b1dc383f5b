"""The F-I study against cells whose rate is the amplitude times a constant."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from noble.protocols import StepProtocol
from noble.studies import FIStudy, fi_study
from rising_family import HALL, Operator, Simulator, rate_hz

PROTOCOL = StepProtocol(onset_ms=10.0, step_ms=400.0, window_ms=420.0, dt_ms=0.1)


def study(**options: Any) -> FIStudy:
    settings = {"amplitudes": 11, "low_na": 0.0, "high_na": 0.3, "protocol": PROTOCOL}
    return fi_study(Operator(), HALL, **{**settings, **options})  # type: ignore[arg-type]


def test_simulated_rates_are_those_of_the_amplitudes_that_they_are_reported_at():
    simulator = Simulator()
    found = study(simulator=simulator, simulated_amplitudes=4)
    assert found.simulated is not None
    np.testing.assert_allclose(found.simulated.amplitudes_na, [0.0, 0.09, 0.21, 0.3])
    np.testing.assert_allclose(simulator.amplitudes_na[:4], found.simulated.amplitudes_na)
    expected = [rate_hz(amplitude) for amplitude in found.simulated.amplitudes_na]
    for row in found.per_model:
        assert row.simulation is not None
        np.testing.assert_allclose(row.simulation.simulated_hz, expected, rtol=1e-2)
        np.testing.assert_allclose(
            row.simulation.predicted_hz,
            np.where(found.simulated.amplitudes_na >= row.rheobase_na, expected, 0),
            rtol=1e-2,
        )
    assert simulator.models == [f"stylised-pv/{model}" for model in HALL.train for _ in range(4)]


def test_without_a_simulator_models_are_compared_with_what_the_hall_measured():
    found = study(amplitudes=301)
    assert found.simulated is None
    assert [row.model for row in found.per_model] == list(HALL.train)
    for row in found.per_model:
        assert row.simulation is None
        assert row.rheobase_na_error == pytest.approx(0.0005, abs=0.00051)  # amplitudes are 1 pA apart
    assert found.curves.requested is not None
    assert found.curves.requested.rheobase_na.missing == 0
    frame = found.to_frame()
    assert frame.shape == (301, len(HALL.train))
    np.testing.assert_array_equal(frame.to_numpy().T, found.rates_hz)
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(written)[:6] == ["models", "neurons", "seed", "seconds", "step_ms", "amplitudes_na"]
    assert "rates_hz" not in written
    assert len(repr(found)) < 600


def test_a_recording_widens_the_amplitudes_unless_the_highest_is_named():
    from recorded_family import recording, sweep

    strong = recording(sweep("strong", 0.7, spikes_ms=(10.0, 30.0)))
    found = study(high_na=None, recording=strong)
    assert found.curves.amplitudes_na[-1] == pytest.approx(0.7)
    assert found.recording is not None
    assert found.recording.points[0, 0] == pytest.approx(0.7)
    assert study(recording=strong).curves.amplitudes_na[-1] == pytest.approx(0.3)


def test_each_part_of_the_work_has_a_title():
    from collections.abc import Iterator
    from contextlib import contextmanager

    titles = []

    @contextmanager
    def tracking(title: str) -> Iterator[Any]:
        titles.append(title)
        yield lambda done, total, note="": titles.append((done, total)) if done == total else None

    study(simulator=Simulator(), simulated_amplitudes=2, tracking=tracking)
    whole = (len(HALL.train), len(HALL.train))
    assert titles == ["predicting", whole, "simulating", whole]
