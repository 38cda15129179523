"""Augments a gallery photo to look like a visitor's: another viewpoint, other light, a phone camera.

It stands in for photos that nobody has taken yet. It is milder than real photos, which show other days and seasons.
"""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from core.imaging.decoding import decode_image

_LONG_SIDE = 1280


def simulate_visitor_photo(data: bytes, seed: int) -> bytes:
    """Photograph a photo again.

    Args:
        data: of a photo in any accepted format.
        seed: of everything that is left to chance; the same photo and seed give the same bytes.

    Returns:
        A JPEG of the same shape, its longer side 1280 pixels or fewer, without metadata.

    Raises:
        InvalidImage: the bytes are not a readable photo.
    """
    image = decode_image(data, max_side=_LONG_SIDE).image
    chance = np.random.default_rng((seed, 2))
    seen = image.transform(
        image.size,
        Image.Transform.PERSPECTIVE,
        _another_spot(image.size, chance),
        Image.Resampling.BICUBIC,
        fillcolor=_surroundings(image),
    )
    blurred = seen.filter(ImageFilter.GaussianBlur(float(chance.uniform(0, 1.2)) * max(image.size) / 1024))
    written = BytesIO()
    _another_light(blurred, chance).save(written, "JPEG", quality=int(chance.integers(60, 88)))
    return written.getvalue()


def _another_spot(size: tuple[int, int], chance: np.random.Generator) -> tuple[float, ...]:
    """Coefficients of a perspective: nearer or farther, aside, a little turned and tilted."""
    width, height = size
    corners = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    turn = np.radians(chance.normal(0, 4))
    turned = corners @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    # Above 1 the photo takes in more than the original shows.
    shown = turned * chance.uniform(0.65, 1.5) + chance.uniform(-0.08, 0.08, 2) + chance.uniform(-0.05, 0.05, (4, 2))
    return tuple(_homography((corners + 0.5) * (width, height), (shown + 0.5) * (width, height)).ravel()[:8].tolist())


def _another_light(image: Image.Image, chance: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, dtype=np.float32) / 255
    pixels = pixels ** chance.uniform(0.7, 1.5) * chance.uniform(0.75, 1.2, 3).astype(np.float32).clip(0.85, 1.15)
    height, width = pixels.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width]
    x, y, reach = chance.uniform(0, width), chance.uniform(0, height), chance.uniform(0.1, 0.35) * max(width, height)
    glare = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * reach**2)).astype(np.float32)
    pixels = pixels + chance.uniform(0, 0.25) * glare[..., None]
    pixels = pixels + chance.normal(0, chance.uniform(0.005, 0.03), pixels.shape).astype(np.float32)
    return Image.fromarray((pixels * 255).clip(0, 255).astype(np.uint8))


def _surroundings(image: Image.Image) -> tuple[int, int, int]:
    """The photo's mean colour: what lies around it is not known."""
    red, green, blue = np.asarray(image.resize((1, 1), Image.Resampling.BOX)).ravel()[:3].tolist()
    return red, green, blue


def _homography(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 3 x 3 matrix that takes four points to four others."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source.tolist(), target.tolist(), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(values)), 1.0).reshape(3, 3)
