"""The product's icon as PNG, drawn from the figures of ``web/icon.svg``: systems that install the page want one."""

import io
from itertools import pairwise

from PIL import Image, ImageDraw

_GREEN = (11, 98, 90)
_WHITE = (255, 255, 255)
_FINER = 3  # drawn so many times larger and reduced, because Pillow draws hard edges

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
_MASKABLE = 0.85  # of its size, which keeps the mark in the circle that every mask leaves (W3C manifest, section 3.1)


def draw_icon(side: int, *, maskable: bool = False) -> bytes:
    """Draw it.

    Args:
        side: of the square, pixels.
        maskable: filled to the edges, for systems that cut it to a shape of their own.

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
        """A line with round ends; between a point and itself, a disc."""
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
