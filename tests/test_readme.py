"""The README's Python runs as it stands, from top to bottom, in a fresh process."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def code_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_code_runs_and_says_what_it_loaded(tmp_path):
    blocks = code_blocks()
    assert blocks
    code = "\n".join(blocks) + (
        "\nassert dict(traces.sizes) == {'neuron': 2, 'stimulus': 2, 'time': 8583}, traces.sizes"
        "\nassert traces['voltage'].attrs['units'] == 'mV'"
        "\nassert (widths['Spikecount'].values[:, 0] == 0).all() and (widths['Spikecount'].values[:, 1] > 10).all()"
        "\nassert (curve['rate'].values[:, 2] > curve['rate'].values[:, 1]).all()"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("<Operator human-pv: ")
