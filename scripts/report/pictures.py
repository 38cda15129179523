"""The page's small pictures, each stored once, and pairs of pictures with lines between matched points."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from core.decision.matched_region import MatchedRegion
from core.errors import InvalidImage
from core.imaging.decoding import open_image
from core.results import Correspondences

PICTURE_SIDE = 400
THUMBNAIL_SIDE = 112
_QUALITY = 72
# More lines would hide the photos.
_MOST_LINES, _MOST_DOTS = 24, 90
_GAP = 14.0
_COLUMN = 400.0
_TALLEST = 440.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the page: the id under which it is stored, and its size in pixels."""

    picture_id: str
    width: int
    height: int


class Album:
    """Collects the page's pictures; the same photo at the same size is stored once."""

    def __init__(self) -> None:
        """Start without pictures."""
        self._pictures: dict[tuple[Path, int], Picture | None] = {}
        self._data: dict[str, tuple[Picture, bytes]] = {}

    def add(self, photo: Path, side: int = PICTURE_SIDE) -> Picture | None:
        """Store a photo, reduced to at most ``side`` pixels; return None if it cannot be read."""
        key = (photo, side)
        if key not in self._pictures:
            self._pictures[key] = self._store(photo, side)
        return self._pictures[key]

    def definitions(self) -> Markup:
        """Return the pictures' data for the top of the page; ``<use>`` shows them."""
        images = (
            Markup('<image id="{}" width="{}" height="{}" href="data:image/jpeg;base64,{}"/>').format(
                picture.picture_id, picture.width, picture.height, base64.b64encode(data).decode("ascii")
            )
            for picture, data in self._data.values()
        )
        return Markup('<svg width="0" height="0" aria-hidden="true"><defs>{}</defs></svg>').format(
            Markup("\n").join(images)
        )

    def _store(self, photo: Path, side: int) -> Picture | None:
        try:
            image = open_image(photo, max_side=2 * side).image
        except InvalidImage:
            return None
        image.thumbnail((side, side))
        image.info = {}  # pixels only
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
        data = buffer.getvalue()
        picture_id = "p" + hashlib.sha256(data).hexdigest()[:16]
        picture = Picture(picture_id, image.width, image.height)
        self._data[picture_id] = (picture, data)
        return picture


def single(picture: Picture, description: str) -> Markup:
    """Draw one picture."""
    return Markup(
        '<svg class="photo" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}">{3}</svg>'
    ).format(picture.width, picture.height, description, _use(picture, 0, 0, 1.0))


def pair(
    query: Picture, candidate: Picture, points: Correspondences | None, region: MatchedRegion | None, description: str
) -> Markup:
    """Draw two pictures with their matched points: side by side for wide windows, one above the other for phones."""
    wide, tall = _drawing(query, candidate, points, region), _drawing(query, candidate, points, region, tall=True)
    return Markup('<div class="pair" role="img" aria-label="{}">{}{}</div>').format(description, wide, tall)


def spread(points: NDArray[np.floating], count: int) -> list[int]:
    """Return indices of at most ``count`` distant points of [M, 2], by farthest-point sampling."""
    if len(points) == 0:
        return []
    taken = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(taken) < min(count, len(points)):
        taken.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[taken[-1]], axis=1))
    return taken


def _drawing(
    query: Picture,
    candidate: Picture,
    points: Correspondences | None,
    region: MatchedRegion | None,
    *,
    tall: bool = False,
) -> Markup:
    scales = [min(_COLUMN / picture.width, _TALLEST / picture.height) for picture in (query, candidate)]
    sizes = [
        (picture.width * scale, picture.height * scale)
        for picture, scale in zip((query, candidate), scales, strict=True)
    ]
    if tall:
        width, height = max(size[0] for size in sizes), sum(size[1] for size in sizes) + _GAP
        corners = [((width - sizes[0][0]) / 2, 0.0), ((width - sizes[1][0]) / 2, sizes[0][1] + _GAP)]
    else:
        width, height = sum(size[0] for size in sizes) + _GAP, max(size[1] for size in sizes)
        corners = [(0.0, (height - sizes[0][1]) / 2), (sizes[0][0] + _GAP, (height - sizes[1][1]) / 2)]
    body = [
        _use(picture, *corner, scale)
        for picture, corner, scale in zip((query, candidate), corners, scales, strict=True)
    ]
    if region is not None:
        for polygon, corner, size in zip((region.query, region.candidate), corners, sizes, strict=True):
            outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in polygon * size + corner)
            body.append(Markup('<polygon class="region" points="{}"/>').format(outline))
    if points is not None:
        first, second = points.query_points * sizes[0] + corners[0], points.candidate_points * sizes[1] + corners[1]
        body.extend(_lines(first, second))
    return Markup('<svg class="{}" viewBox="0 0 {:.0f} {:.0f}" style="max-width:{:.0f}px">{}</svg>').format(
        "tall" if tall else "wide", width, height, width, Markup("").join(body)
    )


def _lines(first: NDArray[np.floating], second: NDArray[np.floating]) -> Sequence[Markup]:
    chosen = spread(first, _MOST_DOTS)
    path = " ".join(
        f"M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}"
        for (x1, y1), (x2, y2) in zip(first[chosen[:_MOST_LINES]], second[chosen[:_MOST_LINES]], strict=True)
    )
    # Strokes of length 0 with round ends draw dots, in a fraction of the bytes of circles.
    dots = " ".join(f"M{x:.0f} {y:.0f}h0" for x, y in np.concatenate([first[chosen], second[chosen]]))
    if not chosen:
        return []
    drawn = (("casing", path), ("join", path), ("dot-casing", dots), ("dot", dots))
    return [Markup('<path class="{}" d="{}"/>').format(name, shape) for name, shape in drawn]


def _use(picture: Picture, x: float, y: float, scale: float) -> Markup:
    return Markup('<use href="#{}" transform="translate({:.1f} {:.1f}) scale({:.4f})"/>').format(
        picture.picture_id, x, y, scale
    )
