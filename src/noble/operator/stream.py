"""Neurons that are asked as the current comes, piece by piece."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from jaxtyping import Float

from noble.files import replacing, shortened
from noble.operator.bundle.weights import weights_sha256
from noble.operator.scope import warn_outside_scope
from noble.units import check_current_na

if TYPE_CHECKING:
    from noble.operator.operator import Operator

_KIND: Final = "noble stream"
_LAST: Final = "last_na"


@dataclass(frozen=True)
class Piece:
    """What a piece of current has settled; times count from the start of the stream.

    Attributes:
        start_ms: time of the first sample of `voltage_mv`, where the piece before ended, ms.
        dt_ms: sampling interval, ms.
        voltage_mv: shape (neuron, sample), mV; at the first pieces there may be no sample, see `Stream.latency_ms`.
        spikes_ms: of each neuron the spikes that were not told before, in order, ms.
        spikes_until_ms: all spikes up to here have been told, ms.
    """

    start_ms: float
    dt_ms: float
    voltage_mv: Float[np.ndarray, "neuron sample"]
    spikes_ms: tuple[np.ndarray, ...]
    spikes_until_ms: float

    @property
    def times_ms(self) -> Float[np.ndarray, " sample"]:
        """When the samples are, ms."""
        return self.start_ms + np.arange(self.voltage_mv.shape[1]) * self.dt_ms


class Stream:
    """Neurons of an operator in the middle of a current; `Operator.stream` begins one.

    What it returns, put together, is what `Operator.predict` gives for the whole current, whatever the pieces.

    Args:
        operator: who answers.
        state: of its core.
        dt_ms: sampling interval of the currents, ms.
    """

    def __init__(self, operator: Operator, state: Any, dt_ms: float) -> None:
        self._operator, self._state, self._dt_ms = operator, state, dt_ms
        self._samples, self._last_na = 0, np.zeros((len(state[0]), 1), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._state[0])

    def __repr__(self) -> str:
        who = "1 neuron" if len(self) == 1 else f"{len(self)} neurons"
        return f"Stream({who} of {self._operator.name or 'an operator'}, dt_ms={self._dt_ms:g})"

    @property
    def latency_ms(self) -> float:
        """How long after an instant its voltage is settled, ms; `voltage_now_mv` does not wait."""
        return self._operator.core.latency_ms

    def advance(self, current_na: object) -> Piece:
        """The next piece of current gives the next piece of the answer.

        Args:
            current_na: shape (neuron, sample), or (sample,) for the same current into all neurons, nA.

        Raises:
            ValueError: for another shape, values that are not finite or cannot be in nA; the stream is as it was before.

        Warns:
            OutsideScopeWarning: if the current leaves the learned range, with how far.
        """
        current = self._checked(current_na)
        state, response = self._answer(current)
        scope = self._operator.scope
        if scope is not None and current.size:
            warn_outside_scope(scope.beyond(current), len(self))
        self._state, self._samples = state, self._samples + current.shape[1]
        if current.shape[1]:
            self._last_na = current[:, -1:]
        trains = response.spikes_ms.cpu().numpy().astype(np.float64)
        return Piece(
            response.start_ms,
            self._dt_ms,
            response.voltage_mv.cpu().numpy(),
            tuple(row[np.isfinite(row)] for row in trains),
            response.spikes_until_ms,
        )

    def voltage_now_mv(self) -> Float[np.ndarray, " neuron"]:
        """The voltage at the last sample of the current so far, if the current stays as it is, mV: for closed loops.

        Raises:
            ValueError: before the first current.
        """
        if not self._samples:
            raise ValueError("no current has come yet; advance the stream first.")
        if not math.isfinite(self.latency_ms):
            raise ValueError(
                f"the {self._operator.config.kind} must see the whole window before it answers; it takes part in no closed loop."
            )
        held = math.ceil(self.latency_ms / self._dt_ms) + 1
        _, response = self._answer(np.repeat(self._last_na, held, axis=1))
        last = self._samples - 1 - round(response.start_ms / self._dt_ms)
        return response.voltage_mv[:, last].cpu().numpy()

    def copy(self) -> Stream:
        """A second stream that goes on from here by itself."""
        return copy(self)  # states are never changed

    def save(self, path: str | Path) -> None:
        """Write the state, so that `Operator.resume` goes on from it.

        Args:
            path: of a new safetensors file; one that is there is replaced.
        """
        from safetensors.torch import save

        tensors = {name: values.contiguous().clone() for name, values in self._state._asdict().items()}
        tensors[_LAST] = torch.from_numpy(self._last_na.copy())
        facts = {
            "kind": _KIND,
            "weights": weights_sha256(self._operator),
            "dt_ms": self._dt_ms,
            "samples": self._samples,
        }
        with replacing(path) as partial:
            partial.write_bytes(save(tensors, {"noble": json.dumps(facts)}))

    @classmethod
    def read(cls, operator: Operator, path: str | Path) -> Stream:
        """A stream that `save` wrote.

        Raises:
            ValueError: if the file holds no stream, or one of another operator.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="pt") as file:
                facts = json.loads((file.metadata() or {}).get("noble", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} holds no stream ({error}); expected a file that Stream.save wrote.") from error
        if not isinstance(facts, Mapping) or facts.get("kind") != _KIND:
            raise ValueError(f"{path} holds no stream; expected a file that Stream.save wrote.")
        own = weights_sha256(operator)
        if facts.get("weights") != own:
            raise ValueError(
                f"{path} is the state of another operator, whose weights have the digest {shortened(facts.get('weights'))}; "
                f"expected {own}. Load the bundle that it was saved with."
            )
        state = operator.core.rest(operator.spec.scale(torch.zeros(1, len(operator.spec))))
        wanted = {*state._fields, _LAST}
        if wanted != set(tensors) or not {"dt_ms", "samples"} <= set(facts):
            raise ValueError(f"{path} does not hold the whole state of a stream; expected {', '.join(sorted(wanted))}.")
        stream = cls(operator, type(state)(**{name: tensors[name] for name in state._fields}), float(facts["dt_ms"]))
        stream._samples, stream._last_na = int(facts["samples"]), tensors[_LAST].numpy()
        return stream

    def _answer(self, current_na: np.ndarray) -> tuple[Any, Any]:
        parameter = next(self._operator.parameters())
        with self._operator.predicting(current_na.size):
            return self._operator.core.advance(self._state, torch.as_tensor(current_na).to(parameter), self._dt_ms)

    def _checked(self, current_na: object) -> np.ndarray:
        try:
            current = np.asarray(current_na, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise ValueError(f"a current is {shortened(current_na)}; expected numbers in nA.") from error
        if current.ndim == 1:
            current = np.broadcast_to(current, (len(self), current.size)).copy()
        if current.ndim == 2 and current.shape[0] == len(self) and np.isfinite(current).all() and current.size:
            check_current_na(float(np.abs(current).max()), what="the current")
        return current
