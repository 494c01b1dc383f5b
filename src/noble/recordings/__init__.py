"""Current-clamp recordings of rectangular steps, read from NWB 2 files."""

from noble.recordings.nwb import read_nwb
from noble.recordings.recording import Recording, Sweep, mean_na
from noble.recordings.steps import StepFit, fit_step

__all__ = ["Recording", "StepFit", "Sweep", "fit_step", "mean_na", "read_nwb"]
