"""Configurations of the operators, told apart by `kind`, and the named presets."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from pydantic import Field

from noble.operator.feedback.config import SpikeFeedbackConfig
from noble.operator.fno.config import FnoConfig
from noble.operator.spiking.config import SpikePhaseConfig

OperatorConfig: TypeAlias = Annotated[FnoConfig | SpikePhaseConfig | SpikeFeedbackConfig, Field(discriminator="kind")]

PRESETS: Final[dict[str, OperatorConfig]] = {
    "paper-pv": FnoConfig(),
    "paper-vip": FnoConfig(amplitude_frequencies=11),
    # Minutes on two cores: a quarter of the cost, and an output centred on rest in place of the paper's volts.
    "fno-small": FnoConfig(layers=4, width=16, modes=128, output_scale_mv=50.0, output_offset_mv=-70.0),
    "spike-phase": SpikePhaseConfig(),
    "spike-feedback": SpikeFeedbackConfig(),
}


def preset(name: str) -> OperatorConfig:
    """A named configuration.

    Raises:
        ValueError: for an unknown name.
    """
    if name not in PRESETS:
        raise ValueError(f"operator preset {name!r} is unknown; expected one of {', '.join(PRESETS)}.")
    return PRESETS[name]
