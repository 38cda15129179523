"""Photos in the sizes that the convolutional networks take."""

from PIL import Image

STRIDE = 32
"""The networks halve a picture five times."""


def resize(
    image: Image.Image,
    long_side: int,
    resample: Image.Resampling = Image.Resampling.BILINEAR,
    *,
    reducing_gap: float = 2.0,
) -> Image.Image:
    """Resize to RGB with about ``long_side`` pixels on the longer side; smaller photos are enlarged.

    Args:
        image: of any size and mode.
        long_side: in pixels, >= 32.
        resample: Pillow's filter.
        reducing_gap: see ``PIL.Image.Image.resize``: larger is closer to the filter alone, and slower.

    Returns:
        Both sides are multiples of 32 and at least that: the nearest to the photo's own shape.
    """
    scale = long_side / max(image.size)
    width, height = (max(STRIDE, round(side * scale / STRIDE) * STRIDE) for side in image.size)
    in_colour = image if image.mode == "RGB" else image.convert("RGB")  # which copies
    return in_colour.resize((width, height), resample, reducing_gap=reducing_gap)
