"""Photos as people who write programs have them: files, bytes, opened pictures, arrays."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from core.errors import InvalidImage, InvalidRequest
from core.imaging.decoding import LONGEST_SIDE, decode_image, read_photo, to_rgb

PhotoSource = str | Path | bytes | Image.Image | NDArray[np.uint8]

_ACCEPTED = "a path, bytes of a photo file, a PIL image, or a uint8 array of shape [H, W, 3] in RGB order"


def read_source(source: PhotoSource, *, max_side: int = LONGEST_SIDE) -> tuple[Image.Image, str | None]:
    """Give a photo as upright RGB.

    Args:
        source: a file's path or its bytes, in any accepted format; an opened PIL image of any mode and size; or an
            array, uint8 [H, W, 3] in RGB order.
        max_side: longest side of the picture where it came as a file.

    Returns:
        The picture, and the SHA-256 of its bytes where it came as a file.

    Raises:
        InvalidImage: it cannot be read, or has no pixels.
        InvalidRequest: it is something else.
    """
    if isinstance(source, str | Path):
        source = read_photo(Path(source))
    if isinstance(source, bytes):
        return decode_image(source, max_side=max_side).image, hashlib.sha256(source).hexdigest()
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3:
            raise InvalidRequest(f"no photo: an array of {source.dtype} {list(source.shape)}; accepted: {_ACCEPTED}")
        source = Image.fromarray(source)
    if not isinstance(source, Image.Image):
        raise InvalidRequest(f"no photo: a {type(source).__name__}; accepted: {_ACCEPTED}")
    if 0 in source.size:
        raise InvalidImage(f"a picture of {source.width} x {source.height} pixels; send one that has some")
    try:
        return to_rgb(ImageOps.exif_transpose(source)), None
    # A closed picture, or one whose file is damaged, raises whatever its reader likes.
    except Exception as error:
        raise InvalidImage(f"the opened picture cannot be read ({type(error).__name__}); was it closed?") from error
