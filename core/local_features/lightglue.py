"""LightGlue, a learned matcher of sparse features (Lindenberger et al., ICCV 2023), with weights from a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray

from core.errors import BackendUnavailable
from core.results import FeatureView
from core.runtime.devices import CPU_ALWAYS, multiplies_bfloat16

_ROWS = 128  # of queries at once: a megabyte of products, which stays in the second cache

# Every layer has a head that matches, trained as the last one's; after so many, pairs without a match show it.
_TESTED_AFTER = 2

Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """The keypoints of a view: places, float32 [1, N, 2] in [-1, 1], and descriptors, float32 [1, N, d]."""

    places: torch.Tensor
    descriptors: torch.Tensor


class LightGlueMatcher:
    """Matches two views of local features. Several threads may match at once.

    A processor that multiplies bfloat16 does so, in about half the time; the sum of all scores then differs from
    float32's by 3 % (ALIKED) and 7 % (XFeat) on average, most where few match. A GPU computes in float32.
    """

    def __init__(
        self,
        configuration: Mapping[str, Any],
        weights: Path,
        device: torch.device = CPU_ALWAYS.device,
        *,
        least_score: float = 0.0,
    ) -> None:
        """Load the weights into kornia's LightGlue.

        Args:
            configuration: what differs from ``kornia.feature.LightGlue.default_conf``.
            weights: a checkpoint of LightGlue; other tensors in it are passed over.
            device: to run on.
            least_score: with a smaller sum of scores after two layers, a pair is not taken through the others.

        Raises:
            BackendUnavailable: the file does not hold all of the network's weights.
        """
        from kornia.feature.lightglue import LightGlue

        untyped: Any = LightGlue  # typed as if weights had to be named
        self._network = untyped(None, **configuration)
        stored = torch.load(weights, map_location="cpu", weights_only=True)
        renamed = {_modern_name(name, self._network.conf.n_layers): tensor for name, tensor in stored.items()}
        # Not strict, as the file may hold more. But a weight that stayed random must not pass unnoticed.
        loaded = self._network.load_state_dict(renamed, strict=False)
        if missing := set(loaded.missing_keys) - {"confidence_thresholds"}:
            raise BackendUnavailable(f"this kornia does not fit {weights.name}: {', '.join(sorted(missing)[:3])} …")
        self._network.eval().to(device)
        self._device = device
        self._least_score = least_score
        self._in_bfloat16 = device.type == "cpu" and multiplies_bfloat16()
        if self._in_bfloat16:
            for name, layer in self._network.named_modules():
                if isinstance(layer, torch.nn.Linear) and not name.startswith("posenc"):
                    layer.bfloat16()
        # Places need more digits than bfloat16 has.
        self._network.posenc.forward = torch.autocast("cpu", enabled=False)(self._network.posenc.forward)
        attend = _attend_in_bfloat16 if self._in_bfloat16 else functional.scaled_dot_product_attention
        for layer in self._network.transformers:
            # kornia's own would round to float16 on a GPU
            layer.self_attn.inner_attn.forward = partial(_attend_within, attend)
            layer.cross_attn.forward = partial(_attend_across, attend, layer.cross_attn)

    def match(self, query: FeatureView, candidate: FeatureView) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Match the keypoints of two views.

        Returns:
            Index pairs [M, 2] into the query's and the candidate's keypoints, and their scores, float32 [M] in [0, 1].
        """
        if len(query.keypoints) < 2 or len(candidate.keypoints) < 2:
            return np.zeros((0, 2), dtype=np.intp), np.zeros(0, dtype=np.float32)
        with torch.inference_mode(), torch.autocast("cpu", enabled=self._in_bfloat16):
            found, scores = self._match(self._as_input(query), self._as_input(candidate))
        return found.cpu().numpy().astype(np.intp), scores.float().cpu().numpy()

    def _match(self, first: _Points, second: _Points) -> tuple[torch.Tensor, torch.Tensor]:
        """Do what kornia's ``LightGlue.forward`` does, and stop as well where hardly anything matches.

        Returns:
            Index pairs [M, 2] and their scores [M].
        """
        network = self._network
        described = network.input_proj(first.descriptors), network.input_proj(second.descriptors)
        encodings = network.posenc(first.places), network.posenc(second.places)
        for layer, transformer in enumerate(network.transformers):
            described = transformer(*described, *encodings)
            if layer + 1 == _TESTED_AFTER and self._least_score > 0:
                found, scores = self._assign(layer, *described)
                if scores.float().sum() < self._least_score:
                    return found, scores
            if layer + 1 == len(network.transformers) or self._is_sure(layer, *described):
                break
        return self._assign(layer, *described)

    def _is_sure(self, layer: int, first: torch.Tensor, second: torch.Tensor) -> bool:
        """Whether further layers would change the matches of hardly any keypoint."""
        if self._network.conf.depth_confidence < 0:
            return False
        confident = self._network.token_confidence[layer](first, second)
        return bool(self._network.check_if_stop(*confident, layer, first.shape[1] + second.shape[1]))

    def _assign(self, layer: int, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Match what has gone through a layer."""
        from kornia.feature.lightglue import filter_matches

        log_assignment, _ = self._network.log_assignment[layer](first, second)
        matched, _, scores, _ = filter_matches(log_assignment, self._network.conf.filter_threshold)
        is_matched = matched[0] > -1
        return torch.stack([torch.where(is_matched)[0], matched[0][is_matched]], -1), scores[0][is_matched]

    def _as_input(self, view: FeatureView) -> _Points:
        size = np.array(view.size, dtype=np.float32)
        places = (2 * view.keypoints.astype(np.float32) - 1) * size / size.max()
        both = (torch.from_numpy(array)[None].to(self._device) for array in (places, view.descriptors))
        return _Points(*(tensor.float() for tensor in both))


def _attend_in_bfloat16(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """What ``scaled_dot_product_attention`` returns, in two thirds of its time on a CPU that multiplies bfloat16.

    torch's fused attention multiplies blocks too small to gain by it, and the matrix of all pairs is too large to be
    reused from the heap. To move all keys alike changes no attention; about their mean, products are smaller, and lose
    as little by rounding as in the fused attention.
    """
    keys = keys.float()
    keys = (keys - keys.mean(dim=-2, keepdim=True)).bfloat16().contiguous().transpose(-1, -2)
    scaled, values = (queries.float() * queries.shape[-1] ** -0.5).bfloat16(), values.bfloat16().contiguous()
    rows = [
        torch.matmul(torch.softmax(torch.matmul(some, keys), dim=-1), values) for some in scaled.split(_ROWS, dim=-2)
    ]
    return torch.cat(rows, dim=-2)


def _attend_within(
    attend: Attend, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: None = None
) -> torch.Tensor:
    assert mask is None, "no batch is padded here"
    return attend(queries, keys, values)


def _attend_across(
    attend: Attend, block: Any, first: torch.Tensor, second: torch.Tensor, mask: None = None
) -> tuple[torch.Tensor, ...]:
    """What kornia's ``CrossBlock.forward`` returns, in half the time.

    On a CPU, kornia keeps the fused attention to ``SelfBlock``, and writes out the matrix of all pairs in float32.
    """
    assert mask is None, "no batch is padded here"
    heads = partial(torch.Tensor.unflatten, dim=-1, sizes=(block.heads, -1))
    keys, values = (
        [heads(project(points)).transpose(1, 2) for points in (first, second)] for project in (block.to_qk, block.to_v)
    )
    attended = [attend(keys[own], keys[other], values[other]) for own, other in ((0, 1), (1, 0))]
    messages = [block.to_out(part.transpose(1, 2).flatten(start_dim=-2)) for part in attended]
    return tuple(
        points + block.ffn(torch.cat([points, message], -1))
        for points, message in zip((first, second), messages, strict=True)
    )


def _modern_name(name: str, layers: int) -> str:
    """Rename a parameter of a published checkpoint to kornia's name."""
    name = name.replace("matcher.", "")
    for layer in range(layers):
        for part in ("self_attn", "cross_attn"):
            name = name.replace(f"{part}.{layer}.", f"transformers.{layer}.{part}.")
    return name
