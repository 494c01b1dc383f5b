"""What kind of current a sweep was given, by its samples alone."""

import numpy as np
import pytest

from noble.recordings.kinds import injection
from noble.stimuli import OrnsteinUhlenbeck
from noble.traces import TimeGrid

GRID = TimeGrid.spanning(2000.0, dt_ms=0.1)
TIMES = GRID.times_ms


def rectangle(start_ms: float, stop_ms: float, height_na: float) -> np.ndarray:
    return np.where((start_ms <= TIMES) & (stop_ms > TIMES), height_na, 0.0)


def noisy(seed: int = 0, tau_ms: float = 3.0) -> np.ndarray:
    return OrnsteinUhlenbeck(200.0, 1500.0, mean_na=0.0, sd_na=0.07, tau_ms=tau_ms, seed=seed).sample(GRID)


CURRENTS = {
    "steps": [
        rectangle(500, 1500, 0.2),
        rectangle(500, 1500, -0.2) + rectangle(100, 120, -0.01),
        rectangle(300, 500, -0.1) + rectangle(800, 1500, 0.15),
        rectangle(300, 1800, 0.1) + rectangle(800, 1000, 0.15),
        rectangle(500, 530, 0.2),
    ],
    "ramps": [
        np.clip(TIMES - 300, 0, 1000) * 3e-4 * (TIMES < 1500),
        np.linspace(0.0, 0.5, TIMES.size),
        -np.clip(TIMES - 300, 0, 1000) * 3e-4,
        np.interp(TIMES, [0, 500, 1000, 1500, 2000], [0, 0, 0.3, 0, 0]),
        rectangle(500, 1500, 0.1) + np.clip(TIMES - 500, 0, 1000) * 2e-4 * (TIMES < 1500),
    ],
    "pulses": [
        rectangle(500, 503, 1.5),
        sum((rectangle(start, start + 2, 1.5) for start in range(200, 1200, 25)), np.zeros(TIMES.size)),
        rectangle(500, 515, 0.3) + rectangle(600, 615, 0.3),
    ],
    "noise": [noisy(), noisy(1, 1.0), noisy(2, 30.0), noisy(3, 50.0), 0.2 + noisy(4, 10.0)],
    "none": [np.zeros(TIMES.size), np.full(TIMES.size, -0.08)],
    "unknown": [
        0.1 * np.sin(2 * np.pi * 8 * TIMES / 1000),
        0.1 * np.sin(2 * np.pi * 0.02 * TIMES**2 / 2000),
        rectangle(100, 1900, 0.3) * np.exp(-(((TIMES - 900) / 200) ** 2)),
    ],
}


@pytest.mark.parametrize("recorder_na", [0.0, 0.001])
@pytest.mark.parametrize("holding_na", [0.0, -0.08])
@pytest.mark.parametrize(
    ("kind", "number"), [(kind, number) for kind, many in CURRENTS.items() for number in range(len(many))]
)
def test_kinds(kind: str, number: int, holding_na: float, recorder_na: float):
    recorder = np.random.default_rng(7).normal(0.0, recorder_na, TIMES.size) if recorder_na else 0.0
    found = injection(CURRENTS[kind][number] + holding_na + recorder, dt_ms=GRID.dt_ms)
    assert found.kind == kind


def test_a_ramp_has_its_ends_and_its_peak():
    found = injection(CURRENTS["ramps"][0] - 0.08, dt_ms=GRID.dt_ms)
    assert (found.onset_ms, found.offset_ms) == pytest.approx((300.0, 1500.0), abs=3.0)
    assert (found.amplitude_na, found.holding_na) == pytest.approx((0.3, -0.08), abs=2e-3)


def test_pulses_have_their_train_and_their_height():
    found = injection(CURRENTS["pulses"][1] - 0.02, dt_ms=GRID.dt_ms)
    assert (found.onset_ms, found.offset_ms) == pytest.approx((200.0, 1177.0), abs=1.0)
    assert (found.amplitude_na, found.holding_na) == pytest.approx((1.5, -0.02), abs=1e-3)


def test_noise_has_its_time_and_its_deviation():
    found = injection(noisy() + 0.05, dt_ms=GRID.dt_ms)
    assert (found.onset_ms, found.offset_ms) == pytest.approx((200.0, 1500.0), abs=10.0)
    assert (found.amplitude_na, found.holding_na) == pytest.approx((0.07, 0.05), abs=0.01)
