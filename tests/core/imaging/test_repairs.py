"""Files whose picture is whole although something about them is not."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from fakes.images import draw_place
from PIL import Image, ImageCms, PngImagePlugin

from core.errors import ImageTooLarge, InvalidImage
from core.imaging.decoding import ImageLimits, decode_image
from core.imaging.repairs import load_cut_jpeg

PLACE = draw_place(1, (200, 150))
TEXT = "parameters of a picture " * 60_000


def png(**options) -> bytes:
    buffer = BytesIO()
    PLACE.save(buffer, "PNG", **options)
    return buffer.getvalue()


def jpeg(**options) -> bytes:
    buffer = BytesIO()
    PLACE.save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def texts(*adders: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for number, adder in enumerate(adders):
        if adder == "zTXt":
            info.add_text(f"text{number}", TEXT, zip=True)
        elif adder == "iTXt":
            info.add_itxt(f"text{number}", TEXT, zip=True)
        else:
            info.add_text(f"text{number}", TEXT)
    return info


def with_chunk(data: bytes, kind: bytes, content: bytes, *, damaged: bool = False) -> bytes:
    """Put a chunk behind the header."""
    checksum = zlib.crc32(kind + content) ^ damaged
    return data[:33] + struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum) + data[33:]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(pnginfo=texts("zTXt")), id="zTXt"),
        pytest.param(png(pnginfo=texts("iTXt")), id="iTXt"),
        pytest.param(png(pnginfo=texts("tEXt")), id="tEXt"),
        pytest.param(png(pnginfo=texts(*["zTXt"] * 50)), id="70 MB of texts"),
        pytest.param(
            png(icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(1_500_000)),
            id="iCCP",
        ),
        pytest.param(with_chunk(png(), b"pHYs", bytes(9), damaged=True), id="damaged pHYs"),
        pytest.param(with_chunk(png(), b"tIME", bytes(7), damaged=True), id="damaged tIME"),
        pytest.param(with_chunk(png(), b"eXIf", bytes(9), damaged=True), id="damaged eXIf"),
        pytest.param(png() + b"trailing bytes", id="trailing bytes"),
    ],
)
def test_what_says_nothing_of_pixels_refuses_no_png(data: bytes):
    """A PNG with long texts or profiles, or a damaged chunk beside its picture, gives its picture."""
    np.testing.assert_array_equal(np.asarray(decode_image(data).image), np.asarray(PLACE))


def test_a_damaged_picture_chunk_is_refused():
    """A PNG whose picture itself is damaged stays refused."""
    data = bytearray(png())
    data[data.index(b"IDAT") + 100] ^= 0xFF

    with pytest.raises(InvalidImage):
        decode_image(bytes(data))


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 0}])
def test_a_jpeg_that_lacks_its_end_marker_alone_is_read(options: dict, missing: int):
    """Every pixel is there, so the photo is the one that the complete file gives."""
    whole = jpeg(**options)

    cut = decode_image(whole[:-missing])

    np.testing.assert_array_equal(np.asarray(cut.image), np.asarray(decode_image(whole).image))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.97])
def test_a_jpeg_that_lacks_rows_is_refused_with_how_many(share: float):
    """The message says which part of the picture is missing, as far as the file tells."""
    whole = jpeg()

    with pytest.raises(InvalidImage, match=r"the last [0-9]+% of the picture is missing; send the complete file"):
        decode_image(whole[: int(len(whole) * share)])


def test_arithmetic_coding_is_named():
    """A JPEG with arithmetic coding that a decoder gives up is not called damaged."""
    data = bytearray(jpeg())
    data[data.index(b"\xff\xc0") + 1] = 0xC9

    with pytest.raises(InvalidImage, match="arithmetic coding"):
        load_cut_jpeg(bytes(data), lambda whole: Image.open(BytesIO(whole)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_orientation_in_xmp_alone_turns_nothing(kind: str):
    """Browsers and viewers pass over XMP's orientation, so the visitor and the collection see the same picture."""
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    buffer = BytesIO()
    if kind == "JPEG":
        PLACE.save(buffer, "JPEG", xmp=xmp)
    else:
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        PLACE.save(buffer, "PNG", pnginfo=info)

    decoded = decode_image(buffer.getvalue())

    assert (decoded.width, decoded.height, decoded.orientation) == (200, 150, 1)


def test_a_baseline_jpeg_may_have_twice_the_pixels():
    """What is reduced while it is decoded takes little memory: 108 megapixels of a phone are read."""
    limits = ImageLimits(max_pixels=50_000)
    large = Image.new("RGB", (300, 300), "teal")
    baseline, progressive = BytesIO(), BytesIO()
    large.save(baseline, "JPEG")
    large.save(progressive, "JPEG", progressive=True)

    assert decode_image(baseline.getvalue(), max_side=150, limits=limits).width == 300
    with pytest.raises(ImageTooLarge, match="at most 50,000"):
        decode_image(progressive.getvalue(), max_side=150, limits=limits)
    with pytest.raises(ImageTooLarge, match="at most 50,000"):
        decode_image(baseline.getvalue(), max_side=200, limits=limits)
