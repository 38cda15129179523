"""Removes metadata from a photo's file: position, camera, names, dates, thumbnails, comments, trailing bytes.

The picture's own bytes are copied, never encoded again; orientation and colour profile stay. What is kept is listed,
so that unknown kinds of metadata are removed too.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from core.errors import InvalidImage
from core.imaging.headers import END_OF_IMAGE, START_OF_SCAN, jpeg_segments
from core.imaging.isobmff_metadata import strip_isobmff

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD pHYs acTL fcTL fdAT".split()
)
_WEBP_PIXELS = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_WEBP_KEPT = _WEBP_PIXELS | {b"ICCP", b"ANIM"}
_WEBP_EXIF_FLAG, _WEBP_XMP_FLAG = 0x08, 0x04


def strip_metadata(data: bytes, media_type: str, orientation: int) -> bytes:
    """Copy a photo's file without its metadata. The same file always gives the same bytes.

    Args:
        data: the whole file, one that was decoded already.
        media_type: as it was decoded.
        orientation: EXIF's, 1 to 8, that decoding found; written again where it is not 1.

    Raises:
        InvalidImage: the file is not built as the format says, so that what is metadata cannot be told.
    """
    try:
        return _STRIPPERS[media_type](data, orientation)
    except (IndexError, struct.error) as exc:
        raise _unclear(media_type) from exc


def _strip_jpeg(data: bytes, orientation: int) -> bytes:
    kept = [b"\xff\xd8"]
    if orientation != 1:
        exif = b"Exif\0\0" + _exif(orientation)
        kept.append(b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif)
    position, in_scan = 0, False
    for segment in jpeg_segments(data):
        # A segment between two scans ends the first: what follows it is no part of any.
        if in_scan:
            kept.append(data[position : segment.start])
        if segment.marker != END_OF_IMAGE:
            kept.append(_kept_of_segment(segment.marker, data[segment.start : segment.end]))
        position, in_scan = segment.end, segment.marker == START_OF_SCAN
    return b"".join([*kept, b"\xff\xd9"])


def _kept_of_segment(marker: int, segment: bytes) -> bytes:
    content = segment[4:]
    if marker == 0xE0 and content.startswith(b"JFIF\0"):
        return b"\xff\xe0\0\x10" + content[:12].ljust(12, b"\0") + b"\0\0"  # without its thumbnail
    if marker == 0xE2 and content.startswith(b"ICC_PROFILE\0"):
        return segment
    if marker == 0xEE and content.startswith(b"Adobe"):
        return b"\xff\xee\0\x0e" + content[:12].ljust(12, b"\0")  # says how colours are coded
    is_metadata = 0xE0 <= marker <= 0xEF or marker == 0xFE
    return b"" if is_metadata else segment


def _strip_png(data: bytes, orientation: int) -> bytes:
    kept = [_PNG_SIGNATURE]
    position, kind = len(_PNG_SIGNATURE), b""
    while kind != b"IEND":
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            raise _unclear("image/png")
        if kind in _PNG_KEPT:
            kept.append(data[position:end])
        if kind == b"IHDR" and orientation != 1:
            content = b"eXIf" + _exif(orientation)
            kept.append(struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content)))
        position = end
    return b"".join(kept)


def _strip_webp(data: bytes, orientation: int) -> bytes:
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    kept = []
    for kind, content in _riff_chunks(data, 12, end):
        if kind == b"VP8X":
            flags = content[0] & ~(_WEBP_EXIF_FLAG | _WEBP_XMP_FLAG) | (_WEBP_EXIF_FLAG if orientation != 1 else 0)
            kept.append(_riff_chunk(kind, bytes([flags]) + content[1:]))
        elif kind == b"ANMF":
            frame = (
                _riff_chunk(*chunk) for chunk in _riff_chunks(content, 16, len(content)) if chunk[0] in _WEBP_PIXELS
            )
            kept.append(_riff_chunk(kind, content[:16] + b"".join(frame)))
        elif kind in _WEBP_KEPT:
            kept.append(_riff_chunk(kind, content))
    if orientation != 1:
        kept.append(_riff_chunk(b"EXIF", _exif(orientation)))
    return _riff_chunk(b"RIFF", b"WEBP" + b"".join(kept))


def _riff_chunks(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    while start + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, start)
        yield kind, data[start + 8 : min(end, start + 8 + length)]
        start += 8 + length + length % 2


def _riff_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", kind, len(content)) + content + bytes(len(content) % 2)


def _exif(orientation: int) -> bytes:
    """The smallest there is: one directory with one entry."""
    return struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def _unclear(media_type: str) -> InvalidImage:
    return InvalidImage(
        f"the metadata of this {media_type} cannot be separated from its picture, and photos are kept without metadata "
        "here; save it again with a photo program"
    )


_STRIPPERS: Mapping[str, Callable[[bytes, int], bytes]] = MappingProxyType(
    {
        "image/jpeg": _strip_jpeg,
        "image/png": _strip_png,
        "image/webp": _strip_webp,
        # These turn their pictures by a property of the container, which stays.
        "image/avif": lambda data, _: strip_isobmff(data),
        "image/heic": lambda data, _: strip_isobmff(data),
    }
)
