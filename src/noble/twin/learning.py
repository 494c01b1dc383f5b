"""One training of a twin, from some weights on: steps, looks at what is held back, and the best average of weights so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from noble.operator.core import AbstractCore
from noble.train.config import OptimiserConfig
from noble.train.optimiser import optimiser_for
from noble.twin.config import TwinConfig
from noble.twin.windows import Windows

_WARM_UP_STEPS: Final = 20
_CLIP_NORM: Final = 1.0
# What is held back is always judged by the same draws.
_VALIDATION_SEED: Final = 0

Losses = Mapping[str, float]


@dataclass(frozen=True)
class Best:
    """The step at which a training did best on what is held back.

    Attributes:
        step: its number, the first is 1.
        losses: on what is held back: `loss`, and the terms that it is made of.
        weights: averaged over steps, by name.
    """

    step: int
    losses: Losses
    weights: dict[str, Tensor]


class Learning:
    """A core in training; what it draws in a step depends on seed and step alone, so that it goes on from its state.

    Args:
        core: trained in place.
        config: of the training.
        seed: of this training.
        learned: windows to learn from.
        held_back: windows to judge by; None for a training that goes on to a step that is known.
    """

    def __init__(
        self, core: AbstractCore[Any], config: TwinConfig, *, seed: int, learned: Windows, held_back: Windows | None
    ) -> None:
        self._core, self._config, self._seed = core, config, seed
        self._learned, self._held_back = learned, held_back
        settings = OptimiserConfig(name="soap", learning_rate=config.learning_rate, weight_decay=config.weight_decay)
        self._optimiser = optimiser_for(core, settings)
        self._average = deepcopy(core).eval()
        self.step = 0
        self.best: Best | None = None
        self.curve: list[dict[str, float]] = []

    def run(self, *, until: int) -> None:
        """Train up to a step, and look at what is held back when it is time.

        Raises:
            ValueError: if the loss is no longer finite.
        """
        config = self._config
        while self.step < until:
            learned = self._advance()
            if self._held_back is None:
                continue
            if self.step % config.validate_every == 0 or self.step == config.steps:
                losses = self.judged(self._held_back)
                self.curve.append({"step": self.step, "learned": learned, "held_back": losses["loss"]})
                if self.best is None or losses["loss"] < self.best.losses["loss"]:
                    self.best = Best(self.step, losses, self.averaged())

    def averaged(self) -> dict[str, Tensor]:
        """The weights as they are averaged over steps, by name."""
        return {name: value.detach().clone() for name, value in self._average.state_dict().items()}

    def _advance(self) -> float:
        config, step = self._config, self.step
        draws = np.random.SeedSequence([self._seed, step])
        examples = self._learned.draw(np.random.default_rng(draws))
        generator = torch.Generator().manual_seed(int(draws.generate_state(1)[0]))
        for group in self._optimiser.param_groups:
            group["lr"] = config.learning_rate * _share(step, config.steps)
        self._core.train()
        loss = self._core.objective(examples, config.loss, generator)["loss"]
        if not torch.isfinite(loss):
            raise ValueError(
                f"the training of the twin diverged at step {step + 1}; lower learning_rate (it is {config.learning_rate:g})."
            )
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._core.parameters(), _CLIP_NORM)
        self._optimiser.step()
        self.step = step + 1
        # Early on an average over few steps, so that the first weights are soon forgotten.
        kept = min(config.averaging, self.step / (self.step + 10))
        with torch.no_grad():
            for average, weight in zip(self._average.parameters(), self._core.parameters(), strict=True):
                average.lerp_(weight, 1 - kept)
        return float(loss.detach())

    @torch.no_grad()
    def judged(self, held_back: Windows) -> Losses:
        """The losses of the averaged weights on what is held back, each instant counting alike."""
        sums: dict[str, float] = {}
        total = 0.0
        for examples, counted_ms in held_back.in_order():
            generator = torch.Generator().manual_seed(_VALIDATION_SEED)
            for name, value in self._average.objective(examples, self._config.loss, generator).items():
                sums[name] = sums.get(name, 0.0) + float(value) * counted_ms
            total += counted_ms
        return {name: value / total for name, value in sums.items()}

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {
            "step": self.step,
            "weights": self._core.state_dict(),
            "average": self._average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "best": None if self.best is None else vars(self.best),
            "curve": self.curve,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.step, self.curve = int(state["step"]), list(state["curve"])
        self._core.load_state_dict(state["weights"])
        self._average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.best = None if state["best"] is None else Best(**state["best"])


def _share(step: int, steps: int) -> float:
    """Of the learning rate: a short warm-up, then a cosine to zero."""
    return min(1.0, (step + 1) / _WARM_UP_STEPS) * 0.5 * (1 + math.cos(math.pi * step / steps))
