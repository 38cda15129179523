"""Bytes in, an upright RGB photo out, whatever the format.

The bytes alone decide the format: half of the ``.heic`` files in the wild are JPEGs.
Colour profiles are not applied: no encoder or verifier here is sensitive to them.
"""

import math
import stat
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import AvifImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin, features
from PIL.Image import Resampling, Transpose

from core.errors import ImageTooLarge, InvalidImage, UnsupportedFormat
from core.imaging.budget import DecodingBudget
from core.imaging.headers import SCAN_MARKER, count_scans, describe_unknown, sniff_media_type, webp_canvas
from core.imaging.orientation import UPRIGHT_BY_ORIENTATION, exif_orientation
from core.imaging.repairs import load_cut_jpeg, png_picture

ACCEPTED_FORMATS = "JPEG, PNG, WebP, AVIF or HEIC"

LONGEST_SIDE = 1280
"""Longest side of a decoded photo in pixels, unless its reader names a smaller one."""

EXTENSIONS: Mapping[str, str] = MappingProxyType(
    {
        "image/jpeg": ".jpg",
        "image/png": ".png",
        "image/webp": ".webp",
        "image/avif": ".avif",
        "image/heic": ".heic",
    }
)
"""The file name extension of each accepted media type."""

_PILLOW_READERS: Mapping[str, Callable[[BytesIO], ImageFile.ImageFile]] = {
    "image/jpeg": JpegImagePlugin.JpegImageFile,
    "image/png": PngImagePlugin.PngImageFile,
    "image/webp": WebPImagePlugin.WebPImageFile,
    "image/avif": AvifImagePlugin.AvifImageFile,
}

# Pictures are converted in bands of about this many pixels.
_BAND_PIXELS = 1 << 20


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What is refused before any pixel is decoded.

    Attributes:
        max_bytes: of the file as sent.
        max_pixels: width times height as its header says, of a JPEG; no other format may have more either. A baseline
            JPEG that is decoded at half of its sides or less may have twice as many: it takes far less memory.
        max_pixels_undrafted: the same of PNG, WebP, AVIF and HEIC, which unlike JPEG cannot be reduced while
            decoding and so take several times the memory. None means 50 million, or half of ``max_pixels`` where
            that is more, so that raising the one limit raises both.
        max_scans: of a JPEG. Each costs a pass over all pixels, even an empty one of a few bytes; cameras and
            optimisers write at most about 20.
        budget: shared by all threads that decode under these limits; a photo waits for room. None: no waiting.
    """

    max_bytes: int = 32 * 1024 * 1024
    max_pixels: int = 100_000_000
    max_pixels_undrafted: int | None = None
    max_scans: int = 100
    budget: DecodingBudget | None = None

    def hold(self, size: tuple[int, int]) -> AbstractContextManager[None]:
        """Wait for room in the budget, and take it while a photo of (width, height) is decoded."""
        return self.budget.hold(size[0] * size[1]) if self.budget else nullcontext()

    def pixels_of(self, media_type: str, *, is_reduced: bool = False) -> int:
        """The most pixels that a photo of this media type may have; ``is_reduced``: while it is decoded."""
        if media_type == "image/jpeg":
            return 2 * self.max_pixels if is_reduced else self.max_pixels
        undrafted = self.max_pixels_undrafted
        if undrafted is None:
            undrafted = max(50_000_000, self.max_pixels // 2)
        return min(self.max_pixels, undrafted)


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """A photo ready for an encoder.

    Attributes:
        image: RGB, upright, no side longer than asked for, without metadata.
        media_type: of the bytes, one of the keys of ``EXTENSIONS``.
        width: of the upright original, pixels; not of ``image``.
        height: of the upright original, pixels; not of ``image``.
        orientation: by which EXIF had the original turned, 1 to 8; 1 where its container or nothing did.
    """

    image: Image.Image
    media_type: str
    width: int
    height: int
    orientation: int = 1


def decode_image(data: bytes, *, max_side: int = LONGEST_SIDE, limits: ImageLimits | None = None) -> DecodedImage:
    """Decode a photo to upright RGB, reduced to ``max_side``.

    JPEGs are reduced while decoding, which makes a 12 MP photo four times as fast; the other formats cannot be,
    and are therefore held to fewer pixels. Alpha is laid over white,
    16-bit keeps its high byte, an animation gives its first frame.

    Args:
        data: the whole file.
        max_side: longest side of the result in pixels, >= 1; smaller photos keep their size.
        limits: refuse larger files; the defaults of ``ImageLimits`` when None.

    Raises:
        UnsupportedFormat: not one of the accepted formats, or its decoder is not installed.
        ImageTooLarge: above a limit, which the message names along with what was sent.
        InvalidImage: empty, truncated or damaged, or a JPEG of too many scans.
    """
    limits = limits or ImageLimits()
    if not data:
        raise InvalidImage(f"empty file: 0 bytes; send one {ACCEPTED_FORMATS} photo")
    _refuse_bytes(len(data), limits)
    media_type = sniff_media_type(data)
    if media_type is None:
        raise UnsupportedFormat(f"not an accepted photo: {describe_unknown(data)}; send {ACCEPTED_FORMATS}")
    try:
        if media_type == "image/heic":
            return _decode_heic(data, max_side, limits)
        return _decode_with_pillow(data, media_type, max_side, limits)
    except InvalidImage:
        raise
    except Image.DecompressionBombError as exc:
        at_most = _at_most_pixels(media_type, limits)
        raise ImageTooLarge(f"too many pixels for the decoder; {at_most}") from exc
    # Decoders of hostile bytes raise whatever they like (SyntaxError, struct.error, ZeroDivisionError, MemoryError...):
    # all of it means that these bytes are no readable photo.
    except Exception as exc:
        raise InvalidImage(f"damaged or truncated {media_type} of {len(data):,} bytes; send the complete file") from exc


def open_image(path: Path, *, max_side: int = LONGEST_SIDE, limits: ImageLimits | None = None) -> DecodedImage:
    """Read and decode one file; see ``decode_image``.

    Raises:
        InvalidImage: as ``decode_image``, or the file cannot be read.
    """
    return decode_image(read_photo(path, limits), max_side=max_side, limits=limits)


def read_photo(path: Path, limits: ImageLimits | None = None) -> bytes:
    """Read a photo's file, but never one larger than is accepted anyway.

    Raises:
        InvalidImage: the file cannot be read.
        ImageTooLarge: it has too many bytes.
    """
    try:
        found = path.stat()
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):  # a pipe would keep its reader waiting
            raise InvalidImage(f"file cannot be read: {path} (a pipe, socket or device)")
        _refuse_bytes(found.st_size, limits or ImageLimits())
        return path.read_bytes()
    except OSError as exc:
        raise InvalidImage(f"file cannot be read: {path} ({exc.strerror or type(exc).__name__})") from exc


def _decode_with_pillow(data: bytes, media_type: str, max_side: int, limits: ImageLimits) -> DecodedImage:
    if media_type == "image/avif" and not features.check("avif"):
        raise UnsupportedFormat("this installation of Pillow cannot decode AVIF; send JPEG, PNG or WebP")
    if media_type == "image/webp":
        # libwebp allocates the whole canvas as soon as the file is opened.
        _refuse_pixels(webp_canvas(data), media_type, limits)
    # The reader itself, not Image.open: that one warns and raises by a process-wide pixel limit.
    reader = _PILLOW_READERS[media_type]
    opened = reader(BytesIO(png_picture(data) if media_type == "image/png" else data))
    width, height = opened.size
    is_reduced = media_type == "image/jpeg" and max(opened.size) >= 2 * max_side and "progressive" not in opened.info
    _refuse_pixels(opened.size, media_type, limits, is_reduced=is_reduced)
    if isinstance(opened, JpegImagePlugin.JpegImageFile):
        _refuse_scans(data, limits)
    with limits.hold((width, height)):
        try:
            loaded = _load_reduced(opened, max_side)
        except OSError:
            if media_type != "image/jpeg":
                raise
            loaded = load_cut_jpeg(data, lambda whole: _load_reduced(reader(BytesIO(whole)), max_side))
        orientation = exif_orientation(opened)
        turn = UPRIGHT_BY_ORIENTATION.get(orientation)
        image = _reduce_to_rgb(loaded, max_side)
    if turn is not None:
        image = image.transpose(turn)
        if turn in (Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90):
            width, height = height, width
    return DecodedImage(image, media_type, width, height, orientation if turn is not None else 1)


def _load_reduced(opened: ImageFile.ImageFile, max_side: int) -> Image.Image:
    """Decode; a JPEG at the smallest scale that has ``max_side``."""
    shrink = min(1.0, max_side / max(opened.size))
    opened.draft(None, tuple(max(1, round(side * shrink)) for side in opened.size))  # type: ignore[arg-type]
    opened.load()
    return opened


def _decode_heic(data: bytes, max_side: int, limits: ImageLimits) -> DecodedImage:
    try:
        import pillow_heif
    except ImportError as exc:
        raise UnsupportedFormat(
            "HEIC photos need the package pillow-heif, which is not installed; send JPEG, PNG, WebP or AVIF"
        ) from exc
    opened = pillow_heif.open_heif(BytesIO(data))
    _refuse_pixels(opened.size, "image/heic", limits)
    with limits.hold(opened.size):
        # libheif applies the container's rotation; the EXIF orientation beside it must not be applied again.
        image: Image.Image = opened.to_pillow()
        width, height = image.size
        return DecodedImage(_reduce_to_rgb(image, max_side), "image/heic", width, height)


def _reduce_to_rgb(image: Image.Image, max_side: int) -> Image.Image:
    """Convert band by band, averaging whole blocks of pixels on the way, then resize the small rest.

    The pixels are those that converting all and ``Image.thumbnail`` with a ``reducing_gap`` of 2 would give.
    """
    width, height = image.size
    target_width, target_height = _fit(image.size, max_side)
    if image.mode == "RGB" and (target_width, target_height) == image.size and not image.has_transparency_data:
        unchanged = image.copy()
        unchanged.info = {}
        return unchanged
    across, down = max(1, width // (2 * target_width)), max(1, height // (2 * target_height))
    reduced = Image.new("RGB", (-(-width // across), -(-height // down)))
    rows = max(1, _BAND_PIXELS // (width * down)) * down
    for top in range(0, height, rows):
        band = to_rgb(image.crop((0, top, width, min(height, top + rows))))
        reduced.paste(band.reduce((across, down)), (0, top // down))
    # Bilinear (over the whole footprint, as Pillow does it) takes two thirds of the time of bicubic.
    box = (0, 0, width / across, height / down)
    return reduced.resize((target_width, target_height), Resampling.BILINEAR, box=box)


def _fit(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """Shrink (width, height) to ``max_side`` with the nearest aspect ratio, as ``Image.thumbnail`` rounds it."""
    width, height = size
    if max(size) <= max_side:
        return size
    aspect = width / height
    if aspect <= 1:
        exact = max_side * aspect
        nearest = min(math.floor(exact), math.ceil(exact), key=lambda side: abs(aspect - side / max_side))
        return max(1, nearest), max_side
    exact = max_side / aspect
    nearest = min(
        math.floor(exact), math.ceil(exact), key=lambda side: 0 if side == 0 else abs(aspect - max_side / side)
    )
    return max_side, max(1, nearest)


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode: 16 bits keep their high byte, alpha is laid over white."""
    if image.mode.startswith("I"):
        # Pillow's own conversion of 16-bit greys clips everything above 255 to white.
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        overlay = image.convert("RGBA")
        image = Image.new("RGBA", image.size, "white")
        image.alpha_composite(overlay)
    return image.convert("RGB")


def _refuse_bytes(byte_size: int, limits: ImageLimits) -> None:
    if byte_size > limits.max_bytes:
        raise ImageTooLarge(f"too many bytes: {byte_size:,}; at most {limits.max_bytes:,} are accepted")


def _refuse_pixels(size: tuple[int, int], media_type: str, limits: ImageLimits, *, is_reduced: bool = False) -> None:
    width, height = size
    if width * height > limits.pixels_of(media_type, is_reduced=is_reduced):
        sent = f"{width} x {height} = {width * height:,}"
        raise ImageTooLarge(f"too many pixels: {sent}; {_at_most_pixels(media_type, limits, is_reduced=is_reduced)}")


def _at_most_pixels(media_type: str, limits: ImageLimits, *, is_reduced: bool = False) -> str:
    accepted = limits.pixels_of(media_type, is_reduced=is_reduced)
    if accepted < limits.max_pixels:
        return f"at most {accepted:,} are accepted of {media_type}, {limits.max_pixels:,} of image/jpeg"
    return f"at most {accepted:,} are accepted"


def _refuse_scans(data: bytes, limits: ImageLimits) -> None:
    # Nearly every photo is let off by this fast count, which also finds markers inside segments and behind the end.
    if data.count(SCAN_MARKER) <= limits.max_scans:
        return
    scans = count_scans(data)
    if scans > limits.max_scans:
        raise InvalidImage(f"too many scans in the JPEG: {scans:,}; at most {limits.max_scans:,} are accepted")
