"""Simulators of cell models: Arbor by default, NEURON as the reference; neither is imported before it is used."""

from noble.simulate.arbor import ArborSimulator
from noble.simulate.neuron import NeuronSimulator
from noble.simulate.protocol import Numerics

__all__ = ["ArborSimulator", "NeuronSimulator", "Numerics"]
