"""The demo of any size has sound configurations."""

import pytest

from noble.report.demo import demo_configs


@pytest.mark.parametrize("scale", [0.001, 0.02, 0.05, 0.3, 1.0])
def test_a_demo_of_any_size_has_sound_configurations(scale):
    generation, training = demo_configs(scale)
    assert min(generation.traces.train, generation.traces.test) >= 8
    assert training.validate_every <= training.epochs
    assert training.epochs == max(2, round(56 * scale))


def test_a_demo_of_no_size_is_refused():
    for scale in (0.0, 1.5):
        with pytest.raises(ValueError, match="expected a share above 0, at most 1"):
            demo_configs(scale)
