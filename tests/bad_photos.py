"""Photos that must be refused, each for its own reason, and the code and status that say so."""

import struct
import zlib

from fakes.images import draw_place, encode


def png_bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A tiny PNG whose header announces a huge picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(64))) + _chunk(b"IEND")


def _chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


GOOD_PHOTO = encode(draw_place(1))

BAD_PHOTOS = {
    "not an image": (b"just some text, long enough to be looked at", 415, "unsupported_format"),
    "a GIF": (b"GIF89a" + bytes(64), 415, "unsupported_format"),
    "0 bytes": (b"", 400, "invalid_image"),
    "truncated": (GOOD_PHOTO[: len(GOOD_PHOTO) // 2], 400, "invalid_image"),
    "a bomb": (png_bomb(), 413, "image_too_large"),
}
"""Name -> bytes, status, code."""
