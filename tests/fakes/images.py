"""Draws places: seeded textured pictures, and the same place seen again, with the true geometry between them."""

from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

GPS_IFD = 0x8825
ORIENTATION = 0x0112
FORMATS = ("jpeg", "png", "webp", "avif", "heic")


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A place seen again.

    Attributes:
        image: RGB.
        homography: float64 [3, 3], takes (x, y, 1) in pixels of the drawn place to pixels of ``image``.
    """

    image: Image.Image
    homography: NDArray[np.float64]


def draw_place(seed: int, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """Draw the place number ``seed``: always the same pixels, unlike every other place.

    Soft clouds of colour (for global descriptors) under sharp polygons and strokes (for keypoints).
    """
    rng = np.random.default_rng(seed)
    width, height = size
    picture = Image.new("RGB", size)
    for cells, weight in ((3, 1.0), (9, 0.5), (27, 0.3)):
        clouds = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        layer = Image.fromarray(clouds).resize(size, Image.Resampling.BICUBIC)
        picture = Image.blend(picture, layer, weight)
    pen = ImageDraw.Draw(picture)
    for _ in range(90):
        center = rng.uniform((0, 0), (width, height))
        radius = rng.uniform(0.01, 0.09) * max(size)
        corners = center + radius * rng.uniform(-1, 1, (int(rng.integers(3, 6)), 2))
        pen.polygon([tuple(corner) for corner in corners], fill=_color(rng), outline=_color(rng))
    for _ in range(40):
        ends = rng.uniform((0, 0), (width, height), (2, 2))
        ends[1] = ends[0] + (ends[1] - ends[0]) * 0.2
        pen.line([tuple(end) for end in ends], fill=_color(rng), width=int(rng.integers(1, 4)))
    return picture.filter(ImageFilter.GaussianBlur(0.6))


def see_again(
    place: Image.Image, seed: int, *, crop: float = 0.15, warp: float = 0.05, light: float = 0.25, noise: float = 4.0
) -> View:
    """Photograph a drawn place from somewhere else.

    Args:
        place: the drawn place, RGB.
        seed: which view.
        crop: share of the sides that may fall outside the view, [0, 1).
        warp: how far each corner of the view may wander, as a share of the sides.
        light: largest relative change of brightness and of contrast.
        noise: standard deviation of the sensor's noise, grey levels.
    """
    rng = np.random.default_rng((seed, 1))
    width, height = place.size
    share = 1 - rng.uniform(0, crop)
    left, top = rng.uniform(0, 1 - share, 2)
    unit = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    seen = ((left, top) + unit * share + rng.uniform(-warp, warp, (4, 2))) * (width, height)
    onto_view = _homography(seen, unit * (width, height))
    back = np.linalg.inv(onto_view)
    coefficients = tuple((back / back[2, 2]).ravel()[:8])
    view = place.transform(place.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)

    pixels = np.asarray(view, dtype=np.float32)
    contrast, brightness = 1 + rng.uniform(-light, light, 2)
    pixels = ((pixels - 128) * contrast + 128) * brightness + rng.normal(0, noise, pixels.shape)
    return View(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), onto_view)


WALL = (1200, 900)
HUNG_CORNERS = np.array([(420, 300), (760, 340), (740, 620), (400, 560)], np.float64)


def hang(picture: Image.Image, wall: Image.Image | None = None) -> Image.Image:
    """A framed picture with ``HUNG_CORNERS`` on a wall, plain by default, of the size ``WALL``, seen obliquely."""
    framed = np.asarray(ImageOps.expand(picture, 12, (60, 40, 20)))
    height, width = framed.shape[:2]
    warp = cv2.getPerspectiveTransform(
        np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32), HUNG_CORNERS.astype(np.float32)
    )
    photo = np.array(wall or Image.new("RGB", WALL, (215, 215, 215)))
    inside = cv2.warpPerspective(np.full((height, width), 255, np.uint8), warp, WALL) > 0
    photo[inside] = cv2.warpPerspective(framed, warp, WALL, flags=cv2.INTER_AREA)[inside]
    return Image.fromarray(photo)


def encode(image: Image.Image, kind: str = "jpeg", *, orientation: int | None = None, gps: bool = False) -> bytes:
    """Write ``image`` as one of ``FORMATS``.

    Args:
        image: any mode the format takes.
        kind: one of ``FORMATS``.
        orientation: EXIF orientation tag to write; the pixels are written as they are.
        gps: also write a position into the EXIF.
    """
    exif = Image.Exif()
    if orientation is not None:
        exif[ORIENTATION] = orientation
    if gps:
        exif[GPS_IFD] = {1: "N", 2: (30.0, 15.0, 0.0), 3: "E", 4: (120.0, 8.0, 0.0)}
    buffer = BytesIO()
    if kind == "heic":
        # Here, not above: the fakes stay usable without the `photos` extra.
        import pillow_heif

        pillow_heif.from_pillow(image).save(buffer, quality=80, exif=exif.tobytes())
    else:
        image.save(buffer, kind, exif=exif, **({"quality": 90} if kind == "jpeg" else {}))
    return buffer.getvalue()


def _color(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(level) for level in rng.integers(0, 256, 3))


def _homography(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve the map of four points [4, 2] onto four points [4, 2]."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [(x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y)]
        values += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(values)), 1.0).reshape(3, 3)
