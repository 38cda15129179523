"""LightGlue, a learned matcher of sparse features (Lindenberger et al., ICCV 2023), with weights from a file."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray

from core.errors import BackendUnavailable
from core.local_features.lightglue_layers import attend_to_others, attend_to_themselves, replace_attention
from core.results import FeatureView
from core.runtime.cores import count_cores
from core.runtime.devices import CPU_ALWAYS, multiplies_bfloat16
from core.runtime.second_thread import SecondThread

_ROWS = 512  # of all pairs at once, when matches are assigned

# Every layer has a head that matches, trained as the last one's; after so many, pairs without a match show it, and so
# do keypoints.
_TESTED_AFTER = 2
# To glance at so many keypoints takes two fifths of the time of two layers of 1,024.
_GLANCED_AT = 512


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """The keypoints of a view: places, float32 [1, N, 2] in [-1, 1], and descriptors, float32 [1, N, d]."""

    places: torch.Tensor
    descriptors: torch.Tensor


class LightGlueMatcher:
    """Matches two views of local features.

    Several threads may match at once. While only one does, a second thread takes the half of each layer that is one
    view's: the same in 0.6 of the time.

    A processor that multiplies bfloat16 does so, in about half the time; the sum of all scores then differs from
    float32's by 3 % (ALIKED) and 7 % (XFeat) on average, most where few match. A GPU computes in float32.
    """

    def __init__(
        self,
        configuration: Mapping[str, Any],
        weights: Path,
        device: torch.device = CPU_ALWAYS.device,
        *,
        least_score: float,
        layers: int | None = None,
        drops_keypoints: bool = False,
    ) -> None:
        """Load the weights into kornia's LightGlue.

        Args:
            configuration: what differs from ``kornia.feature.LightGlue.default_conf``.
            weights: a checkpoint of LightGlue; other tensors in it are passed over.
            device: to run on.
            least_score: with a smaller sum of scores after two layers, a pair is not taken through the others.
            layers: to take of the network's, from the first one on; > 2. None takes all.
            drops_keypoints: those that after two layers are too unlikely to match anything to pass the filter of
                ``configuration`` are left out of the others; ``least_score`` is positive then, so that some are left.
                It pays for a large network: what is left is copied.

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
        self._network.transformers = self._network.transformers[:layers]
        self._network.eval().to(device)
        self._device = device
        self._least_score, self._drops_keypoints = least_score, drops_keypoints
        self._in_bfloat16 = device.type == "cpu" and multiplies_bfloat16()
        if self._in_bfloat16:
            for name, layer in self._network.named_modules():
                if isinstance(layer, torch.nn.Linear) and not name.startswith("posenc"):
                    layer.bfloat16()
        # Places need more digits than bfloat16 has.
        self._network.posenc.forward = torch.autocast("cpu", enabled=False)(self._network.posenc.forward)
        for layer in self._network.transformers:
            replace_attention(layer, in_bfloat16=self._in_bfloat16)
        self._has_second_core = device.type == "cpu" and count_cores() > 1
        self._second_thread = SecondThread("matching")
        self._counting, self._under_way = Lock(), 0

    def match(
        self, query: FeatureView, candidate: FeatureView, *, glance_first: bool = False
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Match the keypoints of two views, which are sorted, the strongest first.

        Args:
            query: of the query photo.
            candidate: of the gallery photo.
            glance_first: take the strongest 512 keypoints of both through two layers, and leave the pair at what they
                match where their scores sum to less than ``least_score``.

        Returns:
            Index pairs [M, 2] into the query's and the candidate's keypoints, and their scores, float32 [M] in [0, 1].
        """
        if glance_first:
            found, scores = self._run(_strongest(query), _strongest(candidate), math.inf)
            if scores.sum() < self._least_score:
                return found, scores
        return self._run(query, candidate, self._least_score)

    def _run(
        self, query: FeatureView, candidate: FeatureView, least_score: float
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        if len(query.keypoints) < 2 or len(candidate.keypoints) < 2:
            return np.zeros((0, 2), dtype=np.intp), np.zeros(0, dtype=np.float32)
        with self._counted(), self._inference():
            found, scores = self._match(self._as_input(query), self._as_input(candidate), least_score)
        return found.cpu().numpy().astype(np.intp), scores.cpu().numpy()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._counting:
            self._under_way += 1
        try:
            yield
        finally:
            with self._counting:
                self._under_way -= 1

    @contextmanager
    def _inference(self) -> Iterator[None]:
        with torch.inference_mode(), torch.autocast("cpu", enabled=self._in_bfloat16):
            yield

    def _match(self, first: _Points, second: _Points, least_score: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Do what kornia's ``LightGlue.forward`` does, and stop as well where hardly anything matches.

        Returns:
            Index pairs [M, 2] and their scores [M].
        """
        network = self._network
        described = [network.input_proj(points.descriptors) for points in (first, second)]
        encodings = [network.posenc(points.places) for points in (first, second)]
        for layer in network.transformers[:_TESTED_AFTER]:
            described = self._pass(layer, described, encodings)
        found, scores = self._assign(_TESTED_AFTER, *described)
        if scores.sum() < least_score:
            return found, scores
        kept = None
        if self._drops_keypoints:
            kept = [self._matchable(_TESTED_AFTER, points) for points in described]
            described, encodings = (
                [tensor.index_select(-2, rows) for tensor, rows in zip(tensors, kept, strict=True)]
                for tensors in (described, encodings)
            )
        for layer in network.transformers[_TESTED_AFTER:]:
            described = self._pass(layer, described, encodings)
        found, scores = self._assign(len(network.transformers), *described)
        if kept is not None:
            found = torch.stack([rows[found[:, side]] for side, rows in enumerate(kept)], dim=-1)
        return found, scores

    def _pass(
        self, layer: Any, described: Sequence[torch.Tensor], encodings: Sequence[torch.Tensor]
    ) -> list[torch.Tensor]:
        """Take the keypoints of both views through a layer, as kornia's ``TransformerLayer.forward`` does."""
        (own, keys, values), (other, other_keys, other_values) = self._for_both(
            partial(attend_to_themselves, layer), *zip(described, encodings, strict=True)
        )
        across = partial(attend_to_others, layer)
        return self._for_both(across, (own, keys, other_keys, other_values), (other, other_keys, keys, values))

    def _for_both(self, work: Callable[..., Any], first: tuple[Any, ...], second: tuple[Any, ...]) -> list[Any]:
        """Do some work for either view, side by side while this matcher matches no other pair."""
        if not self._has_second_core or self._under_way > 1:
            return [work(*first), work(*second)]

        def infer(view: tuple[Any, ...]) -> Any:
            with self._inference():
                return work(*view)

        (one,), (other,) = self._second_thread.share([partial(infer, first)], [partial(infer, second)])
        return [one, other]

    def _matchable(self, layers: int, points: torch.Tensor) -> torch.Tensor:
        """The rows of the keypoints that, after so many layers, may match something."""
        (probability,) = self._network.log_assignment[layers - 1].get_matchability(points)
        return torch.where(probability > self._network.conf.filter_threshold)[0]

    def _assign(self, layers: int, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Match what has gone through so many layers, as kornia's ``MatchAssignment`` and ``filter_matches`` do.

        Two keypoints match by the product of the softmax of their similarity over either side, and of how likely each
        matches anything. Some rows at a time stay in the cache, and scores are not rounded to bfloat16.
        """
        head = self._network.log_assignment[layers - 1]
        own, others = (head.final_proj(points)[0] / head.dim**0.25 for points in (first, second))
        of_own, of_others = (
            functional.logsigmoid(head.matchability(points)[0, :, 0].float()) for points in (first, second)
        )
        of_others = of_others - torch.cat([_log_sum((rows @ own.T).float()) for rows in torch.split(others, _ROWS)])
        found, largest = [], torch.full_like(of_others, -math.inf)
        for number, (rows, of_rows) in enumerate(zip(torch.split(own, _ROWS), torch.split(of_own, _ROWS), strict=True)):
            similarities = (rows @ others.T).float()
            scores = torch.add(of_others, similarities, alpha=2).add_((of_rows - _log_sum(similarities))[:, None])
            best = scores.amax(dim=1)
            strong = torch.where(best.exp() > self._network.conf.filter_threshold)[0]
            found.append((number * _ROWS + strong, scores[strong].argmax(dim=1), best[strong]))
            largest = torch.maximum(largest, scores.amax(dim=0))
        queries, candidates, best = map(torch.cat, zip(*found, strict=True))
        mutual = best == largest[candidates]
        queries, candidates, best = queries[mutual], candidates[mutual], best[mutual]
        # Where several are equal, the first one.
        taken_by = torch.full_like(largest, len(own), dtype=torch.long).scatter_reduce(0, candidates, queries, "amin")
        only = taken_by[candidates] == queries
        return torch.stack([queries, candidates], dim=1)[only], best[only].exp()

    def _as_input(self, view: FeatureView) -> _Points:
        size = np.array(view.size, dtype=np.float32)
        places = (2 * view.keypoints.astype(np.float32) - 1) * size / size.max()
        both = (torch.from_numpy(array)[None].to(self._device) for array in (places, view.descriptors))
        return _Points(*(tensor.float() for tensor in both))


def _strongest(view: FeatureView) -> FeatureView:
    """The keypoints that are glanced at."""
    return replace(view, keypoints=view.keypoints[:_GLANCED_AT], descriptors=view.descriptors[:_GLANCED_AT])


def _log_sum(rows: torch.Tensor) -> torch.Tensor:
    """What ``logsumexp`` returns of each row, in half the time."""
    return rows[:, 0] - functional.log_softmax(rows, dim=1)[:, 0]


def _modern_name(name: str, layers: int) -> str:
    """Rename a parameter of a published checkpoint to kornia's name."""
    name = name.replace("matcher.", "")
    for layer in range(layers):
        for part in ("self_attn", "cross_attn"):
            name = name.replace(f"{part}.{layer}.", f"transformers.{layer}.{part}.")
    return name
