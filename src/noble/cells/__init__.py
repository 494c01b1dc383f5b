"""What a neuron is made of: morphology, channels, parameters, and the hall of fame of its models."""

from noble.cells.all_active import BUILTIN_CELLS, all_active_cell, all_active_cell_from_swc, builtin_cell
from noble.cells.allen import read_allen_fit, write_allen_fit
from noble.cells.bluepyopt import read_bluepyopt_parameters, write_bluepyopt_parameters
from noble.cells.cell import Cell, CellModel, MorphologySource, Parameter
from noble.cells.export import export_bluepyopt
from noble.cells.hall import CURVE_PA, HALL_FEATURE_UNITS, HallModel, HallOfFame, shipped_halls
from noble.cells.morphology import Morphology, Section, load_swc
from noble.cells.worth import hall_worth

__all__ = [
    "BUILTIN_CELLS",
    "CURVE_PA",
    "HALL_FEATURE_UNITS",
    "Cell",
    "CellModel",
    "HallModel",
    "HallOfFame",
    "Morphology",
    "MorphologySource",
    "Parameter",
    "Section",
    "all_active_cell",
    "all_active_cell_from_swc",
    "builtin_cell",
    "export_bluepyopt",
    "hall_worth",
    "load_swc",
    "read_allen_fit",
    "read_bluepyopt_parameters",
    "shipped_halls",
    "write_allen_fit",
    "write_bluepyopt_parameters",
]
