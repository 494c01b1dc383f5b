import numpy as np
import pytest
import torch

from noble.operator import FeatureSpec, FnoConfig, preset
from noble.operator.fno.core import Fno1d, FnoCore, SpectralConv1d
from noble.traces import TimeGrid

SPEC = FeatureSpec.fit(np.array([[0.1, 100.0], [0.3, 300.0], [0.1, 250.0]]), ("i_thr", "s_thr"), ("nA", "Hz/nA"))
TINY = FnoConfig(layers=3, width=8, modes=16, amplitude_frequencies=2, output_scale_mv=1.0)


def _core(config: FnoConfig, grid: TimeGrid, seed: int = 0) -> FnoCore:
    torch.manual_seed(seed)
    return FnoCore(config, SPEC, grid)


def _smooth_current_na(grid: TimeGrid, *, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    times = torch.as_tensor(grid.times_ms, dtype=dtype)
    return torch.stack([0.1 * torch.exp(-(((times - centre) / 12) ** 2)) for centre in (40.0, 60.0)])


def test_spectral_convolution_is_the_explicit_dft():
    torch.manual_seed(0)
    layer = SpectralConv1d(3, 2, half_modes=5).double()
    count = 24
    values = torch.randn(2, 3, count, dtype=torch.float64)
    x, weight = values.numpy(), torch.view_as_complex(layer.weight.detach()).numpy()
    expected = np.zeros((2, 2, count)) + layer.bias.detach().numpy()[:, None]
    n = np.arange(count)
    for k in range(5):
        mode = (x * np.exp(-2j * np.pi * k * n / count)).sum(axis=-1) / count
        mixed = np.einsum("bi,io->bo", mode, weight[k])
        doubled = 1 if k == 0 else 2  # the mirrored half of a real signal's spectrum
        if k == 0:
            mixed = mixed.real
        expected += doubled * np.real(mixed[..., None] * np.exp(2j * np.pi * k * n / count))
    np.testing.assert_allclose(layer(values).detach().numpy(), expected, atol=1e-12)


def test_a_signal_shorter_than_the_modes_keeps_what_it_has():
    torch.manual_seed(0)
    layer = SpectralConv1d(2, 2, half_modes=50)
    assert layer(torch.randn(1, 2, 30)).shape == (1, 2, 30)


def _neuraloperator_with_our_weights(ours: Fno1d, config: FnoConfig, channels: int) -> torch.nn.Module:
    models = pytest.importorskip("neuralop.models")
    theirs = models.FNO(
        n_modes=(config.modes,),
        in_channels=channels,
        out_channels=1,
        hidden_channels=config.width,
        n_layers=config.layers,
        lifting_channel_ratio=config.lifting_ratio,
        projection_channel_ratio=config.projection_ratio,
        channel_mlp_expansion=config.channel_mlp_ratio,
        positional_embedding=None,
    )
    state = {}

    def pointwise(name: str, layer) -> None:
        state[f"{name}.weight"] = layer.weight[..., None]
        if layer.bias is not None:
            state[f"{name}.bias"] = layer.bias

    for theirs_name, ours_name in (("lifting", "lifting"), ("projection", "projection")):
        pointwise(f"{theirs_name}.fcs.0", getattr(ours, f"{ours_name}_in"))
        pointwise(f"{theirs_name}.fcs.1", getattr(ours, f"{ours_name}_out"))
    for index, layer in enumerate(ours.layers):
        block = "fno_blocks"
        spectral = torch.view_as_complex(layer.spectral.weight.detach()).permute(1, 2, 0)
        state[f"{block}.convs.{index}.weight.tensor"] = spectral
        state[f"{block}.convs.{index}.bias"] = layer.spectral.bias[:, None]
        pointwise(f"{block}.fno_skips.{index}.conv", layer.skip)
        pointwise(f"{block}.channel_mlp.{index}.fcs.0", layer.mlp_in)
        pointwise(f"{block}.channel_mlp.{index}.fcs.1", layer.mlp_out)
        state[f"{block}.channel_mlp_skips.{index}.weight"] = layer.gate[None, :, None]
    theirs.load_state_dict(state)
    return theirs


@pytest.mark.filterwarnings("ignore")
def test_parity_with_neuraloperator():
    config = FnoConfig(layers=4, width=12, modes=32)
    torch.manual_seed(0)
    ours = Fno1d(23, config)
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            # Larger than the initial weights, whose answer to noise is nearly constant, so that every path counts.
            parameter.copy_(
                parameter * (1 if "spectral" in name else 3) + 0.3 * torch.randn_like(parameter) * ("gate" in name)
            )
    theirs = _neuraloperator_with_our_weights(ours, config, 23)
    channels = torch.randn(2, 23, 240)
    with torch.no_grad():
        expected = theirs(channels)[:, 0]
        assert expected.std() > 1.0
        torch.testing.assert_close(
            ours(channels, keep=240) / expected.std(), expected / expected.std(), atol=1e-5, rtol=1e-5
        )


def test_the_papers_configuration_has_its_number_of_parameters():
    core = _core(preset("paper-pv"), TimeGrid.spanning(515.0, dt_ms=0.06))
    parameters = sum(parameter.numel() for parameter in core.parameters())
    print(f"paper-pv has {parameters:,} parameters")
    assert parameters == pytest.approx(1.8e6, rel=0.05)
    assert not any(parameter.is_complex() for parameter in core.parameters())


def test_the_papers_window_is_padded_to_8640():
    """The next length with no prime factor but 2, 3 and 5; 8,583 is 3 times 2,861."""
    core = _core(preset("paper-pv"), TimeGrid.spanning(515.0, dt_ms=0.06))
    assert core.padded_ms == pytest.approx(8640 * 0.06)


def test_the_core_is_the_network_on_the_continued_window():
    grid = TimeGrid(dt_ms=1.0, count=97)  # padded to 100
    core = _core(TINY, grid).double()
    seen = {}
    core.network.register_forward_pre_hook(lambda _, inputs: seen.update(channels=inputs[0]))
    current = torch.linspace(0.0, 0.1, 97, dtype=torch.float64)[None]
    voltage = core(torch.tensor([[1.0, 2.0]], dtype=torch.float64), current, 1.0)
    assert voltage.shape == (1, 97)
    channels = seen["channels"].detach()
    assert channels.shape == (1, 9, 100)
    assert channels[0, -1, 97:].tolist() == [1.0, 1.0, 1.0]
    angle = torch.pi * 1.0 * torch.arange(100, dtype=torch.float64) * 2 * torch.pi / 97
    torch.testing.assert_close(channels[0, 2], angle.sin())


def test_output_scale_and_offset_are_in_mv():
    grid = TimeGrid(dt_ms=1.0, count=100)
    inputs = (torch.tensor([[1.0, 2.0]]), torch.linspace(0, 0.2, 100)[None], 1.0)
    raw = _core(TINY, grid)(*inputs)
    scaled = _core(TINY.model_copy(update={"output_scale_mv": 50.0, "output_offset_mv": -70.0}), grid)(*inputs)
    torch.testing.assert_close(scaled, 50 * raw - 70)


def test_finer_grids_converge_to_the_same_answer():
    coarse = TimeGrid(dt_ms=0.2, count=487)  # padded to 500 and 1000 and 2000: the same 100 ms
    core = _core(TINY, coarse).double()
    features = torch.tensor([[0.8, 1.3], [1.5, 1.1]], dtype=torch.float64)
    answers = []
    with torch.no_grad():
        for factor in (1, 2, 4):
            grid = TimeGrid(dt_ms=0.2 / factor, count=487 * factor)
            answers.append(core(features, _smooth_current_na(grid), grid.dt_ms)[:, ::factor])
    spread = answers[0].std()
    first = (answers[0] - answers[1]).abs().max() / spread
    second = (answers[1] - answers[2]).abs().max() / spread
    assert first < 0.02
    assert second < 0.6 * first


def test_gradients_match_finite_differences():
    grid = TimeGrid(dt_ms=1.0, count=97)
    core = _core(TINY, grid).double()
    current = _smooth_current_na(grid).requires_grad_()
    features = torch.tensor([[0.8, 1.3], [2.5, 3.1]], dtype=torch.float64, requires_grad=True)
    torch.manual_seed(1)
    weights = torch.randn(2, 97, dtype=torch.float64)

    def objective(features: torch.Tensor, current: torch.Tensor) -> torch.Tensor:
        return (weights * core(features, current, 1.0)).sum()

    by_features, by_current = torch.autograd.grad(objective(features, current), (features, current))
    assert torch.isfinite(by_features).all()
    assert torch.isfinite(by_current).all()
    step = 1e-6
    with torch.no_grad():
        for gradient, which in ((by_features, 0), (by_current, 1)):
            direction = torch.randn_like(gradient)
            moved = []
            for sign in (1, -1):
                inputs = [features, current]
                inputs[which] = inputs[which] + sign * step * direction
                moved.append(objective(*inputs))
            numeric = (moved[0] - moved[1]) / (2 * step)
            torch.testing.assert_close((gradient * direction).sum(), numeric, rtol=1e-5, atol=1e-6)


def test_a_tiny_core_overfits_one_batch():
    grid = TimeGrid(dt_ms=1.0, count=192)
    config = FnoConfig(
        layers=3, width=16, modes=64, amplitude_frequencies=3, output_scale_mv=20.0, output_offset_mv=-70.0
    )
    core = _core(config, grid)
    features = torch.tensor([[0.5, 3.5], [3.5, 0.5]])
    current = torch.zeros(2, 192)
    current[:, 30:130] = torch.tensor([[0.1], [-0.05]])
    times = torch.arange(192.0)
    target = torch.stack([-70 + 15 * torch.sin(times / 15), -60 - 20 * torch.exp(-(((times - 90) / 30) ** 2))])
    optimiser = torch.optim.Adam(core.parameters(), lr=5e-3)
    for _ in range(250):
        optimiser.zero_grad()
        loss = (core(features, current, 1.0) - target).square().mean()
        loss.backward()
        optimiser.step()
    assert loss.sqrt() < 0.7  # mV rms, of targets that vary by 10


def test_a_padded_count_below_the_window_is_refused():
    with pytest.raises(ValueError, match="padded_count is 90, but the window has 97"):
        _core(TINY.model_copy(update={"padded_count": 90}), TimeGrid(dt_ms=1.0, count=97))


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(
        ValueError, match=r"'paper' is unknown; expected one of paper-pv, paper-vip, fno-small, spike-phase"
    ):
        preset("paper")
    assert preset("paper-vip").model_dump()["amplitude_frequencies"] == 11


# --- the contract of a core


GRID = TimeGrid(dt_ms=0.5, count=200)
FEATURES = torch.tensor([[0.8, 1.3], [2.5, 3.1]])


def test_spikes_are_found_in_the_voltage():
    """Bells of 90 mV wherever the current does not vanish, so that the current says where."""
    core = _core(TINY.model_copy(update={"output_offset_mv": -70.0}), GRID)
    times = torch.arange(GRID.count) * GRID.dt_ms

    def bells(module, inputs, output):
        current = inputs[0][:, -1, : GRID.count]
        shapes = 90 * torch.exp(-0.5 * ((times[:, None] - times) / 0.5) ** 2)
        return (current != 0).float() @ shapes

    core.network.register_forward_hook(bells)
    current = torch.zeros(3, GRID.count)
    current[0, [40, 121]], current[2, 66] = 0.1, 0.1
    found = core.spike_times_ms(FEATURES[:1].expand(3, 2), current, GRID.dt_ms)
    expected = torch.tensor([[20.0, 60.5], [torch.inf] * 2, [33.0, torch.inf]], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("training", [True, False])
def test_gradients_change_no_number(training):
    core, current = _core(TINY, GRID).train(training), _smooth_current_na(GRID, dtype=torch.float32)
    watched = core(FEATURES.clone().requires_grad_(), current.clone().requires_grad_(), GRID.dt_ms)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert torch.equal(core(FEATURES, current, GRID.dt_ms), watched)


def test_a_stream_is_the_whole_window_or_nothing():
    core, current = _core(TINY, GRID).eval(), _smooth_current_na(GRID, dtype=torch.float32)
    rest = core.rest(FEATURES)
    assert core.latency_ms == float("inf")
    after, response = core.advance(rest, current, GRID.dt_ms)
    assert torch.equal(response.voltage_mv, core(FEATURES, current, GRID.dt_ms))
    assert (response.start_ms, response.spikes_until_ms) == (0.0, 100.0)
    assert torch.equal(response.spikes_ms, core.spike_times_ms(FEATURES, current, GRID.dt_ms))
    for state, piece, message in (
        (rest, current[:, :100], "a window of 50 ms was asked for, but this fno operator was trained on 100 ms"),
        (rest, torch.cat([current, current], dim=1), "a window of 200 ms"),
        (after, current, "has answered its whole window and knows none after it"),
        (rest, current[:1], r"shape \(1, 200\) was given to a stream of 2 neurons"),
        (rest, torch.where(current == current.max(), torch.nan, current), "is nan at sample .*; expected finite nA"),
    ):
        with pytest.raises(ValueError, match=message):
            core.advance(state, piece, GRID.dt_ms)
    again = core.advance(rest, current, GRID.dt_ms)[1]  # after all of these
    assert torch.equal(again.voltage_mv, response.voltage_mv)
