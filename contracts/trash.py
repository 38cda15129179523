"""The public API of the trash: deletions that can be undone."""

from typing import Literal

from pydantic import BaseModel, Field

from contracts import examples
from contracts.names import CollectionName

TRASH_ID_HEADER = "X-Trash-Id"
"""Of the answer to a deletion: what undoes it."""

TRASH_ID_PATTERN = "^[0-9a-f]{32}$"


class DeleteParams(BaseModel):
    """How a deletion is meant."""

    model_config = {"extra": "forbid"}

    permanently: bool = Field(default=False, description="true: not into the trash; it cannot be undone")


class DeletionBody(BaseModel):
    """One deletion that can be undone."""

    model_config = {"json_schema_extra": {"examples": [examples.DELETION]}}

    id: str
    kind: Literal["image", "place", "collection"]
    collection: str = Field(description="that it belonged to; for a collection its own name")
    name: str = Field(description="of what was deleted")
    place_id: str | None = Field(default=None, description="of the place, or of the place that the photo showed")
    images: int = Field(description="how many photos would come back")
    deleted_at: str = Field(description="UTC, ISO 8601")
    kept_until: str = Field(description="UTC, ISO 8601: deleted permanently soon after it")


class TrashParams(BaseModel):
    """Which deletions to list."""

    model_config = {"extra": "forbid"}

    collection: CollectionName | None = None
    cursor: str | None = Field(default=None, max_length=4000, description="`next_cursor` of the page before")
    limit: int = Field(default=50, ge=1, le=500)


class TrashPage(BaseModel):
    """One page of deletions, newest first."""

    deletions: list[DeletionBody]
    total: int
    next_cursor: str | None = None
    days: float = Field(description="for how long a deletion can be undone; 0: not at all")


class EmptyParams(BaseModel):
    """Which entries of the trash to delete permanently."""

    model_config = {"extra": "forbid"}

    collection: CollectionName | None = Field(
        default=None, description="only what belonged to it; left out: everything that the key may see"
    )


class RestoreReply(BaseModel):
    """What came back."""

    collection: str
    images: int = Field(description="photos that came back; those added again meanwhile are not counted")
