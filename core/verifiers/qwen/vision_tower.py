"""Photos to visual tokens, with a cache for gallery photos: a match on cached photos encodes the query only."""

from collections.abc import Sequence
from typing import Any

import torch

from core.results import Photo
from core.runtime.bounded_cache import BoundedCache
from core.runtime.bounded_forward import BatchLimit, BoundedForward
from core.verifiers.qwen.tower_layout import TowerLayout
from core.verifiers.qwen.visual_tokens import PatchCutter, PixelGrid, VisualTokens


class CachedVisionTower:
    """Runs the vision tower of a Qwen-VL. ``prepare`` may run in any thread, ``encode`` in one at a time.

    Attributes:
        cache: visual tokens by content hash and token budget, in main memory.
    """

    def __init__(self, network: Any, cutter: PatchCutter, *, cache_bytes: int, max_batch: int) -> None:
        """Wrap the tower of ``network``.

        Args:
            network: a ``Qwen*VLForConditionalGeneration``.
            cutter: cuts photos into patches, as that model expects them.
            cache_bytes: largest size of the cache; 0 turns it off. A photo of 256 tokens takes 8.4 MB with
                Qwen3-VL-8B in bfloat16.
            max_batch: photos per forward pass.

        The network's patch embedding is replaced by an equal matrix product: as a convolution over three axes in
        bfloat16, cuDNN may take seconds for it.
        """
        self.cache: BoundedCache[tuple[str, int], VisualTokens] = BoundedCache(
            cache_bytes, lambda tokens: tokens.byte_size
        )
        self._network = network
        visual = network.model.visual
        if isinstance(visual.patch_embed.proj, torch.nn.Conv3d):
            visual.patch_embed = _PatchProduct(visual.patch_embed.proj)
        self._layout = TowerLayout(visual)
        self._cutter = cutter
        self._forward = BoundedForward(self._run, max_batch)

    def photo_side(self, max_tokens: int) -> int:
        """Longest side of photos that makes a difference with this budget, pixels."""
        return self._cutter.photo_side(max_tokens)

    @property
    def limit(self) -> BatchLimit:
        """Photos per forward pass."""
        return self._forward.limit

    def prepare(self, photo: Photo, max_tokens: int) -> VisualTokens | PixelGrid:
        """Return a photo's tokens from the cache; if it is not cached, load it and return its pixels."""
        cached = self.cache.get((photo.content_hash, max_tokens)) if photo.content_hash else None
        return cached or self._cutter.fit(photo.reduced(self.photo_side(max_tokens)), max_tokens)

    def encode(self, prepared: Sequence[VisualTokens | PixelGrid]) -> list[VisualTokens]:
        """Run the tower over the photos that are not tokens yet.

        Raises:
            OutOfMemory: not even one photo fitted the device.
        """
        pixels = [photo for photo in prepared if isinstance(photo, PixelGrid)]
        if not pixels:
            return [photo for photo in prepared if isinstance(photo, VisualTokens)]
        counts = [self._cutter.token_count(photo) for photo in pixels]
        encoded = iter(torch.split(self._forward(pixels), counts))
        return [
            photo if isinstance(photo, VisualTokens) else VisualTokens(next(encoded), photo.grid) for photo in prepared
        ]

    def keep(self, photo: Photo, max_tokens: int, tokens: VisualTokens) -> None:
        """Cache a photo's tokens in main memory; a photo without a content hash is not cached."""
        if photo.content_hash is None or self.cache.max_bytes == 0:
            return
        # A copy, because a view of a batch would keep the whole batch in memory; pinned, for fast copies to the GPU.
        on_cuda = tokens.states.is_cuda
        states = torch.empty_like(tokens.states, device="cpu", pin_memory=on_cuda).copy_(tokens.states)
        self.cache.put((photo.content_hash, max_tokens), VisualTokens(states, tokens.grid))

    def _run(self, photos: Sequence[PixelGrid]) -> torch.Tensor:
        device = self._network.device
        grids = [photo.grid for photo in photos]
        output = self._network.model.get_image_features(
            torch.cat([self._cutter.cut(photo, device) for photo in photos]),
            image_grid_thw=torch.tensor(grids),
            return_dict=True,
            **self._layout.of(grids),
        )
        levels = [output.pooler_output, *getattr(output, "deepstack_features", ())]
        return torch.cat([torch.cat(tuple(level)) for level in levels], dim=1)


class _PatchProduct(torch.nn.Module):
    """A patch embedding as a matrix product: its convolution sees every patch once, without overlap."""

    def __init__(self, proj: torch.nn.Conv3d) -> None:
        super().__init__()
        self.proj = proj  # under its own name, so that the network keeps the names of its weights

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        weight = self.proj.weight
        return torch.nn.functional.linear(patches.to(weight.dtype), weight.flatten(1), self.proj.bias)
