"""When a current comes: epochs, the step protocol, and the window that a data set shares."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from noble.spikes import within
from noble.stimuli import Step
from noble.traces import TimeGrid


@dataclass(frozen=True)
class Epoch:
    """A part of a sweep, as `start_ms <= t < stop_ms`.

    Attributes:
        start_ms, stop_ms: its edges, ms from the first sample.
        role: what it is: "baseline", "step", "ramp", "tail" or any other word.
    """

    start_ms: float
    stop_ms: float
    role: str

    def __post_init__(self) -> None:
        if not 0 <= self.start_ms < self.stop_ms:
            raise ValueError(
                f"an epoch runs from {self.start_ms:g} to {self.stop_ms:g} ms; expected 0 <= start_ms < stop_ms."
            )

    @property
    def duration_ms(self) -> float:
        """Its length, ms."""
        return self.stop_ms - self.start_ms

    def within(self, times_ms: np.ndarray) -> np.ndarray:
        """Those of some times, of spikes for example, that lie in it, ms."""
        return within(times_ms, self.start_ms, self.stop_ms)


@dataclass(frozen=True)
class StepProtocol:
    """A current step in a window: the paper's 400 ms in 515 ms, 15 ms after the start.

    Attributes:
        onset_ms: start of the step, ms.
        step_ms: length of the step, ms.
        window_ms: length of the window, ms.
        dt_ms: sampling interval, ms.
    """

    onset_ms: float = 15.0
    step_ms: float = 400.0
    window_ms: float = 515.0
    dt_ms: float = 0.06

    def __post_init__(self) -> None:
        positive = self.onset_ms >= 0 and self.step_ms > 0 and self.dt_ms > 0 and self.window_ms > 0
        if not (positive and self.offset_ms <= self.window_ms + 1e-9):  # which forgives a rounded sum
            raise ValueError(
                f"a step of {self.step_ms:g} ms from {self.onset_ms:g} ms in a window of {self.window_ms:g} ms at dt "
                f"{self.dt_ms:g} ms; expected onset_ms >= 0, step_ms > 0, dt_ms > 0 and the step within the window."
            )

    @property
    def offset_ms(self) -> float:
        """End of the step, ms."""
        return step_end_ms(self.onset_ms, self.step_ms, self.grid)

    @property
    def grid(self) -> TimeGrid:
        """The instants of the window."""
        return TimeGrid.spanning(self.window_ms, dt_ms=self.dt_ms)

    @property
    def epoch(self) -> Epoch:
        """The step."""
        return Epoch(self.onset_ms, self.offset_ms, "step")

    def stimulus(self, amplitude_na: float) -> Step:
        """The step of this amplitude."""
        return Step(start_ms=self.onset_ms, stop_ms=self.offset_ms, amplitude_na=float(amplitude_na))


@dataclass(frozen=True)
class Window(StepProtocol):
    """The window of every trace of a data set: a step protocol, simulated for longer than it is looked at.

    Attributes:
        onset_ms, step_ms: start and length of the current, whatever its kind, ms.
        window_ms: length of the window that is learned and evaluated, ms.
        dt_ms: sampling interval of the stored traces, ms.
        tail_margin_ms: simulated time after the window, so that training can move the window later, ms.
        simulation_dt_ms: time step of the simulator before filtering and decimation, ms.
    """

    tail_margin_ms: float = 15.0
    simulation_dt_ms: float = 0.02

    @property
    def simulated_grid(self) -> TimeGrid:
        """The window with the margin: the columns of the voltage array."""
        return TimeGrid.spanning(self.window_ms + self.tail_margin_ms, dt_ms=self.dt_ms)

    def to_dict(self) -> dict[str, float]:
        """A JSON-ready description; the constructor reads it back."""
        return asdict(self)


def step_end_ms(onset_ms: float, step_ms: float, grid: TimeGrid) -> float:
    """End of a step in a window, ms; where it misses the last sample by rounding only, that sample."""
    end_ms, last_ms = onset_ms + step_ms, (grid.count - 1) * grid.dt_ms
    return last_ms if abs(end_ms - last_ms) < 1e-9 else end_ms
