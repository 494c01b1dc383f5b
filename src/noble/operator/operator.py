"""`Operator`: a trained family of neurons, in physical units, that answers like a simulator."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from noble.family.hull import HULL_TOLERANCE
from noble.machine.allocator import keep_freed_memory
from noble.machine.threads import suitable_threads
from noble.operator.config import FnoConfig
from noble.operator.spec import FeatureSpec
from noble.operator.spiking.config import SpikePhaseConfig
from noble.spikes import spike_times_ms
from noble.stimuli import Stimulus
from noble.traces import TimeGrid, TraceBatch


class OutsideHullWarning(UserWarning):
    """Some features lie outside the convex hull of the training models, where the operator extrapolates."""


class Operator(nn.Module):
    """The operator with all that its answers depend on: features and current in, voltage out, physical units.

    Attributes:
        config: of the core.
        spec: names, units, scaling and training hull of the features.
        grid: the window it was trained on.
        core: network from scaled features (batch, feature), current in nA (batch, time) and dt in ms to mV; its
            `causal` says whether any duration will do; one that knows its spikes before it draws them has `firing`
            (see `SpikePhaseCore`).
        provenance: seed, versions and whatever the trainer adds (data hash); saved with the bundle.
    """

    def __init__(
        self,
        config: FnoConfig | SpikePhaseConfig,
        spec: FeatureSpec,
        grid: TimeGrid,
        *,
        core: nn.Module,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.spec = spec
        self.grid = grid
        self.core = core
        self.provenance = dict(provenance or {})

    @classmethod
    def build(
        cls,
        config: FnoConfig | SpikePhaseConfig,
        spec: FeatureSpec,
        grid: TimeGrid,
        seed: int,
        *,
        provenance: Mapping[str, Any] | None = None,
    ) -> Operator:
        """An untrained operator, the same for the same seed; the global random state is left as it was.

        Args:
            config: which core, and its sizes.
            spec: fitted on the training models.
            grid: the training window.
            seed: of the initial weights.
            provenance: further facts to record, for example the data hash.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            core = _build_core(config, spec, grid)
        facts = {"seed": seed, "versions": _versions(), **(provenance or {})}
        return cls(config, spec, grid, core=core, provenance=facts)

    @classmethod
    def load(cls, folder_or_name: str | Path) -> Operator:
        """Read a bundle from a folder, or a shipped one by name; see `noble.operator.bundle.load`."""
        from noble.operator import bundle

        return bundle.load(folder_or_name)

    def save(self, folder: str | Path, *, card: str = "", metrics: Mapping[str, Any] | None = None) -> None:
        """Write a bundle; see `noble.operator.bundle.save`."""
        from noble.operator import bundle

        bundle.save(self, folder, card, metrics or {})

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the order of every feature vector."""
        return self.spec.names

    def forward(
        self, features: Float[Tensor, "batch feature"], current_na: Float[Tensor, "batch time"], dt_ms: float
    ) -> Float[Tensor, "batch time"]:
        """Voltage in mV; differentiable in features and current.

        Args:
            features: physical units, in the order of `feature_names`; or of `spec.latent_features` alone, which are completed
                (`FeatureSpec.complete`).
            current_na: nA.
            dt_ms: sampling interval, ms; any, whatever the dt of training.

        Raises:
            ValueError: for another number of features, or a window that a core which is not causal was not trained on.
        """
        if features.shape[-1] not in _widths(self.spec):
            raise ValueError(_feature_message(tuple(features.shape), self.spec))
        self._check_window(current_na.shape[-1], dt_ms)
        return self.core(self.spec.scale(self.spec.complete(features)), current_na, dt_ms)

    def predict(
        self, features: np.ndarray, stimuli: Sequence[Stimulus], grid: TimeGrid, *, batch_size: int = 128
    ) -> TraceBatch:
        """Answers of n neurons to n stimuli.

        Args:
            features: shape (n, features), physical units, in the order of `feature_names`; or (n, 2), threshold and slope alone,
                where the other features are completed by what is typical there (`FeatureSpec.complete`).
            stimuli: n currents.
            grid: where to sample; for a core that is not causal its duration must be that of the training window.
            batch_size: traces computed at once.

        Returns:
            n traces; float32, mV and nA.

        Raises:
            ValueError: for a wrong number of features or stimuli, values that are not finite, currents that cannot be
                in nA, or a window that the operator cannot answer on.

        Warns:
            OutsideHullWarning: if features lie outside the training models' hull, with how far.
        """
        values = self._prepared(features, stimuli, grid, batch_size)
        current_na = _sampled(stimuli, grid)
        voltage_mv = self._in_batches(values, current_na, grid.dt_ms, batch_size)
        return TraceBatch(
            grid, voltage_mv, current_na, {"made_by": "noble", "operator": self.config.kind, **self.provenance}
        )

    def respond(self, neurons: Sequence[np.ndarray], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
        """The `Responder` protocol: a neuron is a 1-D vector of features in physical units."""
        return self.predict(self._stacked(neurons), stimuli, grid)

    def spike_times(
        self,
        neurons: Sequence[np.ndarray] | np.ndarray,
        stimuli: Sequence[Stimulus],
        grid: TimeGrid,
        *,
        batch_size: int = 128,
    ) -> list[np.ndarray]:
        """When n neurons fire under n stimuli: the `FiringResponder` protocol.

        A core that predicts a spike phase knows its spikes before it draws them, so here it draws nothing: a spike is where the
        phase crosses an integer. It is trained to do so at the peaks that `noble.spikes.spike_times_ms` finds, and in the voltage
        that a trained operator draws, the peak lies within a fraction of dt of it. Of any other core, spikes are found in its
        voltage.

        Args:
            neurons: n vectors of features as for `respond`, or an array as for `predict`.
            stimuli: n currents.
            grid: the window, and how finely currents are sampled.
            batch_size: traces computed, and currents held, at once.

        Returns:
            n arrays of shape (spikes,), in order, from the first sample to before the last, ms.

        Raises:
            ValueError: as `predict`.

        Warns:
            OutsideHullWarning: as `predict`.
        """
        features = neurons if isinstance(neurons, np.ndarray) else self._stacked(neurons)
        values = self._prepared(features, stimuli, grid, batch_size)
        trains: list[np.ndarray] = []
        for start in range(0, len(stimuli), batch_size):
            part = slice(start, start + batch_size)
            current_na = _sampled(stimuli[part], grid)
            if hasattr(self.core, "firing"):
                trains += self._phase_times(values[part], current_na, grid)
            else:
                voltage_mv = self._in_batches(values[part], current_na, grid.dt_ms, batch_size)
                trains += [spike_times_ms(row, dt_ms=grid.dt_ms) for row in voltage_mv]
        return trains

    def _phase_times(self, features: np.ndarray, current_na: np.ndarray, grid: TimeGrid) -> list[np.ndarray]:
        """Spike times of one batch from the core's phase, ms."""
        parameter, core = next(self.parameters()), cast(Any, self.core)
        with self._predicting(current_na.size):
            scaled = self.spec.scale(torch.as_tensor(features).to(parameter))
            firing = core.firing(scaled, torch.as_tensor(current_na).to(parameter), grid.dt_ms)
            times = firing.spike_times_ms().double().cpu().numpy()
        # The phase runs to the end of the last token, and fills short rows up with infinity.
        return [row[row < (grid.count - 1) * grid.dt_ms] for row in times]

    def _stacked(self, neurons: Sequence[np.ndarray]) -> np.ndarray:
        """Feature vectors of one form as an array, shape (n, features), also if there are none."""
        widths = {np.shape(neuron) for neuron in neurons}
        if wrong := widths - {(width,) for width in _widths(self.spec)}:
            raise ValueError(_feature_message(next(iter(wrong)), self.spec))
        if len(widths) > 1:
            raise ValueError(
                f"neurons have {' and '.join(str(width) for (width,) in sorted(widths))} features; expected one form."
            )
        [(width,)] = widths or {(len(self.spec),)}
        return np.reshape(np.array(neurons, dtype=float), (-1, width))

    def _prepared(
        self, features: np.ndarray, stimuli: Sequence[Stimulus], grid: TimeGrid, batch_size: int
    ) -> np.ndarray:
        """All features of the neurons, after every check of what is asked, and after warning of what lies outside the hull."""
        values = self._checked_features(features, stimuli)
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; expected at least 1.")
        self._check_window(grid.count, grid.dt_ms)
        self._warn_outside(values)
        return values

    def _checked_features(self, features: np.ndarray, stimuli: Sequence[Stimulus]) -> np.ndarray:
        """All features as float64, after checking shape, pairing and finiteness."""
        values = np.array(features, dtype=float)  # a copy: torch takes no strided or read-only array
        if values.ndim != 2 or values.shape[1] not in _widths(self.spec):
            raise ValueError(_feature_message(values.shape, self.spec))
        if values.shape[0] != len(stimuli):
            raise ValueError(
                f"{values.shape[0]} feature vectors and {len(stimuli)} stimuli; expected one stimulus per vector. "
                "Repeat one of the two to pair them."
            )
        if not np.all(np.isfinite(values)):
            row, column = (int(index[0]) for index in np.nonzero(~np.isfinite(values)))
            name = (self.spec.names if values.shape[1] == len(self.spec) else self.spec.latent_features)[column]
            raise ValueError(
                f"feature {name} of vector {row} is {values[row, column]}; expected a finite number "
                f"in {self.spec.units[self.spec.names.index(name)]}."
            )
        return self.spec.complete(torch.as_tensor(values)).numpy()

    def _check_window(self, count: int, dt_ms: float) -> None:
        """Refuse a window of another duration, up to one sample, unless the core is causal."""
        if getattr(self.core, "causal", False):
            return
        duration_ms = count * dt_ms
        if abs(duration_ms - self.grid.duration_ms) > max(dt_ms, self.grid.dt_ms) + 1e-6:
            raise ValueError(
                f"a window of {duration_ms:g} ms was asked for, but this {self.config.kind} operator was trained on "
                f"{self.grid.duration_ms:g} ms and its embedding spans exactly that window. Ask for that duration (dt "
                "is free), or use a causal operator such as spike-phase."
            )

    def _warn_outside(self, features: np.ndarray) -> None:
        """Say how many vectors lie outside the training hull, and how far the farthest, feature by feature."""
        if features.shape[0] == 0:
            return
        gaps = self.spec.hull.gaps(features[:, self.spec.latent_columns])
        distances = np.linalg.norm(gaps, axis=1)
        count = int(np.sum(distances > HULL_TOLERANCE))
        if count == 0:
            return
        worst = int(np.argmax(distances))
        parts = [
            f"{name} = {value:g} {unit}, {gap:+.1%} of its range away"
            for name, unit, value, gap in zip(
                self.spec.latent_features,
                [self.spec.units[column] for column in self.spec.latent_columns],
                features[worst, self.spec.latent_columns],
                gaps[worst],
                strict=True,
            )
        ]
        warnings.warn(
            f"{count} of {features.shape[0]} feature vectors lie outside the hull of the "
            f"{len(self.spec.training_features)} training models, where the operator extrapolates; the farthest is "
            f"vector {worst}: {'; '.join(parts)}.",
            OutsideHullWarning,
            stacklevel=4,
        )

    def _in_batches(self, features: np.ndarray, current_na: np.ndarray, dt_ms: float, batch_size: int) -> np.ndarray:
        """The core's answers in mV, float32."""
        parameter = next(self.parameters())
        voltage_mv = np.empty_like(current_na)
        with self._predicting(current_na[:batch_size].size):
            for start in range(0, len(current_na), batch_size):
                part = slice(start, start + batch_size)
                answer = self(
                    torch.as_tensor(features[part]).to(parameter),
                    torch.as_tensor(current_na[part]).to(parameter),
                    dt_ms,
                )
                voltage_mv[part] = answer.cpu().numpy()
        return voltage_mv

    @contextmanager
    def _predicting(self, samples: int) -> Iterator[None]:
        """So many samples at once, without gradients and outside training mode; afterwards all is as it was."""
        keep_freed_memory()
        was_training = self.training
        if was_training:  # which takes a while for a single trace
            self.eval()
        try:
            with torch.inference_mode(), suitable_threads(samples):
                yield
        finally:
            if was_training:
                self.train()


def _sampled(stimuli: Sequence[Stimulus], grid: TimeGrid) -> np.ndarray:
    """The currents at the grid's instants, float32, shape (n, time), nA."""
    current_na = np.empty((len(stimuli), grid.count), dtype=np.float32)
    for row, stimulus in zip(current_na, stimuli, strict=True):
        row[:] = stimulus.sample(grid)
    return current_na


def _build_core(config: FnoConfig | SpikePhaseConfig, spec: FeatureSpec, grid: TimeGrid) -> nn.Module:
    """The core of a kind, each from its own file."""
    if isinstance(config, FnoConfig):
        from noble.operator.fno.core import FnoCore

        return FnoCore(config, spec, grid)
    from noble.operator.spiking.core import SpikePhaseCore

    return SpikePhaseCore(config, spec, grid)


def _widths(spec: FeatureSpec) -> set[int]:
    """Numbers of features that name a neuron."""
    return {len(spec), len(spec.latent_features)}


def _feature_message(shape: tuple[int, ...], spec: FeatureSpec) -> str:
    wanted = ", ".join(f"{name} in {unit}" for name, unit in zip(spec.names, spec.units, strict=True))
    short = "" if len(spec.latent_features) == len(spec) else f"; or {' and '.join(spec.latent_features)} alone"
    return f"features of shape {shape} were given; expected {len(spec)} per neuron, in this order: {wanted}{short}."


def _versions() -> dict[str, str]:
    """Versions of what the weights and their meaning depend on."""
    versions = {}
    for name in ("noble-neuro", "torch", "numpy"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # run from a source tree that is not installed
            versions[name] = "unknown"
    return versions
