"""The shapes that noble's tensor functions announce are checked in tests."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError

from noble.operator import FeatureSpec


def test_a_tensor_of_the_wrong_shape_is_refused() -> None:
    spec = FeatureSpec(names=("i_thr",), units=("nA",), minimum=(0.0,), maximum=(1.0,))
    with pytest.raises(TypeCheckError):
        spec.scale(torch.zeros(3))
