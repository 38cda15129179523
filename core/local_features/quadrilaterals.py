"""Quadrilaterals in a photo, such as a picture frame seen obliquely, and what is in them seen from the front."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.local_features.rotation import to_turned, to_upright
from core.results import FeatureView

_SEARCHED_SIDE = 480  # pixels; frames of a hundredth of the photo still have sides of 50
_LEAST_AREA, _MOST_AREA = 0.01, 0.7
_MOST_ASPECT = 4.0
_MOST_OVERLAP = 0.6
_CANNY = ((30, 90), (60, 180))
_TOLERANCE = 0.03  # of the outline's length, by which corners are found
_FRONT_SIDE = 960  # pixels: more than any look needs

# Of the one picture that a photo is about.
_LEAST_EDGE = 20.0  # about ten shades of grey: noise, shadows and the weave of a wall are weaker
_INSIDE = 0.95  # of the edges' strength
_MOST_PICTURE, _MOST_EXTENT = 1 / 3, 1 / 2  # of the photo: a frame, and an upright rectangle around it
_TRIED = 3
_WITH_FRAME = 1.1  # the outline may be that of the canvas


@dataclass(frozen=True, slots=True, eq=False)
class Quadrilateral:
    """Four corners in an upright photo.

    Attributes:
        corners: float64 [4, 2], (x, y) in fractions of the photo's width and height, clockwise from the one at the top
            left.
    """

    corners: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Share of the photo, [0, 1]."""
        x, y = self.corners.T
        return float(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2)

    def rectify(self, image: Image.Image) -> Image.Image:
        """Show what is inside as if seen from the front; the sides' ratio is that of the outline's."""
        corners = self.corners * image.size
        wide, high = _sides(corners)
        scale = _FRONT_SIDE / max(wide, high)
        size = max(round(wide * scale), 32), max(round(high * scale), 32)
        target = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.float32)
        warp = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
        return Image.fromarray(cv2.warpPerspective(np.asarray(image), warp, size, flags=cv2.INTER_AREA))

    def place_view(self, view: FeatureView, photo: tuple[int, int]) -> FeatureView:
        """Say a look at the rectified and turned inside in the coordinates of the whole photo.

        Args:
            view: of the inside, turned by ``view.rotation`` before it was looked at as if it were upright.
            photo: (width, height) of the upright photo, pixels.

        Returns:
            The view as if the whole photo had been turned and seen at that scale, with keypoints in the inside only.
        """
        inside = to_upright(view.keypoints, view.rotation).astype(np.float64)
        unit = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
        warp = cv2.getPerspectiveTransform(unit, self.corners.astype(np.float32))
        homogeneous = np.c_[inside, np.ones(len(inside))] @ warp.T
        whole = (homogeneous[:, :2] / homogeneous[:, 2:]).astype(np.float32)
        scale = max(view.size) / max(_sides(self.corners * photo))
        width, height = (max(1, round(side * scale)) for side in photo)
        size = (height, width) if view.rotation in (90, 270) else (width, height)
        return replace(view, keypoints=to_turned(whole, view.rotation), size=size)


def find_quadrilaterals(image: Image.Image, most: int) -> list[Quadrilateral]:
    """Find outlines with four corners: closed edges (Canny, 1986) simplified to polygons (Douglas and Peucker, 1973).

    Args:
        image: upright, RGB.
        most: at most so many, >= 1.

    Returns:
        The strongest first: those with the most contrast along their sides for their size.
    """
    grey = _reduce(image)
    gradient = _edge_strength(grey)
    size = grey.shape[1], grey.shape[0]
    found: list[tuple[float, NDArray[np.float64]]] = []
    for low, high in _CANNY:
        edges = cv2.dilate(cv2.Canny(grey, low, high), np.ones((3, 3), np.uint8))
        outlines, _ = cv2.findContours(edges, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        for outline in outlines:
            hull = cv2.convexHull(outline)
            corners = cv2.approxPolyDP(hull, _TOLERANCE * cv2.arcLength(hull, True), True)
            share = cv2.contourArea(corners) / (size[0] * size[1])
            if len(corners) != 4 or not _LEAST_AREA <= share <= _MOST_AREA:
                continue
            ordered = _clockwise(corners[:, 0].astype(np.float64))
            wide, tall = _sides(ordered)
            if max(wide, tall) <= _MOST_ASPECT * min(wide, tall):
                found.append((_contrast(gradient, ordered) * share**0.25, ordered / size))
    found.sort(key=lambda scored: -scored[0])
    kept: list[Quadrilateral] = []
    for _, corners in found:
        if all(_overlap(corners, other.corners) < _MOST_OVERLAP for other in kept):
            kept.append(Quadrilateral(corners))
        if len(kept) == most:
            break
    return kept


def find_picture(image: Image.Image) -> Quadrilateral | None:
    """Find the one picture, small on plain ground, that a reference photo is about: a painting on a wide wall.

    Args:
        image: upright, RGB.

    Returns:
        Its frame; None where there is none, or it is large, or something is around it.
    """
    found = _edge_strength(_reduce(image))
    strong = np.where(found < _LEAST_EDGE, 0, found).astype(np.float32)
    if not strong.any() or _extent(strong.sum(axis=0)) * _extent(strong.sum(axis=1)) > _MOST_EXTENT:
        return None
    frames = find_quadrilaterals(image, _TRIED)
    return next((frame for frame in frames if frame.area <= _MOST_PICTURE and _share(strong, frame) >= _INSIDE), None)


def _reduce(image: Image.Image) -> NDArray[np.uint8]:
    """Make a photo grey, small and smooth, for finding what stands out in it: [H, W]."""
    scale = _SEARCHED_SIDE / max(image.size)
    size = max(16, round(image.width * scale)), max(16, round(image.height * scale))
    grey = cv2.cvtColor(np.asarray(image.convert("RGB").resize(size)), cv2.COLOR_RGB2GRAY)
    return cv2.GaussianBlur(grey, (5, 5), 0).astype(np.uint8)


def _edge_strength(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How strong the edge at every pixel is, [H, W]."""
    return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)).astype(np.float32)


def _extent(strength: NDArray[np.float32]) -> float:
    """The share of a side on which the middle ``_INSIDE`` of the strength lies."""
    filled = np.cumsum(strength) / strength.sum()
    first, last = np.searchsorted(filled, [(1 - _INSIDE) / 2, (1 + _INSIDE) / 2])
    return float(last - first) / len(strength)


def _share(strong: NDArray[np.float32], frame: Quadrilateral) -> float:
    """The share of the edges' strength in a frame, with the frame's own."""
    centre = frame.corners.mean(axis=0)
    corners = (centre + (frame.corners - centre) * _WITH_FRAME) * strong.shape[::-1]
    mask = np.zeros(strong.shape, np.uint8)
    cv2.fillConvexPoly(mask, corners.round().astype(np.int32), 1)
    return float(strong[mask > 0].sum() / strong.sum())


def _clockwise(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    centre = corners.mean(axis=0)
    angles = np.arctan2(*(corners - centre).T[::-1])
    ordered = corners[np.argsort(angles)]
    return np.roll(ordered, -int(ordered.sum(axis=1).argmin()), axis=0)


def _sides(corners: NDArray[np.float64]) -> tuple[float, float]:
    """Mean length of the two sides that run across, and of the two that run down."""
    lengths = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    return float(max(lengths[0::2].mean(), 1e-6)), float(max(lengths[1::2].mean(), 1e-6))


def _contrast(gradient: NDArray[np.float32], corners: NDArray[np.float64]) -> float:
    """Median strength of the edge along the four sides."""
    steps = np.linspace(0, 1, 32)[:, None]
    points = np.concatenate([a + (b - a) * steps for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)])
    x = points[:, 0].round().astype(int).clip(0, gradient.shape[1] - 1)
    y = points[:, 1].round().astype(int).clip(0, gradient.shape[0] - 1)
    return float(np.median(gradient[y, x]))


def _overlap(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Intersection over union."""
    shared, _ = cv2.intersectConvexConvex(first.astype(np.float32), second.astype(np.float32))
    areas = [Quadrilateral(corners).area for corners in (first, second)]
    return float(shared / max(sum(areas) - shared, 1e-9))
