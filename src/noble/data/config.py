"""What to generate: one frozen configuration, readable from YAML."""

from __future__ import annotations

from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from noble.configs import Frozen
from noble.machine.cores import available_cores
from noble.protocols import Window, step_end_ms
from noble.traces import TimeGrid
from noble.units import check_current_na


class TraceCounts(Frozen):
    """Number of traces in each split.

    Attributes:
        train, validation, test: traces of training models, with currents drawn independently.
        unseen_models: traces of held-out models.
    """

    train: int = Field(default=6000, ge=0)
    validation: int = Field(default=600, ge=0)
    test: int = Field(default=600, ge=0)
    unseen_models: int = Field(default=600, ge=0)

    @property
    def total(self) -> int:
        """All traces."""
        return self.train + self.validation + self.test + self.unseen_models

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.total == 0:
            raise ValueError("every split has 0 traces; ask for at least one")
        return self


class AmplitudeConfig(Frozen):
    """Skew-normal distribution of the amplitude, truncated to a range, and a share of amplitudes from anywhere in the range.

    Attributes:
        low_na, high_na: range, nA.
        mode_na: most frequent amplitude, nA; None puts it at the mean threshold current of the hall's training models.
        skewness: Azzalini's shape parameter alpha; positive for a heavy tail of large currents.
        scale_na: Azzalini's scale omega, nA.
        uniform: share that is drawn uniformly from the range instead, 0 to 1. The skew-normal's left tail ends near the mode, so
            without it there are hardly any hyperpolarising steps.
    """

    low_na: float = -0.11
    high_na: float = 0.28
    mode_na: float | None = None
    skewness: float = 4.0
    scale_na: float = Field(default=0.12, gt=0)
    uniform: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high_na <= self.low_na:
            raise ValueError(f"low_na is {self.low_na} and high_na {self.high_na}; expected low_na < high_na")
        check_current_na(max(abs(self.low_na), abs(self.high_na)), what="the range of amplitudes")
        return self


class StimulusMix(Frozen):
    """Shares of the stimulus kinds (any positive numbers), and their parameters as multiples of the drawn amplitude.

    Any other key is the share of a law that `noble.data.register_law` has made known.

    Attributes:
        step, ramp, chirp, ornstein_uhlenbeck: shares.
        ramp_first, ramp_last: current at the two ends of a ramp, in amplitudes.
        chirp_offset, chirp_sine: constant part and amplitude of the sine, in amplitudes.
        chirp_first_hz, chirp_last_hz: frequencies at the two ends, Hz.
        noise_mean, noise_sd: mean and standard deviation of the noise, in amplitudes.
        noise_tau_ms: its correlation time, ms.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    step: float = Field(default=1.0, ge=0)
    ramp: float = Field(default=0.0, ge=0)
    chirp: float = Field(default=0.0, ge=0)
    ornstein_uhlenbeck: float = Field(default=0.0, ge=0)
    ramp_first: float = 0.0
    ramp_last: float = 1.5
    chirp_offset: float = 1.0
    chirp_sine: float = Field(default=0.5, ge=0)
    chirp_first_hz: float = Field(default=1.0, ge=0)
    chirp_last_hz: float = Field(default=50.0, ge=0)
    noise_mean: float = 1.0
    noise_sd: float = Field(default=0.5, ge=0)
    noise_tau_ms: float = Field(default=5.0, gt=0)

    @property
    def shares(self) -> dict[str, float]:
        """Probability of each law by its name, in the order in which they are drawn."""
        weights = {
            "step": self.step,
            "ramp": self.ramp,
            "chirp": self.chirp,
            "ornstein_uhlenbeck": self.ornstein_uhlenbeck,
            **(self.model_extra or {}),
        }
        total = sum(weights.values())
        return {name: weight / total for name, weight in weights.items()}

    @model_validator(mode="after")
    def _some(self) -> Self:
        for name, share in (self.model_extra or {}).items():
            self._check_law(name, share)
        if self.step + self.ramp + self.chirp + self.ornstein_uhlenbeck + sum((self.model_extra or {}).values()) == 0:
            raise ValueError("step, ramp, chirp and ornstein_uhlenbeck are all 0; give at least one a share")
        return self

    def _check_law(self, name: str, share: object) -> None:
        from noble.data.laws import LAWS  # which knows this module

        if name not in LAWS:
            known = dict.fromkeys([*type(self).model_fields, *LAWS])
            raise ValueError(f"unknown key mix.{name}; expected one of {', '.join(known)}")
        if isinstance(share, bool) or not isinstance(share, int | float) or not share >= 0:
            raise ValueError(f"mix.{name} is {share!r}; expected a share, 0 or more")


class RecordedCurrents(Frozen):
    """Where the currents of the share `recording` come from.

    Attributes:
        path: of a recording, as `noble recording` opens it.
        protocols: names or patterns of its stimuli; all if empty.
        electrode: which one, where the file has several.
        factor: range of a factor on the current, drawn uniformly: a smaller cell needs less of what was recorded from another.
    """

    path: str
    protocols: tuple[str, ...] = ()
    electrode: str | None = None
    factor: tuple[float, float] = (1.0, 1.0)


class GenerationConfig(Frozen):
    """Everything that decides a data set, and `workers`, which only decides how fast it comes.

    Attributes:
        hall: name of a shipped hall of fame, or path of one.
        traces: traces in each split.
        amplitude: distribution of the amplitude.
        mix: kinds of stimulus.
        recording: needed by the share `recording` of the mix.
        onset_ms, step_ms, window_ms, tail_margin_ms, dt_ms, simulation_dt_ms: see `Window`.
        seed: of the whole data set.
        chunk_traces: traces in a chunk, which is simulated, written and read at once.
        workers: processes; None means one for each core this process may use.
    """

    hall: str
    traces: TraceCounts = TraceCounts()
    amplitude: AmplitudeConfig = AmplitudeConfig()
    mix: StimulusMix = StimulusMix()
    recording: RecordedCurrents | None = None
    onset_ms: float = Field(default=15.0, ge=0)
    step_ms: float = Field(default=400.0, gt=0)
    window_ms: float = Field(default=515.0, gt=0)
    tail_margin_ms: float = Field(default=15.0, ge=0)
    dt_ms: float = Field(default=0.06, gt=0)
    simulation_dt_ms: float = Field(default=0.02, gt=0)
    seed: int = Field(default=0, ge=0)
    chunk_traces: int = Field(default=32, ge=1)
    workers: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.recording is None and self.mix.shares.get("recording"):
            raise ValueError("mix gives a share to a recording; expected the file under recording: {path: FILE}")
        # The window must show the end of the current: e-features are measured up to there and after it.
        grid = TimeGrid.spanning(self.window_ms, dt_ms=self.dt_ms)
        offset_ms, last_ms = step_end_ms(self.onset_ms, self.step_ms, grid), (grid.count - 1) * self.dt_ms
        if offset_ms > last_ms:
            raise ValueError(
                f"the current ends at {offset_ms:g} ms but window_ms is {self.window_ms:g}, with its last "
                f"sample at {last_ms:g} ms; shorten step_ms or lengthen window_ms"
            )
        ratio = self.dt_ms / self.simulation_dt_ms
        if abs(ratio - round(ratio)) > 1e-6 or round(ratio) < 1:
            raise ValueError(
                f"dt_ms is {self.dt_ms:g} and simulation_dt_ms {self.simulation_dt_ms:g}; "
                "dt_ms must be a whole multiple of simulation_dt_ms"
            )
        return self

    @property
    def window(self) -> Window:
        """The window of every trace."""
        return Window(
            onset_ms=self.onset_ms,
            step_ms=self.step_ms,
            window_ms=self.window_ms,
            tail_margin_ms=self.tail_margin_ms,
            dt_ms=self.dt_ms,
            simulation_dt_ms=self.simulation_dt_ms,
        )

    @property
    def worker_count(self) -> int:
        """Processes to use."""
        return self.workers or available_cores()

    def identity(self) -> dict[str, Any]:
        """What must be equal for two runs to make the same data set: all but the number of workers and the hall's name.

        The hall is known by its digest, so a copy of it in another place is the same hall.
        """
        absent = {"recording"} if self.recording is None else set()
        return self.model_dump(mode="json", exclude={"workers", "hall"} | absent)
