"""The values that go into a gallery and come out of it, besides those in ``core.results``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum, auto
from pathlib import PureWindowsPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import SemanticMatchError
from core.gallery.validation import printable
from core.results import GalleryImage, LocalFeatures, Place, Recording

DEFAULT_COLLECTION = "default"
"""The collection of deployments that have only one."""


class Unchanged(Enum):
    """The type of ``UNCHANGED``; an enum, so that type checkers can tell it from a value."""

    UNCHANGED = auto()


UNCHANGED = Unchanged.UNCHANGED
"""Marks a field of an ``ImageChange`` as unchanged; None empties the field."""


@dataclass(frozen=True, slots=True, eq=False)
class NewImage:
    """A photo with everything that was computed from it, ready to be stored.

    Attributes:
        data: the file as its owner sent it.
        filename: the owner's name for it; shown, never used as a path.
        media_type: of ``data``, as ``core.imaging.decoding.decode_image`` found it.
        width: of the upright original, pixels.
        height: of the upright original, pixels.
        preview: a small JPEG without metadata, from ``core.imaging.decoding.encode_preview``.
        embedding: float32 [D], L2 norm 1, made by the gallery's encoder.
        local_features: of the same photo, or None.
        collection: which museum or park it belongs to.
        place: what it shows; None makes it a place of its own, named after the file.
        image_id: hex, the one that it had in another gallery and that is free in this one; None makes a new one.
    """

    data: bytes
    filename: str
    media_type: str
    width: int
    height: int
    preview: bytes
    embedding: NDArray[np.float32]
    local_features: LocalFeatures | None = None
    collection: str = DEFAULT_COLLECTION
    place: Place | None = None
    image_id: str | None = None


@dataclass(frozen=True, slots=True)
class AddResult:
    """What became of one new image.

    Attributes:
        status: ``duplicate`` when the collection already held the same bytes; nothing was changed then.
        image: the stored image, new or known.
    """

    status: Literal["added", "duplicate"]
    image: GalleryImage


@dataclass(frozen=True, slots=True)
class TextChange:
    """A change of a place's text in one language. A field left out is unchanged.

    A text that changes without a word about ``is_machine_translated`` counts as a person's.
    """

    name: str | Unchanged = UNCHANGED
    description: str | Unchanged = UNCHANGED
    is_machine_translated: bool | Unchanged = UNCHANGED
    transcript: str | Unchanged = UNCHANGED


@dataclass(frozen=True, slots=True)
class ImageChange:
    """A change of an image. A field left out is unchanged.

    Attributes:
        place_id: moves the image to this place of its collection, which is made if it is new.
        place_name: like all further fields, of the place that the image shows after the move.
        description: free text.
        metadata: JSON object; replaces the former one as a whole.
        latitude: degrees [-90, 90]; None forgets it.
        longitude: degrees [-180, 180]; None forgets it.
        texts: by language tag; languages that are not named are unchanged, None deletes a text.
        is_hidden: whether the place is left out of every answer.
    """

    place_id: str | Unchanged = UNCHANGED
    place_name: str | Unchanged = UNCHANGED
    description: str | Unchanged = UNCHANGED
    metadata: Mapping[str, Any] | Unchanged = UNCHANGED
    latitude: float | Unchanged | None = UNCHANGED
    longitude: float | Unchanged | None = UNCHANGED
    texts: Mapping[str, TextChange | None] | Unchanged = UNCHANGED
    is_hidden: bool | Unchanged = UNCHANGED


PLACE_FIELDS = {
    field.name: "name" if field.name == "place_name" else field.name
    for field in fields(ImageChange)
    if field.name not in ("place_id", "texts")
}
"""What a place has one value of: names of fields in an ``ImageChange`` and in a ``Place``."""


@dataclass(frozen=True, slots=True)
class NewRecording:
    """A recording that a place is to have.

    Attributes:
        name: its owner's name for it; shown, never used as a path.
        recording: what its bytes are.
        read: returns its bytes.
    """

    name: str
    recording: Recording
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class PlaceCorrection:
    """Changed texts and recordings of one place.

    Attributes:
        place: as it was.
        change: holds only the fields that differ from it.
        recordings: those that differ, by language tag.
    """

    place: Place
    change: ImageChange
    recordings: Mapping[str, NewRecording] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return self.change == ImageChange() and not self.recordings

    @property
    def replaced_recordings(self) -> list[Recording]:
        """The recordings in whose place others are now."""
        texts = [self.place.texts[tag] for tag in self.recordings if tag in self.place.texts]
        return [text.recording for text in texts if text.recording is not None]


@dataclass(frozen=True, slots=True)
class PlaceCorrections:
    """The result of changed texts and recordings of places.

    Attributes:
        changes: of the places that are different now.
        unknown: ids of no place.
        refused: one error per place of which something is not acceptable; such a place is not changed.
    """

    changes: tuple[PlaceCorrection, ...] = ()
    unknown: tuple[str, ...] = ()
    refused: tuple[SemanticMatchError, ...] = ()

    @property
    def changed(self) -> int:
        """How many places are different now."""
        return len(self.changes)


@dataclass(frozen=True, slots=True)
class ImagePage:
    """Some of the images asked for, oldest first.

    Attributes:
        total: how many there are on all pages.
        next_cursor: asks for the next page; None on the last.
    """

    images: tuple[GalleryImage, ...]
    total: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class PlaceSummary:
    """A place and the images that show it.

    Attributes:
        images: how many, >= 1: a place exists as long as an image shows it.
        first_image_id: the oldest of them, for a preview.
    """

    collection: str
    place: Place
    images: int
    first_image_id: str


@dataclass(frozen=True, slots=True)
class PlacePage:
    """Some of the places asked for, by name; see ``ImagePage``."""

    places: tuple[PlaceSummary, ...]
    total: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class CollectionSummary:
    """A collection and what it holds.

    Attributes:
        language: tag of the language of its names and descriptions (BCP 47); empty where that is not known.
        former_names: by which links to it still lead to it, in order.
    """

    name: str
    images: int
    places: int
    language: str = ""
    former_names: tuple[str, ...] = ()


def own_place(new: NewImage, image_id: str) -> Place:
    """Return the place of an image that was added without one: the image itself, named after its file."""
    # PureWindowsPath splits at both kinds of slash.
    return Place(image_id, name=PureWindowsPath(printable(new.filename)).stem.strip() or image_id)
