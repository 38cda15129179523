"""ALIKED's network as a CPU runs it best: what ``kornia.feature.ALIKED`` computes, but for rounding.

Kornia enlarges four maps of 32 channels to the size of the photo, joins and normalises them, for descriptors that are
then read at some ten thousand points. Here the first convolution of the score is done before enlarging, and the maps
are joined at those points alone. The first map, as large as the photo, is never made as a whole: the score needs a few
rows at a time, and descriptors those points. All tensors lie in memory pixel by pixel, so that reading at a point is
one weighted sum of rows (``embedding_bag``).
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

_MAP_CHANNELS = 32  # of each of the four maps that a descriptor is made of
_PIXELS = 8192  # of the first map at once: a megabyte, which stays in the second cache
_KEYPOINTS = 256  # described at once: two megabytes of each map that they are made of


@dataclass(frozen=True, slots=True, eq=False)
class _Maps:
    """What descriptors and scores are made of.

    Attributes:
        shallow: [H * W, 16], what the first map is computed from, pixel by pixel.
        narrow: [32, 16], the weights that make the first map of it.
        size: (H, W) of the photo.
        others: the other three maps [1, 32, h, w], at a half, an eighth and a thirty-second of the photo's sides.
    """

    shallow: torch.Tensor
    narrow: torch.Tensor
    size: torch.Size
    others: list[torch.Tensor]

    def first(self, shallow: torch.Tensor) -> torch.Tensor:
        """The first map at pixels whose shallow features [M, 16] are given: [M, 32]."""
        return functional.selu_(functional.linear(shallow, self.narrow))


def lighten(network: Any) -> None:
    """Prepare kornia's network, in evaluation mode, for ``detect_and_describe``.

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
    maps = _feature_maps(network, pixels.contiguous(memory_format=torch.channels_last))
    centres, scores = _detect(network.dkd, _score(network.score_head, maps))
    described = [_describe(network.desc_head, maps, some) for some in torch.split(centres, _KEYPOINTS)]
    return centres, scores, torch.cat(described)


def _feature_maps(network: Any, pixels: torch.Tensor) -> _Maps:
    deep = [network.block1(pixels)]
    for pool, block in (
        (network.pool2, network.block2),
        (network.pool4, network.block3),
        (network.pool4, network.block4),
    ):
        deep.append(block(pool(deep[-1])))
    shallow, *deeper = deep
    narrow = (network.conv2, network.conv3, network.conv4)
    others = [network.gate(convolve(features)) for convolve, features in zip(narrow, deeper, strict=True)]
    return _Maps(_rows(shallow), network.conv1.weight.flatten(1), pixels.shape[-2:], others)


def _score(head: Any, maps: _Maps) -> torch.Tensor:
    """How good a keypoint every pixel is, [H, W] in [0, 1]."""
    first, *rest = head
    own, *weights = torch.split(first.weight, _MAP_CHANNELS, dim=1)
    parts = [functional.linear(maps.first(rows), own.flatten(1)) for rows in torch.split(maps.shallow, _PIXELS)]
    score = torch.cat(parts).reshape(*maps.size, -1).permute(2, 0, 1)[None]
    for weight, features in zip(weights, maps.others, strict=True):
        part = functional.conv2d(features, weight)
        score += functional.interpolate(part, maps.size, mode="bilinear", align_corners=True)
    for layer in rest:
        score = layer(score)
    return torch.sigmoid(score)[0, 0]


def _detect(detector: Any, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What kornia's ``DKD`` finds in [H, W]; it copies what is around every pixel, not around keypoints alone.

    Returns:
        (x, y) in pixels [P, 2] and scores [P].
    """
    from kornia.geometry.subpix import nms2d

    side, radius = detector.kernel_size, detector.radius
    peaks = nms2d(scores[None, None], (side, side))[0, 0]  # zero elsewhere
    inner = peaks[radius:-radius, radius:-radius]
    strengths, places = inner.flatten().topk(min(detector.top_k, inner.numel()))
    places = places[strengths > 0]
    rows, columns = places // inner.shape[1], places % inner.shape[1]
    steps = torch.arange(side, device=scores.device)
    patches = scores[rows[:, None, None] + steps[:, None], columns[:, None, None] + steps].flatten(1)
    weights = torch.softmax(patches / detector.temperature, dim=1)
    centres = torch.stack((columns, rows), dim=1) + radius + weights @ detector.hw_grid
    return centres, _interpolate(scores[None, None], centres)[:, 0]


def _describe(head: Any, maps: _Maps, centres: torch.Tensor) -> torch.Tensor:
    """Describe keypoints at (x, y) in pixels, [P, 2]: [P, 128] of norm 1."""
    last = _last_pixel(maps.size, centres)
    scales = [_last_pixel(features.shape[-2:], centres) / last for features in maps.others]

    def read(pixels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Sum the joined and normalised map at whole pixels [M, S, 2], zeros outside, by weights [M, S]: [M, 128]."""
        points = pixels.clamp(torch.zeros_like(last), last).reshape(-1, 2)
        parts = [maps.first(maps.shallow[(points[:, 1] * maps.size[1] + points[:, 0]).long()])]
        parts += [_interpolate(other, points * scale) for other, scale in zip(maps.others, scales, strict=True)]
        norms = torch.stack([part.square().sum(dim=1) for part in parts]).sum(dim=0).sqrt().clamp(min=1e-12)
        weights = weights * (pixels == points.reshape(pixels.shape)).all(dim=-1) / norms.reshape(weights.shape)
        rows = torch.arange(len(points), device=points.device).reshape(weights.shape)
        return torch.cat([_sum_rows(part, rows, weights) for part in parts], dim=1)

    side = head.kernel_size
    first_corner = (centres.long() - side / 2 + 1).long().clamp(torch.zeros_like(last).long(), last.long() - side)
    steps = torch.arange(side, device=centres.device)
    around = (first_corner[:, None] + torch.cartesian_prod(steps, steps).flip(1)).float().reshape(-1, 1, 2)
    patches = read(around, torch.ones_like(around[..., 0])).reshape(len(centres), side, side, -1).permute(0, 3, 1, 2)
    furthest = max(maps.size) / 4
    offsets = head.offset_conv(patches).clamp(-furthest, furthest).reshape(-1, 2, head.n_pos).transpose(1, 2)
    low, weights = _corners((centres[:, None] + offsets).reshape(-1, 2))
    steps = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]], device=centres.device)
    seen = read(low[:, None] + steps, weights)
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
    # Zeros outside: one pixel of them all around, on which all points outside lie.
    padded = functional.pad(features, (1, 1, 1, 1)).contiguous(memory_format=torch.channels_last)
    last = _last_pixel(padded.shape[-2:], features)
    seen = _interpolate(padded, (points + 1).clamp(torch.zeros_like(last), last).reshape(-1, 2))
    seen = seen.reshape(height * width, -1)
    weight = layer.regular_conv.weight.permute(0, 2, 3, 1).flatten(1)
    return functional.linear(seen, weight, layer.regular_conv.bias).T.reshape(1, -1, height, width)


def _interpolate(features: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Read a map [1, C, H, W] bilinearly at (x, y) in its pixels, [N, 2], from 0 to the last: [N, C]."""
    size = features.shape[-2:]
    low, weights = _corners(points)
    left, above = low.unbind(dim=1)
    right, below = (low + 1).minimum(_last_pixel(size, points)).unbind(dim=1)
    pixels = torch.stack([row * size[1] + column for row in (above, below) for column in (left, right)], dim=1)
    return _sum_rows(_rows(features), pixels.int(), weights)


def _corners(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The four pixels around points (x, y), [N, 2].

    Returns:
        The first of them, [N, 2], and what each weighs in bilinear interpolation, row by row, [N, 4].
    """
    low = points.floor()
    right, below = (points - low).unbind(dim=1)
    left, above = 1 - right, 1 - below
    return low, torch.stack((left * above, right * above, left * below, right * below), dim=1)


def _sum_rows(rows: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum rows [N, C], chosen by [M, S] numbers, times weights [M, S]: [M, C]."""
    return functional.embedding_bag(chosen, rows, per_sample_weights=weights, mode="sum")


def _rows(features: torch.Tensor) -> torch.Tensor:
    """A map [1, C, H, W] pixel by pixel: [H * W, C]."""
    return features[0].permute(1, 2, 0).flatten(0, 1)


def _last_pixel(size: torch.Size, like: torch.Tensor) -> torch.Tensor:
    """(x, y) of the last pixel."""
    return torch.tensor([size[1] - 1, size[0] - 1], dtype=torch.float32, device=like.device)
