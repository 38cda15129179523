"""Turning a photo by quarters, and its points there and back."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_TURN = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


def turn(image: Image.Image, rotation: int) -> Image.Image:
    """Turn counter-clockwise by 0, 90, 180 or 270 degrees, without loss."""
    return image.transpose(_TURN[rotation]) if rotation else image


def to_upright(points: NDArray[np.float32], rotation: int) -> NDArray[np.float32]:
    """Undo a counter-clockwise rotation of the photo by 0, 90, 180 or 270 degrees.

    Args:
        points: float32 [P, 2], (x, y) in [0, 1] of the turned photo.
        rotation: by how many degrees the upright photo had been turned.

    Returns:
        float32 [P, 2], (x, y) in [0, 1] of the upright photo.
    """
    x, y = points[:, 0], points[:, 1]
    # Turning by 90 degrees counter-clockwise takes the upright (u, v) to (v, 1 - u); y points down.
    upright = {0: (x, y), 90: (1 - y, x), 180: (1 - x, 1 - y), 270: (y, 1 - x)}[rotation]
    return np.stack(upright, axis=1).astype(np.float32)


def to_turned(points: NDArray[np.float32], rotation: int) -> NDArray[np.float32]:
    """Where points of the upright photo lie once it is turned counter-clockwise; the inverse of ``to_upright``."""
    return to_upright(points, -rotation % 360)
