"""From a family of slow biophysical neuron models to one fast, differentiable operator.

The verbs and nouns that most scripts need stand here. Each is imported when it is asked for, so that neither torch nor a
simulator is loaded for those who need only the other.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from noble.api import compare as compare
    from noble.api import evaluate as evaluate
    from noble.api import extract_features as extract_features
    from noble.api import fi_curve as fi_curve
    from noble.api import fit as fit
    from noble.api import generate as generate
    from noble.api import list_operators as list_operators
    from noble.api import load as load
    from noble.api import read_morphology as read_morphology
    from noble.api import read_recording as read_recording
    from noble.api import rheobase as rheobase
    from noble.api import simulate as simulate
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
    "compare": "noble.api",
    "evaluate": "noble.api",
    "extract_features": "noble.api",
    "fi_curve": "noble.api",
    "fit": "noble.api",
    "generate": "noble.api",
    "list_operators": "noble.api",
    "load": "noble.api",
    "read_morphology": "noble.api",
    "read_recording": "noble.api",
    "rheobase": "noble.api",
    "simulate": "noble.api",
    "HallOfFame": "noble.cells",
    "Store": "noble.data",
    "Operator": "noble.operator",
    "StepProtocol": "noble.protocols",
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
    "compare",
    "evaluate",
    "extract_features",
    "fi_curve",
    "fit",
    "generate",
    "list_operators",
    "load",
    "read_morphology",
    "read_recording",
    "rheobase",
    "simulate",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return metadata.version("noble-neuro")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'noble' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
