"""`Operator`: a trained family of neurons, in physical units, that answers like a simulator."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from noble.family.hull import HULL_TOLERANCE
from noble.features.catalogue import canonical, unit_of
from noble.features.neurons import Neurons
from noble.machine.threads import suitable_threads
from noble.operator.batches import BATCH, on_device, sampled, traces, trains
from noble.operator.config import OperatorConfig
from noble.operator.core import AbstractCore
from noble.operator.describe import as_html, one_line
from noble.operator.scope import Departure, OutsideTrainingWarning, Scope, warn_outside_scope
from noble.operator.spec import FeatureSpec
from noble.operator.stream import Stream
from noble.operator.trials import trial_keys
from noble.responders import answer_all, as_stimuli, labelled_answers
from noble.stimuli import Stimulus
from noble.traces import TimeGrid, TraceBatch

if TYPE_CHECKING:
    import xarray


class OutsideHullWarning(OutsideTrainingWarning):
    """Some features lie outside the convex hull of the training models, where the operator extrapolates."""


class Operator(nn.Module):
    """The operator with all that its answers depend on: features and current in, voltage out, physical units.

    Attributes:
        config: of the core.
        spec: names, units, scaling and training hull of the features.
        grid: the window it was trained on.
        core: network from scaled features and current to mV and spike times; see `AbstractCore`.
        scope: the currents that it has learned; None if that is not known.
        provenance: seed, versions and whatever the trainer adds (data hash); saved with the bundle.
        name: of the bundle that it was loaded from; empty if it was not.
        metrics: what that bundle says of its accuracy, as `noble evaluate --json` writes it.
    """

    def __init__(
        self,
        config: OperatorConfig,
        spec: FeatureSpec,
        grid: TimeGrid,
        *,
        core: AbstractCore[Any],
        scope: Scope | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.spec = spec
        self.grid = grid
        self.core = core
        self.scope = scope
        self.provenance = dict(provenance or {})
        self.name = ""
        self.metrics: Mapping[str, Any] = {}

    @property
    def holding_na(self) -> float:
        """The constant current under which the neurons that it learned settle and answer, nA; currents come on top of it."""
        learned = self.provenance.get("hall") or self.provenance.get("recording") or {}
        return float(learned.get("holding_na") or 0.0)

    def __repr__(self) -> str:
        return one_line(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    @classmethod
    def build(
        cls,
        config: OperatorConfig,
        spec: FeatureSpec,
        grid: TimeGrid,
        seed: int,
        *,
        scope: Scope | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> Operator:
        """An untrained operator, the same for the same seed; the global random state is left as it was.

        Args:
            config: which core, and its sizes.
            spec: fitted on the training models.
            grid: the training window.
            seed: of the initial weights.
            scope: the currents that it is going to learn.
            provenance: further facts to record, for example the data hash.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            core = config.build(spec, grid)
        facts = {"seed": seed, "versions": _versions(), **(provenance or {})}
        return cls(config, spec, grid, core=core, scope=scope, provenance=facts)

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
        self,
        features: Float[Tensor, "batch feature"],
        current_na: Float[Tensor, "batch time"],
        dt_ms: float,
        *,
        keys: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch time"]:
        """Voltage in mV; differentiable in features and current.

        Args:
            features: all of `feature_names`, in that order, physical units; `complete` makes them of named ones.
            current_na: nA.
            dt_ms: sampling interval, ms; any, whatever the dt of training.
            keys: of trials to draw, see `noble.operator.trials`; None for the most likely answer.

        Raises:
            ValueError: for another number of features, or a window or keys that the core cannot answer.
        """
        if features.shape[-1] != len(self.spec):
            raise ValueError(
                f"features of shape {tuple(features.shape)} were given; expected all {len(self.spec)} of the operator, in the "
                "order of feature_names. Operator.complete makes them of those that are known, by name."
            )
        self.core.check_window(current_na.shape[-1], dt_ms)
        return self.core(self.spec.scale(features), current_na, dt_ms, keys=keys)

    def complete(self, given: Mapping[str, Float[Tensor, " batch"]]) -> Float[Tensor, "batch feature"]:
        """All features of neurons of which some are given by name; differentiable in these.

        What is missing takes its conditional mean over the training models, see `noble.family.FamilyPrior`.

        Args:
            given: by name or alias, each of shape (batch,), physical units.

        Raises:
            ValueError: for a name that the operator does not know, or none at all; an operator of one neuron takes none.
        """
        names = self._known_names(given)
        if not names:
            return next(self.parameters()).new_empty(1, 0)
        table = torch.stack([*given.values()], dim=-1)
        return self.spec.complete(table, names)

    def neurons(self, given: object = None) -> Neurons:
        """All features of neurons of which some are given by name: what is missing takes its conditional mean.

        Args:
            given: features by name, see `noble.features.neurons.Neurons.of`; physical units. Nothing for an operator of one
                neuron, which has no features.

        Returns:
            As many neurons, with the features `feature_names` in that order.

        Raises:
            ValueError: for values without names, names that the operator does not know, values that are not finite or that no
                neuron has.
        """
        named = Neurons.of({} if given is None else given, also=self.feature_names)
        if named.names == self.feature_names:
            return named
        if not len(named):
            return Neurons(self.feature_names, np.empty((0, len(self.spec))))
        names = self._known_names(named.names)
        if set(names) == set(self.feature_names):
            return Neurons(self.feature_names, named.table(self.feature_names))
        offset, slopes = self.spec.prior.regression(names)
        return Neurons(self.feature_names, offset + named.values @ slopes)

    def predict(
        self,
        neurons: object = None,
        stimuli: Stimulus | Sequence[Stimulus] | None = None,
        *,
        duration_ms: float | None = None,
        dt_ms: float | None = None,
        trials: int | None = None,
        seed: int = 0,
    ) -> xarray.Dataset:
        """Answers of every neuron to every stimulus, with labels.

        Args:
            neurons: features by name: a mapping from name to a number or to an array over neurons, a pandas table, an xarray
                dataset; physical units. What is not given takes its conditional mean over the training models. None for an
                operator of one neuron: `predict(stimuli=...)`.
            stimuli: one current, or several.
            duration_ms: length of the window, ms; by default that of the training, or longer for a longer stimulus.
            dt_ms: sampling interval, ms; that of the training by default.
            trials: how many to draw of each answer, by chance; None for the one that is most likely.
            seed: of the trials. Each depends on it and on its own place (neuron, stimulus, trial), not on what else is asked.

        Returns:
            `voltage` (mV) over neuron, stimulus, trial (if there are some) and time; `current` (nA) over stimulus and time; see
            `noble.traces.labelled`.

        Raises:
            ValueError: as `neurons` and `respond`; if trials are asked of an operator that draws none.

        Warns:
            OutsideHullWarning: if features lie outside the training models' hull, with how far.
            OutsideScopeWarning: if a current is none that the operator has learned, with how far.
        """
        currents = as_stimuli(_named_stimuli(neurons, stimuli))
        named = Neurons.of({} if neurons is None else neurons, also=self.feature_names)
        answering = self.neurons(named)
        grid = self.window(currents, duration_ms=duration_ms, dt_ms=dt_ms)
        coordinates = {name: (named.table([name])[:, 0], unit_of(name)) for name in named.names}
        labels = range(len(named))
        if trials is None:
            return answer_all(self, answering, currents, grid, labels=labels, coordinates=coordinates)
        keys = trial_keys(seed, len(named), len(currents), trials)
        values = self._prepared(answering.take(np.repeat(labels, len(currents))), currents * len(named), grid)
        current_na = sampled(currents, grid)
        warn_outside_scope(self.departures(currents, current_na, grid.dt_ms), len(currents))
        current_na = np.tile(np.repeat(current_na, trials, axis=0), (len(named), 1))
        batch = traces(self, np.repeat(values, trials, axis=0), current_na, grid, keys=keys.ravel())
        return labelled_answers(batch, currents, labels=labels, coordinates=coordinates, trials=trials)

    def stream(self, neurons: object = None, *, dt_ms: float | None = None, seed: int | None = None) -> Stream:
        """Neurons at rest, which answer a current as it comes.

        Args:
            neurons: features by name, as for `predict`; at least one neuron. Of an operator of one neuron, None is that neuron
                and `operator.neurons().repeated(n)` that neuron n times.
            dt_ms: sampling interval of the currents to come, ms; that of the training by default.
            seed: of what each neuron draws by chance, the same as in the first trial that `predict` gives for its first stimulus;
                None for the most likely answer.

        Raises:
            ValueError: as `neurons`, for no neuron, or a dt that is not positive; for a seed, if the operator draws no trials.

        Warns:
            OutsideHullWarning: if features lie outside the training models' hull, with how far.
        """
        values = np.array(self.neurons(neurons).values)
        self._warn_outside(values)
        dt_ms = self.grid.dt_ms if dt_ms is None else float(dt_ms)
        if not (math.isfinite(dt_ms) and dt_ms > 0):
            raise ValueError(f"dt_ms is {dt_ms:g}; expected a positive number of milliseconds.")
        with self.predicting(values.size):
            parameter = next(self.parameters())
            keys = None if seed is None else trial_keys(seed, len(values), 1, 1).ravel()
            state = self.core.rest(
                self.spec.scale(torch.as_tensor(values).to(parameter)), keys=on_device(keys, parameter)
            )
        return Stream(self, state, dt_ms)

    def resume(self, path: str | Path) -> Stream:
        """A stream of this operator that `Stream.save` wrote.

        Raises:
            ValueError: if the file holds no stream, or one of another operator.
        """
        return Stream.read(self, path)

    def window(
        self, stimuli: Sequence[Stimulus], *, duration_ms: float | None = None, dt_ms: float | None = None
    ) -> TimeGrid:
        """The window that stimuli are answered in if none is named: that of the training, or longer for longer stimuli."""
        longest_ms = max([self.grid.duration_ms, *(stimulus.end_ms for stimulus in stimuli)])
        return TimeGrid.spanning(
            longest_ms if duration_ms is None else duration_ms, dt_ms=self.grid.dt_ms if dt_ms is None else dt_ms
        )

    def respond(
        self, neurons: object, stimuli: Sequence[Stimulus], grid: TimeGrid, *, batch_size: int = BATCH
    ) -> TraceBatch:
        """Answers of n neurons to n stimuli, pair by pair: the `Responder` protocol.

        Args:
            neurons: n neurons by name, as for `predict`; None for an operator of one neuron, which then answers each current.
            stimuli: n currents.
            grid: where to sample; for a core of infinite latency its duration must be that of the training window.
            batch_size: traces computed at once.

        Returns:
            n traces; float32, mV and nA.

        Raises:
            ValueError: for features that `neurons` refuses, another number of stimuli, currents that are not finite or cannot be
                in nA, or a window that the operator cannot answer on.

        Warns:
            OutsideHullWarning: if features lie outside the training models' hull, with how far.
            OutsideScopeWarning: if currents are not such as the operator has learned, with how far from them they are.
        """
        values = self._prepared(neurons, stimuli, grid, batch_size)
        current_na = sampled(stimuli, grid)
        warn_outside_scope(self.departures(stimuli, current_na, grid.dt_ms), len(stimuli))
        return traces(self, values, current_na, grid, batch_size)

    def spike_times(
        self, neurons: object, stimuli: Sequence[Stimulus], grid: TimeGrid, *, batch_size: int = BATCH
    ) -> list[np.ndarray]:
        """When n neurons fire under n stimuli, pair by pair: the `FiringResponder` protocol.

        A core that predicts a spike phase knows its spikes before it draws them, so here it draws nothing: a spike is where the
        phase crosses an integer. It is trained to do so at the peaks that `noble.spikes.spike_times_ms` finds, and in the voltage
        that a trained operator draws, the peak lies within a fraction of dt of it. Of any other core, spikes are found in its
        voltage.

        Args:
            neurons: n neurons by name, as for `predict`.
            stimuli: n currents.
            grid: the window, and how finely currents are sampled.
            batch_size: traces computed, and currents held, at once.

        Returns:
            n arrays of shape (spikes,), in order, from the first sample to before the last, ms.

        Raises:
            ValueError: as `respond`.

        Warns:
            OutsideHullWarning, OutsideScopeWarning: as `predict`.
        """
        values = self._prepared(neurons, stimuli, grid, batch_size)
        found, departures = trains(self, values, stimuli, grid, batch_size)
        warn_outside_scope(departures, len(stimuli))
        return found

    def spike_trials(
        self,
        neurons: object,
        stimuli: Sequence[Stimulus],
        grid: TimeGrid,
        *,
        trials: int,
        seed: int = 0,
        batch_size: int = BATCH,
    ) -> list[list[np.ndarray]]:
        """When n neurons fire under n stimuli, pair by pair, in trials that are drawn by chance.

        Args:
            neurons: n neurons by name, as for `predict`.
            stimuli: n currents.
            grid: the window, and how finely currents are sampled.
            trials: how many to draw of each pair.
            seed: of the trials. Each depends on it and on its own place (pair, trial), not on what else is asked; those of pair k
                are what `predict` gives for neuron k and its first stimulus.
            batch_size: trials computed at once.

        Returns:
            For each pair a list of as many arrays of shape (spikes,) as there are trials, as `spike_times` returns them, ms.

        Raises:
            ValueError: as `respond`; if the operator draws no trials.

        Warns:
            OutsideHullWarning, OutsideScopeWarning: as `predict`.
        """
        values = self._prepared(neurons, stimuli, grid, batch_size)
        keys = trial_keys(seed, len(values), 1, trials)[:, 0]
        found, departures = trains(self, values, stimuli, grid, batch_size, keys)
        warn_outside_scope(departures, len(stimuli))
        return [found[start : start + trials] for start in range(0, len(found), trials)]

    def _prepared(
        self, neurons: object, stimuli: Sequence[Stimulus], grid: TimeGrid, batch_size: int = BATCH
    ) -> np.ndarray:
        """All features of the neurons, after every check of what is asked, and after warning of what lies outside the hull."""
        chosen = self.neurons().repeated(len(stimuli)) if neurons is None else self.neurons(neurons)
        values = np.array(chosen.values)  # torch takes no read-only array
        if len(values) != len(stimuli):
            raise ValueError(
                f"{len(values)} neurons and {len(stimuli)} stimuli; expected one stimulus per neuron. Operator.predict lets "
                "every neuron answer every stimulus."
            )
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; expected at least 1.")
        self.core.check_window(grid.count, grid.dt_ms)
        self._warn_outside(values)
        return values

    def _known_names(self, given: Iterable[str]) -> tuple[str, ...]:
        """The operator's own names of features that are named.

        Raises:
            ValueError: for none, or one that it does not know.
        """
        if self.spec.one_neuron and (told := [*given]):
            raise ValueError(
                f"{', '.join(told)} was given, but this operator has no features: it is one neuron. Give none, as in "
                "operator.predict(stimuli=...)."
            )
        own = {canonical(name): name for name in self.feature_names}
        names = [canonical(name) for name in given]
        if unknown := [name for name in names if name not in own] or ([] if names or not own else ["nothing"]):
            wanted = ", ".join(f"{name} ({unit})" for name, unit in zip(self.spec.names, self.spec.units, strict=True))
            raise ValueError(
                f"{', '.join(unknown)} was given of the neurons; expected some of what the operator knows: {wanted}."
            )
        return tuple(own[name] for name in names)

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
            f"{count} of {features.shape[0]} neurons lie outside the hull of the "
            f"{len(self.spec.training_features)} training models, where the operator extrapolates; the farthest is "
            f"neuron {worst}: {'; '.join(parts)}.",
            OutsideHullWarning,
            stacklevel=4,
        )

    def departures(self, stimuli: Sequence[Stimulus], current_na: np.ndarray, dt_ms: float) -> tuple[Departure, ...]:
        """What of some currents was not learned, as far as that is known; how long they are says nothing to some cores."""
        found = () if self.scope is None else self.scope.departures(stimuli, current_na, dt_ms)
        return tuple(item for item in found if not (item.aspect == "window" and self.core.any_duration))

    @contextmanager
    def predicting(self, samples: int) -> Iterator[None]:
        """So many samples at once, without gradients and outside training mode; afterwards all is as it was."""
        was_training = self.training
        if was_training:  # which takes a while for a single trace
            self.eval()
        try:
            with torch.inference_mode(), suitable_threads(samples):
                yield
        finally:
            if was_training:
                self.train()


def _named_stimuli(neurons: object, stimuli: Any) -> Any:
    """The stimuli of a call, unless there are none."""
    if stimuli is not None:
        return stimuli
    misplaced = (
        f"; a {type(neurons).__name__} came in the place of the neurons" if isinstance(neurons, Stimulus) else ""
    )
    raise ValueError(
        f"no stimulus was given{misplaced}; expected a current, for one neuron by its name: "
        "operator.predict(stimuli=noble.Step(15, 415, 0.2)) (ms, ms, nA)."
    )


def _versions() -> dict[str, str]:
    """Versions of what the weights and their meaning depend on."""
    versions = {}
    for name in ("noble-neuro", "torch", "numpy"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # run from a source tree that is not installed
            versions[name] = "unknown"
    return versions
