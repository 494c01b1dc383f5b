"""The allocator and torch's threads are touched by who asks, and by nobody else."""

import subprocess
import sys

# Notes every call of mallopt and of torch.set_num_threads.
SPY = """
import ctypes, sys
calls = []
class Library:
    def __getattr__(self, name):
        return lambda *given: calls.append(name) or 1
load, ctypes.CDLL = ctypes.CDLL, lambda name, *rest, **more: load(name, *rest, **more) if name else Library()
"""
PREDICT = """
import torch
from noble.machine import tune_process
from noble.operator import Operator
from noble.stimuli import Step
from noble.traces import TimeGrid
torch.set_num_threads(2)
torch.set_num_threads = lambda number: calls.append(f"{number} threads")
operator = Operator.load("stylised-pv")
neuron = dict(zip(operator.feature_names, operator.spec.training_features[0]))
operator.respond(neuron, [Step(15, 75, 0.2)], TimeGrid(0.06, 1500))
print("untouched:", *calls)
tune_process()
operator.respond(neuron, [Step(15, 75, 0.2)], TimeGrid(0.06, 1500))
print("tuned:", *calls)
"""
COMMAND = """
from noble.cli.app import main
sys.argv = ["noble", "--version"]
try:
    main()
finally:
    print("told:", *calls)
"""


def output(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", SPY + code], capture_output=True, text=True, timeout=120)
    return [line for line in done.stdout.splitlines() if line.startswith(("untouched", "tuned", "told"))]


def test_a_prediction_leaves_the_process_as_it_is_unless_asked():
    assert output(PREDICT) == ["untouched:", "tuned: mallopt mallopt 1 threads 2 threads"]


def test_the_command_line_asks():
    assert output(COMMAND) == ["told: mallopt mallopt"]
