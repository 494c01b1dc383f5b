"""Small untrained operators that fire, pages of them, and ways to run the page's program: node alone, and a browser."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch

from noble.explore import content_of
from noble.explore.page import COMPUTING, script_text
from noble.features.records import curve_feature
from noble.operator import FeatureSpec, Operator
from noble.operator.feedback.config import SpikeFeedbackConfig
from noble.operator.feedback.core import SpikeFeedbackCore
from noble.operator.scope import Scope
from noble.traces import TimeGrid

GRID: Final = TimeGrid.spanning(515.0, dt_ms=0.06)
SMALL: Final = SpikeFeedbackConfig(
    width=10, hidden=9, blocks=2, filters=6, cell=8, averages=5, address=8, shapes=3, shape_width=8
)
SCOPE: Final = Scope(
    kinds=("OrnsteinUhlenbeck", "Step"), lowest_na=-0.3, highest_na=0.6, duration_ms=515.0, step_ms=None, dt_ms=0.06
)
_LATENT: Final = ("rheobase", "fi_gain")
_STEPS_PA: Final = (10, 50, 200)


def curve_spec(count: int = 12) -> FeatureSpec:
    """Rheobase, F-I gain, input resistance, and three points of the F-I curve of some made-up models."""
    random = np.random.default_rng(5)
    rheobase = random.uniform(0.1, 0.16, count)
    gain = random.uniform(400, 800, count)
    columns = {"rheobase": rheobase, "fi_gain": gain, "input_resistance": random.uniform(80, 120, count)}
    for step in _STEPS_PA:
        rate = 10 + gain * 1e-3 * step * 0.6 + random.normal(0, 1, count)
        columns[curve_feature("rate", step)] = rate
        columns[curve_feature("latency", step)] = 900 / rate + random.normal(0, 0.5, count)
        columns[curve_feature("first_ISI", step)] = 950 / rate + random.normal(0, 0.5, count)
    units = ["nA", "Hz/nA", "MOhm", *["Hz", "ms", "ms"] * len(_STEPS_PA)]
    return FeatureSpec.fit(np.column_stack(list(columns.values())), tuple(columns), units)


def line_spec() -> FeatureSpec:
    """Rheobase and F-I gain alone."""
    table = np.array([[0.1, 300.0], [0.16, 350.0], [0.1, 700.0], [0.15, 900.0]])
    return FeatureSpec.fit(table, _LATENT, ("nA", "Hz/nA"))


def twin_spec() -> FeatureSpec:
    """One neuron, which no feature tells from others."""
    return FeatureSpec(names=(), units=(), minimum=(), maximum=())


def operator_of(spec: FeatureSpec, config: SpikeFeedbackConfig = SMALL, *, name: str = "small") -> Operator:
    """Untrained, but firing often, and moved by the current and by its own spikes."""
    operator = Operator.build(config, spec, GRID, seed=3, scope=SCOPE).eval()
    core = operator.core
    assert isinstance(core, SpikeFeedbackCore)
    with torch.no_grad():
        core.cell.decision.weight *= 20
        core.cell.decision.weight[1] *= 0.2  # so that spikes fall within their bins, not at an edge
        core.cell.decision.bias[0] = -3.0
        core.slow.weight *= 3
        if "rheobase" not in spec.names:
            core.cell.decision.bias[2] = -6.0  # no rate is expected, so it must not silence the neuron
    operator.name = name
    return operator


def in_node(body: str, data: Any) -> Any:
    """What a function of `data`, whose body is given, returns when node runs it beside the page's computing files.

    Without node, or with one that has no WebAssembly, the test is skipped.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    scripts = "\n".join(script_text(name) for name in COMPUTING)
    program = (
        f"{scripts}\nconst run = (data) => {{ {body} }};\n"
        'const data = JSON.parse(require("fs").readFileSync(0, "utf8"));\n'
        "process.stdout.write(JSON.stringify(run(data)));"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.js"
        path.write_text(program, encoding="utf-8")
        done = subprocess.run([node, str(path)], input=json.dumps(data), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def told_of(operator: Operator) -> dict[str, Any]:
    return content_of(operator)
