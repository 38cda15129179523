"""Which places a search is to look at, by their ids and by where they lie."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidRequest
from core.gallery.database.port import Connection, placeholders
from core.gallery.values import check_angle

_EARTH_RADIUS_M = 6_371_008.8
_METRES_PER_DEGREE = np.pi / 180 * _EARTH_RADIUS_M
_IDS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Area:
    """A circle on the globe.

    Attributes:
        latitude: of its centre, degrees [-90, 90], WGS 84.
        longitude: likewise, degrees [-180, 180].
        radius_m: metres, > 0.
    """

    latitude: float
    longitude: float
    radius_m: float

    def __post_init__(self) -> None:
        """Refuse what is no circle on the globe."""
        check_angle("latitude", self.latitude, 90)
        check_angle("longitude", self.longitude, 180)
        if not self.radius_m > 0:
            raise InvalidRequest(f"invalid radius_m: {self.radius_m}; give more than 0 metres")


def find_places(
    connection: Connection, collection: str, within: Area | None, place_ids: Collection[str] | None
) -> NDArray[np.int64] | None:
    """Find the rows of the places that a search may answer with: int64 [P]; None for all of them.

    Places without a position lie in no area.
    """
    if within is None and place_ids is None:
        return None
    condition, values = "collection = ?", list[str | float]([collection])
    if within is not None:
        # Along a meridian; how far a degree of longitude goes depends on where.
        reach = within.radius_m / _METRES_PER_DEGREE * 1.001
        condition += " AND longitude IS NOT NULL AND latitude BETWEEN ? AND ?"
        values += [within.latitude - reach, within.latitude + reach]
    rows: list[tuple[int, float, float]] = []
    wanted = None if place_ids is None else sorted(set(place_ids))
    for start in range(0, 1 if wanted is None else len(wanted), _IDS_AT_ONCE):
        ids = [] if wanted is None else wanted[start : start + _IDS_AT_ONCE]
        among = f" AND place_id IN {placeholders(len(ids))}" if ids else ""
        sql = f"SELECT id, latitude, longitude FROM places WHERE {condition}{among}"
        rows += connection.execute(sql, (*values, *ids)).fetchall()
    if within is not None:
        positions = np.array([row[1:] for row in rows], np.float64).reshape(-1, 2)
        is_inside = _distances_m(within, positions) <= within.radius_m
        rows = [row for row, inside in zip(rows, is_inside, strict=True) if inside]
    return np.array([row[0] for row in rows], np.int64)


def _distances_m(area: Area, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Great-circle distances of positions [P, 2], degrees, from the centre: the haversine formula."""
    here = np.radians([area.latitude, area.longitude])
    there = np.radians(positions)
    half = np.sin((there - here) / 2) ** 2
    chord = half[:, 0] + np.cos(here[0]) * np.cos(there[:, 0]) * half[:, 1]
    return np.asarray(2 * _EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(chord, 0, 1))))
