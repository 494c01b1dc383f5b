"""The bundles in the package: complete, and of the halls in the package; `test_golden_traces.py` asks how good they are."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from noble.cells import HallOfFame
from noble.operator import Operator, bundle, shipped_bundles

NAMES = ("human-pv", "human-pv-steps", "human-vip", "stylised-pv")


def test_these_are_shipped() -> None:
    assert shipped_bundles() == NAMES


def hall_of(name: str) -> str:
    return name.removesuffix("-steps")


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_is_of_the_hall_of_its_name(name: str) -> None:
    hall, found = HallOfFame.load(hall_of(name)), bundle.identity(name)
    assert (found["hall"], found["hall_digest"]) == (hall_of(name), hall.digest)
    spec = Operator.load(name).spec
    expected = hall.feature_table(spec.names)[list(hall.train)]
    np.testing.assert_allclose(np.sort(np.array(spec.training_features), axis=0), np.sort(expected, axis=0))


def test_a_folder_of_results_is_not_taken_for_the_bundle_that_it_is_named_after(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "human-pv" / "fi").mkdir(parents=True)
    assert (bundle.locate("human-pv") / "config.json").is_file()
    (tmp_path / "human-pv" / "config.json").touch()  # damaged, but meant as one
    assert bundle.locate("human-pv").resolve() == tmp_path / "human-pv"


@pytest.mark.parametrize("name", NAMES)
def test_card_and_metrics_say_what_was_measured(name: str) -> None:
    metrics = bundle.read_metrics(name)
    assert {"unseen_currents", "unseen_models"} <= set(metrics)
    assert all(metrics[section]["traces"] >= 100 for section in ("unseen_currents", "unseen_models"))
    card = (bundle.locate(name) / bundle.CARD).read_text(encoding="utf-8")
    for heading in ("## Features", "## Training", "## How good it is", "## Limits"):
        assert heading in card


def test_they_answer_without_simulator_and_trainer() -> None:
    code = (
        "import sys\n"
        "for name in ('arbor', 'neuron', 'lightning_fabric', 'bluepyopt', 'distributed'):\n"
        "    sys.modules[name] = None\n"
        "from noble.cells import HallOfFame\n"
        "from noble.operator import Operator, shipped_bundles\n"
        "from noble.stimuli import Step\n"
        "from noble.traces import TimeGrid\n"
        "for name in shipped_bundles():\n"
        "    noble, hall = Operator.load(name), HallOfFame.load(name.removesuffix('-steps'))\n"
        "    neuron = dict(zip(noble.spec.names, hall.feature_table(noble.spec.names)[0]))\n"
        "    traces = noble.respond(neuron, [Step(15, 415, 0.25)], TimeGrid.spanning(515, dt_ms=0.06))\n"
        "    print(name, traces.voltage_mv.max() > 0)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == [word for name in NAMES for word in (name, "True")]
