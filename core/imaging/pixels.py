"""From a decoded picture of any mode and size to a small RGB one, without a second full-size copy."""

import math

import numpy as np
from PIL import Image
from PIL.Image import Resampling

# Pictures are converted in bands of about this many pixels.
_BAND_PIXELS = 1 << 20


def reduce_to_rgb(image: Image.Image, max_side: int) -> Image.Image:
    """Convert band by band, averaging whole blocks of pixels on the way, then resize the small rest.

    The pixels are those that converting all and ``Image.thumbnail`` with a ``reducing_gap`` of 2 would give.
    """
    width, height = image.size
    target_width, target_height = _fit(image.size, max_side)
    across, down = max(1, width // (2 * target_width)), max(1, height // (2 * target_height))
    reduced = Image.new("RGB", (-(-width // across), -(-height // down)))
    rows = max(1, _BAND_PIXELS // (width * down)) * down
    for top in range(0, height, rows):
        band = _to_rgb(image.crop((0, top, width, min(height, top + rows))))
        reduced.paste(band.reduce((across, down)), (0, top // down))
    # Bilinear (over the whole footprint, as Pillow does it) takes two thirds of the time of bicubic.
    box = (0, 0, width / across, height / down)
    return reduced.resize((target_width, target_height), Resampling.BILINEAR, box=box)


def _fit(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """Shrink (width, height) to ``max_side`` with the nearest aspect ratio, as ``Image.thumbnail`` rounds it."""
    width, height = size
    if max(size) <= max_side:
        return size
    aspect = width / height
    if aspect <= 1:
        exact = max_side * aspect
        nearest = min(math.floor(exact), math.ceil(exact), key=lambda side: abs(aspect - side / max_side))
        return max(1, nearest), max_side
    exact = max_side / aspect
    nearest = min(
        math.floor(exact), math.ceil(exact), key=lambda side: 0 if side == 0 else abs(aspect - max_side / side)
    )
    return max_side, max(1, nearest)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow's own conversion of 16-bit greys clips everything above 255 to white.
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        overlay = image.convert("RGBA")
        image = Image.new("RGBA", image.size, "white")
        image.alpha_composite(overlay)
    return image.convert("RGB")
