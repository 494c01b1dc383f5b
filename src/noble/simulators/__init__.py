"""Simulators of cell models: Arbor by default, NEURON as the reference; neither is imported before it is used."""

from noble.simulators.arbor import ArborSimulator
from noble.simulators.factory import ArborFactory
from noble.simulators.neuron import NeuronSimulator
from noble.simulators.numerics import SolverSettings

__all__ = ["ArborFactory", "ArborSimulator", "NeuronSimulator", "SolverSettings"]
