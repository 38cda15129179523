"""Photos as input of a Qwen-VL: resized to a token budget, cut into patches, and as the vision tower's output."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from core.errors import BackendUnavailable, InvalidImage, InvalidRequest
from core.imaging.copies import side_of_pixels
from core.runtime.constants import channels_on
from core.runtime.model_files import PROCESSOR_FILES, read_processor

ResizeRule = Callable[..., tuple[int, int]]

# The defaults of transformers' image processor.
_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

MIN_TOKENS = 64
"""Photos of fewer visual tokens are enlarged, if the budget allows it, as in the published Qwen3-VL."""


@dataclass(frozen=True, slots=True, eq=False)
class VisualTokens:
    """The vision tower's output for one photo.

    Attributes:
        states: [n, (1 + levels) * D]: n visual tokens, followed by those of the deepstack levels (Qwen3-VL adds them
            to the first text layers; earlier models have none).
        grid: patches as (time, rows, columns), time being 1.
    """

    states: torch.Tensor
    grid: tuple[int, int, int]

    @property
    def count(self) -> int:
        """Number of visual tokens."""
        return len(self.states)

    @property
    def byte_size(self) -> int:
        """Size of the states in bytes."""
        return self.states.element_size() * self.states.nelement()


@dataclass(frozen=True, slots=True, eq=False)
class PixelGrid:
    """A photo resized for the model.

    Attributes:
        pixels: uint8 [H, W, 3], RGB.
        grid: patches as (time, rows, columns).
    """

    pixels: torch.Tensor
    grid: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class PatchCutter:
    """Replaces the model's image processor, which needs torchvision or is slow without it.

    Attributes:
        patch: side of a patch, pixels.
        merge: patches per side of a visual token.
        frames: how often a still photo is repeated in time.
        mean: of R, G and B, in [0, 1].
        std: of R, G and B, in [0, 1].
        resize_rule: from (height, width, factor, min_pixels, max_pixels) to (height, width).
    """

    patch: int
    merge: int
    frames: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize_rule: ResizeRule

    @classmethod
    def of(cls, folder: Path, vision: Mapping[str, Any] | None = None) -> "PatchCutter":
        """Read the preprocessing of the model in ``folder``.

        Args:
            folder: of the model.
            vision: ``vision_config`` of its config.json, to check the patches; None does not check them.

        Raises:
            BackendUnavailable: the preprocessor's file is missing or incomplete, or contradicts ``vision``.
        """
        settings = read_processor(folder)
        try:
            cutter = cls(
                patch=int(settings["patch_size"]),
                merge=int(settings["merge_size"]),
                frames=int(settings["temporal_patch_size"]),
                mean=tuple(map(float, settings.get("image_mean") or _CLIP_MEAN)),
                std=tuple(map(float, settings.get("image_std") or _CLIP_STD)),
                resize_rule=find_resize_rule(),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BackendUnavailable(
                f"{' or '.join(PROCESSOR_FILES)} in {folder} lacks or garbles {error}; fetch the model again"
            ) from error
        for name, ours in (("patch_size", cutter.patch), ("spatial_merge_size", cutter.merge)):
            theirs = (vision or {}).get(name, ours)
            if theirs != ours:
                raise BackendUnavailable(
                    f"the model in {folder} has {name} {theirs}, its preprocessing {ours}; fetch the model again"
                )
        return cutter

    @property
    def token_side(self) -> int:
        """Side of the square that becomes one visual token, pixels."""
        return self.patch * self.merge

    def photo_side(self, max_tokens: int) -> int:
        """Longest side of photos that ``fit`` makes use of with this budget, pixels."""
        return side_of_pixels(max_tokens * self.token_side**2)

    def token_count(self, photo: PixelGrid) -> int:
        """Compute the number of a photo's visual tokens."""
        _, rows, columns = photo.grid
        return rows * columns // self.merge**2

    def fit(self, image: Image.Image, max_tokens: int) -> PixelGrid:
        """Resize an upright RGB photo to about ``max_tokens`` visual tokens at most, keeping its aspect ratio.

        Raises:
            InvalidImage: the photo is more than 200 times as long as wide.
        """
        side = self.token_side
        try:
            height, width = self.resize_rule(
                image.height,
                image.width,
                factor=side,
                min_pixels=min(MIN_TOKENS, max_tokens) * side**2,
                max_pixels=max_tokens * side**2,
            )
        except ValueError as error:
            raise InvalidImage(
                f"the photo is {image.width} x {image.height} pixels; accepted: sides of at most 1:200"
            ) from error
        # The rule rounds down, which may make the short side of a thin strip 0.
        height, width = max(height, side), max(width, side)
        resized = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        return PixelGrid(torch.from_numpy(np.array(resized)), (1, height // self.patch, width // self.patch))

    def cut(self, photo: PixelGrid, device: torch.device) -> torch.Tensor:
        """Normalise and cut into patches, float32 [patches, 3 * frames * patch * patch], in the tower's order.

        Tokens are ordered row by row; the ``merge`` x ``merge`` patches of a token are consecutive.
        """
        _, rows, columns = photo.grid
        merge, patch = self.merge, self.patch
        # Pixels are copied to the device as bytes, a quarter of the size of float32.
        pixels = photo.pixels.to(device, non_blocking=True).permute(2, 0, 1).float() / 255
        pixels = (pixels - channels_on(device, self.mean)) / channels_on(device, self.std)
        patches = pixels.reshape(3, rows // merge, merge, patch, columns // merge, merge, patch)
        patches = patches.permute(1, 4, 2, 5, 0, 3, 6).unsqueeze(5)
        patches = patches.expand(*patches.shape[:5], self.frames, patch, patch)
        return patches.reshape(rows * columns, 3 * self.frames * patch * patch)


def find_resize_rule() -> ResizeRule:
    """Return Qwen's resize rule from qwen-vl-utils, or transformers' copy of it if qwen-vl-utils cannot be imported.

    qwen-vl-utils imports torchvision, which a CPU installation does not have.

    Raises:
        BackendUnavailable: the installed torchvision was built for another torch; transformers cannot load it either.
    """
    try:
        from qwen_vl_utils.vision_process import smart_resize
    except (ImportError, RuntimeError):
        try:
            from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize
        except RuntimeError as error:
            raise BackendUnavailable(
                f"the installed torchvision does not load beside this torch ({error}); uninstall it, it is not needed"
            ) from error
    rule: ResizeRule = smart_resize
    return rule


def check_token_budget(name: str, tokens: int) -> None:
    """Check that a token budget is in range.

    Raises:
        InvalidRequest: it is outside 4 to 16384.
    """
    if not 4 <= tokens <= 16384:
        raise InvalidRequest(f"{name} is {tokens}; accepted: 4 to 16384 visual tokens per photo")
