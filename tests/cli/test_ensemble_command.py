"""`noble ensemble` with an untrained operator, and a simulator that answers as the operator does."""

import json

import pytest

TIMING = ("--onset", 10, "--length", 40, "--window", 60, "--dt", 0.1)
COMMAND = ("ensemble", "bundle", "--hall", "stylised-pv", "--step", 0.2, *TIMING, "--json", "told.json")


@pytest.fixture
def simulated(place, monkeypatch) -> list[int]:
    """The models that were simulated: each as the operator answers for its features."""
    from noble.cells import HallOfFame
    from noble.operator import Operator

    asked = []

    class Simulator:
        def __init__(self, **options) -> None:
            pass

        def respond(self, neurons, stimuli, grid):
            operator = Operator.load("bundle")
            models = [int(neuron.name.rpartition("/")[2]) for neuron in neurons]
            asked.extend(models)
            known = HallOfFame.load("stylised-pv").neurons(operator.feature_names, models)
            return operator.respond(known, stimuli, grid)

    monkeypatch.setattr("noble.simulators.ArborSimulator", Simulator)
    return asked


def told(place) -> dict:
    return json.loads((place / "told.json").read_text())


@pytest.mark.filterwarnings("ignore:.*outside the hull")
def test_round_one_model_its_neighbours_are_plausible(noble, place, simulated):
    from noble.cells import HallOfFame
    from noble.features import extract
    from noble.operator import Operator
    from noble.protocols import StepProtocol

    hall = HallOfFame.load("stylised-pv")
    model = hall.held_out[0]
    result = noble(*COMMAND, "--models", f"disc:{model}:1e-6", "--n", 5, "--simulate", "-o", "figures")
    assert result.code == 0, result.err
    assert sorted(simulated) == sorted({*hall.train, model})
    facts = told(place)
    assert (facts["neurons"], facts["reference"]) == (5, "simulation")
    assert facts["implausible_share"] == 0  # it was 1 when the one model's range, a point, decided
    # What it is compared with is that model alone.
    operator, protocol = Operator.load("bundle"), StepProtocol(onset_ms=10, step_ms=40, window_ms=60, dt_ms=0.1)
    own = hall.neurons(operator.feature_names, [model])
    answer = operator.respond(own, [protocol.stimulus(0.2)], protocol.grid)
    [rest] = extract(answer, onset_ms=10.0, offset_ms=50.0, names=["voltage_base"])["voltage_base"]
    assert facts["features"]["voltage_base"]["reference_median"] == pytest.approx(rest)
    assert (place / "figures" / "ensemble.png").stat().st_size > 10_000


def test_the_hall_is_not_compared_with_itself(noble, place):
    result = noble(*COMMAND)
    assert result.code == 0, result.err
    assert "compared with nothing" in result.out
    assert "Wasserstein" not in result.out
    assert "implausible" not in result.out
    assert told(place)["reference"] is None
    assert told(place)["implausible_share"] is None


def test_the_hull_is_compared_with_the_hall(noble, place):
    result = noble(*COMMAND, "--models", "hull", "--n", 5)
    assert result.code == 0, result.err
    assert "median of the operator on the training models" in result.out
    assert told(place)["features"]["voltage_base"]["wasserstein"] >= 0
