import io
from pathlib import Path

import numpy as np
import pytest
from fakes.images import draw_place
from PIL import Image

from core.errors import InvalidImage, InvalidRequest
from core.imaging.sources import read_source

PLACE = draw_place(1, (160, 120))


def test_every_form_of_a_photo_is_the_same_photo(tmp_path: Path):
    """A path, its text, the bytes, the opened picture and its pixels give one picture."""
    file = tmp_path / "photo.png"
    PLACE.save(file)
    forms = [file, str(file), file.read_bytes(), Image.open(file), np.asarray(PLACE)]

    pictures = [np.asarray(read_source(form)[0]) for form in forms]

    assert all((picture == np.asarray(PLACE)).all() for picture in pictures)


@pytest.mark.parametrize("mode", ["I;16", "I", "L", "LA", "P", "RGBA", "1", "CMYK"])
def test_an_opened_picture_is_read_as_its_file_is(tmp_path: Path, mode: str):
    """Whatever its mode; Pillow alone would turn 16 bits white and transparency black."""
    picture = PLACE.convert("L").convert("I") if mode.startswith("I") else PLACE.convert(mode)
    if mode.startswith("I"):
        picture = Image.fromarray((np.asarray(picture) * 257).astype(np.uint16))
    file = tmp_path / ("photo.jpg" if mode == "CMYK" else "photo.png")
    picture.save(file)

    opened, _ = read_source(Image.open(file))

    assert (np.asarray(opened) == np.asarray(read_source(file)[0])).all()
    assert 20 < np.asarray(opened).mean() < 235


def test_an_opened_picture_is_turned_upright():
    """EXIF orientation is applied, as it is to files."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    PLACE.save(buffer, "JPEG", exif=exif)

    assert read_source(Image.open(buffer))[0].size == (120, 160)


def test_a_picture_without_pixels_is_refused():
    """0 x 0 is named, not divided by."""
    with pytest.raises(InvalidImage, match="0 x 0 pixels"):
        read_source(Image.new("RGB", (0, 0)))


def test_a_closed_picture_is_refused(tmp_path: Path):
    """One that was closed before it was read."""
    PLACE.save(tmp_path / "photo.png")
    picture = Image.open(tmp_path / "photo.png")
    picture.close()
    with pytest.raises(InvalidImage, match="was it closed"):
        read_source(picture)


@pytest.mark.parametrize("source", [None, 5, ["a.jpg"], np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8)])
def test_anything_else_is_refused(source: object):
    """The error names what would be accepted."""
    with pytest.raises(InvalidRequest, match="accepted: a path"):
        read_source(source)  # type: ignore[arg-type]
