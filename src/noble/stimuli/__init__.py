"""Injected currents as functions of time, a kind a file; a new kind joins by `register`."""

# The order is that of the kinds in messages.
# isort: off
from noble.stimuli.base import ENVELOPE_DT_MS, Interval, Stimulus
from noble.stimuli.step import Step
from noble.stimuli.ramp import Ramp
from noble.stimuli.chirp import Chirp
from noble.stimuli.noise import OrnsteinUhlenbeck
from noble.stimuli.pulses import PulseTrain
from noble.stimuli.sampled import Sampled
from noble.stimuli.combine import Scaled, Sum
from noble.stimuli.registry import STIMULUS_KINDS, Kind, from_dict, kind_named, register, todays_name
# isort: on

__all__ = [
    "ENVELOPE_DT_MS",
    "STIMULUS_KINDS",
    "Chirp",
    "Interval",
    "Kind",
    "OrnsteinUhlenbeck",
    "PulseTrain",
    "Ramp",
    "Sampled",
    "Scaled",
    "Step",
    "Stimulus",
    "Sum",
    "from_dict",
    "kind_named",
    "register",
    "todays_name",
]
