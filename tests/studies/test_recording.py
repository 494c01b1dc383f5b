"""A family beside a recording, and where that leaves the training."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np

from noble.operator import FeatureSpec
from noble.studies import recording_study
from noble.traces import TimeGrid
from recorded_family import FakeOperator, three_trials

GENERATION = {"step_ms": 60.0, "amplitude": {"low_na": -0.05, "high_na": 0.5}}


class Hall:
    """Three models known by their resting voltage, all to train on."""

    train = (0, 1, 2)

    def feature_table(self, names: Any) -> np.ndarray:
        assert list(names) == ["voltage_base"]
        return np.array([[-71.0], [-70.0], [-69.0]])


class Operator(FakeOperator):
    core = SimpleNamespace(causal=False)
    grid = TimeGrid.spanning(515.0, dt_ms=0.06)
    spec = FeatureSpec.fit(Hall().feature_table(["voltage_base"]), ("voltage_base",), ("mV",))

    def __init__(self, **provenance: Any) -> None:
        super().__init__()
        self.provenance = provenance


def test_steps_beyond_the_training_are_named():
    hall: Any = Hall()
    found = recording_study(Operator(generation=GENERATION), hall, three_trials())  # type: ignore[arg-type]
    assert found.beyond_training_na == (-0.1,)
    assert found.longer_than_trained  # 100 ms
    assert found.comparison.protocol.dt_ms == 0.06  # the operator's own, since it is not causal
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(written)[:3] == ["models", "beyond_training_na", "trained_step_ms"]  # nothing is drawn of the hall
    frame = found.comparison.to_frame()
    assert frame.loc[("voltage_base", 0.05), "z"] == written["steps"][1]["features"]["voltage_base"]["z"]


def test_an_operator_without_a_record_is_never_beyond_it():
    hall: Any = Hall()
    found = recording_study(Operator(), hall, three_trials())  # type: ignore[arg-type]
    assert (found.beyond_training_na, found.trained_step_ms, found.longer_than_trained) == ((), None, False)
