"""The values that go into a gallery and come out of it, besides those in ``core.results``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import PureWindowsPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidRequest
from core.results import GalleryImage, LocalFeatures, Place

_METADATA_DEPTH, _METADATA_BYTES = 32, 64 * 1024

DEFAULT_COLLECTION = "default"
"""The collection of deployments that have only one."""


class Unchanged(Enum):
    """The type of ``UNCHANGED``; an enum, so that type checkers can tell it from a value."""

    UNCHANGED = auto()


UNCHANGED = Unchanged.UNCHANGED
"""Says in an ``ImageChange`` that a field stays as it is; None would say that it is to be emptied."""


@dataclass(frozen=True, slots=True, eq=False)
class NewImage:
    """A photo with everything that was computed of it, ready to be stored.

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
class ImageChange:
    """What is to change of an image. Every field left out stays as it is.

    Attributes:
        place_id: moves the image to this place of its collection, which is made if it is new.
        place_name: like all further fields, of the place that the image shows after the move.
        description: free text.
        metadata: JSON object; replaces the former one as a whole.
        latitude: degrees [-90, 90]; None forgets it.
        longitude: degrees [-180, 180]; None forgets it.
    """

    place_id: str | Unchanged = UNCHANGED
    place_name: str | Unchanged = UNCHANGED
    description: str | Unchanged = UNCHANGED
    metadata: Mapping[str, Any] | Unchanged = UNCHANGED
    latitude: float | Unchanged | None = UNCHANGED
    longitude: float | Unchanged | None = UNCHANGED


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
    """A collection and what it holds."""

    name: str
    images: int
    places: int


def check_name(field: str, value: str, max_length: int) -> str:
    """Return ``value`` if it can name a thing: not blank, one line, storable.

    Raises:
        InvalidRequest: it cannot.
    """
    if not isinstance(value, str) or not value.strip() or len(value) > max_length or not value.isprintable():
        raise InvalidRequest(f"invalid {field}: {value!r:.80}; give 1 to {max_length} printable characters")
    return value


def check_place(place: Place) -> Place:
    """Return ``place`` if it can be stored.

    Raises:
        InvalidRequest: a field is out of range; the message names it.
    """
    check_name("place_id", place.place_id, 200)
    check_name("place_name", place.name, 500)
    check_description(place.description)
    check_angle("latitude", place.latitude, 90)
    check_angle("longitude", place.longitude, 180)
    return place


def check_description(text: str) -> str:
    """Return ``text`` if it is storable.

    Raises:
        InvalidRequest: too long, or holding NUL or lone surrogates.
    """
    if not isinstance(text, str):
        raise InvalidRequest(f"invalid description: {text!r:.80}; give text")
    if len(text) > 20_000:
        raise InvalidRequest(f"description too long: {len(text):,} characters; at most 20,000 are accepted")
    if "\0" in text:
        raise InvalidRequest("invalid description: it holds a NUL character, which no database keeps")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("invalid description: it holds characters that are no Unicode text") from None
    return text


def check_angle(field: str, degrees: float | None, largest: float) -> float | None:
    """Return ``degrees`` if it lies in [-largest, largest] or is None.

    Raises:
        InvalidRequest: it does not.
    """
    if degrees is not None and not -largest <= degrees <= largest:
        raise InvalidRequest(f"invalid {field}: {degrees}; give degrees in [-{largest}, {largest}]")
    return degrees


def metadata_to_json(metadata: Mapping[str, Any]) -> str:
    """Write a place's metadata as JSON text that every listing can give back.

    Raises:
        InvalidRequest: something in it has no JSON form or is no Unicode text, or there is too much of it.
    """
    if _depth(metadata) > _METADATA_DEPTH:
        raise InvalidRequest(f"metadata nested too deeply; at most {_METADATA_DEPTH} levels are accepted")
    try:
        text = json.dumps(dict(metadata), allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
    except (TypeError, ValueError) as exc:
        raise InvalidRequest(f"metadata is no JSON object: {str(exc)[:200]!a}") from exc
    if size > _METADATA_BYTES:
        raise InvalidRequest(f"metadata too long: {size:,} bytes; at most {_METADATA_BYTES:,} are accepted")
    return text


def _depth(metadata: object) -> int:
    """How many levels of objects and lists, counted no further than matters and without recursion."""
    level: list[object] = [metadata]
    for depth in range(_METADATA_DEPTH + 2):
        containers = [each for each in level if isinstance(each, Mapping | list | tuple)]
        if not containers:
            return depth
        level = [item for each in containers for item in (each.values() if isinstance(each, Mapping) else each)]
    return _METADATA_DEPTH + 1


def printable(filename: str) -> str:
    """Return a file's name fit to be stored and shown: names from disk may hold anything but a slash."""
    return "".join(letter if letter.isprintable() else "?" for letter in filename)[:500]


def own_place(new: NewImage, image_id: str) -> Place:
    """The place of an image that was given none: itself, under its file's name."""
    # PureWindowsPath splits at both kinds of slash.
    return Place(image_id, name=PureWindowsPath(printable(new.filename)).stem.strip() or image_id)
