"""Small copies of photos: what they keep of a photo, and what they do not."""

from io import BytesIO
from pathlib import Path

import pytest
from fakes.images import GPS_IFD, draw_place, encode
from PIL import Image, ImageChops, ImageStat

from core.imaging.copies import PREVIEW_SIDE, encode_copy, encode_preview, may_serve, read_preview, side_of_pixels
from core.imaging.decoding import LONGEST_SIDE, decode_image


@pytest.mark.parametrize("write", [encode_preview, encode_copy])
def test_a_copy_is_small_and_bare(write):
    """A copy is a JPEG within max_side that carries no position, comment or other metadata."""
    photo = Image.open(BytesIO(encode(draw_place(3, (900, 600)), "jpeg", orientation=1, gps=True)))
    assert GPS_IFD in photo.getexif()
    photo.info["comment"] = b"private"
    photo.load()

    written = write(photo, max_side=300)

    copy = Image.open(BytesIO(written))
    assert (copy.format, copy.size) == ("JPEG", (300, 200))
    assert not copy.getexif()
    assert b"private" not in written
    assert b"Exif" not in written


def test_the_given_image_is_left_alone():
    """Making a copy does not shrink or change the image it is made of."""
    image = draw_place(4, (200, 100))
    image.info["dpi"] = (72, 72)

    encode_preview(image, max_side=50)

    assert image.size == (200, 100)
    assert image.info == {"dpi": (72, 72)}


def test_a_copy_for_a_model_shows_what_the_photo_shows():
    """Decoded again, it differs on average by less than a grey level in brightness, and three in any colour."""
    photo = decode_image(encode(draw_place(5, (2400, 1800)), "jpeg"), max_side=768).image

    copy = decode_image(encode_copy(photo, 768)).image

    assert copy.size == photo.size == (768, 576)
    assert ImageStat.Stat(ImageChops.difference(copy.convert("L"), photo.convert("L"))).mean[0] < 1
    assert max(ImageStat.Stat(ImageChops.difference(copy, photo)).mean) < 3


def test_a_preview_is_read_only_where_it_serves(tmp_path: Path):
    """It may be a sixth smaller than asked for; one that is smaller still, or damaged, is nothing."""
    photo = draw_place(6, (1200, 900))
    paths = {name: tmp_path / f"{name}.jpg" for name in ("whole", "small", "torn", "lost")}
    paths["whole"].write_bytes(encode_preview(photo))
    paths["small"].write_bytes(encode_preview(photo, max_side=600))
    paths["torn"].write_bytes(encode_preview(photo)[:-2000])

    read = {name: read_preview(path, 768) for name, path in paths.items()}

    assert read["whole"] is not None
    assert (read["whole"].mode, read["whole"].size) == ("RGB", (640, 480))
    assert [read[name] for name in ("small", "torn", "lost")] == [None, None, None]
    assert read_preview(paths["whole"], 800) is None


@pytest.mark.parametrize("aspect", [1, 4 / 3, 16 / 9, 9 / 4])
@pytest.mark.parametrize("pixels", [4 * 28**2, 256 * 28**2, 256 * 32**2, 512 * 512])
def test_the_side_for_a_number_of_pixels_is_enough(pixels: int, aspect: float):
    """A photo of any usual shape that was reduced to this side has as many pixels as its reader takes."""
    side = side_of_pixels(pixels)

    assert side**2 / aspect >= pixels
    assert side <= LONGEST_SIDE
    assert side_of_pixels(16384 * 32**2) == LONGEST_SIDE


@pytest.mark.parametrize(("tokens", "side"), [(256, PREVIEW_SIDE), (384, 785), (512, 906), (712, 1067), (4096, 1067)])
def test_the_documented_previews_serve_readers_of_so_many_tokens(tokens: int, side: int):
    """256 are the default budget of Qwen3-VL, which takes 32 x 32 pixels for a token; docs/gpu.md names the others."""
    assert may_serve(side, side_of_pixels(tokens * 32**2))
    assert side == PREVIEW_SIDE or not may_serve(side - 1, side_of_pixels(tokens * 32**2))
