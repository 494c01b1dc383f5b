"""The weights of a spike-feedback core as the page computes with them: matrices in one blob of float32, decays worked out."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import torch

from noble.operator.feedback.context import ContextBlock
from noble.operator.feedback.core import SpikeFeedbackCore

if TYPE_CHECKING:
    from torch import Tensor

# Rows are filled up to a multiple of this many numbers, which the page multiplies at once.
_AT_ONCE: Final = 4


def packed(core: SpikeFeedbackCore) -> dict[str, Any]:
    """What the page needs of a core, JSON-ready.

    Returns:
        `numbers` of the configuration, `sizes` of the layers, `prior` (the splines of the F-I curve, where there is one),
        `weights` (float32, little-endian, in base64) and `index`: first number, rows and columns of each matrix by name.
    """
    config, wide, cell = core.config, core.context, core.cell
    lowest, highest = core.log_rate_range
    index, blob = _blob(_matrices(core))
    return {
        "numbers": {
            "binMs": config.bin_ms,
            "aheadMs": config.ahead_ms,
            "backMs": config.back_ms,
            "restMv": config.rest_mv,
            "scaleMv": config.scale_mv,
            "lowestNa": config.lowest_na,
            "highestNa": config.highest_na,
            "uncertainty": core.prior.uncertainty,
            "logRateRange": [lowest, highest],
        },
        "sizes": {
            "features": len(core.spec),
            "signals": wide.spread.in_features,
            "width": config.width,
            "hidden": config.hidden,
            "blocks": config.blocks,
            "filters": config.filters,
            "fixed": len(wide.fixed),
            "size": config.cell,
            "averages": len(cell.log_time),
            "address": config.address,
            "shapes": config.shapes,
        },
        "prior": {"curve": core.prior.curve()},
        "index": index,
        "weights": blob,
    }


@torch.no_grad()
def _matrices(core: SpikeFeedbackCore) -> dict[str, Tensor]:
    """By name; a product's matrix has inputs along rows."""
    wide, cell = core.context, core.cell
    address = cast(torch.nn.Linear, core.address[0])
    found = {
        "address": address.weight.t(),
        "address_bias": address.bias,
        "address_enter": wide.address_enter.weight.t(),
        "enter_bias": wide.enter.bias,
        "spread": wide.spread.weight.t(),
        "context_decay": wide.average.decay,
        "fixed_decay": wide.fixed,
        "enter": wide.enter.weight.t(),
        "norm": wide.norm.weight,
        "hear": torch.cat([cell.hear.weight, core.correct.weight]).t(),
        "hear_bias": torch.cat([cell.hear.bias, core.correct.bias]),
        "cell_tune": cell.tune.weight.t(),
        "remember": cell.remember.weight.t(),
        "first": cell.first.weight.t(),
        "second": cell.second.weight.t(),
        "decide": torch.cat([cell.decision.weight, core.slow.weight]).t(),
        "decide_bias": torch.cat([cell.decision.bias, core.slow.bias]),
        "weigh": core.weigh.weight.t(),
        "weigh_bias": core.weigh.bias,
        "cell_decay": cell.decay,
        "cell_kept": cell.kept,
        "shapes": core.shapes.table(),
    }
    for number, module in enumerate(wide.blocks):
        block = cast(ContextBlock, module)
        found |= {
            f"block{number}_norm": block.norm.weight,
            f"block{number}_project": block.project.weight.t(),
            f"block{number}_decay": block.average.decay,
            f"block{number}_enter": block.enter.weight.t(),
            f"block{number}_enter_bias": block.enter.bias,
            f"block{number}_tune": block.tune.weight.t(),
            f"block{number}_leave": block.leave.weight.t(),
            f"block{number}_leave_bias": block.leave.bias,
        }
    return found


def _blob(matrices: Mapping[str, Tensor]) -> tuple[dict[str, list[int]], str]:
    index, parts, start = {}, [], 0
    for name, tensor in matrices.items():
        matrix = np.atleast_2d(tensor.detach().float().cpu().numpy())
        rows, columns = matrix.shape
        filled = np.pad(matrix, ((0, 0), (0, -columns % _AT_ONCE))).astype("<f4")
        index[name] = [start, rows, columns]
        parts.append(filled.ravel())
        start += filled.size
    return index, base64.b64encode(np.concatenate(parts).tobytes()).decode()
