"""Configuration of the paper's operator."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from noble.features.catalogue import LATENT_FEATURES
from noble.operator.core import AbstractCore, CoreConfig, TrainingDefaults
from noble.operator.spec import FeatureSpec
from noble.traces import TimeGrid

# A gigabyte with gradients; the paper's operator has two million.
_MOST_WEIGHTS: Final = 100_000_000


class FnoConfig(CoreConfig):
    """The paper's operator: NeRF embedding of amplitude and features, then a 1-D Fourier neural operator.

    Attributes:
        layers, width: number of Fourier layers and of channels in them.
        modes: Fourier modes counted on the full spectrum, as in neuraloperator; `modes // 2 + 1` stay on the half.
        lifting_ratio, projection_ratio: hidden channels of the lifting and projection MLP, in widths.
        channel_mlp_ratio: hidden channels of each layer's channel MLP, in widths.
        amplitude_frequencies, feature_frequencies: K of the embedding for the amplitude and for every feature.
        output_scale_mv, output_offset_mv: voltage = offset + scale * network output; 1000 and 0 are the paper's volts.
        padded_count: samples the training window is padded to inside; None picks the next length with factors 2, 3, 5.
    """

    training: ClassVar = TrainingDefaults(
        features=LATENT_FEATURES,
        optimiser={"name": "adam", "learning_rate": 4e-3, "schedule": "plateau", "clip_norm": None},
    )
    kind: Literal["fno"] = "fno"
    layers: int = Field(default=12, ge=1, le=256)
    width: int = Field(default=24, ge=1, le=1024)
    modes: int = Field(default=256, ge=2, le=100_000, multiple_of=2)
    lifting_ratio: int = Field(default=2, ge=1, le=64)
    projection_ratio: int = Field(default=4, ge=1, le=64)
    channel_mlp_ratio: float = Field(default=0.5, gt=0, le=64)
    amplitude_frequencies: int = Field(default=9, ge=1, le=64)
    feature_frequencies: int = Field(default=1, ge=1, le=64)
    output_scale_mv: float = Field(default=1000.0, gt=0, le=1e6)
    output_offset_mv: float = Field(default=0.0, ge=-1000, le=1000)
    padded_count: int | None = Field(default=None, ge=2, le=100_000_000)

    @model_validator(mode="after")
    def _fits_in_memory(self) -> Self:
        weights = 2 * self.layers * self.half_modes * self.width**2
        if weights > _MOST_WEIGHTS:
            raise ValueError(
                f"{self.layers} layers of {self.width} channels and {self.modes} modes have {weights:.2g} weights; expected at "
                f"most {_MOST_WEIGHTS:.0g}"
            )
        return self

    @property
    def half_modes(self) -> int:
        """Modes kept on the half spectrum."""
        return self.modes // 2 + 1

    def build(self, spec: FeatureSpec, grid: TimeGrid) -> AbstractCore[Any]:
        """An untrained core; see `CoreConfig.build`."""
        from noble.operator.fno.core import FnoCore  # the core imports this file

        return FnoCore(self, spec, grid)
