import json

import numpy as np
import pytest

from noble.cli.stimulus_options import stimuli_of
from noble.protocols import StepProtocol
from noble.stimuli import Chirp, OrnsteinUhlenbeck, Ramp, Sampled, Step

PROTOCOL = StepProtocol(onset_ms=5.0, step_ms=20.0, window_ms=40.0, dt_ms=0.1)


def test_steps_take_the_protocols_edges_and_the_options_order():
    assert stimuli_of([0.1, -0.2], None, PROTOCOL) == [Step(5.0, 25.0, 0.1), Step(5.0, 25.0, -0.2)]


def test_a_file_holds_one_stimulus_or_a_list(tmp_path):
    one = Ramp(1.0, 9.0, 0.0, 0.2)
    several = [one, Chirp(1.0, 9.0, 0.1), OrnsteinUhlenbeck(1.0, 9.0, 0.1, 0.05, seed=3), one + Step(2.0, 3.0, 0.1)]
    path = tmp_path / "stimulus.json"
    path.write_text(json.dumps(one.to_dict()))
    assert stimuli_of(None, path, PROTOCOL) == [one]
    path.write_text(json.dumps([item.to_dict() for item in several]))
    assert stimuli_of([0.1], path, PROTOCOL) == [Step(5.0, 25.0, 0.1), *several]


def test_samples_in_a_file(tmp_path):
    path = tmp_path / "stimulus.json"
    path.write_text(json.dumps(Sampled(np.array([0.0, 0.1, 0.2]), 1.0).to_dict()))
    (found,) = stimuli_of(None, path, PROTOCOL)
    assert isinstance(found, Sampled)
    assert found.samples_na.tolist() == [0.0, 0.1, 0.2]


def test_nothing_is_not_enough(tmp_path):
    with pytest.raises(ValueError, match="no stimulus was given"):
        stimuli_of(None, None, PROTOCOL)
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ValueError, match=r"bad\.json is not a stimulus file: it is not valid JSON"):
        stimuli_of([0.1], tmp_path / "bad.json", PROTOCOL)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nowhere\.json; expected a stimulus file"):
        stimuli_of([0.1], tmp_path / "nowhere.json", PROTOCOL)
