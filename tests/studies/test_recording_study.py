"""A family beside a recording, and where that leaves the training."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from noble.operator import FeatureSpec, Scope
from noble.studies import recording_study
from noble.traces import TimeGrid
from recorded_family import FakeOperator, three_trials

SCOPE = Scope(kinds=("Step",), lowest_na=-0.05, highest_na=0.5, duration_ms=515.0, step_ms=60.0, dt_ms=0.06)


class Hall:
    """Three models known by their resting voltage, all to train on."""

    train = (0, 1, 2)

    def feature_table(self, names: Any) -> np.ndarray:
        assert list(names) == ["voltage_base"]
        return np.array([[-71.0], [-70.0], [-69.0]])


class Operator(FakeOperator):
    core = SimpleNamespace(latency_ms=math.inf)
    grid = TimeGrid.spanning(515.0, dt_ms=0.06)
    spec = FeatureSpec.fit(Hall().feature_table(["voltage_base"]), ("voltage_base",), ("mV",))

    def __init__(self, scope: Scope | None = None) -> None:
        super().__init__()
        self.scope = scope


def test_steps_beyond_the_training_are_named():
    hall: Any = Hall()
    found = recording_study(Operator(SCOPE), hall, three_trials())  # type: ignore[arg-type]
    assert found.beyond_training_na == (-0.1,)
    assert found.longer_than_trained  # 100 ms
    assert found.comparison.protocol.dt_ms == 0.06  # the operator's own, since it needs its whole window
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(written)[:3] == ["models", "beyond_training_na", "trained_step_ms"]  # nothing is drawn of the hall
    frame = found.comparison.to_frame()
    assert frame.loc[("voltage_base", 0.05), "z"] == written["steps"][1]["features"]["voltage_base"]["z"]


def test_an_operator_without_a_scope_is_never_beyond_it():
    hall: Any = Hall()
    found = recording_study(Operator(), hall, three_trials())  # type: ignore[arg-type]
    assert (found.beyond_training_na, found.trained_step_ms, found.longer_than_trained) == ((), None, False)
