"""Bytes to upright RGB, and the refusals on the way."""

import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from fakes.images import FORMATS, draw_place, encode, see_again
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from core.building.labels import read_folder
from core.errors import ImageTooLarge, InvalidImage, UnsupportedFormat
from core.imaging.decoding import EXTENSIONS, ImageLimits, decode_image, open_image
from core.imaging.headers import sniff_media_type

PLACE = draw_place(1, (96, 64))
FILES = {kind: encode(PLACE, kind) for kind in FORMATS}


def mean_difference(first: Image.Image, second: Image.Image) -> float:
    """In grey levels."""
    return float(np.abs(np.asarray(first, np.float32) - np.asarray(second, np.float32)).mean())


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and then holds almost nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + body
        + struct.pack(">I", zlib.crc32(body))
        + struct.pack(">I", 9)
        + b"IDATx"
    )


def progressive_jpeg(empty_scans: int, *, behind_the_end: bytes = b"") -> bytes:
    """A whole progressive JPEG of 10 scans, its last one repeated without content."""
    buffer = BytesIO()
    PLACE.save(buffer, "JPEG", progressive=True)
    picture = buffer.getvalue().removesuffix(b"\xff\xd9")
    tables, scan = picture.rindex(b"\xff\xc4"), picture.rindex(b"\xff\xda")
    repeated = picture[tables : scan + 10] + bytes(4)
    return picture + repeated * empty_scans + b"\xff\xd9" + behind_the_end


PEAK_OF_DECODING = """
import sys
from pathlib import Path
from core.imaging.decoding import open_image

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024

before = peak()
open_image(Path(sys.argv[1]), max_side=256)
print(peak() - before)
"""


class TestFormats:
    @pytest.mark.parametrize("kind", FORMATS)
    def test_every_accepted_format_is_decoded(self, kind):
        """JPEG, PNG, WebP, AVIF and HEIC all give the picture that was written."""
        decoded = decode_image(FILES[kind])

        assert (decoded.media_type, decoded.width, decoded.height) == (f"image/{kind}", 96, 64)
        assert decoded.image.mode == "RGB"
        # Lossy codecs at their usual quality stay far below 12 grey levels; another picture is 60 away.
        assert mean_difference(decoded.image, PLACE) < 12

    @pytest.mark.parametrize("kind", FORMATS)
    def test_bytes_decide_not_the_name(self, kind, tmp_path):
        """A file is decoded by what it holds, whatever its name says."""
        path = tmp_path / "photo.heic"
        path.write_bytes(FILES[kind])

        assert open_image(path).media_type == f"image/{kind}"

    def test_generic_brand_is_told_apart_by_the_compatible_brands(self):
        """An ISO file of the major brand mif1 is AVIF or HEIC by its further brands."""
        avif = b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf"
        heic = b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf"

        assert (sniff_media_type(avif), sniff_media_type(heic)) == ("image/avif", "image/heic")

    @pytest.mark.parametrize(
        ("data", "named"),
        [
            (b"hello, world", "unknown bytes 68 65"),
            (b"GIF89a" + bytes(20), "GIF"),
            (b"BM" + bytes(60), "BMP"),
            (b"II*\0" + bytes(60), "TIFF"),
            (b"%PDF-1.7", "PDF"),
            (b"<svg xmlns='x'/>", "SVG"),
            (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "video (MP4)"),
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "video (MOV)"),
            (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "raw photo (CR3)"),
            (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
            (b"\0\0\1\0\1\0", "icon"),
            (b"8BPS\0\1", "Photoshop"),
            (b"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQO", "base64 text"),
            (b"data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBA", "base64 text"),
        ],
    )
    def test_other_kinds_are_refused_by_name(self, data, named):
        """What is not accepted is named, together with what would be."""
        with pytest.raises(UnsupportedFormat, match=r"send JPEG, PNG, WebP, AVIF or HEIC") as refusal:
            decode_image(data)

        assert named in str(refusal.value)

    def test_heic_without_its_decoder_says_what_is_missing(self, monkeypatch):
        """Without pillow-heif a HEIC photo is refused with the package's name."""
        monkeypatch.setitem(sys.modules, "pillow_heif", None)

        with pytest.raises(UnsupportedFormat, match="pillow-heif"):
            decode_image(FILES["heic"])

    @pytest.mark.parametrize("media_type", EXTENSIONS)
    def test_every_media_type_has_an_extension_that_is_walked(self, media_type, tmp_path):
        """A stored original is found again by its extension."""
        path = tmp_path / f"damaged{EXTENSIONS[media_type]}"
        path.write_bytes(b"damaged")

        assert [photo.path for photo in read_folder(tmp_path, "reference")] == [path]


class TestPixels:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif"])
    def test_orientation_is_applied(self, kind, orientation):
        """All eight EXIF orientations come out upright, with the upright size."""
        decoded = decode_image(encode(PLACE, kind, orientation=orientation))

        tagged = PLACE.copy()
        tagged.getexif()[0x0112] = orientation
        upright = ImageOps.exif_transpose(tagged)
        assert (decoded.width, decoded.height) == decoded.image.size == upright.size
        assert mean_difference(decoded.image, upright) < 12

    @pytest.mark.parametrize("orientation", [3, 6, 8])
    def test_heic_is_turned_once(self, orientation):
        """A HEIC that carries both a container rotation and an EXIF orientation is turned once, not twice."""
        import pillow_heif

        tagged = Image.open(BytesIO(encode(PLACE, "png", orientation=orientation)))
        file = pillow_heif.HeifFile()
        file.add_frombytes("RGB", PLACE.size, PLACE.tobytes())
        buffer = BytesIO()
        file.save(buffer, quality=80, exif=tagged.getexif().tobytes())

        decoded = decode_image(buffer.getvalue())

        upright = ImageOps.exif_transpose(tagged)
        assert (decoded.width, decoded.height) == upright.size
        assert mean_difference(decoded.image, upright) < 12

    @pytest.mark.parametrize("kind", FORMATS)
    def test_large_photos_are_reduced_and_keep_their_true_size_on_record(self, kind):
        """The result fits max_side; width and height stay those of the original."""
        photo = draw_place(2, (1000, 600))

        decoded = decode_image(encode(photo, kind, orientation=None if kind == "heic" else 6), max_side=200)

        expected = photo.resize((200, 120), Image.Resampling.BICUBIC, reducing_gap=2.0)
        if kind == "heic":
            assert (decoded.width, decoded.height) == (1000, 600)
        else:
            assert (decoded.width, decoded.height) == (600, 1000)
            expected = expected.transpose(Image.Transpose.ROTATE_270)
        assert decoded.image.size == expected.size
        assert mean_difference(decoded.image, expected) < 12

    def test_panorama_keeps_at_least_one_row(self):
        """A strip 3000 pixels wide and one high survives the reduction."""
        decoded = decode_image(encode(Image.new("RGB", (3000, 1)), "png"), max_side=100)

        assert decoded.image.size == (100, 1)

    def test_transparency_is_laid_over_white(self):
        """Transparent pixels become white, opaque ones keep their colour."""
        image = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
        image.paste((0, 0, 255, 255), (0, 0, 4, 8))

        decoded = decode_image(encode(image, "png")).image

        assert decoded.getpixel((1, 1)) == (0, 0, 255)
        assert decoded.getpixel((6, 1)) == (255, 255, 255)

    def test_palette_with_a_transparent_entry_is_laid_over_white(self):
        """A palette picture's transparent entry becomes white."""
        image = Image.new("P", (4, 4), 0)
        image.putpalette([10, 20, 30, 200, 100, 0])
        image.putpixel((0, 0), 1)
        buffer = BytesIO()
        image.save(buffer, "PNG", transparency=0)

        decoded = decode_image(buffer.getvalue()).image

        assert decoded.getpixel((0, 0)) == (200, 100, 0)
        assert decoded.getpixel((1, 1)) == (255, 255, 255)

    def test_sixteen_bit_grey_keeps_its_tones(self):
        """16-bit grey is scaled to 8 bit, not clipped to white."""
        ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)

        decoded = decode_image(encode(Image.fromarray(ramp), "png")).image

        np.testing.assert_array_equal(np.asarray(decoded)[..., 0], ramp >> 8)

    @pytest.mark.parametrize(
        ("mode", "kind"), [("L", "jpeg"), ("1", "png"), ("LA", "png"), ("CMYK", "jpeg"), ("L", "avif")]
    )
    def test_other_colour_modes_become_rgb(self, mode, kind):
        """Grey, bilevel and CMYK pictures come out as RGB of the same look."""
        decoded = decode_image(encode(PLACE.convert(mode), kind)).image

        assert decoded.mode == "RGB"
        assert mean_difference(decoded, PLACE.convert(mode).convert("RGB")) < 12

    @pytest.mark.parametrize("max_side", [2000, 200])
    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "I;16"])
    def test_reducing_band_by_band_leaves_no_seam(self, mode, max_side):
        """A picture of several bands has the pixels that converting all of it and then reducing gives."""
        noise = np.random.default_rng(5).integers(0, 256, (1301, 1103, 4), dtype=np.uint8)
        if mode == "I;16":
            picture = Image.fromarray(noise[..., :2].copy().view(np.uint16)[..., 0])
            whole = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
        else:
            picture = Image.fromarray(noise).convert("RGB" if mode == "P" else mode).convert(mode)
            if mode == "P":
                picture.info["transparency"] = 3
            overlay = picture.convert("RGBA")
            whole = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), overlay).convert("RGB")
        whole.thumbnail((max_side, max_side), Image.Resampling.BILINEAR, reducing_gap=2.0)
        buffer = BytesIO()
        picture.save(buffer, "PNG", compress_level=1)

        np.testing.assert_array_equal(np.asarray(decode_image(buffer.getvalue(), max_side=max_side).image), whole)

    @pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
    def test_a_transparent_picture_is_never_copied_at_full_size(self, tmp_path):
        """Laying 64 MB of RGBA over white takes less than half as much memory again."""
        path = tmp_path / "large.png"
        Image.new("RGBA", (4000, 4000), (9, 8, 7, 100)).save(path, compress_level=1)

        answer = subprocess.run(
            [sys.executable, "-c", PEAK_OF_DECODING, path], check=True, capture_output=True, text=True, timeout=60
        )

        assert int(answer.stdout) < 1.5 * 4000 * 4000 * 4

    @pytest.mark.parametrize("kind", ["webp", "png", "avif"])
    def test_animation_gives_its_first_frame(self, kind):
        """Of several frames the first counts."""
        buffer = BytesIO()
        other = Image.new("RGB", PLACE.size, "white")
        PLACE.save(buffer, kind, save_all=True, append_images=[other, other], duration=100)

        assert mean_difference(decode_image(buffer.getvalue()).image, PLACE) < 12


class TestRefusals:
    def test_nothing_is_no_photo(self):
        """Zero bytes are refused as empty."""
        with pytest.raises(InvalidImage, match="0 bytes"):
            decode_image(b"")

    @pytest.mark.parametrize("kind", FORMATS)
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_truncated_files_are_invalid(self, kind, share):
        """A file that ends early is refused, never half decoded."""
        data = FILES[kind]

        with pytest.raises(InvalidImage):
            decode_image(data[: int(len(data) * share)])

    def test_too_many_bytes(self):
        """The message names the limit and what was sent."""
        with pytest.raises(ImageTooLarge, match=r"1,001; at most 1,000"):
            decode_image(bytes(1001), limits=ImageLimits(max_bytes=1000))

    def test_a_file_too_large_is_not_read(self, tmp_path):
        """A huge file is refused by its size on disk."""
        path = tmp_path / "huge.jpg"
        with path.open("wb") as file:
            file.truncate(1 << 40)

        with pytest.raises(ImageTooLarge, match="bytes"):
            open_image(path)

    @pytest.mark.parametrize("kind", FORMATS)
    def test_too_many_pixels(self, kind):
        """Every format obeys the pixel limit."""
        with pytest.raises(ImageTooLarge, match=r"96 x 64 = 6,144; at most 6,000"):
            decode_image(FILES[kind], limits=ImageLimits(max_pixels=6000))

    @pytest.mark.parametrize("size", [(30_000, 30_000), (12_000, 12_000), (2_000_000_000, 2_000_000_000)])
    def test_bombs_are_refused_by_their_header(self, size):
        """A header that promises too many pixels is refused before any is decoded, without warnings."""
        with pytest.raises(
            ImageTooLarge, match="at most 50,000,000 are accepted of image/png, 100,000,000 of image/jpeg"
        ):
            decode_image(png_header(*size))

    @pytest.mark.parametrize(
        ("limits", "jpeg", "others"),
        [
            (ImageLimits(), 100_000_000, 50_000_000),
            (ImageLimits(max_pixels=20_000_000), 20_000_000, 20_000_000),
            (ImageLimits(max_pixels=60_000_000), 60_000_000, 50_000_000),
            (ImageLimits(max_pixels=400_000_000), 400_000_000, 200_000_000),
            (ImageLimits(max_pixels_undrafted=9_000_000), 100_000_000, 9_000_000),
            (ImageLimits(max_pixels=6_000_000, max_pixels_undrafted=9_000_000), 6_000_000, 6_000_000),
        ],
    )
    def test_formats_that_cannot_shrink_while_decoding_get_fewer_pixels(self, limits, jpeg, others):
        """Only a JPEG may use all of max_pixels, which nothing exceeds."""
        accepted = {media_type: limits.pixels_of(media_type) for media_type in EXTENSIONS}

        assert accepted == dict.fromkeys(EXTENSIONS, others) | {"image/jpeg": jpeg}

    @pytest.mark.parametrize("kind", FORMATS)
    def test_the_lower_limit_holds_for_all_but_jpeg(self, kind):
        """The message names the limit of the format and the one a JPEG would have."""
        limits = ImageLimits(max_pixels=7000, max_pixels_undrafted=6000)
        if kind == "jpeg":
            assert decode_image(FILES[kind], limits=limits).image.size == (96, 64)
            return

        with pytest.raises(ImageTooLarge, match=f"6,144; at most 6,000 are accepted of image/{kind}, 7,000 of"):
            decode_image(FILES[kind], limits=limits)

    def test_a_jpeg_of_thousands_of_scans_is_refused_undecoded(self):
        """Empty scans, each of which would cost a pass over all pixels, are counted and refused."""
        with pytest.raises(InvalidImage, match=r"too many scans in the JPEG: 8,010; at most 100 are accepted"):
            decode_image(progressive_jpeg(8000))

    def test_as_many_scans_as_allowed_are_decoded(self):
        """A JPEG of exactly 100 scans is decoded, one of 101 is not."""
        assert decode_image(progressive_jpeg(90)).image.size == PLACE.size

        with pytest.raises(InvalidImage, match="101; at most 100"):
            decode_image(progressive_jpeg(91))

    def test_counting_scans_is_bounded_too(self):
        """A JPEG of ever more empty comments is refused before all of them are walked."""
        data = progressive_jpeg(100).removesuffix(b"\xff\xd9") + b"\xff\xfe\0\2" * 200_000

        with pytest.raises(InvalidImage, match="more than 100,000 segments"):
            decode_image(data)

    def test_only_scans_of_the_picture_count(self):
        """What looks like a scan in a comment or behind the end (a film, a second picture) is none."""
        data = progressive_jpeg(0, behind_the_end=b"\xff\xda" * 500)
        comment = b"\xff\xfe" + struct.pack(">H", 2 + 2 * 500) + b"\xff\xda" * 500

        assert decode_image(data[:2] + comment + data[2:]).image.size == PLACE.size

    @pytest.mark.parametrize("hiding", [b"\xff", b"\xff\0", b"\xff\xd3", b"noise", b"\xff\xfe\0\0"])
    def test_scans_are_not_hidden_by_what_decoders_skip(self, hiding):
        """Fill bytes, restart markers, stuffing and noise ahead of a scan do not keep it from being counted."""
        data = progressive_jpeg(100)

        with pytest.raises(InvalidImage, match="110; at most 100"):
            decode_image(data.replace(b"\xff\xda", hiding + b"\xff\xda"))

    @pytest.mark.parametrize(
        "chunk",
        [
            b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\0" + b"\xff\x3f\0",
            b"VP8L" + struct.pack("<I", 10) + b"\x2f" + struct.pack("<I", 0x3FFF | 0x3FFF << 14) + bytes(5),
            b"VP8 " + struct.pack("<I", 10) + bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", 0x3FFF, 0x3FFF),
        ],
    )
    def test_webp_bombs_are_refused_before_the_canvas_is_allocated(self, chunk):
        """The canvas size of all three kinds of WebP is read from the header."""
        data = b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk

        with pytest.raises(ImageTooLarge, match=r"1638[34] x 1638[34]"):
            decode_image(data)

    def test_a_higher_limit_admits_larger_photos(self):
        """The limit is the caller's; the decoder's process-wide one does not apply."""
        limits = ImageLimits(max_pixels=4_000_000_000)

        with pytest.raises(InvalidImage, match="damaged or truncated") as refusal:
            decode_image(png_header(20_000, 20_000), limits=limits)

        assert not isinstance(refusal.value, ImageTooLarge)

    @pytest.mark.parametrize("name", ["missing.jpg", "."])
    def test_unreadable_paths_are_invalid(self, name, tmp_path):
        """A missing file or a folder is refused with its path."""
        with pytest.raises(InvalidImage, match="cannot be read"):
            open_image(tmp_path / name)

    @pytest.mark.filterwarnings(
        "ignore::UserWarning"
    )  # Pillow warns of damaged EXIF; the photo is decoded all the same
    def test_damaged_exif_is_forgiven(self):
        """A photo with nonsense in its EXIF is decoded as it lies."""
        buffer = BytesIO()
        PLACE.save(buffer, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(range(64)))

        assert decode_image(buffer.getvalue()).image.size == PLACE.size

    @pytest.mark.filterwarnings("ignore")  # whatever a decoder warns of, only its answer counts here
    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(
        kind=st.sampled_from(FORMATS),
        edits=st.lists(st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6),
    )
    def test_mutated_files_give_a_photo_or_our_refusal(self, kind, edits):
        """Whatever happens to the bytes, the answer is a photo or InvalidImage."""
        data = bytearray(FILES[kind])
        for position, replacement in edits:
            start = int(position * len(data))
            data[start : start + len(replacement)] = replacement
        decoded = None
        with suppress(InvalidImage):
            decoded = decode_image(bytes(data), limits=ImageLimits(max_pixels=1_000_000))

        assert decoded is None or decoded.image.mode == "RGB"


def test_decoded_photos_carry_no_metadata():
    """Nothing of the file's metadata travels on with the pixels."""
    assert decode_image(encode(PLACE, "jpeg", orientation=6, gps=True)).image.info == {}


class TestDrawnPlaces:
    def test_the_same_seed_draws_the_same_place(self):
        """Places are reproducible and differ from each other."""
        assert draw_place(7).tobytes() == draw_place(7).tobytes()
        assert mean_difference(draw_place(7), draw_place(8)) > 30

    def test_ground_truth_geometry_is_true(self):
        """A drawn mark appears in the second view where the homography says."""
        place = draw_place(9)
        mark = np.array([240, 170, 1.0])
        place.paste((255, 255, 255), (230, 160, 251, 181))

        view = see_again(place, 3, light=0, noise=0)

        x, y, w = view.homography @ mark
        assert min(view.image.getpixel((round(x / w), round(y / w)))) > 250


def test_formats_cover_the_accepted_ones():
    """The drawn photos come in exactly the formats that are accepted."""
    assert {f"image/{kind}" for kind in FORMATS} == set(EXTENSIONS)
