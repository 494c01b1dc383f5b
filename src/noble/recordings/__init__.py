"""Current-clamp recordings of rectangular steps, read from NWB 2 files."""

from noble.recordings.nwb import read_nwb
from noble.recordings.recording import NEGLIGIBLE_HOLDING_NA, SAME_STEP_MS, Recording, Sweep, mean_na
from noble.recordings.steps import StepFit, fit_step

__all__ = ["NEGLIGIBLE_HOLDING_NA", "SAME_STEP_MS", "Recording", "StepFit", "Sweep", "fit_step", "mean_na", "read_nwb"]
