"""How a collection is used: figures of the answers that are on record."""

from typing import Literal

from pydantic import BaseModel, Field


class StatisticsPeriod(BaseModel):
    """The days that are counted."""

    model_config = {"extra": "forbid"}

    days: int = Field(default=30, ge=1, le=366, description="how many days, today included")
    time_zone: str = Field(
        default="UTC",
        min_length=1,
        max_length=64,
        description="whose days and hours are counted: a name of the IANA database such as `Asia/Shanghai`, or an "
        "offset from UTC such as `+08:00`",
    )


class StatisticsParams(StatisticsPeriod):
    """Which figures are wanted."""

    limit: int = Field(default=10, ge=1, le=500, description="most places in either list")


class StatisticsTableParams(StatisticsPeriod):
    """Which table is wanted."""

    table: Literal["days", "hours", "places"] = Field(
        default="days",
        description="`days` and `hours` have questions, answers and feedback; `places` how often every place was "
        "photographed, without hidden ones that never were",
    )
    language: Literal["en", "zh"] = Field(default="en", description="of the headers")


class CountsBody(BaseModel):
    """Numbers of questions."""

    questions: int
    answered: int = Field(description="questions that were answered with a place")
    right: int = Field(description="questions with this feedback; likewise the other verdicts")
    wrong: int
    other_place: int
    not_in_collection: int


class DayBody(CountsBody):
    """One day."""

    date: str = Field(description="ISO 8601")


class HourBody(CountsBody):
    """One hour of the day, all days together."""

    hour: int = Field(ge=0, le=23)


class PlaceCountBody(BaseModel):
    """A place, and how many questions showed it."""

    place_id: str
    name: str
    questions: int


class PlaceCounts(BaseModel):
    """The first of some places, and how many there are."""

    total: int
    entries: list[PlaceCountBody]


class StatisticsReply(BaseModel):
    """How a collection was used in the last days. No photo and nothing about who asked goes into it."""

    collection: str
    time_zone: str
    kept_days: float = Field(description="days for which answers are kept; 0: none are kept, so there are no figures")
    total: CountsBody
    days: list[DayBody] = Field(description="every day of the period, oldest first")
    hours: list[HourBody]
    photographed: PlaceCounts = Field(
        description="places by how many questions showed them, as answered and corrected by feedback; most first"
    )
    never_photographed: PlaceCounts = Field(description="by name, without hidden ones")
