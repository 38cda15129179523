"""The two halves of a layer of kornia's LightGlue, for one view each, so that both views can be taken side by side."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as functional

_ROWS = 512  # of queries at once: a megabyte of products, which stays in the second cache

Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def replace_attention(layer: Any, *, in_bfloat16: bool) -> None:
    """Have a layer attend in bfloat16, or in the format that comes in; kornia's would round to float16 on a GPU.

    Args:
        layer: a ``TransformerLayer``.
        in_bfloat16: on a CPU that multiplies it.
    """
    attend = _attend_in_bfloat16 if in_bfloat16 else functional.scaled_dot_product_attention
    layer.self_attn.inner_attn.forward = partial(_attend_within, attend)


def attend_to_themselves(
    layer: Any, points: torch.Tensor, encoding: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Take the keypoints of a view [1, N, d] through the first half of a layer.

    Args:
        layer: a ``TransformerLayer``.
        points: what is known of the keypoints.
        encoding: of their places, by the network's ``posenc``.

    Returns:
        The keypoints, and their keys and values for the other view, [1, heads, N, d / heads].
    """
    points = layer.self_attn(points, encoding)
    heads = partial(torch.Tensor.unflatten, dim=-1, sizes=(layer.cross_attn.heads, -1))
    key, value = (heads(project(points)).transpose(1, 2) for project in (layer.cross_attn.to_qk, layer.cross_attn.to_v))
    return points, key, value


def attend_to_others(
    layer: Any, points: torch.Tensor, keys: torch.Tensor, other_keys: torch.Tensor, other_values: torch.Tensor
) -> torch.Tensor:
    """Take the keypoints of a view through the second half: what ``CrossBlock.forward`` returns, in half the time.

    On a CPU, kornia keeps the fused attention to ``SelfBlock``, and writes out the matrix of all pairs in float32.
    """
    block, attend = layer.cross_attn, layer.self_attn.inner_attn
    message = block.to_out(attend(keys, other_keys, other_values).transpose(1, 2).flatten(start_dim=-2))
    updated: torch.Tensor = points + block.ffn(torch.cat([points, message], -1))
    return updated


def _attend_in_bfloat16(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """What ``scaled_dot_product_attention`` returns, in two thirds of its time on a CPU that multiplies bfloat16.

    torch's fused attention multiplies blocks too small to gain by it, and the matrix of all pairs is too large to be
    reused from the heap. To move all keys alike changes no attention; about their mean, products are smaller, and lose
    as little by rounding as in the fused attention. One head after the other: a batch is multiplied more slowly.
    """
    keys = keys.float()
    keys = (keys - keys.mean(dim=-2, keepdim=True)).bfloat16().transpose(-1, -2).contiguous()
    scaled, values = (queries.float() * queries.shape[-1] ** -0.5).bfloat16(), values.bfloat16().contiguous()
    heads = [
        torch.cat([torch.mm(torch.softmax(torch.mm(rows, key), dim=-1), value) for rows in query.split(_ROWS)])
        for query, key, value in zip(scaled[0], keys[0], values[0], strict=True)
    ]
    return torch.stack(heads)[None]


def _attend_within(
    attend: Attend, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: None = None
) -> torch.Tensor:
    assert mask is None, "no batch is padded here"
    return attend(queries, keys, values)
