"""Finding models: from the features of a recording to a hall of fame."""

from noble.evolve.check import check_candidates, full_scores, reasons_against
from noble.evolve.config import EvolutionConfig, HallRules, Stage
from noble.evolve.evolution import Candidate, Evolution, Generation, with_seeds
from noble.evolve.gather import draw_held_out, gather_hall
from noble.evolve.importing import Imported, import_hall
from noble.evolve.interpolate import Interpolation, interpolate_parameters
from noble.evolve.merge import merge_halls
from noble.evolve.recheck import Rechecked, recheck_hall

__all__ = [
    "Candidate",
    "Evolution",
    "EvolutionConfig",
    "Generation",
    "HallRules",
    "Imported",
    "Interpolation",
    "Rechecked",
    "Stage",
    "check_candidates",
    "draw_held_out",
    "full_scores",
    "gather_hall",
    "import_hall",
    "interpolate_parameters",
    "merge_halls",
    "reasons_against",
    "recheck_hall",
    "with_seeds",
]
