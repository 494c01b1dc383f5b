import numpy as np
import torch

from noble.operator.fno.embedding import channel_count, embed, signed_extreme

DT_MS, COUNT = 0.5, 200
WINDOW_MS = DT_MS * COUNT


def _step(amplitude_na: float) -> np.ndarray:
    current = np.zeros(COUNT)
    current[20:150] = amplitude_na
    return current


def _embed(features: np.ndarray, current_na: np.ndarray, *, amplitude: int = 9, feature: int = 1) -> np.ndarray:
    return embed(
        torch.as_tensor(features),
        torch.as_tensor(current_na),
        dt_ms=DT_MS,
        window_ms=WINDOW_MS,
        amplitude_frequencies=amplitude,
        feature_frequencies=feature,
    ).numpy()


def test_the_paper_has_23_channels():
    assert channel_count(features=2, amplitude_frequencies=9, feature_frequencies=1) == 23
    assert _embed(np.array([[1.0, 2.0]]), _step(0.1)[None]).shape == (1, 23, COUNT)


def test_channels_follow_the_explicit_formula_in_their_order():
    features, amplitudes = np.array([[0.7, 3.1], [1.9, 2.2]]), [0.25, -0.11]
    current = np.stack([_step(amplitude) for amplitude in amplitudes])
    channels = _embed(features, current, amplitude=3, feature=2)
    t = 2 * np.pi * np.arange(COUNT) / COUNT
    for row, amplitude_na in enumerate(amplitudes):
        scalars = [(amplitude_na / 0.1, 3), (features[row, 0], 2), (features[row, 1], 2)]
        angles = [2**k * np.pi * p * t for p, frequencies in scalars for k in range(frequencies)]
        expected = [np.sin(angle) for angle in angles] + [np.cos(angle) for angle in angles] + [current[row] / 0.1]
        np.testing.assert_allclose(channels[row], np.stack(expected), atol=1e-11)


def test_signed_extreme_is_a_steps_amplitude_and_the_larger_side_of_other_currents():
    ramp = np.linspace(-0.3, 0.2, COUNT)
    currents = np.stack([_step(0.2), _step(-0.2), np.zeros(COUNT), ramp])
    np.testing.assert_allclose(signed_extreme(torch.as_tensor(currents))[:, 0].numpy(), [0.2, -0.2, 0.0, -0.3])


def test_zero_current_gives_constant_amplitude_channels():
    channels = _embed(np.array([[1.0, 2.0]]), np.zeros((1, COUNT)))
    assert np.all(channels[0, :9] == 0)
    assert np.all(channels[0, 11:20] == 1)
    assert np.all(channels[0, 22] == 0)


def test_the_extreme_carries_the_gradient():
    current = torch.tensor([[0.0, 0.1, -0.4, 0.2]], requires_grad=True)
    signed_extreme(current).sum().backward()
    assert current.grad is not None
    assert current.grad.tolist() == [[0.0, 0.0, 1.0, 0.0]]
