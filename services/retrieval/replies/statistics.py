"""Statistics of a collection as a reply, and as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, fields

from contracts.statistics import CountsBody, DayBody, HourBody, PlaceCountBody, PlaceCounts, StatisticsReply
from core.building.spreadsheets import as_text
from core.journal.statistics import Counts, PlaceCount, Statistics

_COUNTS = {
    "en": [field.name for field in fields(Counts)],
    "zh": ["识别次数", "给出展品", "评价正确", "评价有误", "评价为其他展品", "评价为不在图库中"],
}
_DAY = {"en": "date", "zh": "日期"}
_HOUR = {"en": "hour", "zh": "时"}
_PLACE = {"en": ["place_id", "place_name", "questions"], "zh": ["编号", "名称", "识别次数"]}


def statistics_reply(
    collection: str,
    statistics: Statistics,
    places: Sequence[PlaceCount],
    *,
    time_zone: str,
    kept_days: float,
    limit: int,
) -> StatisticsReply:
    """Translate statistics.

    Args:
        collection: that was asked.
        statistics: of it.
        places: all of it, those photographed most often first.
        time_zone: whose days and hours were counted.
        kept_days: days for which answers are kept.
        limit: most places in either list.
    """
    photographed = [place for place in places if place.questions]
    return StatisticsReply(
        collection=collection,
        time_zone=time_zone,
        kept_days=kept_days,
        total=CountsBody(**asdict(statistics.total)),
        days=[DayBody(date=day.isoformat(), **asdict(counts)) for day, counts in statistics.days.items()],
        hours=[HourBody(hour=hour, **asdict(counts)) for hour, counts in enumerate(statistics.hours)],
        photographed=_first(photographed, limit),
        never_photographed=_first(places[len(photographed) :], limit),
    )


def statistics_table(statistics: Statistics, places: Iterable[PlaceCount], table: str, language: str) -> bytes:
    """Write one table as CSV, in UTF-8 with the byte order mark by which spreadsheet programs know it.

    Args:
        statistics: of a collection.
        places: all of it.
        table: ``days``, ``hours`` or ``places``.
        language: of the headers, ``en`` or ``zh``.
    """
    rows: list[Sequence[object]]
    if table == "places":
        rows = [
            _PLACE[language],
            *((as_text(place.place_id), as_text(place.name), place.questions) for place in places),
        ]
    elif table == "hours":
        rows = [[_HOUR[language], *_COUNTS[language]]]
        rows += [(hour, *astuple(counts)) for hour, counts in enumerate(statistics.hours)]
    else:
        rows = [[_DAY[language], *_COUNTS[language]]]
        rows += [(day.isoformat(), *astuple(counts)) for day, counts in statistics.days.items()]
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode("utf-8-sig")


def _first(places: Sequence[PlaceCount], limit: int) -> PlaceCounts:
    return PlaceCounts(total=len(places), entries=[PlaceCountBody(**asdict(place)) for place in places[:limit]])
