"""Photos into the tensors a DINO ViT was trained on, equal to the official processors but without torchvision.

The official DINOv3 processor scales to [0, 1], resizes, then normalises; DINOv2's resizes bytes, rounds, crops, then
scales and normalises. Which of the two, the filter and the colour statistics are read from the model's own
``preprocessor_config.json``; input size and aspect policy are ours to choose.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate, pad

from core.errors import BackendUnavailable, InvalidRequest
from core.imaging.decoding import LONGEST_SIDE
from core.runtime.constants import channels_on

Aspect = Literal["squash", "crop", "pad"]
Triple = tuple[float, float, float]
Interpolation = Literal["bilinear", "bicubic"]
ASPECTS: tuple[Aspect, ...] = ("squash", "crop", "pad")

# By PIL's numbers and names.
_FILTERS: dict[int | str, Interpolation] = {2: "bilinear", 3: "bicubic", "bilinear": "bilinear", "bicubic": "bicubic"}
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_DINOV2_MARGIN = 256 / 224
_DINOV3_PROCESSOR = {"image_processor_type": "DINOv3ViTImageProcessorFast"}
_DINOV2_PROCESSOR = {
    "image_processor_type": "BitImageProcessor",
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "size": {"shortest_edge": 256},
    "resample": 3,
}
OFFICIAL_PROCESSORS: Mapping[str, Mapping[str, Any]] = {
    "dinov3_vit": _DINOV3_PROCESSOR,
    "dinov2": _DINOV2_PROCESSOR,
    "dinov2_with_registers": _DINOV2_PROCESSOR,
}
"""By model type, for folders that do not say: what is published with the models."""
# What a vision-language model reads of a photo at 256 tokens, so that one decoded photo serves both.
_LEAST_SIDE = 768
# A crop never needs more of a strip than this; beyond it, resizing the short side first would blow the long one up.
_LONGEST_STRIP = 8


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a photo becomes pixels of a network.

    Attributes:
        input_size: S, pixels; a multiple of ``patch``.
        aspect: ``squash`` to S x S; ``crop`` the centre S x S after resizing the short side to S * ``margin``;
            ``pad``: long side to S, both sides then padded to the next multiple of ``patch``.
        patch: side of one patch, pixels.
        interpolation: filter of the resize, always antialiased.
        resizes_bytes: resize and round 0..255 (DINOv2) rather than floats in [0, 1] (DINOv3).
        margin: short side before the crop over S, >= 1.
        mean: of the training photos, RGB in [0, 1].
        std: of the training photos, RGB in [0, 1].
    """

    input_size: int
    aspect: Aspect
    patch: int
    interpolation: Literal["bilinear", "bicubic"]
    resizes_bytes: bool
    margin: float
    mean: tuple[float, float, float] = _IMAGENET_MEAN
    std: tuple[float, float, float] = _IMAGENET_STD

    def __str__(self) -> str:
        """What the fingerprint records: everything that changes a vector."""
        statistics = (
            "imagenet" if (self.mean, self.std) == (_IMAGENET_MEAN, _IMAGENET_STD) else f"{self.mean}{self.std}"
        )
        margin = f"/{self.margin:.4g}" if self.aspect == "crop" else ""
        order = "bytes" if self.resizes_bytes else "floats"
        return f"{self.aspect}{margin} {self.input_size} {self.interpolation} {order} {statistics}"

    @property
    def photo_side(self) -> int:
        """Longest side of photos that is worth decoding, pixels: three times the input size, or what verifiers read."""
        return min(LONGEST_SIDE, max(_LEAST_SIDE, 3 * self.input_size))

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """(H, W) of the tensor that a photo of ``width`` x ``height`` becomes; photos of one size share a batch."""
        if self.aspect != "pad":
            return self.input_size, self.input_size
        inner_height, inner_width = self._resized(width, height)
        return _up_to_multiple(inner_height, self.patch), _up_to_multiple(inner_width, self.patch)

    def to_tensor(self, image: Image.Image, device: torch.device) -> torch.Tensor:
        """Resize, crop or pad, and normalise one upright RGB photo.

        Args:
            image: of any size.
            device: where the work is done; a GPU resizes a phone photo in a fraction of a CPU's time.

        Returns:
            float32 [3, H, W] on ``device``, roughly [-2.2, 2.7]; padding is 0, the mean colour.
        """
        if self.aspect == "crop":
            image = _shorten_strip(image)
        raw = torch.from_numpy(np.array(image.convert("RGB"), dtype=np.uint8))  # HxWxC, as PIL has it
        pixels = raw.to(device).permute(2, 0, 1)[None].float()
        size = self._resized(image.width, image.height)
        if self.resizes_bytes:
            # PIL's two passes, each rounded and cut to a byte; in one pass overshoots differ by several grey levels.
            pixels = self._resize(pixels, (image.height, size[1])).round().clamp(0, 255)
            pixels = self._resize(pixels, size).round().clamp(0, 255) * (1 / 255)
        else:
            pixels = self._resize(pixels.mul_(1 / 255), size)
        if self.aspect == "crop":
            top, left = (size[0] - self.input_size) // 2, (size[1] - self.input_size) // 2
            pixels = pixels[..., top : top + self.input_size, left : left + self.input_size]
        pixels = (pixels - channels_on(device, self.mean)) / channels_on(device, self.std)
        height, width = self.output_size(image.width, image.height)
        return pad(pixels, (0, width - pixels.shape[-1], 0, height - pixels.shape[-2]))[0]

    def _resize(self, pixels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        return interpolate(pixels, size=size, mode=self.interpolation, align_corners=False, antialias=True)

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """(H, W) after the resize, before crop or padding."""
        short, long = min(width, height), max(width, height)
        if self.aspect == "squash":
            return self.input_size, self.input_size
        if self.aspect == "crop":
            new_short = round(self.input_size * self.margin)
            new_long = int(new_short * long / short)  # cut, not rounded, as the official processors do
        else:
            new_long, new_short = self.input_size, max(1, round(self.input_size * short / long))
        return (new_short, new_long) if width >= height else (new_long, new_short)


def preprocessing_of(
    processor: Mapping[str, Any], *, patch: int, input_size: int | None = None, aspect: str = "auto"
) -> Preprocessing:
    """Read a model's official preprocessing and apply our two choices to it.

    Args:
        processor: content of its ``preprocessor_config.json``. What it leaves out, or gives as null, is as in
            ``OFFICIAL_PROCESSORS``.
        patch: side of one patch, pixels.
        input_size: pixels; None is the model's own.
        aspect: ``auto`` is the model's own.

    Raises:
        InvalidRequest: input size or aspect outside what is accepted.
        BackendUnavailable: a preprocessing this code does not know.
    """
    if aspect not in ("auto", *ASPECTS):
        raise InvalidRequest(f"unknown aspect policy: {aspect!r}; accepted: auto, {', '.join(ASPECTS)}")
    crops = bool(processor.get("do_center_crop"))
    short_edge, crop_side = _side(processor.get("size"), "size"), _side(processor.get("crop_size"), "crop_size")
    own_size = (crop_side if crops else short_edge) or 224
    chosen = own_size if input_size is None else input_size
    if chosen < patch or chosen % patch:
        below = max(patch, chosen // patch * patch)
        raise InvalidRequest(
            f"input size {chosen} is no multiple of the patch size {patch}; try {below} or {below + patch}"
        )
    _refuse_unknown_steps(processor)
    resizes_bytes = "DINOv3" not in str(_processor_class(processor))
    policy: Aspect = next((known for known in ASPECTS if known == aspect), "crop" if crops else "squash")
    return Preprocessing(
        input_size=chosen,
        aspect=policy,
        patch=patch,
        interpolation=_filter(processor.get("resample"), resizes_bytes=resizes_bytes),
        resizes_bytes=resizes_bytes,
        margin=short_edge / own_size if crops and short_edge else _DINOV2_MARGIN,
        mean=_triple(processor, "image_mean", _IMAGENET_MEAN),
        std=_triple(processor, "image_std", _IMAGENET_STD),
    )


def _processor_class(processor: Mapping[str, Any]) -> Any:
    # Older files call it feature_extractor_type.
    return processor.get("image_processor_type") or processor.get("feature_extractor_type") or "DINOv3"


def _side(size: Any, field: str) -> int | None:
    """The side of a size in any form in use: 224, {"shortest_edge": 224}, {"height": 224, "width": 224}."""
    if size is None or size == {}:
        return None
    sides = {size} if isinstance(size, int) else set(size.values()) if isinstance(size, Mapping) else set()
    if len(sides) == 1 and isinstance(side := sides.pop(), int) and side > 0:
        return side
    raise BackendUnavailable(f"the model's processor has {field} {size!r}; accepted: one side in pixels, of a square")


def _filter(resample: Any, *, resizes_bytes: bool) -> Interpolation:
    if resample is None:
        return "bicubic" if resizes_bytes else "bilinear"
    known = _FILTERS.get(resample.lower() if isinstance(resample, str) else resample)
    if known is None:
        raise BackendUnavailable(
            f"the model's processor resizes with PIL filter {resample!r}; known: 2 bilinear, 3 bicubic"
        )
    return known


def _refuse_unknown_steps(processor: Mapping[str, Any]) -> None:
    """Refuse a preprocessing that leaves out a step which is always done here."""
    for step in ("do_resize", "do_rescale", "do_normalize"):
        if processor.get(step, True) is False:
            raise BackendUnavailable(f"the model's processor has {step} false; accepted: true")
    factor = processor.get("rescale_factor")
    if factor is not None and not (isinstance(factor, int | float) and math.isclose(factor, 1 / 255, rel_tol=1e-3)):
        raise BackendUnavailable(f"the model's processor has rescale_factor {factor!r}; accepted: 1/255")


def _triple(processor: Mapping[str, Any], field: str, default: Triple) -> Triple:
    values = processor.get(field)
    if values is None:
        return default
    try:
        red, green, blue = (float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise BackendUnavailable(f"the model's processor has {field} {values!r}; accepted: three numbers") from error
    return red, green, blue


def _up_to_multiple(side: int, patch: int) -> int:
    return -(-side // patch) * patch


def _shorten_strip(image: Image.Image) -> Image.Image:
    """Cut the ends off a strip longer than 1:8, of which a central crop keeps nothing anyway."""
    width, height = image.size
    limit = _LONGEST_STRIP * min(width, height)
    if max(width, height) <= limit:
        return image
    left, top = max(0, width - limit) // 2, max(0, height - limit) // 2
    return image.crop((left, top, left + min(width, limit), top + min(height, limit)))
