"""A small array of a photo's appearance, which tells copies of one photo from different photos.

Two files of one photo, re-encoded, resized or turned, agree almost wholly. Two photos of one thing, taken from about
the same place, do not.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32


def photo_signature(image: Image.Image) -> bytes:
    """Sum a photo up.

    Args:
        image: upright RGB, of any size.

    Returns:
        int8 [32, 32], row by row: lightness around its mean, scaled to use the whole range; all 0 for one plain colour.
    """
    small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    around_mean = np.asarray(small, np.float32)
    around_mean = around_mean - around_mean.mean()
    largest = float(np.abs(around_mean).max())
    if largest < 1:
        return bytes(SIDE * SIDE)
    scaled: NDArray[np.int8] = np.rint(around_mean * (127 / largest)).astype(np.int8)
    return scaled.tobytes()
