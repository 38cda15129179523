"""The values of the trash: deletions that can be undone for some time."""

from dataclasses import dataclass
from typing import Literal

_TRASH = "\x7f"  # not printable, so that no caller's collection can begin with it

DeletionKind = Literal["image", "place", "collection"]


@dataclass(frozen=True, slots=True)
class Deletion:
    """What one deletion moved to the trash.

    Attributes:
        deletion_id: hex.
        kind: what was deleted.
        collection: that it belonged to, under its present name.
        name: of what was deleted, for people.
        place_id: of a deleted place, or of the place that a deleted image showed; None of a collection.
        images: how many the trash still holds of it.
        deleted_at: seconds since 1970 UTC.
    """

    deletion_id: str
    kind: DeletionKind
    collection: str
    name: str
    place_id: str | None
    images: int
    deleted_at: float


@dataclass(frozen=True, slots=True)
class DeletionPage:
    """Some of the deletions asked for, newest first; see ``ImagePage``."""

    deletions: tuple[Deletion, ...]
    total: int
    next_cursor: str | None


def trash_collection(deletion_id: str) -> str:
    """Name the collection in which the images of a deletion wait; no reader shows it."""
    return f"{_TRASH}{deletion_id}"


def is_trash(collection: str) -> bool:
    """Whether a collection is one that ``trash_collection`` names."""
    return collection.startswith(_TRASH)
