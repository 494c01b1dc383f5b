"""When a current comes: the window that is looked at, and the step protocol in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from noble.stimuli import Step
from noble.traces import TimeGrid


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

    def stimulus(self, amplitude_na: float) -> Step:
        """The step of this amplitude."""
        return Step(start_ms=self.onset_ms, stop_ms=self.offset_ms, amplitude_na=float(amplitude_na))


@dataclass(frozen=True)
class Window:
    """The window of every trace: when the current comes, and how much longer than the window was simulated.

    Attributes:
        onset_ms, step_ms: start and length of the current, ms.
        window_ms: length of the window that is learned and evaluated, ms.
        tail_margin_ms: simulated time after the window, so that training can move the window later, ms.
        dt_ms: sampling interval of the stored traces, ms.
        simulation_dt_ms: time step of the simulator before filtering and decimation, ms.
    """

    onset_ms: float = 15.0
    step_ms: float = 400.0
    window_ms: float = 515.0
    tail_margin_ms: float = 15.0
    dt_ms: float = 0.06
    simulation_dt_ms: float = 0.02

    @property
    def offset_ms(self) -> float:
        """Instant at which the current ends, ms."""
        return step_end_ms(self.onset_ms, self.step_ms, self.grid)

    @property
    def grid(self) -> TimeGrid:
        """The window without the margin."""
        return TimeGrid.spanning(self.window_ms, dt_ms=self.dt_ms)

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
