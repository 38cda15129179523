"""ALIKED's network as a CPU runs it best: what ``kornia.feature.ALIKED`` computes, but for rounding.

Kornia enlarges four maps of 32 channels to the size of the photo, joins and normalises them, for descriptors that are
then read at some ten thousand points. Here the first convolution of the score is done before enlarging, and the maps
are joined at those points alone. All tensors lie in memory pixel by pixel, so that reading at a point is one weighted
sum of rows (``embedding_bag``).
"""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

_MAP_CHANNELS = 32  # of each of the four maps that a descriptor is made of


def lighten(network: Any) -> None:
    """Prepare kornia's network, in evaluation mode, for ``detect_and_describe``; its own forward pass still works.

    Every normalisation is done by the convolution before it, and deformable convolutions read rows.
    """
    for block in (network.block1, network.block2, network.block3, network.block4):
        for number in (1, 2):
            layer, normalisation = getattr(block, f"conv{number}"), getattr(block, f"bn{number}")
            if hasattr(layer, "regular_conv"):
                layer.regular_conv = fuse_conv_bn_eval(layer.regular_conv, normalisation)
                layer.forward = partial(_convolve_deformed, layer)
            else:
                setattr(block, f"conv{number}", fuse_conv_bn_eval(layer, normalisation))
            setattr(block, f"bn{number}", torch.nn.Identity())
    network.to(memory_format=torch.channels_last)


def detect_and_describe(network: Any, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Find and describe the keypoints of a photo.

    Args:
        network: kornia's, made lighter by ``lighten``.
        pixels: float32 [1, 3, H, W] in [0, 1]; H and W are multiples of 32.

    Returns:
        (x, y) in pixels, float32 [P, 2]; scores, float32 [P]; descriptors of norm 1, float32 [P, 128].
    """
    size = pixels.shape[-2:]
    maps = _feature_maps(network, pixels.contiguous(memory_format=torch.channels_last))
    (keypoints,), (scores,), *_ = network.dkd(_score(network.score_head, maps, size))
    centres = (keypoints / 2 + 0.5) * _last_pixel(size, pixels)
    return centres, scores, _describe(network.desc_head, maps, size, centres)


def _feature_maps(network: Any, pixels: torch.Tensor) -> list[torch.Tensor]:
    """The four maps [1, 32, h, w], at a whole, half, eighth and thirty-second of the photo's sides."""
    deep = [network.block1(pixels)]
    for pool, block in (
        (network.pool2, network.block2),
        (network.pool4, network.block3),
        (network.pool4, network.block4),
    ):
        deep.append(block(pool(deep[-1])))
    narrow = (network.conv1, network.conv2, network.conv3, network.conv4)
    return [network.gate(convolve(features)) for convolve, features in zip(narrow, deep, strict=True)]


def _score(head: Any, maps: list[torch.Tensor], size: torch.Size) -> torch.Tensor:
    """How good a keypoint every pixel is, [1, 1, H, W] in [0, 1]."""
    first, *rest = head
    score: Any = 0
    for weight, features in zip(first.weight.split(_MAP_CHANNELS, dim=1), maps, strict=True):
        part = functional.conv2d(features, weight)
        score = score + functional.interpolate(part, size, mode="bilinear", align_corners=True)
    for layer in rest:
        score = layer(score)
    return torch.sigmoid(score)


def _describe(head: Any, maps: list[torch.Tensor], size: torch.Size, centres: torch.Tensor) -> torch.Tensor:
    """Describe keypoints at (x, y) in pixels, [P, 2]: [P, 128] of norm 1."""
    last = _last_pixel(size, centres)
    scales = [_last_pixel(features.shape[-2:], centres) / last for features in maps]

    def read(pixels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Sum the joined and normalised map at whole pixels [M, S, 2], zeros outside, by weights [M, S]: [M, 128]."""
        points = pixels.reshape(-1, 2)
        parts = [_interpolate(features, points * scale) for features, scale in zip(maps, scales, strict=True)]
        norms = torch.stack([part.square().sum(dim=1) for part in parts]).sum(dim=0).sqrt().clamp(min=1e-12)
        weights = weights * ((pixels >= 0) & (pixels <= last)).all(dim=-1) / norms.reshape(weights.shape)
        rows = torch.arange(len(points), device=points.device).reshape(weights.shape)
        return torch.cat([_sum_rows(part, rows, weights) for part in parts], dim=1)

    side = head.kernel_size
    first_corner = (centres.long() - side / 2 + 1).long().clamp(torch.zeros_like(last).long(), last.long() - side)
    steps = torch.arange(side, device=centres.device)
    around = (first_corner[:, None] + torch.cartesian_prod(steps, steps).flip(1)).float().reshape(-1, 1, 2)
    patches = read(around, torch.ones_like(around[..., 0])).reshape(len(centres), side, side, -1).permute(0, 3, 1, 2)
    furthest = max(size) / 4
    offsets = head.offset_conv(patches).clamp(-furthest, furthest).reshape(-1, 2, head.n_pos).transpose(1, 2)
    columns, rows, weights = _corners((centres[:, None] + offsets).reshape(-1, 2))
    seen = read(torch.stack((columns.expand(-1, 2, 2), rows.expand(-1, 2, 2)), dim=-1).flatten(1, 2), weights)
    seen = functional.selu(functional.linear(seen, head.sf_conv.weight.flatten(1)))
    described = seen.reshape(len(centres), -1) @ head.agg_weights.flatten(0, 1)
    return functional.normalize(described, dim=1)


def _convolve_deformed(layer: Any, features: torch.Tensor) -> torch.Tensor:
    """What the forward pass of kornia's ``DeformableConv2d`` returns (Dai et al., ICCV 2017): 3 x 3, of stride 1."""
    height, width = features.shape[-2:]
    furthest = max(height, width) / 4
    offsets = layer.offset_conv(features).clamp(-furthest, furthest)[0].permute(1, 2, 0).reshape(height, width, -1, 2)
    rows, columns, taps = (torch.arange(count, device=features.device) for count in (height, width, 3))
    pixels = torch.cartesian_prod(rows, columns).reshape(height, width, 1, 2)
    points = (pixels + torch.cartesian_prod(taps, taps) - layer.padding + offsets).flip(-1)  # from (y, x)
    seen = _interpolate(features, points.reshape(-1, 2)).reshape(height * width, -1)
    weight = layer.regular_conv.weight.permute(0, 2, 3, 1).flatten(1)
    return functional.linear(seen, weight, layer.regular_conv.bias).T.reshape(1, -1, height, width)


def _interpolate(features: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Read a map [1, C, H, W] bilinearly at (x, y) in its pixels, [N, 2], with zeros outside: [N, C]."""
    height, width = features.shape[-2:]
    columns, rows, weights = _corners(points)
    inside = ((columns >= 0) & (columns < width)) & ((rows >= 0) & (rows < height))
    chosen = rows.clamp(0, height - 1).int() * width + columns.clamp(0, width - 1).int()
    return _sum_rows(features[0].permute(1, 2, 0).flatten(0, 1), chosen.flatten(1), weights * inside.flatten(1))


def _corners(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The four pixels around points (x, y), [N, 2].

    Returns:
        Their columns [N, 1, 2], their rows [N, 2, 1], and what each weighs in bilinear interpolation, [N, 4].
    """
    low = points.floor()
    high = points - low
    (columns, rows), (across, down) = (
        torch.stack(pair, dim=1).unbind(dim=2) for pair in ((low, low + 1), (1 - high, high))
    )
    return columns[:, None], rows[:, :, None], (down[:, :, None] * across[:, None]).flatten(1)


def _sum_rows(rows: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum rows [N, C], chosen by [M, S] numbers, times weights [M, S]: [M, C]."""
    return functional.embedding_bag(chosen, rows, per_sample_weights=weights, mode="sum")


def _last_pixel(size: torch.Size, like: torch.Tensor) -> torch.Tensor:
    """(x, y) of the last pixel."""
    return torch.tensor([size[1] - 1, size[0] - 1], dtype=torch.float32, device=like.device)
