"""The contract between an operator and the network behind it.

An `Operator` speaks physical units and checks what it is asked; its core knows scaled features, a sampled current and nothing
else. Whatever depends on the kind of network is asked of the core, or of the configuration that builds it, and nobody asks what
kind it is. Cores are final: what a subclass of `AbstractCore` defines, no further class changes.

A core answers in two ways that agree. `forward` answers a whole window. `rest` and `advance` answer a current as it comes: what
an advance returns is settled, that is, no later current changes it, and all that is settled is returned once.

A core that knows how likely a spike is (`draws_trials`) takes the key of a trial for each neuron, and answers by chance, always
the same for one key (`noble.operator.trials`). Without keys, or where a key is `MOST_LIKELY`, the answer is the most likely one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from noble.configs import Frozen
from noble.operator.losses import LossConfig
from noble.operator.spec import FeatureSpec
from noble.operator.trials import MOST_LIKELY
from noble.traces import TimeGrid

StateT = TypeVar("StateT")

_NO_CHANCES: Final = (
    "this operator does not know how likely a spike is, so it draws no trials; ask it without trials and seed, or use a "
    "spike-feedback operator."
)


@dataclass(frozen=True)
class Response:
    """What one advance has settled; all times count from rest.

    Attributes:
        start_ms: time of the first sample of `voltage_mv`; where the response before ended.
        voltage_mv: shape (neuron, time), mV; there may be no sample.
        spikes_ms: shape (neuron, spike), in order, rows filled up with infinity. Together the responses tell each spike once. A
            spike is settled earlier than the voltage near it, so it may lie beyond the last sample.
        spikes_until_ms: all spikes up to this time have been told.
    """

    start_ms: float
    voltage_mv: Float[Tensor, "neuron time"]
    spikes_ms: Float[Tensor, "neuron spike"]
    spikes_until_ms: float


@dataclass(frozen=True)
class Examples:
    """Simulated traces that a core learns from.

    Attributes:
        scaled_features: as `FeatureSpec.scale` gives them.
        current_na: on the training window, nA.
        voltage_mv: what was simulated, mV.
        spikes_ms: its spike times in order, filled up with infinity, ms.
        dt_ms: sampling interval of current and voltage, ms.
        counted_from_ms: from here on the examples count. What comes before it tells a neuron that was not at rest at the first
            sample in which state it is.
    """

    scaled_features: Float[Tensor, "batch feature"]
    current_na: Float[Tensor, "batch time"]
    voltage_mv: Float[Tensor, "batch time"]
    spikes_ms: Float[Tensor, "batch spike"]
    dt_ms: float
    counted_from_ms: float = 0.0


class AbstractCore(nn.Module, ABC, Generic[StateT]):
    """A network from scaled features (batch, feature) and current in nA (batch, time) to voltage in mV.

    In evaluation mode an answer is the same with and without gradients. `train` mode may compute more exactly, and more slowly.

    Attributes:
        draws_trials: whether it takes keys of trials.
        any_duration: whether it goes on from a state of fixed size, so that a longer current than it learned is no other current.
    """

    draws_trials: ClassVar[bool] = False
    any_duration: ClassVar[bool] = False

    @property
    @abstractmethod
    def latency_ms(self) -> float:
        """How far beyond an instant the current must be known before the voltage there is settled, ms.

        It is infinite for a core that must see the whole window it was trained on.
        """

    @abstractmethod
    def check_window(self, count: int, dt_ms: float) -> None:
        """The core refuses a window of `count` samples, `dt_ms` apart, that it cannot answer.

        Raises:
            ValueError: if it refuses.
        """

    @abstractmethod
    def forward(
        self,
        scaled_features: Float[Tensor, "batch feature"],
        current_na: Float[Tensor, "batch time"],
        dt_ms: float,
        *,
        keys: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch time"]:
        """The voltage in mV at every sample of the current is returned; it is differentiable in features and current.

        After the last sample the current is taken to stay as it is. Up to `latency_ms` before the end the answer is that of
        `advance` from `rest` with the same keys, in whatever pieces the current comes.
        """

    @abstractmethod
    def spike_times_ms(
        self,
        scaled_features: Float[Tensor, "batch feature"],
        current_na: Float[Tensor, "batch time"],
        dt_ms: float,
        *,
        keys: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch spike"]:
        """Spike times are returned in order, ms, rows filled up with infinity; some may lie beyond the last sample."""

    @abstractmethod
    def rest(
        self, scaled_features: Float[Tensor, "neuron feature"], *, keys: Int[Tensor, " neuron"] | None = None
    ) -> StateT:
        """A stream begins with neurons that have seen no current yet.

        Args:
            scaled_features: of the neurons.
            keys: of trials, one a neuron; see `check_keys`.

        Returns:
            A named tuple of tensors, all of which have neurons along their first axis, so that a state is saved, joined with
            others and moved to a device field by field.
        """

    @abstractmethod
    def advance(self, state: StateT, current_na: Float[Tensor, "neuron time"], dt_ms: float) -> tuple[StateT, Response]:
        """A further piece of current gives a new state and settles a part of the answer; the given state stays as it is.

        Raises:
            ValueError: for another number of neurons or another dt than before, or for a current that is not finite.
        """

    def check_keys(self, keys: Tensor | None, neurons: int) -> None:
        """Keys of trials are refused by a core that draws none, as are those that are no keys of so many neurons.

        Raises:
            ValueError: if they are refused.
        """
        if keys is None:
            return
        if not self.draws_trials:
            raise ValueError(_NO_CHANCES)
        if keys.shape != (neurons,) or keys.dtype != torch.int64 or bool((keys < MOST_LIKELY).any()):
            raise ValueError(
                f"keys of shape {tuple(keys.shape)} and type {keys.dtype} were given for {neurons} neurons; expected "
                f"({neurons},) whole numbers (int64) from {MOST_LIKELY}, as noble.operator.trials.trial_keys gives."
            )

    def hazards(self, examples: Examples) -> tuple[Float[Tensor, "batch bin"], float]:
        """The hazard integrated over each bin, given the current and the true spikes before it, and the length of a bin in ms.

        The chance of a spike in a bin is `1 - exp(-hazard)`.

        Raises:
            ValueError: by a core that does not know it (`draws_trials`).
        """
        raise ValueError(_NO_CHANCES)

    @abstractmethod
    def objective(self, examples: Examples, losses: LossConfig, generator: torch.Generator) -> dict[str, Tensor]:
        """Training minimises what is returned under `loss`; the terms that it is made of are returned by their names.

        Args:
            examples: to learn from.
            losses: weights and norms; each core heeds those that concern it.
            generator: of whatever is drawn at random.
        """


@dataclass(frozen=True)
class TrainingDefaults:
    """How a core is trained where a run does not say otherwise; LOG.md has the comparisons behind it.

    Attributes:
        features: which address a neuron; None for all in which the training models differ.
        optimiser: keys of `noble.train.OptimiserConfig`; those that are missing have its defaults.
    """

    features: tuple[str, ...] | None
    optimiser: Mapping[str, str | float | None]


class CoreConfig(Frozen, ABC):
    """A configuration holds the sizes of one kind of core; its `kind` tells it from the others.

    Attributes:
        training: how the core is trained unless told otherwise; no key of the configuration.
    """

    training: ClassVar[TrainingDefaults]

    @abstractmethod
    def build(self, spec: FeatureSpec, grid: TimeGrid) -> AbstractCore[Any]:
        """The configuration builds an untrained core, with initial weights from torch's global random state.

        Args:
            spec: of the features that the core will be given.
            grid: the training window.
        """


def check_neurons(scaled_features: Tensor) -> int:
    """A stream has at least one neuron; their number is returned.

    Raises:
        ValueError: for none.
    """
    if not len(scaled_features):
        raise ValueError("a stream of no neurons was asked for; expected the features of at least one.")
    return len(scaled_features)


def check_piece(current_na: Tensor, dt_ms: float, *, neurons: int, dt_before_ms: Sequence[float] = ()) -> None:
    """A piece of current that does not continue a stream is refused.

    Args:
        current_na: the piece.
        dt_ms: its sampling interval.
        neurons: how many the stream has.
        dt_before_ms: sampling intervals of the pieces before; NaN where there were none.

    Raises:
        ValueError: if shape or dt do not fit, or a value is not finite.
    """
    if current_na.ndim != 2 or current_na.shape[0] != neurons:
        raise ValueError(
            f"a current of shape {tuple(current_na.shape)} was given to a stream of {neurons} neurons; expected "
            f"({neurons}, samples)."
        )
    if not (math.isfinite(dt_ms) and dt_ms > 0):
        raise ValueError(f"dt_ms is {dt_ms:g}; expected a positive number of milliseconds.")
    if others := [item for item in dt_before_ms if abs(item - dt_ms) > 1e-9 * dt_ms]:
        raise ValueError(
            f"dt_ms is {dt_ms:g}, but this stream began with {others[0]:g}; resample the current, or begin again from rest."
        )
    if not torch.isfinite(current_na).all():
        neuron, sample = (int(index[0]) for index in torch.nonzero(~torch.isfinite(current_na), as_tuple=True))
        raise ValueError(
            f"the current of neuron {neuron} is {float(current_na[neuron, sample])} at sample {sample}; expected finite nA."
        )
