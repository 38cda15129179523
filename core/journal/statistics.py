"""How a collection is used: questions and feedback by day and hour, and which places were photographed.

Days and hours are those of a time zone. The database counts by quarter of an hour, which every present time zone's
offset from UTC is a multiple of.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from core.errors import InvalidRequest
from core.gallery import PlaceSummary
from core.gallery.database.port import Connection

_QUARTER_S = 900
_OFFSET = re.compile(r"[+-][01]\d:(00|15|30|45)")

# CAST rounds in PostgreSQL and truncates in SQLite.
_QUARTER = f"""
    (CAST(matches.at AS BIGINT) - CASE WHEN CAST(matches.at AS BIGINT) > matches.at THEN 1 ELSE 0 END) / {_QUARTER_S}
"""
_OF_PERIOD = """
    FROM matches LEFT JOIN feedback ON feedback.match = matches.id
    WHERE collection = ? AND matches.at >= ? AND matches.at < ?
"""


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of a time zone.

    Attributes:
        first: its first day.
        days: how many, >= 1.
        zone: the time zone.
    """

    first: date
    days: int
    zone: tzinfo

    def dates(self) -> list[date]:
        """Every day, in order."""
        return [self.first + timedelta(days=number) for number in range(self.days)]

    def bounds(self) -> tuple[float, float]:
        """The first instant of the period, and the first one after it, seconds since 1970 UTC."""
        ends = self.first, self.first + timedelta(days=self.days)
        start, end = (datetime.combine(day, time(), self.zone).timestamp() for day in ends)
        return start, end


@dataclass(slots=True)
class Counts:
    """Numbers of questions.

    Attributes:
        questions: all.
        answered: those that were answered with a place.
        right: with feedback that the answer was right; likewise the other verdicts.
    """

    questions: int = 0
    answered: int = 0
    right: int = 0
    wrong: int = 0
    other_place: int = 0
    not_in_collection: int = 0

    def add(self, questions: int, answered: int, verdict: str | None) -> None:
        """Add questions that have the same feedback, or none."""
        self.questions += questions
        self.answered += answered
        if verdict is not None:
            setattr(self, verdict, getattr(self, verdict) + questions)


@dataclass(frozen=True, slots=True)
class Statistics:
    """The use of a collection in a period.

    Attributes:
        total: of the period.
        days: of every day, in order.
        hours: of every hour of the day, all days together; 24.
        places: questions by the id of the place that the photo shows, as answered and corrected by feedback; places
            that were deleted since may be among them.
    """

    total: Counts
    days: Mapping[date, Counts]
    hours: tuple[Counts, ...]
    places: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlaceCount:
    """A place of the gallery, and how often it was photographed."""

    place_id: str
    name: str
    questions: int


def read_time_zone(name: str) -> tzinfo:
    """Return a time zone.

    Args:
        name: of the IANA database, such as ``Asia/Shanghai``; or an offset from UTC, such as ``+08:00``.

    Raises:
        InvalidRequest: it is unknown here.
    """
    if name == "UTC":
        return UTC
    if _OFFSET.fullmatch(name):
        return datetime.strptime(name, "%z").tzinfo or UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; no valid name; a folder of the database
        raise InvalidRequest(
            f"unknown time_zone: {name[:80]!r}; give a name of the IANA database that this machine has, such as "
            "Asia/Shanghai, or an offset such as +08:00"
        ) from None


def last_days(days: int, zone: tzinfo, now: float) -> Period:
    """Return the period of so many days that ends with today.

    Args:
        days: >= 1.
        zone: whose days they are.
        now: seconds since 1970 UTC.
    """
    today = datetime.fromtimestamp(now, zone).date()
    return Period(today - timedelta(days=days - 1), days, zone)


def read_statistics(connection: Connection, collection: str, period: Period) -> Statistics:
    """Count the questions to a collection."""
    days = {day: Counts() for day in period.dates()}
    hours = tuple(Counts() for _ in range(24))
    total = Counts()
    asked = (collection, *period.bounds())
    for quarter, verdict, questions, answered in connection.execute(
        f"SELECT {_QUARTER} AS quarter, verdict, count(*), CAST(sum(matched) AS BIGINT) {_OF_PERIOD} "
        "GROUP BY quarter, verdict",
        asked,
    ).fetchall():
        local = datetime.fromtimestamp(quarter * _QUARTER_S, period.zone)
        for counts in (total, days[local.date()], hours[local.hour]):
            counts.add(questions, answered, verdict)
    places = connection.execute(
        f"""
        SELECT shown, count(*) FROM (
            SELECT CASE WHEN verdict = 'other_place' THEN feedback.place_id
                        WHEN matched = 1 AND (verdict IS NULL OR verdict = 'right') THEN matches.place_id
                   END AS shown
            {_OF_PERIOD}
        ) AS photos
        WHERE shown IS NOT NULL GROUP BY shown
        """,
        asked,
    ).fetchall()
    return Statistics(total, days, hours, dict(map(tuple, places)))


def count_by_place(places: Iterable[PlaceSummary], questions: Mapping[str, int]) -> list[PlaceCount]:
    """Return all places but hidden ones that nobody photographed, those photographed most often first.

    Args:
        places: of the gallery.
        questions: as ``Statistics.places``.
    """
    counts = [
        PlaceCount(place.place_id, place.name, asked)
        for place in (summary.place for summary in places)
        if (asked := questions.get(place.place_id, 0)) or not place.is_hidden
    ]
    return sorted(counts, key=lambda count: -count.questions)
