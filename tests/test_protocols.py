import numpy as np
import pytest

from noble.protocols import Epoch, StepProtocol, Window


def test_an_epoch_has_its_start_and_not_its_stop():
    epoch = StepProtocol(onset_ms=15.0, step_ms=400.0).epoch
    assert epoch == Epoch(15.0, 415.0, "step")
    assert epoch.duration_ms == 400.0
    assert epoch.within(np.array([14.9, 15.0, 414.9, 415.0])).tolist() == [15.0, 414.9]
    with pytest.raises(ValueError, match="runs from 5 to 5 ms"):
        Epoch(5.0, 5.0, "tail")


def test_a_window_is_a_step_protocol_with_a_margin():
    window = Window()
    assert window.grid == StepProtocol().grid
    assert window.simulated_grid.count - window.grid.count == 250
    assert Window(**window.to_dict()) == window
    with pytest.raises(ValueError, match="the step within the window"):
        Window(onset_ms=200.0, step_ms=400.0)
