"""The examples of closed loops run as a user would run them."""

import subprocess
import sys
from pathlib import Path

import pytest
from small_feedback import operator_of

EXAMPLES = Path(__file__).parents[3] / "examples" / "closed_loop"


@pytest.mark.parametrize(
    ("example", "says"), [("conductance.py", "spikes in 60 ms"), ("rate_clamp.py", "Hz in the second half")]
)
def test_an_example_closes_its_loop(example, says, tmp_path):
    operator_of().save(tmp_path / "bundle")
    figure = tmp_path / "figure.png"
    command = [
        sys.executable,
        str(EXAMPLES / example),
        str(tmp_path / "bundle"),
        "-o",
        str(figure),
        "--duration-ms",
        "60",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert says in done.stdout
    assert figure.stat().st_size > 10_000
