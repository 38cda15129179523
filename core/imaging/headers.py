"""What the first bytes of a photo say of the work that decoding it would be."""

import re

from core.errors import InvalidImage

# The next JPEG marker that is followed by a length, or ends the picture: no stuffed byte, fill byte or restart marker.
_JPEG_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd9-\xfe])")
_END_OF_IMAGE, _START_OF_SCAN = b"\xd9", b"\xda"
SCAN_MARKER = b"\xff" + _START_OF_SCAN

# Real photos have hundreds at most; walking millions of empty ones would take seconds itself.
_MAX_JPEG_SEGMENTS = 100_000


def webp_canvas(data: bytes) -> tuple[int, int]:
    """Read (width, height) from the header: RFC 9649, sections 2.5 to 2.7."""
    chunk, payload = data[12:16], data[20:30]
    if chunk == b"VP8X":
        return int.from_bytes(payload[4:7], "little") + 1, int.from_bytes(payload[7:10], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(payload[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(payload[6:8], "little") & 0x3FFF, int.from_bytes(payload[8:10], "little") & 0x3FFF


def count_scans(data: bytes) -> int:
    """Count the scans up to the end of the picture, walking the segments: ITU-T T.81, section B.1.1."""
    scans = position = 0
    for _ in range(_MAX_JPEG_SEGMENTS):
        marker = _JPEG_MARKER.search(data, position)
        if marker is None or marker[1] == _END_OF_IMAGE:
            return scans
        scans += marker[1] == _START_OF_SCAN
        position = marker.end() + max(2, int.from_bytes(data[marker.end() : marker.end() + 2], "big"))
    raise InvalidImage(f"damaged JPEG: more than {_MAX_JPEG_SEGMENTS:,} segments; send a photo as a camera writes it")
