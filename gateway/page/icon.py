"""Draws the product's icon as PNG, which is needed to install the page; the same shapes as in ``web/icon.svg``."""

import io
from itertools import pairwise

from PIL import Image, ImageDraw

_GREEN = (11, 98, 90)
_WHITE = (255, 255, 255)
_FINER = 3  # drawn so many times larger and then reduced, because Pillow draws without antialiasing

# On icon.svg's canvas of 32 by 32.
_CANVAS = 32.0
_RADIUS = 7.0
_BRACKETS = (
    ((7, 12), (7, 7), (12, 7)),
    ((20, 7), (25, 7), (25, 12)),
    ((25, 20), (25, 25), (20, 25)),
    ((12, 25), (7, 25), (7, 20)),
)
_STROKE = 2.4
_DOT = 3.4
_MASKABLE = 0.85  # scale that keeps the mark inside the safe zone of all masks (W3C manifest, section 3.1)


def draw_icon(side: int, *, maskable: bool = False) -> bytes:
    """Draw the icon.

    Args:
        side: of the square, pixels.
        maskable: filled to the edges, for systems that cut icons to their own shape.

    Returns:
        A PNG file.
    """
    large = side * _FINER
    image = Image.new("RGBA", (large, large), (*_GREEN, 255 if maskable else 0))
    draw = ImageDraw.Draw(image)
    scale = large / _CANVAS
    if not maskable:
        draw.rounded_rectangle((0, 0, large - 1, large - 1), _RADIUS * scale, fill=_GREEN)
    shrink = _MASKABLE if maskable else 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        middle = _CANVAS / 2
        return (middle + (x - middle) * shrink) * scale, (middle + (y - middle) * shrink) * scale

    def draw_round(first: tuple[float, float], second: tuple[float, float], thickness: float) -> None:
        """Draw a line with round ends; a disc, if both points are the same."""
        half = thickness * shrink * scale / 2
        (left, top), (right, bottom) = sorted((place(*first), place(*second)))
        draw.rounded_rectangle(
            (left - half, min(top, bottom) - half, right + half, max(top, bottom) + half), half, _WHITE
        )

    for bracket in _BRACKETS:
        for first, second in pairwise(bracket):
            draw_round(first, second, _STROKE)
    draw_round((_CANVAS / 2, _CANVAS / 2), (_CANVAS / 2, _CANVAS / 2), 2 * _DOT)
    buffer = io.BytesIO()
    image.resize((side, side), Image.Resampling.LANCZOS).save(buffer, "PNG")
    return buffer.getvalue()
