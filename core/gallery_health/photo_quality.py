"""Is a gallery photo fit to be recognised by? Measured on its preview, in a few milliseconds.

Everything is done by Pillow on 8-bit grey levels: ten times as fast as the same in arrays.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from core.imaging.copies import PREVIEW_SIDE

# Thresholds: see docs/gallery-health.md for what they were measured on.
BLURRED_FROM = 0.55
DARK_BELOW = 40  # grey level, of 255
OVEREXPOSED_FROM = 0.5  # of the picture burnt out
FLAT_BELOW = 0.15  # of the middle with any structure
SMALL_BELOW = 320  # pixels of the longer side

Fault = Literal["dark", "overexposed", "flat", "blurred", "small"]

_REBLUR_RADIUS = 4
_BURNT_OUT = 250
_BLOCK = 16
_STRUCTURED = 2  # mean difference of neighbouring pixels in a block, grey levels
_THUMBNAIL = 32
_MIDDLE = 320  # pixels; where the exhibit is, at a third of the time


@dataclass(frozen=True, slots=True, eq=False)
class PhotoQuality:
    """What was measured of one photo.

    Attributes:
        blur: of the middle, [0, 1]; sharp photos 0.2 to 0.45, clearly blurred ones from 0.55.
        brightness: the grey level that only a twentieth of the picture exceeds, [0, 255].
        burnt_out: share of the picture that is white, [0, 1].
        structure: share of the middle that is not flat, [0, 1].
        thumbnail: float32 [1024], grey levels of a tiny copy, of mean 0 and L2 norm 1; zero for a blank picture.
    """

    blur: float
    brightness: int
    burnt_out: float
    structure: float
    thumbnail: NDArray[np.float32]

    def faults(self, long_side: int) -> tuple[Fault, ...]:
        """What is wrong with it: ``small``, ``blurred``, ``dark``, ``overexposed``, ``flat``; worst first.

        Args:
            long_side: of the original, pixels.
        """
        found: dict[Fault, bool] = {
            "dark": self.brightness < DARK_BELOW,
            "overexposed": self.burnt_out >= OVEREXPOSED_FROM,
            "flat": self.structure < FLAT_BELOW,
            "blurred": self.blur >= BLURRED_FROM,
            "small": long_side < SMALL_BELOW,
        }
        return tuple(fault for fault, is_so in found.items() if is_so)


def measure_photo(preview: Path) -> PhotoQuality:
    """Measure a stored preview, which is a JPEG of ours.

    Raises:
        OSError: it is missing or damaged.
    """
    with Image.open(preview, formats=["JPEG"]) as stored:
        stored.draft("L", stored.size)  # skips the colours
        grey = stored.convert("L")
    # The thresholds are for photos of this size; previews may be larger.
    grey.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.BICUBIC)
    middle = _middle(grey)
    across, down = _differences(middle)
    levels = np.array(grey.histogram(), np.int64)
    share = np.cumsum(levels) / levels.sum()
    blocks = np.asarray(ImageChops.lighter(across, down).reduce(_BLOCK))
    return PhotoQuality(
        blur=_blur(middle, across, down),
        brightness=int(np.searchsorted(share, 0.95)),
        burnt_out=float(1 - share[_BURNT_OUT - 1]),
        structure=float((blocks >= _STRUCTURED).mean()),
        thumbnail=_thumbnail(grey),
    )


def _middle(grey: Image.Image) -> Image.Image:
    left, top = (max(0, (side - _MIDDLE) // 2) for side in grey.size)
    return grey.crop((left, top, min(left + _MIDDLE, grey.width), min(top + _MIDDLE, grey.height)))


def _blur(grey: Image.Image, across: Image.Image, down: Image.Image) -> float:
    """How little a photo loses by being blurred once more.

    Crete, Dolmiere, Ladret and Nicolas, "The blur effect: perception and estimation with a new no-reference perceptual
    blur metric", SPIE 2007. Compares a photo with itself, so a soft painting is not taken for a blurred photo.
    """
    blurs = []
    for axis, before in enumerate((across, down)):
        radius = (_REBLUR_RADIUS, 0) if axis == 0 else (0, _REBLUR_RADIUS)
        after = _differences(grey.filter(ImageFilter.BoxBlur(radius)))[axis]
        whole = _sum(before)
        blurs.append(1 - _sum(ImageChops.subtract(before, after)) / whole if whole else 1.0)
    return max(blurs)


def _differences(grey: Image.Image) -> tuple[Image.Image, Image.Image]:
    """How much each pixel differs from its right neighbour, and from the one below."""
    width, height = grey.size
    across = ImageChops.difference(grey.crop((0, 0, width - 1, height - 1)), grey.crop((1, 0, width, height - 1)))
    down = ImageChops.difference(grey.crop((0, 0, width - 1, height - 1)), grey.crop((0, 1, width - 1, height)))
    return across, down


def _sum(grey: Image.Image) -> int:
    return int(np.arange(256) @ np.array(grey.histogram(), np.int64))


def _thumbnail(grey: Image.Image) -> NDArray[np.float32]:
    levels = np.asarray(grey.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX), np.float32).ravel()
    levels -= levels.mean()
    levels /= max(float(np.linalg.norm(levels)), 1e-6)
    return levels
