"""Where in a photo something is to be seen, and how a look at that part alone becomes a view of the whole."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.local_features.rotation import to_turned
from core.results import FeatureView

_MARGIN = 0.08


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of an upright photo, in fractions of its width and height, y pointing down."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """Share of the photo, [0, 1]."""
        return (self.right - self.left) * (self.bottom - self.top)

    def overlap(self, other: "Region") -> float:
        """Intersection over union of two regions, [0, 1]."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        shared = max(width, 0.0) * max(height, 0.0)
        return shared / (self.area + other.area - shared)

    def crop(self, image: Image.Image) -> Image.Image:
        """Cut the region out; at least one pixel."""
        left, top = int(self.left * image.width), int(self.top * image.height)
        right, bottom = round(self.right * image.width), round(self.bottom * image.height)
        return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))

    def turned(self, rotation: int) -> "Region":
        """The same region of the photo turned counter-clockwise by 0, 90, 180 or 270 degrees."""
        corners = to_turned(np.array([[self.left, self.top], [self.right, self.bottom]], np.float32), rotation)
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        return Region(left, top, right, bottom)


CENTRE = Region(0.2, 0.2, 0.8, 0.8)


def densest_region(view: FeatureView, share: float = 0.9) -> Region | None:
    """The part of an upright photo that holds the middle ``share`` of the keypoints' strength along either side.

    A painting on an empty wall has nearly all keypoints of the photo.

    Args:
        view: of the upright photo.
        share: of the summed detection scores, (0, 1).

    Returns:
        The region with a small margin; None where there are too few keypoints to say.
    """
    if len(view.keypoints) < 16 or view.scores.sum() <= 0:
        return None
    (left, right), (top, bottom) = (_middle(view.keypoints[:, axis], view.scores, share) for axis in (0, 1))
    wide, high = _MARGIN * (right - left), _MARGIN * (bottom - top)
    region = Region(max(left - wide, 0.0), max(top - high, 0.0), min(right + wide, 1.0), min(bottom + high, 1.0))
    return region if region.area > 0 else None


def place_view(view: FeatureView, region: Region) -> FeatureView:
    """Say a look at a part of a photo in the coordinates of the whole.

    Args:
        view: of the cropped photo, turned by ``view.rotation`` before it was looked at as if it were upright.
        region: that was cropped from the upright photo.

    Returns:
        The view as if the whole photo had been turned and resized to that scale, with keypoints in the region only.
    """
    part = region.turned(view.rotation)
    corner = np.array([part.left, part.top], np.float32)
    extent = np.array([part.right - part.left, part.bottom - part.top], np.float32)
    width, height = (np.array(view.size) / extent).round().astype(int).tolist()
    return replace(view, keypoints=corner + view.keypoints * extent, size=(width, height))


def _middle(positions: NDArray[np.float32], weights: NDArray[np.float32], share: float) -> tuple[float, float]:
    order = np.argsort(positions)
    filled = np.cumsum(weights[order]) / weights.sum()
    first, last = np.searchsorted(filled, [(1 - share) / 2, 1 - (1 - share) / 2])
    return float(positions[order[first]]), float(positions[order[min(last, len(order) - 1)]])
