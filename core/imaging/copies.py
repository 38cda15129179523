"""Small copies of photos: previews, which a gallery keeps, and copies that one model passes to another."""

import math
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from core.errors import InvalidImage
from core.imaging.decoding import LONGEST_SIDE, open_image

PREVIEW_SIDE = 640
"""Longest side of a preview in pixels, unless a gallery is asked for larger ones."""


def side_of_pixels(pixels: int) -> int:
    """Compute the longest side at which photos of up to 9:4 have this many pixels; ``LONGEST_SIDE`` at most."""
    return min(LONGEST_SIDE, math.ceil(1.5 * math.sqrt(pixels)))


def encode_preview(image: Image.Image, *, max_side: int = PREVIEW_SIDE) -> bytes:
    """Write a small JPEG that carries pixels only: no EXIF, no position, no comment.

    Args:
        image: RGB.
        max_side: longest side in pixels; smaller images keep their size.
    """
    return _encode(image, max_side, quality=82, optimize=True)


def encode_copy(image: Image.Image, max_side: int) -> bytes:
    """Write a JPEG for a model that reads no more than ``max_side``, in higher quality than previews."""
    return _encode(image, max_side, quality=95)


def may_serve(preview_side: int, side: int) -> bool:
    """Tell whether a preview serves a reader of ``side`` pixels: a sixth less makes no difference to a model."""
    return 6 * preview_side >= 5 * side


def read_preview(path: Path, side: int) -> Image.Image | None:
    """Decode a preview to RGB.

    Returns:
        None if it is too small for a reader of ``side`` pixels, or missing or damaged.
    """
    try:
        with Image.open(path, formats=["JPEG"]) as preview:
            if not may_serve(max(preview.size), side):
                return None
        return open_image(path).image
    except (InvalidImage, OSError):
        return None


def _encode(image: Image.Image, max_side: int, **options: Any) -> bytes:
    copy = image.copy()
    copy.info = {}
    copy.thumbnail((max_side, max_side), Image.Resampling.BICUBIC)
    buffer = BytesIO()
    copy.save(buffer, "JPEG", **options)
    return buffer.getvalue()
