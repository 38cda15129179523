"""What the bytes of a photo say before it is decoded: its format, its size, and how much work decoding would be."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from core.errors import InvalidImage

# The next JPEG marker that is followed by a length, or ends the picture: no stuffed byte, fill byte or restart marker.
_JPEG_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd9-\xfe])")
END_OF_IMAGE, START_OF_SCAN = 0xD9, 0xDA
SCAN_MARKER = bytes([0xFF, START_OF_SCAN])

# Real photos have hundreds at most; walking millions of empty ones would take seconds itself.
_MAX_JPEG_SEGMENTS = 100_000

# Kinds people do send, so that the refusal can name them.
_NAMES_OF_OTHER_KINDS = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF or raw photo"),
    (b"MM\0*", "a TIFF or raw photo"),
    (b"%PDF", "a PDF"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (b"\0\0\1\0", "an icon (ICO)"),
    (b"8BPS", "a Photoshop file (PSD)"),
    (b"FUJIFILM", "a raw photo (RAF)"),
    (b"IIU\0", "a raw photo (RW2)"),
    (b"II\x1a\0\0\0HEAPCCDR", "a raw photo (CRW)"),
    (b"RIFF", "a video or sound (RIFF)"),
    (b"\x1aE\xdf\xa3", "a video (Matroska or WebM)"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xd0\xcf\x11\xe0", "an Office document"),
    (b"<", "markup (HTML or SVG)"),
)
_NAMES_OF_BRANDS = (
    (b"crx ", "a raw photo (CR3)"),
    (b"qt  ", "a video (MOV)"),
    (
        (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"3gp", b"dash"),
        "a video (MP4)",
    ),
)
# What the base64 of an accepted photo starts like.
_BASE64_PHOTOS = (b"/9j/", b"iVBORw0KGgo", b"UklGR", b"AAAA")


def webp_canvas(data: bytes) -> tuple[int, int]:
    """Read (width, height) from the header: RFC 9649, sections 2.5 to 2.7."""
    chunk, payload = data[12:16], data[20:30]
    if chunk == b"VP8X":
        return int.from_bytes(payload[4:7], "little") + 1, int.from_bytes(payload[7:10], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(payload[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(payload[6:8], "little") & 0x3FFF, int.from_bytes(payload[8:10], "little") & 0x3FFF


class JpegSegment(NamedTuple):
    """A segment of a JPEG file: data[start:end], from its marker to the end of its parameters.

    Attributes:
        marker: the marker's second byte; ``END_OF_IMAGE`` for the last one, which is empty where the file just ends.
    """

    marker: int
    start: int
    end: int


def jpeg_segments(data: bytes) -> Iterator[JpegSegment]:
    """Walk the segments of a JPEG file up to the end of the picture: ITU-T T.81, section B.1.1.

    Raises:
        InvalidImage: there are more than any photo has.
    """
    position = 0
    for _ in range(_MAX_JPEG_SEGMENTS):
        found = _JPEG_MARKER.search(data, position)
        if found is None or found[1][0] == END_OF_IMAGE:
            start, position = found.span() if found else (len(data), len(data))
            yield JpegSegment(END_OF_IMAGE, start, position)
            return
        position = found.end() + max(2, int.from_bytes(data[found.end() : found.end() + 2], "big"))
        yield JpegSegment(found[1][0], found.start(), position)
    raise InvalidImage(f"damaged JPEG: more than {_MAX_JPEG_SEGMENTS:,} segments; send a photo as a camera writes it")


def count_scans(data: bytes) -> int:
    """Count the scans of a JPEG up to the end of the picture.

    Raises:
        InvalidImage: see ``jpeg_segments``.
    """
    return sum(segment.marker == START_OF_SCAN for segment in jpeg_segments(data))


def sniff_media_type(data: bytes) -> str | None:
    """Name the accepted media type that ``data`` starts like, or None."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        # ISO media: the major brand may be the generic mif1, then the compatible brands tell.
        box_size = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[8:12], *(data[start : start + 4] for start in range(16, box_size, 4))}
        if brands & {b"avif", b"avis"}:
            return "image/avif"
        if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
            return "image/heic"
    return None


def describe_unknown(data: bytes) -> str:
    """Name the format of ``data``, for a message, if it is not an accepted one."""
    if data.startswith((b"data:", *_BASE64_PHOTOS)) and data[:64].isascii():
        return "base64 text; send the bytes that it stands for"
    for prefix, name in _NAMES_OF_OTHER_KINDS:
        if data.startswith(prefix):
            return name
    if data[4:8] == b"ftyp":
        return next(
            (name for brands, name in _NAMES_OF_BRANDS if data[8:12].startswith(brands)), "no photo of ISO media"
        )
    return f"unknown bytes {data[:8].hex(' ')}"
