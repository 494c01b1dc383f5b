import io
import os
import subprocess
import sys
import time

import pytest
from rich.console import Console

from noble.cli import progress


def test_plain_lines_where_there_is_no_terminal(monkeypatch, capsys):
    monkeypatch.setattr(progress, "console", Console(file=io.StringIO()))
    with progress.tracked("simulating") as report:
        for done in range(4):
            report(done, 3, "so far")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "simulating ..."
    assert lines[1] == "simulating: 3/3 after 0 s so far"
    assert len(lines) == 2  # what comes within seconds is not worth a line of a log


def test_a_line_every_ten_seconds(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr(progress, "console", Console(file=io.StringIO()))
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with progress.tracked("training") as report:
        for done in range(1, 31):
            now += 1.0
            report(done, 100)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["training ...", *(f"training: {done}/100 after {done} s" for done in (10, 20, 30))]


def test_a_bar_on_a_terminal(monkeypatch, capsys):
    screen = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=screen, force_terminal=True, width=120))
    with progress.tracked("training") as report:
        report(0, 8)
        report(8, 8, "loss 0.1")
    shown = screen.getvalue()
    assert "training" in shown
    assert "8/8" in shown
    assert "loss 0.1" in shown
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_an_error_passes_through(monkeypatch, terminal):
    monkeypatch.setattr(progress, "console", Console(file=io.StringIO(), force_terminal=terminal))

    def work():
        with progress.tracked("training") as report:
            report(1, 2)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        work()


@pytest.mark.parametrize("columns", [None, "90"])
def test_a_pipe_is_wide_enough_for_names_unless_told_otherwise(columns):
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "FORCE_COLOR"}}
    environment |= {"COLUMNS": columns} if columns else {}
    program = "from noble.cli.progress import console; print(console.width)"
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    ).stdout
    assert int(shown) == int(columns or 160)
