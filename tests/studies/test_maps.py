"""Maps of an operator whose voltage says where it is in the plane."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from noble.features.neurons import Neurons
from noble.operator import FeatureSpec
from noble.protocols import StepProtocol
from noble.stimuli import Step, Stimulus
from noble.studies.maps import feature_map
from noble.traces import TimeGrid, TraceBatch

TRIANGLE = np.array([[0.1, 100.0], [0.3, 100.0], [0.1, 300.0], [0.15, 150.0]])
SPEC = FeatureSpec.fit(TRIANGLE, ("rheobase", "fi_gain"), ("nA", "Hz/nA"))
PROTOCOL = StepProtocol(onset_ms=10.0, step_ms=20.0, window_ms=40.0, dt_ms=0.1)


class Operator:
    """Rests at -60 mV less 100 times its first feature plus a tenth of its second, and spikes once above its first."""

    def __init__(self, spec: FeatureSpec = SPEC) -> None:
        self.spec = spec
        self.batches: list[int] = []

    def respond(
        self, neurons: Neurons, stimuli: Sequence[Stimulus], grid: TimeGrid, *, batch_size: int = 128
    ) -> TraceBatch:
        self.batches.append(len(neurons))
        features = neurons.table(("rheobase", "fi_gain"))
        current = np.stack([stimulus.sample(grid) for stimulus in stimuli])
        voltage = np.tile((-60 - 100 * features[:, 0] + 0.1 * features[:, 1])[:, None], (1, grid.count))
        for row, (rheobase, _), stimulus in zip(voltage, features, stimuli, strict=True):
            assert isinstance(stimulus, Step)
            if stimulus.amplitude_na > rheobase:
                row += 120 * np.exp(-0.5 * ((grid.times_ms - 20) / 0.3) ** 2)
        return TraceBatch(grid, voltage, current)


def test_every_point_has_its_own_value(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("noble.studies.maps._BATCH", 10)
    operator, told = Operator(), []
    found = feature_map(
        operator, "voltage_base", 0.2, PROTOCOL, size=5, progress=lambda done, total: told.append((done, total))
    )
    assert operator.batches == [10, 10, 5]
    assert told[-1] == (25, 25)
    np.testing.assert_allclose(found.first, np.linspace(0.09, 0.31, 5))
    np.testing.assert_allclose(found.second, np.linspace(90, 310, 5))
    np.testing.assert_allclose(found.values, -60 - 100 * found.first[None, :] + 0.1 * found.second[:, None], atol=1e-6)
    assert (found.unit, found.plane, found.plane_units) == ("mV", ("rheobase", "fi_gain"), ("nA", "Hz/nA"))


def test_inside_is_the_hull_and_not_its_box():
    found = feature_map(Operator(), "voltage_base", 0.2, PROTOCOL, size=9)
    first, second = np.meshgrid((found.first - 0.1) / 0.2, (found.second - 100) / 200)
    np.testing.assert_array_equal(found.inside, (first >= 0) & (second >= 0) & (first + second <= 1))
    line = FeatureSpec.fit(np.array([[0.1, 100.0], [0.2, 200.0]]), ("rheobase", "fi_gain"), ("nA", "Hz/nA"))
    assert not feature_map(Operator(line), "voltage_base", 0.2, PROTOCOL, size=2).inside.any()


def test_silent_neurons_have_no_width():
    found = feature_map(Operator(), "AP1_width", 0.2, PROTOCOL, size=5)
    np.testing.assert_array_equal(np.isfinite(found.values), np.tile(found.first < 0.2, (5, 1)))
    summary = found.summary()
    silent = np.tile(found.first >= 0.2, (5, 1))
    assert summary["inside"].points + summary["outside"].points == 25
    assert summary["inside"].missing == int(np.sum(found.inside & silent))
    assert summary["outside"].missing == int(np.sum(~found.inside & silent))
    assert 0.2 < summary["inside"].median < 1.5
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [[value is None for value in row] for row in told["values"]] == silent.tolist()
    nothing = feature_map(Operator(), "AP1_width", 0.0, PROTOCOL, size=2).summary()["outside"]
    assert (nothing.missing, nothing.lowest, nothing.median) == (4, None, None)


def test_a_map_is_labelled_by_the_features_of_the_plane():
    found = feature_map(Operator(), "voltage_base", 0.2, PROTOCOL, size=5)
    labelled = found.to_xarray()
    assert labelled["voltage_base"].dims == ("fi_gain", "rheobase")
    assert labelled["voltage_base"].attrs == {"units": "mV", "amplitude_na": 0.2}
    assert labelled["rheobase"].attrs["units"] == "nA"
    chosen = labelled["voltage_base"].sel(rheobase=0.2, fi_gain=200, method="nearest")
    assert float(chosen) == pytest.approx(-60 - 20 + 20)
    np.testing.assert_array_equal(labelled["inside"], found.inside)


def test_a_bad_request_is_refused():
    with pytest.raises(ValueError, match="'AP_width' is unknown; expected one of AHP_depth"):
        feature_map(Operator(), "AP_width", 0.2, PROTOCOL)
    three = FeatureSpec.fit(np.arange(9.0).reshape(3, 3) ** 2, ("a", "b", "c"), ("mV", "mV", "mV"))
    with pytest.raises(ValueError, match=r"has 3 latent features \(a, b, c\)"):
        feature_map(Operator(three), "AP1_width", 0.2, PROTOCOL)
    with pytest.raises(ValueError, match="at least 2"):
        feature_map(Operator(), "AP1_width", 0.2, PROTOCOL, size=1)
