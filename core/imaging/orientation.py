"""Which way up a photo is."""

from PIL import ExifTags, Image
from PIL.Image import Transpose

UPRIGHT_BY_ORIENTATION = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""What turns a photo of each EXIF orientation upright; 1 needs nothing."""


def exif_orientation(image: Image.Image) -> int:
    """EXIF's orientation; that of XMP counts nowhere, for browsers and viewers pass over it."""
    try:
        exif = Image.Exif()
        exif.load(image.info.get("exif") or b"")
        return int(exif.get(ExifTags.Base.Orientation, 1))
    # Damaged EXIF is common and no reason to refuse a photo whose pixels are fine.
    except Exception:
        return 1
