"""Questions counted by the days and hours of a time zone, and by the place that they showed."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from databases import on_both_databases

from core.errors import InvalidRequest
from core.gallery import PlaceSummary
from core.journal import MatchRecord, Retention, UsageDatabase, UsageLog
from core.journal.statistics import Counts, Period, PlaceCount, count_by_place, last_days, read_time_zone
from core.results import Place

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def log(database: UsageDatabase) -> UsageLog:
    """A log that keeps matches for 100 days."""
    return UsageLog(database, Retention(match_days=100))


def record(log: UsageLog, request_id: str, at: datetime, place_id: str | None = "gate", **fields) -> None:
    """Keep an answer: the gate, or nothing."""
    given = {"collection": "default", "matched": place_id is not None, "place_id": place_id or "nearest", **fields}
    log.record(
        [
            MatchRecord(
                request_id=request_id, at=at.timestamp(), place_name=None, confidence=0.9, score=0.9,
                verification="done", encoder="e", verifier="v", **given,
            )
        ]
    )  # fmt: skip


@on_both_databases
def test_questions_belong_to_the_day_and_the_hour_of_the_time_zone(log: UsageLog):
    """The last tenth of a second before midnight is yesterday's, midnight is today's; what lies outside is left out."""
    record(log, "before", datetime(2026, 3, 1, 23, 59, 59, 900_000, SHANGHAI))
    record(log, "first", datetime(2026, 3, 2, 0, 0, tzinfo=SHANGHAI))
    record(log, "noon", datetime(2026, 3, 3, 12, 44, 59, 900_000, SHANGHAI), place_id=None)
    record(log, "last", datetime(2026, 3, 3, 23, 59, 59, 900_000, SHANGHAI))
    record(log, "after", datetime(2026, 3, 4, 0, 0, tzinfo=SHANGHAI))
    record(log, "elsewhere", datetime(2026, 3, 3, 12, 0, tzinfo=SHANGHAI), collection="other")

    found = log.statistics("default", Period(date(2026, 3, 2), 2, SHANGHAI))

    assert found.days == {date(2026, 3, 2): Counts(1, 1), date(2026, 3, 3): Counts(2, 1)}
    assert {hour: counts for hour, counts in enumerate(found.hours) if counts.questions} == {
        0: Counts(1, 1),
        12: Counts(1, 0),
        23: Counts(1, 1),
    }
    assert found.total == Counts(3, 2)


def test_a_day_of_23_or_25_hours_is_counted_whole(log: UsageLog):
    """Where the clocks change, no question of the day is lost or counted for another day."""
    for number in range(3 * 24):
        record(log, f"march-{number}", datetime.fromtimestamp(1_774_652_400 + 3600 * number, UTC))
        record(log, f"october-{number}", datetime.fromtimestamp(1_792_792_800 + 3600 * number, UTC))

    march = log.statistics("default", Period(date(2026, 3, 28), 3, BERLIN))
    october = log.statistics("default", Period(date(2026, 10, 24), 3, BERLIN))

    assert [counts.questions for counts in march.days.values()] == [24, 23, 24]
    assert (march.hours[2].questions, march.hours[3].questions) == (2, 3)
    assert [counts.questions for counts in october.days.values()] == [24, 25, 23]
    assert (october.hours[2].questions, october.hours[23].questions) == (4, 2)


@on_both_databases
def test_a_photo_counts_for_the_place_that_it_shows(log: UsageLog):
    """Feedback corrects the answer: what was wrong counts for no place, what was named counts for that one."""
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    said = {
        "unsaid": None,
        "right": ("right", None),
        "wrong": ("wrong", None),
        "other": ("other_place", "tower"),
        "strange": ("not_in_collection", None),
    }
    for name, feedback in said.items():
        record(log, name, at)
        record(log, f"refused-{name}", at, place_id=None)
        if feedback is not None:
            log.give_feedback(name, *feedback, at.timestamp())
            log.give_feedback(f"refused-{name}", *feedback, at.timestamp())

    found = log.statistics("default", Period(date(2026, 3, 2), 1, UTC))

    assert found.places == {"gate": 2, "tower": 2}
    assert found.total == Counts(10, 5, right=2, wrong=2, other_place=2, not_in_collection=2)


def test_the_last_days_end_with_today():
    """Today is that of the time zone, which may be another day than in UTC."""
    late = datetime(2026, 3, 1, 20, tzinfo=UTC).timestamp()

    assert last_days(1, UTC, late) == Period(date(2026, 3, 1), 1, UTC)
    assert last_days(30, SHANGHAI, late).dates()[-1] == date(2026, 3, 2)
    assert len(last_days(30, SHANGHAI, late).dates()) == 30


def test_places_are_listed_most_photographed_first():
    """All places of the gallery and no others; those that are equal stay in the order of the gallery."""
    places = [PlaceSummary("default", Place(name, name.title()), 1, "i") for name in ("a", "b", "c", "d")]

    counts = count_by_place(places, {"d": 2, "b": 5, "deleted": 9})

    assert counts == [
        PlaceCount("b", "B", 5),
        PlaceCount("d", "D", 2),
        PlaceCount("a", "A", 0),
        PlaceCount("c", "C", 0),
    ]


def test_a_hidden_place_is_counted_only_where_it_was_photographed():
    """Nobody is reproached that visitors did not find what they could not."""
    places = [PlaceSummary("default", Place(name, name, is_hidden=True), 1, "i") for name in ("loan", "depot")]

    assert count_by_place(places, {"loan": 3}) == [PlaceCount("loan", "loan", 3)]


@pytest.mark.parametrize(
    ("name", "hours"), [("UTC", 0), ("+08:00", 8), ("-03:30", -3.5), ("Asia/Kolkata", 5.5), ("Europe/Berlin", 1)]
)
def test_a_time_zone_is_named_or_an_offset(name: str, hours: float):
    """Both forms say by how much local time differs."""
    offset = datetime(2026, 1, 15, tzinfo=read_time_zone(name)).utcoffset()

    assert offset == timedelta(hours=hours)


@pytest.mark.parametrize(
    "name", ["Moon/Crater", "Europe", "../etc/passwd", "/etc/passwd", "a\0b", "+8", "+08:07", "+29:00"]
)
def test_an_unknown_time_zone_is_refused_with_what_is_accepted(name: str):
    """Nothing but zones can be named, however it is written."""
    with pytest.raises(
        InvalidRequest, match=r"unknown time_zone: .*such as Asia/Shanghai, or an offset such as \+08:00"
    ):
        read_time_zone(name)
