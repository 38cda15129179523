"""Where the patches of photos lie, for a vision tower: computed on the CPU, once for every shape of photo.

Without it, the tower asks the device for the number of patches in every layer, and the CPU waits for all work before.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch

Grid = tuple[int, int, int]

_MOST_GRIDS = 256  # about 60 KB each on the device


class TowerLayout:
    """Computes a vision tower's arguments that follow from the shapes of photos. Not thread-safe."""

    def __init__(self, visual: Any) -> None:
        """Set the tower, of any Qwen-VL."""
        self._visual = visual
        self._of_grid = lru_cache(_MOST_GRIDS)(self._compute)

    def of(self, grids: Sequence[Grid]) -> dict[str, torch.Tensor]:
        """Give the arguments for photos of these shapes: positions on the device, lengths on the CPU."""
        from transformers.vision_utils import get_vision_cu_seqlens, get_vision_window_index

        each = [self._of_grid(grid) for grid in grids]
        together = {name: torch.cat([photo[name] for photo in each]) for name in each[0]}
        shapes = torch.tensor(grids)
        together["cu_seqlens"] = get_vision_cu_seqlens(shapes)
        if hasattr(self._visual, "window_size"):
            index, lengths = get_vision_window_index(
                shapes, self._visual.spatial_merge_size, self._visual.window_size, self._visual.patch_size
            )
            together |= {"window_index": index.to(self._device), "cu_window_seqlens": lengths}
        return together

    @property
    def _device(self) -> torch.device:
        device: torch.device = self._visual.device
        return device

    def _compute(self, grid: Grid) -> dict[str, torch.Tensor]:
        from transformers.vision_utils import get_vision_interpolation_indices_and_weights, get_vision_position_ids

        shape = torch.tensor([grid])
        merge = self._visual.spatial_merge_size
        placed = {"position_ids": get_vision_position_ids(shape, merge)}
        if hasattr(self._visual, "num_grid_per_side"):
            placed["interp_indices"], placed["interp_weights"] = get_vision_interpolation_indices_and_weights(
                shape,
                num_grid_per_side=self._visual.num_grid_per_side,
                mode=self._visual.interpolation_mode,
                align_corners=self._visual.interpolation_align_corners,
                spatial_merge_size=merge,
            )
        return {name: tensor.to(self._device) for name, tensor in placed.items()}
