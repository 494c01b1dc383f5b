"""The twin of a recorded neuron: an operator that learned from one recording, without a biophysical model."""

from noble.twin.config import TwinConfig
from noble.twin.fit import Twin, fit_twin
from noble.twin.material import Material, material_of

__all__ = ["Material", "Twin", "TwinConfig", "fit_twin", "material_of"]
