"""A picture small on plain ground is found; where the ground is not plain, none is."""

import numpy as np
import pytest
import skimage.data
from fakes.images import HUNG_CORNERS, WALL, draw_place, hang
from PIL import Image, ImageDraw

from core.local_features.quadrilaterals import find_picture

BRICK = Image.fromarray(skimage.data.brick()).convert("RGB").resize(WALL)


def plain_wall() -> Image.Image:
    """Darker towards one side, with the noise of a camera."""
    light = np.linspace(160, 220, WALL[0])[None, :, None] + np.random.default_rng(0).normal(0, 4, (*WALL[::-1], 3))
    return Image.fromarray(light.clip(0, 255).astype(np.uint8))


def test_a_framed_picture_is_found_by_its_frame():
    """On a wall that is lit from one side, and photographed with noise."""
    found = find_picture(hang(draw_place(1), plain_wall()))

    assert found is not None
    assert np.abs(found.corners * WALL - HUNG_CORNERS).max() < 12  # pixels


def cup_on_table() -> Image.Image:
    """Round, without a frame, on plain ground."""
    photo = plain_wall()
    cup = Image.fromarray(skimage.data.coffee()).crop((150, 60, 450, 360))
    outline = Image.new("L", cup.size)
    ImageDraw.Draw(outline).ellipse((5, 5, 295, 295), fill=255)
    photo.paste(cup, (600, 400), outline)
    return photo


def two_pictures() -> Image.Image:
    """A second one, without a frame, beside the first."""
    photo = hang(draw_place(1))
    photo.paste(draw_place(2, (200, 150)), (900, 650))
    return photo


@pytest.mark.parametrize(
    "photo",
    [
        draw_place(1),
        hang(draw_place(1), BRICK),
        two_pictures(),
        cup_on_table(),
        plain_wall(),
        Image.fromarray(skimage.data.astronaut()),
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (3, 2000), "white"),
    ],
    ids=["fills the photo", "textured wall", "two", "no frame", "nothing", "no plain ground", "pixel", "strip"],
)
def test_otherwise_there_is_none(photo):
    """What is around a picture belongs to the place, and objects look alike at their own scale."""
    assert find_picture(photo) is None
