from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noble.data.schema import decode_voltage, encode_voltage, pack_chunk, unpack_chunk
from noble.data.stimulus_table import FIRST_KINDS, StimulusTable
from noble.stimuli import STIMULUS_KINDS, Chirp, OrnsteinUhlenbeck, Ramp, Sampled, Step, kind_named

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


@given(st.lists(stimuli(), min_size=1, max_size=4), st.data())
def test_stimuli_come_back_exactly(several, data):
    recorded = Sampled(np.array([0.1, 1 / 3, -0.2]), 0.05, 14.9)
    several = [*several, recorded, several[0] + recorded, -0.5 * several[0], recorded]
    table = StimulusTable.of(several)
    order = data.draw(st.permutations(range(len(several))))
    for one in (table, StimulusTable.join([StimulusTable.of(several[:2]), StimulusTable.of(several[2:])])):
        assert [one.take(np.array(order))[row].to_dict() for row in range(len(one))] == [
            several[index].to_dict() for index in order
        ]
    assert len(table.payloads) == 3  # what is the same is kept once


def test_the_first_kinds_are_the_same_numbers_in_all_versions():
    stimuli = [Step(1, 2, 0.1), Ramp(1, 2, 0.1, 0.2), Chirp(1, 2, 0.1), OrnsteinUhlenbeck(1, 2, 0.1, 0.1, 5.0, 7)]
    table = StimulusTable.of(stimuli)
    assert table.kind.tolist() == [0, 1, 2, 3]
    assert table.parameters.shape == (4, 6)
    assert table.parameters[3].tolist() == [1, 2, 0.1, 0.1, 5.0, 7]
    assert np.isnan(table.parameters[0, 3:]).all()
    for kind in map(kind_named, FIRST_KINDS):
        assert set(kind.columns) == {item.name for item in fields(kind.type)}  # type: ignore[arg-type]
        assert STIMULUS_KINDS[kind.name] is kind


def test_what_is_no_stimulus_is_refused():
    with pytest.raises(ValueError, match="does not hold exactly"):
        StimulusTable.of([OrnsteinUhlenbeck(0, 1, 0, 0, 1, 2**53 + 1)])
    for array, row, value, message in [
        ("kind", 0, 9, "kind 9 is unknown; expected one of 0"),
        ("kind", 0, 1, "a Ramp has parameters"),
        ("payload_index", 1, 7, "payload 7 is not there; there are 2"),
        ("payload_index", 1, 1, "a Sum has a description that is not JSON"),
    ]:
        table = StimulusTable.of([Step(0, 1, 0.1), Step(0, 1, 0.1) + Step(0, 1, 0.2), Sampled(np.zeros(3), 0.1)])
        getattr(table, array)[row] = value
        with pytest.raises(ValueError, match=message):
            [table[index] for index in range(3)]


def test_a_chunk_comes_back_filled_up():
    codes = np.arange(6, dtype=np.int16).reshape(2, 3)
    content = pack_chunk(codes, 4)
    assert unpack_chunk(content, 4, 3).tolist() == [[0, 1, 2], [3, 4, 5], [-32768] * 3, [-32768] * 3]
    for rows, count in ((5, 3), (3, 3), (4, 2)):
        with pytest.raises(ValueError, match="it unpacks to 12 voltages"):
            unpack_chunk(content, rows, count)
    with pytest.raises(ValueError, match=r"."):
        unpack_chunk(content[:-3], 4, 3)


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
