"""A program for `test_bundle_replacing`: replaces one bundle by another, and is stopped at another file operation each time.

Prints a JSON line for each time: how it was stopped (killed, or refused the operation), how folders are exchanged (at once, or in
two steps), whether it was stopped, whether an error came out, whether the bundle's name was free right after, which bundle is
loaded then, and what lies in the folder after that.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path

import numpy as np

from noble.operator import FeatureSpec, FnoConfig, Operator
from noble.operator.bundle import replacing, weights_sha256
from noble.traces import TimeGrid

OPERATIONS = {"open", "os.mkdir", "os.rename", "os.scandir", "os.remove", "os.rmdir"}
SPEC = FeatureSpec.fit(np.array([[0.1, 100.0], [0.3, 100.0], [0.1, 300.0]]), ("i_thr", "s_thr"), ("nA", "Hz/nA"))


class Stopper:
    """Stops this program at the file operation after a number of them, if one is set."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.how = ""
        self.exchanging = ""
        self._exchange = replacing.exchange

    def tick(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            if self.how == "killed":
                os._exit(9)
            raise OSError("the disk is full")

    def exchange(self, one: Path, other: Path) -> bool:
        self.tick()  # what is called by way of ctypes tells no hook
        done = self.exchanging == "at once" and self._exchange(one, other)
        if self.how == "killed":
            self.tick()
        return done


def main(folder: Path) -> None:
    stopper = Stopper()
    sys.addaudithook(lambda event, arguments: stopper.tick() if event in OPERATIONS else None)
    replacing.exchange = stopper.exchange
    old, new = (
        Operator.build(FnoConfig(layers=1, width=2, modes=4), SPEC, TimeGrid(dt_ms=1.0, count=8), seed=seed)
        for seed in (1, 2)
    )
    names = {weights_sha256(old): "old", weights_sha256(new): "new"}
    target, loaded = folder / "bundle", ""
    for how, exchanging in itertools.product(("killed", "refused"), ("at once", "in two steps")):
        stopper.how, stopper.exchanging = how, exchanging
        for operations in itertools.count():
            if loaded != "old":
                old.save(target)
            stopped, raised = attempt(new, target, stopper, operations)
            found = {"how": how, "exchanging": exchanging, "stopped": stopped, "raised": raised}
            found["free"] = not target.exists()
            loaded = names[weights_sha256(Operator.load(target))]
            print(json.dumps({**found, "loaded": loaded, "left": sorted(os.listdir(folder))}))
            if not stopped:
                break


def attempt(operator: Operator, target: Path, stopper: Stopper, operations: int) -> tuple[bool, bool]:
    """Save; says whether that was stopped, and whether by an error that came out."""
    if stopper.how == "killed":
        child = os.fork()
        if child == 0:
            stopper.left = operations
            operator.save(target)
            os._exit(0)
        return os.waitpid(child, 0)[1] != 0, False
    stopper.left, raised = operations, False
    try:
        operator.save(target)
    except OSError as error:
        raised = "the disk is full" in str(error)
    stopped, stopper.left = stopper.left is None, None
    return stopped, raised


if __name__ == "__main__":
    main(Path(sys.argv[1]))
