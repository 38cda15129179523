"""Files whose picture is whole although something about them is not, as every viewer shows them."""

import struct
import zlib
from collections.abc import Callable

from PIL import Image, ImageChops

from core.errors import InvalidImage
from core.imaging.headers import jpeg_segments

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_PICTURE = frozenset(b"IHDR PLTE IDAT IEND tRNS eXIf acTL fcTL fdAT".split())
_END_OF_IMAGE = b"\xff\xd9"
# Any bytes that decode to something: what is still missing of a picture looks otherwise with them than without.
_FILLING = bytes((37 * number * number + 11) % 251 for number in range(4096))
_ARITHMETIC_FRAMES = frozenset({0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})


def png_picture(data: bytes) -> bytes:
    """Copy a PNG without its texts, profiles and other chunks that say nothing of its pixels.

    Decoders refuse long compressed texts, and damaged checksums even where no pixel depends on them.
    """
    kept = [_PNG_SIGNATURE]
    position, kind = len(_PNG_SIGNATURE), b""
    while kind != b"IEND" and position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind, end = data[position + 4 : position + 8], position + 12 + length
        chunk = data[position:end]
        is_sound = kind != b"eXIf" or zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
        if kind in _PNG_PICTURE and is_sound:
            kept.append(chunk)
        position = end
    # What is cut off is left to the decoder to refuse.
    return b"".join(kept if kind == b"IEND" else [*kept, data[position:]])


def load_cut_jpeg(data: bytes, load: Callable[[bytes], Image.Image]) -> Image.Image:
    """Decode a JPEG that ends before its end marker, if nothing of its picture is missing.

    The file is decoded twice, followed by the marker and followed by other bytes and the marker: rows that differ are
    those that are missing.

    Args:
        data: the file.
        load: decodes a complete file.

    Raises:
        InvalidImage: something is missing; the message says how much.
    """
    if any(segment.marker in _ARITHMETIC_FRAMES for segment in jpeg_segments(data)):
        raise InvalidImage("a JPEG with arithmetic coding, which is not read here; save it anew with a photo program")
    data = data.rstrip(b"\xff") if not data.endswith(_END_OF_IMAGE) else data
    picture, filled = load(data + _END_OF_IMAGE), load(data + _FILLING + _END_OF_IMAGE)
    differing = ImageChops.difference(picture.convert("RGB"), filled.convert("RGB")).getbbox()
    if differing is None:
        return picture
    share = 1 - differing[1] / picture.height
    raise InvalidImage(
        f"damaged or truncated image/jpeg of {len(data):,} bytes: the last {max(0.01, share):.0%} of the picture "
        "is missing; send the complete file"
    )
