"""Photos without their metadata: nothing private left, nothing of the picture lost."""

import struct
import zlib
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from fakes.images import FORMATS, draw_place, encode
from PIL import Image, ImageCms

from core.errors import InvalidImage
from core.imaging.decoding import decode_image
from core.imaging.metadata import strip_metadata

PLACE = draw_place(1, (96, 64))
SECRET = b"a secret that must not be kept"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int = 6) -> Image.Exif:
    """Camera, description and position, and how the picture is turned."""
    written = Image.Exif()
    written[0x0112] = orientation
    written[0x010E] = SECRET.decode()
    written.get_ifd(0x8825)[1] = "N"
    written.get_ifd(0x8825)[2] = (30.0, 15.0, 0.0)
    return written


def with_metadata(kind: str) -> bytes:
    """A photo with everything that its format can carry."""
    buffer = BytesIO()
    if kind == "heic":
        import pillow_heif

        file = pillow_heif.from_pillow(PLACE)
        file.save(buffer, quality=80, exif=exif(1).tobytes(), xmp=b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>")
        return buffer.getvalue()
    options = {
        "jpeg": {"exif": exif(), "icc_profile": PROFILE, "comment": SECRET, "xmp": SECRET, "progressive": True},
        "png": {"exif": exif(), "icc_profile": PROFILE},
        "webp": {"exif": exif(), "icc_profile": PROFILE, "xmp": SECRET},
        "avif": {"exif": exif(), "icc_profile": PROFILE, "xmp": SECRET},
    }[kind]
    PLACE.save(buffer, kind, **options)
    data = buffer.getvalue()
    if kind == "png":
        text = b"tEXtComment\0" + SECRET
        chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
        data = data[:-12] + chunk + data[-12:]
    return data


def strip(data: bytes) -> bytes:
    """Without metadata, as decoding found the photo."""
    decoded = decode_image(data)
    return strip_metadata(data, decoded.media_type, decoded.orientation)


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_private_is_left(kind: str):
    """Description, position, camera and XMP are gone from the bytes, and from what readers find."""
    data = with_metadata(kind)
    assert SECRET in data

    stripped = strip(data)

    assert SECRET not in stripped
    opened = Image.open(BytesIO(stripped)) if kind != "heic" else _open_heic(stripped)
    found = opened.getexif()
    assert set(found) <= {0x0112}
    assert not found.get_ifd(0x8825)
    assert not opened.info.get("xmp", b"").strip(b"\0")


@pytest.mark.parametrize("kind", FORMATS)
def test_the_picture_stays_as_it_was(kind: str):
    """Every pixel, the turn and the colour profile are those of the file that was sent."""
    data = with_metadata(kind)

    before, after = decode_image(data), decode_image(strip(data))

    assert (before.width, before.height) == (after.width, after.height)
    assert np.array_equal(np.asarray(before.image), np.asarray(after.image))
    if kind != "heic":
        assert Image.open(BytesIO(strip(data))).info["icc_profile"] == PROFILE
        assert (after.width, after.height) == (64, 96)  # turned, by EXIF or by the container


@pytest.mark.parametrize("kind", FORMATS)
def test_stripping_twice_changes_nothing_more(kind: str):
    """The same photo always gives the same bytes, so that a duplicate is known as one."""
    once = strip(with_metadata(kind))

    assert strip(once) == once
    assert strip(with_metadata(kind)) == once


@pytest.mark.parametrize("kind", FORMATS)
def test_a_photo_without_metadata_stays_whole(kind: str):
    """What carries nothing private is decoded to the same picture afterwards."""
    data = encode(PLACE, kind)

    assert np.array_equal(np.asarray(decode_image(strip(data)).image), np.asarray(decode_image(data).image))


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_what_hangs_behind_the_picture_goes(kind: str):
    """Motion photos and editors leave films and copies behind the end, with metadata of their own."""
    assert SECRET not in strip(encode(PLACE, kind) + SECRET)


def test_embedded_thumbnails_go():
    """A thumbnail may show what was cut away from the picture."""
    data = encode(PLACE, "jpeg")
    thumbnail = b"JFXX\0\x10" + SECRET
    sent = data[:20] + b"\xff\xe0" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + data[20:]

    assert SECRET not in strip(sent)


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_animations_keep_their_frames(kind: str):
    """All frames of an animation are copied."""
    frames = [PLACE.rotate(90 * turn) for turn in (1, 2)]
    buffer = BytesIO()
    PLACE.save(buffer, kind, save_all=True, append_images=frames, exif=exif(1))

    stripped = Image.open(BytesIO(strip(buffer.getvalue())))

    assert stripped.n_frames == 3
    assert not set(stripped.getexif()) - {0x0112}


def test_sequences_are_refused_where_metadata_cannot_be_told():
    """An AVIF of many frames keeps its metadata in another structure: it is refused, with what to send instead."""
    buffer = BytesIO()
    PLACE.save(buffer, "avif", save_all=True, append_images=[PLACE.rotate(90)])

    with pytest.raises(InvalidImage, match="send a JPEG"):
        strip(buffer.getvalue())


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_files_are_refused_or_still_pictures(kind: str):
    """Whatever bytes are damaged, the answer is a file or a refusal."""
    data, rng = with_metadata(kind), np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(data)
        for at in rng.integers(0, min(len(data), 600), 3):
            damaged[at] = rng.integers(0, 256)
        with suppress(InvalidImage):
            assert strip_metadata(bytes(damaged), f"image/{kind}", 1)


def _open_heic(data: bytes) -> Image.Image:
    import pillow_heif

    return pillow_heif.open_heif(BytesIO(data)).to_pillow()
