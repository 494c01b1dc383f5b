"""From a family of slow biophysical neuron models to one fast, differentiable operator.

What most scripts need stands here; it is imported when it is asked for, so that neither torch nor a simulator is loaded for
those who need only the other.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from noble.cells import HallOfFame as HallOfFame
    from noble.data import Store as Store
    from noble.operator import Operator as Operator
    from noble.protocols import StepProtocol as StepProtocol
    from noble.simulators import ArborSimulator as ArborSimulator
    from noble.stimuli import Chirp as Chirp
    from noble.stimuli import OrnsteinUhlenbeck as OrnsteinUhlenbeck
    from noble.stimuli import Ramp as Ramp
    from noble.stimuli import Sampled as Sampled
    from noble.stimuli import Step as Step
    from noble.traces import TimeGrid as TimeGrid

_HOMES = {
    "HallOfFame": "noble.cells",
    "Store": "noble.data",
    "StepProtocol": "noble.features.excitability",
    "Operator": "noble.operator",
    "ArborSimulator": "noble.simulators",
    "Chirp": "noble.stimuli",
    "OrnsteinUhlenbeck": "noble.stimuli",
    "Ramp": "noble.stimuli",
    "Sampled": "noble.stimuli",
    "Step": "noble.stimuli",
    "TimeGrid": "noble.traces",
}

__all__ = [
    "ArborSimulator",
    "Chirp",
    "HallOfFame",
    "Operator",
    "OrnsteinUhlenbeck",
    "Ramp",
    "Sampled",
    "Step",
    "StepProtocol",
    "Store",
    "TimeGrid",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return metadata.version("noble-neuro")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'noble' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
