"""Time cut into pieces, against the parts themselves."""

import pytest
import torch

from noble.operator.spiking.adaptive_bins import cut

PARTS = 4


def parts_of(*bins: list[float]) -> torch.Tensor:
    return torch.tensor([bins], dtype=torch.float64)


def test_a_steady_bin_is_one_piece_and_a_changing_one_its_parts():
    pieces = cut(parts_of([0.1] * PARTS, [0.1, 0.1, 0.3, 0.3], [0.3] * PARTS))
    assert pieces.bin.tolist() == [[0, 1, 1, 1, 1, 2]]
    torch.testing.assert_close(pieces.current_na, torch.tensor([[0.1, 0.1, 0.1, 0.3, 0.3, 0.3]]).double())
    torch.testing.assert_close(pieces.share, torch.tensor([[1, 0.25, 0.25, 0.25, 0.25, 1]]).double())


@pytest.mark.parametrize("changing", [0, 1, 3, 7])
def test_means_of_anything_are_those_of_the_parts(changing):
    generator = torch.Generator().manual_seed(changing)
    current = torch.rand((3, 7, 1), generator=generator).double().repeat(1, 1, PARTS)
    current[1, :changing] = torch.rand((changing, PARTS), generator=generator).double()  # the other traces are steady
    pieces = cut(current)
    assert pieces.current_na.shape == (3, 7 + changing * (PARTS - 1))
    torch.testing.assert_close(pieces.means(torch.ones_like(pieces.share)), torch.ones(3, 7).double())
    torch.testing.assert_close(pieces.means(pieces.current_na**2), (current**2).mean(dim=2))
    both = torch.stack([pieces.current_na, torch.exp(pieces.current_na)], dim=2)
    torch.testing.assert_close(pieces.means(both), torch.stack([current, torch.exp(current)], dim=3).mean(dim=2))
