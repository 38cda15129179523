"""Copies of one photo, and two photos of one thing."""

import io

import numpy as np
import pytest
from fakes.images import draw_place, see_again
from PIL import Image

from core.imaging.decoding import decode_image
from core.imaging.signature import SIDE, photo_signature


def signature(image: Image.Image) -> np.ndarray:
    """float64 [1024], L2 norm 1."""
    values = np.frombuffer(photo_signature(image), np.int8).astype(float)
    return values / np.linalg.norm(values)


def reencoded(image: Image.Image, format: str, **options) -> Image.Image:
    """The image through a file, as the product reads it."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return decode_image(file.getvalue()).image


@pytest.mark.parametrize("seed", range(4))
def test_copies_agree(seed: int):
    """However it is compressed or scaled, and whatever its orientation is written down as."""
    photo = draw_place(seed)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter; the viewer turns it back
    width, height = photo.size
    copies = [
        reencoded(photo, "JPEG", quality=30),
        reencoded(photo, "WEBP", quality=50),
        reencoded(photo, "PNG"),
        photo.resize((width * 9 // 10, height * 9 // 10)),
        photo.resize((width // 3, height // 3)),
        photo.resize((width * 2, height * 2)),
        reencoded(photo.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=80, exif=exif),
    ]

    assert min(float(signature(photo) @ signature(copy)) for copy in copies) > 0.985


@pytest.mark.parametrize("seed", range(4))
def test_other_views_do_not(seed: int):
    """The same thing photographed again, and another thing."""
    photo = draw_place(seed)

    for other in (see_again(photo, 5).image, see_again(photo, 6).image, draw_place(seed + 10)):
        assert float(signature(photo) @ signature(other)) < 0.97


def test_one_plain_colour_looks_like_nothing():
    """There is nothing to compare."""
    assert photo_signature(Image.new("RGB", (40, 30), "red")) == bytes(SIDE * SIDE)
