"""The inbox: photos that visitors have sent to the museum because the answer was none, maybe or wrong."""

from typing import Literal

from pydantic import BaseModel, Field, model_validator

from contracts.collections import MatchEntry
from contracts.feedback import REQUEST_ID_PATTERN
from contracts.images import MAX_PLACE_ID, ImageBody

MAX_ENTRY = 2**53

Shown = Literal["place", "new_place", "nothing"]
"""What a photo shows: a place, one that is to be made, or nothing of the collection."""


class InboxTerms(BaseModel):
    """Whether photos are taken, and for how long they are kept."""

    days: float = Field(description="days after which a photo is deleted at the latest; 0: no photos are taken")


class InboxPhotoParams(BaseModel):
    """What a photo was the question of."""

    model_config = {"extra": "forbid"}

    request_id: str = Field(pattern=REQUEST_ID_PATTERN, description="`request_id` of the answer of `POST /match`")


class InboxReceipt(BaseModel):
    """The photo is on the disk."""

    kept_until: str = Field(description="when it is deleted at the latest; UTC, ISO 8601")


class InboxEntryBody(BaseModel):
    """A photo and the answer that was given to it."""

    id: int
    kept_until: str = Field(description="UTC, ISO 8601")
    photo_url: str
    match: MatchEntry


class InboxPage(BaseModel):
    """One page of photos, newest first."""

    days: float = Field(description="as in `GET /inbox`")
    entries: list[InboxEntryBody]
    next_cursor: str | None = None


class InboxParams(BaseModel):
    """Which entries to list."""

    model_config = {"extra": "forbid"}

    limit: int = Field(default=50, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=4000, description="`next_cursor` of the previous page")


class InboxDecision(BaseModel):
    """What the photo shows."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"shows": "place", "place_id": "vase-1"}]}}

    shows: Shown = Field(
        description="`place`: that of `place_id`; `new_place`: a new one called `place_name`; `nothing`: nothing of "
        "the collection"
    )
    place_id: str | None = Field(default=None, min_length=1, max_length=MAX_PLACE_ID)
    place_name: str | None = Field(default=None, min_length=1, max_length=500)

    @model_validator(mode="after")
    def check_place(self) -> "InboxDecision":
        """Refuse a place that the decision does not take, or a decision without the place that it needs."""
        if (self.place_id is not None) != (self.shows == "place"):
            raise ValueError("place_id is accepted only with shows=place, which needs it")
        if (self.place_name is not None) != (self.shows == "new_place"):
            raise ValueError("place_name is accepted only with shows=new_place, which needs it")
        return self


class InboxOutcome(BaseModel):
    """What became of the photo. It is no longer in the inbox."""

    image: ImageBody | None = Field(description="the photo in the gallery; null if it was not added")
    feedback_kept: bool = Field(
        description="whether the decision is the feedback on the answer now, which calibrations count"
    )
