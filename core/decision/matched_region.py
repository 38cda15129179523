"""Where two photos agree: a polygon in each, drawn from the points on which they agree."""

from dataclasses import dataclass

import numpy as np
import poselib
from numpy.typing import NDArray

from core.results import Correspondences

Polygon = NDArray[np.float64]
"""Corners [C, 2] in order, (x, y) in [0, 1], fractions of the upright photo's width and height."""

# A homography always finds some plane. It is believed where it explains nearly all points, and where these cover enough
# of what it says is visible: beyond them the polygon is a guess.
_LEAST_POINTS = 15
_LEAST_SHARE = 0.8
_LEAST_COVER = 0.25
# As a share of the photo's side. At 0.01 half of the paintings in phone photos pass for planes, at 0.015 19 of 20:
# lenses bend them, and keypoints are found at reduced size.
_PLANE_TOLERANCE = 0.015
_UNITS = 1000.0  # robust estimators are tuned to pixels
_RANSAC = {"max_iterations": 1000, "min_iterations": 100, "max_reproj_error": _PLANE_TOLERANCE * _UNITS}
_FRAME: Polygon = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class MatchedRegion:
    """What both photos show.

    Attributes:
        query: polygon in the query photo.
        candidate: polygon in the candidate photo.
        is_planar: one plane explains the points, and the polygons are its part visible in both photos; else they are
            the convex hulls of the points.
        coverage: the candidate's polygon as a share of its photo, [0, 1].
    """

    query: Polygon
    candidate: Polygon
    is_planar: bool
    coverage: float


def matched_region(points: Correspondences) -> MatchedRegion | None:
    """Find the region that the agreeing points speak of; None with fewer than three points."""
    first, second = points.query_points.astype(np.float64), points.candidate_points.astype(np.float64)
    if len(first) < 3:
        return None
    hulls = convex_hull(first), convex_hull(second)
    visible = _visible_plane(first, second, hulls)
    query, candidate = visible or hulls
    return MatchedRegion(query, candidate, visible is not None, area(candidate))


def convex_hull(points: NDArray[np.floating]) -> Polygon:
    """Corners of the convex hull of [P, 2], in order (Andrew's monotone chain)."""
    ordered = sorted({(float(x), float(y)) for x, y in points})

    def half(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        chain: list[tuple[float, float]] = []
        for x, y in points:
            while len(chain) > 1:
                (ax, ay), (bx, by) = chain[-2:]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                chain.pop()
            chain.append((x, y))
        return chain

    if len(ordered) < 3:
        return np.array(ordered, dtype=np.float64).reshape(-1, 2)
    return np.array(half(ordered)[:-1] + half(ordered[::-1])[:-1])


def area(polygon: Polygon) -> float:
    """Of a polygon without crossings, as a share of the photo (shoelace formula)."""
    if len(polygon) < 3:
        return 0.0
    x, y = polygon.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _visible_plane(
    first: NDArray[np.float64], second: NDArray[np.float64], hulls: tuple[Polygon, Polygon]
) -> tuple[Polygon, Polygon] | None:
    """The plane's part that both photos show, if the points lie in a plane."""
    if len(first) < _LEAST_POINTS:
        return None
    to_second, report = poselib.estimate_homography(first * _UNITS, second * _UNITS, _RANSAC, {})
    if sum(report["inliers"]) < _LEAST_SHARE * len(first):
        return None
    scale = np.diag([_UNITS, _UNITS, 1.0])
    to_second = np.linalg.inv(scale) @ np.asarray(to_second) @ scale
    if abs(np.linalg.det(to_second)) < 1e-9:
        return None
    frames = _project(_FRAME, np.linalg.inv(to_second)), _project(_FRAME, to_second)
    if frames[0] is None or frames[1] is None:
        return None
    seen = _clip_to_photo(frames[0]), _clip_to_photo(frames[1])
    covered = all(area(hull) >= _LEAST_COVER * area(shown) > 0 for hull, shown in zip(hulls, seen, strict=True))
    return seen if covered else None


def _project(polygon: Polygon, homography: NDArray[np.float64]) -> Polygon | None:
    """Map corners; None when some lie behind the camera, where the polygon would turn inside out."""
    mapped = np.column_stack([polygon, np.ones(len(polygon))]) @ homography.T
    depth = mapped[:, 2]
    if not (np.all(depth > 1e-6) or np.all(depth < -1e-6)):
        return None
    corners: Polygon = mapped[:, :2] / depth[:, None]
    return corners


def _clip_to_photo(polygon: Polygon) -> Polygon:
    """The part of a convex polygon inside the photo (Sutherland and Hodgman, 1974)."""
    for axis, sign, bound in ((0, 1, 0.0), (0, -1, -1.0), (1, 1, 0.0), (1, -1, -1.0)):
        kept: list[NDArray[np.float64]] = []
        inside = sign * polygon[:, axis] - bound if len(polygon) else np.empty(0)
        for index, (corner, depth) in enumerate(zip(polygon, inside, strict=True)):
            before, before_depth = polygon[index - 1], inside[index - 1]
            if (depth >= 0) != (before_depth >= 0):
                kept.append(before + (corner - before) * (before_depth / (before_depth - depth)))
            if depth >= 0:
                kept.append(corner)
        polygon = np.array(kept).reshape(-1, 2)
    return polygon
