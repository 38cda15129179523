"""LightGlue, a learned matcher of sparse features (Lindenberger et al., ICCV 2023), with weights from a file."""

from collections.abc import Callable, Mapping
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

Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class LightGlueMatcher:
    """Matches two views of local features. Several threads may match at once.

    A processor that multiplies bfloat16 does so, in about half the time; the sum of all scores then differs from
    float32's by 3 % (ALIKED) and 7 % (XFeat) on average, most where few match. A GPU computes in float32.
    """

    def __init__(
        self, configuration: Mapping[str, Any], weights: Path, device: torch.device = CPU_ALWAYS.device
    ) -> None:
        """Load the weights into kornia's LightGlue.

        Args:
            configuration: what differs from ``kornia.feature.LightGlue.default_conf``.
            weights: a checkpoint of LightGlue; other tensors in it are passed over.
            device: to run on.

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
        self._network.conf.mp = device.type == "cpu" and multiplies_bfloat16()
        # Places need more digits than bfloat16 has.
        self._network.posenc.forward = torch.autocast("cpu", enabled=False)(self._network.posenc.forward)
        attend = _attend_in_bfloat16 if self._network.conf.mp else functional.scaled_dot_product_attention
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
        with torch.inference_mode():
            views = {f"image{number}": self._as_input(view) for number, view in enumerate((query, candidate))}
            found = self._network(views)
        return found["matches"][0].cpu().numpy().astype(np.intp), found["scores"][0].float().cpu().numpy()

    def _as_input(self, view: FeatureView) -> dict[str, torch.Tensor]:
        size = np.array([view.size], dtype=np.float32)
        arrays = {
            "keypoints": (view.keypoints * size)[None],
            "descriptors": view.descriptors.astype(np.float32)[None],
            "image_size": size,
        }
        return {name: torch.from_numpy(array).to(self._device) for name, array in arrays.items()}


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
