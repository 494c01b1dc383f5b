"""Speeds against responders that take known times."""

import time
from typing import Any

import numpy as np
import pytest

from noble.evaluation import STABLE_SPEED_KEYS, Speed, measure_speed
from noble.features.neurons import Neurons
from noble.traces import TraceBatch


class Slow:
    """Takes so many ms a trace."""

    threads = 3

    def __init__(self, ms_per_trace: float) -> None:
        self.seconds, self.calls = ms_per_trace / 1e3, []

    def respond(self, neurons: Any, stimuli: Any, grid: Any) -> TraceBatch:
        self.calls.append([(neuron, stimulus.amplitude_na) for neuron, stimulus in zip(neurons, stimuli, strict=True)])
        time.sleep(self.seconds * len(neurons))
        return TraceBatch(grid, np.zeros((len(neurons), grid.count)), np.zeros((len(neurons), grid.count)))


class Quick(Slow):
    feature_names = ("rheobase",)

    def respond(self, neurons: Any, stimuli: Any, grid: Any, *, batch_size: int = 128) -> TraceBatch:
        return super().respond([neuron["rheobase"] for neuron in neurons], stimuli, grid)


class Hall:
    name = "made-up"

    def __len__(self) -> int:
        return 5

    def neurons(self, names: tuple[str, ...], models: list[int]) -> Neurons:
        return Neurons(names, np.array(models, dtype=float)[:, None])

    def cell_model(self, index: int) -> int:
        return index


def speed(operator: Slow | None = None, **options: Any) -> Speed:
    return measure_speed(
        operator or Quick(0.5), Hall(), **{"arbor": Slow(10), "batch": 20, "arbor_traces": 4} | options
    )  # type: ignore[arg-type]


def test_speeds_are_ratios_of_what_was_taken_in_one_run():
    found = speed(neuron=Slow(50))
    assert set(STABLE_SPEED_KEYS) <= set(found.to_dict())
    assert found.ms_per_trace == pytest.approx(0.5, rel=0.5)
    fastest, slowest = found.ms_per_trace_range
    assert fastest <= found.ms_per_trace <= slowest
    assert found.speedup_vs_arbor == pytest.approx(1e3 * found.arbor_seconds_per_trace / found.ms_per_trace)
    assert found.speedup_vs_neuron == pytest.approx(1e3 * found.neuron_seconds_per_trace / found.ms_per_trace)
    assert found.arbor_seconds_per_trace == pytest.approx(0.010, rel=0.5)
    assert found.neuron_seconds_per_trace == pytest.approx(0.050, rel=0.5)
    assert (found.batch, found.arbor_threads, found.hall) == (20, 3, "made-up")


def test_operator_and_simulators_answer_the_same_kind_of_traces():
    quick, arbor = Quick(0.0), Slow(0.0)
    told: list[tuple[int, int]] = []
    speed(quick, arbor=arbor, arbor_traces=20, progress=lambda done, total: told.append((done, total)))
    assert [len(call) for call in quick.calls] == [20] * 6 + [1] * 11 + [20] * 6
    assert [len(call) for call in arbor.calls] == [1, 20]
    assert quick.calls[0] == [(float(model), amplitude) for model, amplitude in arbor.calls[1]]
    assert {model for model, _ in arbor.calls[1]} == set(range(5))
    assert [amplitude for _, amplitude in arbor.calls[1]] == pytest.approx(np.linspace(-0.11, 0.28, 20))
    assert told == [(done, 3) for done in range(4)]


def test_neuron_may_be_left_out():
    found = speed()
    assert found.speedup_vs_neuron is None
    assert found.neuron_seconds_per_trace is None


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"arbor_traces": 0}, {"neuron": Slow(1), "neuron_traces": 0}])
def test_nothing_cannot_be_timed(wrong):
    with pytest.raises(ValueError, match="expected at least 1 of each"):
        speed(**wrong)
