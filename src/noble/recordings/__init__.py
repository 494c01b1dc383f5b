"""Current-clamp recordings: the sweeps of a file, whatever its format, and those that answer rectangular steps."""

from noble.recordings.formats import FORMATS
from noble.recordings.raw import RawRecording, RawSweep
from noble.recordings.read import read_recording, read_sweeps
from noble.recordings.recording import (
    NEGLIGIBLE_HOLDING_NA,
    SAME_STEP_MS,
    Recording,
    Sweep,
    mean_na,
    named_protocols,
    same_step_ms,
)
from noble.recordings.steps import StepFit, fit_step
from noble.recordings.survey import RecordingSurvey, survey

__all__ = [
    "FORMATS",
    "NEGLIGIBLE_HOLDING_NA",
    "SAME_STEP_MS",
    "RawRecording",
    "RawSweep",
    "Recording",
    "RecordingSurvey",
    "StepFit",
    "Sweep",
    "fit_step",
    "mean_na",
    "named_protocols",
    "read_recording",
    "read_sweeps",
    "same_step_ms",
    "survey",
]
