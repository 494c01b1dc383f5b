"""What a neuron is made of: morphology, channels, parameters, and the hall of fame of its models."""

from noble.cells.all_active import BUILTIN_CELLS, all_active_cell, all_active_cell_from_swc, builtin_cell
from noble.cells.allen import read_allen_fit, write_allen_fit
from noble.cells.bluepyopt import read_bluepyopt_parameters, write_bluepyopt_parameters
from noble.cells.cell import Cell, CellModel, MorphologySource, Parameter
from noble.cells.export import export_bluepyopt
from noble.cells.finishing import MorphologyWarning
from noble.cells.found import FoundModels, found_in_allen_fits, found_in_bluepyopt
from noble.cells.hall import HallModel, HallOfFame, shipped_halls
from noble.cells.morphology import Morphology, Section
from noble.cells.neurolucida import load_asc
from noble.cells.reading import names_a_morphology, read_morphology
from noble.cells.statistics import hall_statistics
from noble.cells.swc import load_swc

__all__ = [
    "BUILTIN_CELLS",
    "Cell",
    "CellModel",
    "FoundModels",
    "HallModel",
    "HallOfFame",
    "Morphology",
    "MorphologySource",
    "MorphologyWarning",
    "Parameter",
    "Section",
    "all_active_cell",
    "all_active_cell_from_swc",
    "builtin_cell",
    "export_bluepyopt",
    "found_in_allen_fits",
    "found_in_bluepyopt",
    "hall_statistics",
    "load_asc",
    "load_swc",
    "names_a_morphology",
    "read_allen_fit",
    "read_bluepyopt_parameters",
    "read_morphology",
    "shipped_halls",
    "write_allen_fit",
    "write_bluepyopt_parameters",
]
