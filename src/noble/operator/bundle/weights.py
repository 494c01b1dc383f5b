"""Weights of a bundle: read without pickle, and refused unless they can be those of the operator."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor, dtype

    from noble.operator.operator import Operator

# Trained weights are of the order of 1, and tables of features in them of their units: MOhm, ms, Hz/nA.
LARGEST_WEIGHT: Final = 1e6


def parsed(content: bytes, path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, by name.

    Raises:
        ValueError: if it is none.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(content)
    except (
        SafetensorError,
        KeyError,
        ValueError,
        UnicodeDecodeError,
    ) as error:  # a dtype unknown to torch is a KeyError
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{path} is not a readable safetensors file ({reason}). Copy or save the bundle again."
        ) from error


def put_into(operator: Operator, weights: Mapping[str, Tensor], path: Path) -> None:
    """Give an operator its weights, and their precision.

    Raises:
        ValueError: for another name, shape or type than those of the operator, or a value that no trained operator has.
    """
    expected = operator.state_dict()
    _check_shapes(weights, expected, path)
    # A bundle saved in double precision comes back in it.
    operator.to(_precision(weights, path))
    _check_values(weights, operator.state_dict(), path)
    operator.load_state_dict(dict(weights))


def weights_sha256(operator: Operator) -> str:
    """SHA-256 over names and values of an operator's weights, as hexadecimal text; the same in single and double precision."""
    import torch

    digest = hashlib.sha256()
    for name, value in sorted(operator.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().to(torch.float64).numpy().tobytes())
    return digest.hexdigest()


def _check_shapes(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    for name in sorted(weights.keys() | expected.keys()):
        found = tuple(weights[name].shape) if name in weights else "missing"
        wanted = tuple(expected[name].shape) if name in expected else "no such weight"
        if found != wanted:
            raise ValueError(
                f"{path}: weight {name} is {found}, but config.json describes {wanted}. The two files belong to different "
                "operators; copy or save the bundle again."
            )


def _precision(weights: Mapping[str, Tensor], path: Path) -> dtype:
    """Double if all weights are; else single."""
    import torch

    single = False
    for name, value in weights.items():
        if value.is_floating_point() and value.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"{path}: weight {name} is {_named(value)}; expected float32 or float64. Save it as one.")
        single |= value.dtype == torch.float32
    return torch.float32 if single else torch.float64


def _check_values(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    for name, value in weights.items():
        if value.dtype != expected[name].dtype:
            raise ValueError(
                f"{path}: weight {name} is {_named(value)}; expected {_named(expected[name])}, like the others. Save the "
                "bundle again."
            )
        if value.is_floating_point() and value.numel():
            largest = float(value.abs().max())  # NaN if there is one
            if not largest <= LARGEST_WEIGHT:
                raise ValueError(
                    f"{path}: weight {name} holds {largest:g}; expected finite values up to {LARGEST_WEIGHT:g}. The training "
                    "diverged, or the file is damaged; copy or train the bundle again."
                )


def _named(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
