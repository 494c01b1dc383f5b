from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noble.data.schema import KIND_PARAMETERS, decode_stimulus, decode_voltage, encode_stimuli, encode_voltage
from noble.stimuli import STIMULUS_KINDS, Chirp, OrnsteinUhlenbeck, Ramp, Step, Sum

amplitudes = st.floats(-1, 1, allow_nan=False)


@st.composite
def stimuli(draw):
    start = draw(st.floats(0, 100))
    stop = start + draw(st.floats(1, 400))
    first, second = draw(amplitudes), draw(amplitudes)
    return draw(
        st.sampled_from(
            [
                Step(start, stop, first),
                Ramp(start, stop, first, second),
                Chirp(start, stop, first, second, 0.1 + abs(first), 90.7),
                OrnsteinUhlenbeck(start, stop, first, abs(second), 3.3, draw(st.integers(0, 2**53 - 1))),
            ]
        )
    )


@given(stimuli())
def test_stimuli_come_back_exactly(stimulus):
    kinds, parameters = encode_stimuli([stimulus])
    assert decode_stimulus(int(kinds[0]), parameters[0]) == stimulus


def test_the_schema_names_every_parameter_of_its_kinds():
    for name, parameters in KIND_PARAMETERS:
        assert set(parameters) == {item.name for item in fields(STIMULUS_KINDS[name].type)}  # type: ignore[arg-type]


def test_what_a_store_cannot_hold_is_refused():
    step = Step(0, 1, 0.1)
    with pytest.raises(ValueError, match="cannot hold a Sum; expected one of Step"):
        encode_stimuli([Sum((step, step))])
    with pytest.raises(ValueError, match="does not hold exactly"):
        encode_stimuli([OrnsteinUhlenbeck(0, 1, 0, 0, 1, 2**53 + 1)])
    with pytest.raises(ValueError, match="kind 9 is unknown"):
        decode_stimulus(9, np.zeros(6))


def test_quantisation_error_is_below_five_microvolts():
    voltage = np.concatenate([np.linspace(-151, 111, 100_003), np.random.default_rng(0).normal(-60, 20, 100_000)])
    error = np.abs(decode_voltage(encode_voltage(voltage)).astype(np.float64) - voltage)
    assert error.max() < 0.005
    assert error.max() > 0.0019  # half a count: the bound is not met by accident
    assert decode_voltage(np.array([0, 1, -32768], dtype=np.int16))[:2].tolist() == pytest.approx([-20.0, -19.996])


@pytest.mark.parametrize(("bad", "message"), [(np.nan, "NaN"), (np.inf, "NaN"), (112.0, "112"), (-152.0, "-152")])
def test_nothing_is_clipped(bad, message):
    with pytest.raises(ValueError, match=message):
        encode_voltage(np.array([-80.0, bad]))


def test_missing_is_not_a_number():
    assert np.isnan(decode_voltage(np.array([-32768], dtype=np.int16))[0])
