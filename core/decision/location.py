"""The visitor's position as a soft score: it makes places more or less likely, never impossible."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.results import Place

# A position says at most this much for or against a place: phones indoors are often tens of metres off, or worse.
_MOST = 2.0
# A visitor photographs a thing from about this far at most.
_REACH_M = 60.0
_EARTH_M = 6_371_000.0
# A room, floor or beacon that agrees, or does not.
_SAME_AREA, _OTHER_AREA = 1.0, -1.0


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where the visitor is.

    Attributes:
        latitude: degrees, WGS 84; None if unknown.
        longitude: likewise.
        accuracy_m: of the two, metres, > 0.
        area: such as ``{"floor": "2", "room": "12"}``, compared with the metadata of places.
    """

    latitude: float | None = None
    longitude: float | None = None
    accuracy_m: float = 30.0
    area: Mapping[str, str] = field(default_factory=dict)


def location_odds(whereabouts: Whereabouts, place: Place) -> float:
    """Log-odds that a visitor there photographs this place; 0 where one of the two is not known.

    A normal distribution around the visitor, as wide as the position is accurate and a photo reaches, over a flat
    background that keeps a wrong position from deciding.
    """
    odds = 0.0
    here = (whereabouts.latitude, whereabouts.longitude)
    there = (place.latitude, place.longitude)
    if None not in here + there:
        width = math.hypot(whereabouts.accuracy_m, _REACH_M)
        away = distance_m(*here, *there) / width  # type: ignore[arg-type]  # none of them is None
        odds += max(-_MOST, _MOST - away * away / 2)
    for name, value in whereabouts.area.items():
        known = place.metadata.get(name)
        if known is not None:
            odds += _SAME_AREA if str(known).strip().casefold() == value.strip().casefold() else _OTHER_AREA
    return max(-2 * _MOST, min(2 * _MOST, odds))


def distance_m(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Metres between two points on the globe (haversine formula)."""
    first, second = math.radians(latitude), math.radians(other_latitude)
    across = math.sin(math.radians(other_longitude - longitude) / 2) ** 2
    share = math.sin((second - first) / 2) ** 2 + math.cos(first) * math.cos(second) * across
    return 2 * _EARTH_M * math.asin(min(1.0, math.sqrt(share)))
