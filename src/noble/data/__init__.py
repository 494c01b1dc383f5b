"""The data set: what is simulated (config, splits), how it is made (generate) and how it is read (store).

Physics stands to the left of this room and learning to the right; they meet only in the store's schema, so this room
needs numpy and Zarr, neither a simulator nor torch.
"""

from noble.data.check import check_store
from noble.data.config import AmplitudeConfig, GenerationConfig, StimulusMix, TraceCounts
from noble.data.generate import generate
from noble.data.laws import StimulusLaw, register_law
from noble.data.migrate import migrate
from noble.data.schema import SPLITS
from noble.data.store import Store, TraceRows, is_complete
from noble.protocols import Window

__all__ = [
    "SPLITS",
    "AmplitudeConfig",
    "GenerationConfig",
    "StimulusLaw",
    "StimulusMix",
    "Store",
    "TraceCounts",
    "TraceRows",
    "Window",
    "check_store",
    "generate",
    "is_complete",
    "migrate",
    "register_law",
]
