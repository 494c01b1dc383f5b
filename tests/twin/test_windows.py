"""Windows hold what the recording holds, with time before what counts."""

import numpy as np
import pytest
import torch

import recorded_neuron as neuron
from noble.twin.material import material_of
from noble.twin.windows import Windows


def windows(recorded, *, share: float = 0.2, window_ms: float = 1000.0):
    material = material_of(recorded)
    learned, held = material.split(share, 2)
    settings = {"window_ms": window_ms, "settle_ms": 300.0, "batch_ms": 4000.0}
    return material, Windows(material, learned, **settings), Windows(material, held, **settings), learned, held


def test_what_is_held_back_is_gone_through_once():
    material, _, held, _, stretches = windows(neuron.of_noise())
    parts = list(held.in_order())
    assert sum(counted for _, counted in parts) == pytest.approx(sum(item.duration_ms for item in stretches))
    sweep = material.sweeps[0]
    for examples, counted in parts:
        assert examples.counted_from_ms == pytest.approx(300)
        assert examples.current_na.shape == (1, round((300 + counted) / 0.1))
        # Found back in the sweep, current and voltage and spikes alike.
        at = next(
            k
            for k in range(sweep.current_na.size)
            if np.array_equal(sweep.current_na[k : k + 50], examples.current_na[0, :50].numpy())
        )
        count = examples.current_na.shape[1]
        np.testing.assert_array_equal(examples.voltage_mv[0].numpy(), sweep.voltage_mv[at : at + count])
        times = sweep.spikes_ms - at * 0.1
        expected = times[(times >= 0) & (times < count * 0.1)]
        found = examples.spikes_ms[0].numpy()
        np.testing.assert_allclose(found[np.isfinite(found)], expected, atol=1e-3)


def test_drawn_windows_count_nothing_that_is_held_back():
    material, learned, _, _, held = windows(neuron.of_noise())
    sweep = material.sweeps[0]
    generator = np.random.default_rng(0)
    starts = []
    for _ in range(20):
        examples = learned.draw(generator)
        length_ms = examples.current_na.shape[1] * 0.1 - 300
        assert length_ms <= 1000
        assert len(examples.current_na) * length_ms == pytest.approx(4000, rel=0.2)
        for row in examples.current_na.numpy():
            counted = row[3000:]
            at = np.flatnonzero(sweep.current_na == counted[0])
            start = next(k for k in at if np.array_equal(sweep.current_na[k : k + counted.size], counted))
            starts.append(start * 0.1)
            for item in held:
                assert start * 0.1 + length_ms <= item.start_ms + 0.11 or start * 0.1 >= item.stop_ms - 0.11
    assert len(set(starts)) > 60


def test_before_its_first_sample_a_sweep_had_its_first_current():
    recorded = neuron.of_steps((0.1, 0.2, 0.3, 0.4, 0.5, 0.6))
    _, learned, _, _, _ = windows(recorded, share=0.1)
    examples = learned.draw(np.random.default_rng(1))
    assert torch.isfinite(examples.voltage_mv).all()
    assert examples.current_na.shape[0] * (examples.current_na.shape[1] * 0.1 - 300) == pytest.approx(4000, rel=0.3)
