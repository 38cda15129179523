"""What can be stored of names, texts, positions and metadata."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.errors import InvalidRequest
from core.gallery.languages import check_language
from core.results import Place, PlaceText

MOST_LANGUAGES = 50
"""Of a place's texts, besides the collection's own."""

_METADATA_DEPTH, _METADATA_BYTES = 32, 64 * 1024


def check_name(field: str, value: str, max_length: int) -> str:
    """Return ``value`` if it can name a thing: not blank, one line, storable; every letter of every script is.

    Raises:
        InvalidRequest: it cannot.
    """
    if not isinstance(value, str) or not value.strip() or len(value) > max_length:
        raise InvalidRequest(f"invalid {field}: {value!r:.80}; give 1 to {max_length} characters")
    if storable(value, "") != value:
        raise InvalidRequest(
            f"invalid {field}: {value!r:.80} holds control characters or half of a character; give text without them"
        )
    return value


def is_ambiguous_collection(name: str) -> bool:
    """Say whether a collection's name reads, in an address, as something that another collection holds."""
    return "/places/" in name or name.endswith(("/calibration", "/branding"))


def check_new_collection(name: str) -> str:
    """Return ``name`` in Unicode's composed form if a new collection may have it.

    Raises:
        InvalidRequest: it may not.
    """
    name = unicodedata.normalize("NFC", check_name("collection", name, 200))
    if is_ambiguous_collection(name):
        raise InvalidRequest(
            f"invalid collection: {name!r:.80} would have the address of something that another collection holds; "
            "give a name without '/places/' that does not end in '/calibration' or '/branding'"
        )
    return name


def check_place(place: Place) -> Place:
    """Return ``place`` if it can be stored, with its languages in their usual spelling and lines that end as all do.

    Raises:
        InvalidRequest: a field is out of range; the message names it.
    """
    check_name("place_name", place.name, 500)
    check_name("place_id", place.place_id, 200)
    check_angle("latitude", place.latitude, 90)
    check_angle("longitude", place.longitude, 180)
    check_position(place.latitude, place.longitude)
    return replace(place, description=check_description(place.description), texts=check_texts(place.texts))


def check_texts(texts: Mapping[str, PlaceText]) -> dict[str, PlaceText]:
    """Return texts in further languages if they can be stored, by the usual spelling of their tags.

    Raises:
        InvalidRequest: a language or a field is not acceptable, or there are too many.
    """
    if len(texts) > MOST_LANGUAGES:
        raise InvalidRequest(f"too many languages: {len(texts)}; at most {MOST_LANGUAGES} are accepted")
    checked = {}
    for tag, text in texts.items():
        name = unicodedata.normalize("NFC", check_name("name", text.name, 500)) if text.name else ""
        checked[check_language(tag)] = replace(
            text,
            name=name,
            description=check_description(text.description),
            transcript=check_description(text.transcript, "transcript"),
        )
    return checked


def check_position(latitude: float | None, longitude: float | None) -> None:
    """Let pass a whole position or none.

    Raises:
        InvalidRequest: one of the two is missing.
    """
    if (latitude is None) != (longitude is None):
        given, missing = ("latitude", "longitude") if longitude is None else ("longitude", "latitude")
        raise InvalidRequest(f"incomplete position: {given} without {missing}; give both or neither")


def check_description(text: str, field: str = "description") -> str:
    """Return ``text`` if it is storable, with lines that end as a manifest's do: forms of browsers end them otherwise.

    Raises:
        InvalidRequest: too long, or holding NUL or lone surrogates.
    """
    if not isinstance(text, str):
        raise InvalidRequest(f"invalid {field}: {text!r:.80}; give text")
    if len(text) > 20_000:
        raise InvalidRequest(f"{field} too long: {len(text):,} characters; at most 20,000 are accepted")
    if "\0" in text:
        raise InvalidRequest(f"invalid {field}: it holds a NUL character, which no database keeps")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(f"invalid {field}: it holds characters that are no Unicode text") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


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
        InvalidRequest: a value has no JSON form or is not Unicode text, or the metadata is too large.
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
        containers = [item for item in level if isinstance(item, Mapping | list | tuple)]
        if not containers:
            return depth
        level = [
            item
            for container in containers
            for item in (container.values() if isinstance(container, Mapping) else container)
        ]
    return _METADATA_DEPTH + 1


def storable(text: str, substitute: str) -> str:
    """Return text in which nothing is that no name holds: control characters and lone surrogates.

    Spaces of any width, joiners and marks of direction stay: Persian, Sinhala, Chinese and Japanese names have them.
    """
    return "".join(substitute if unicodedata.category(character) in ("Cc", "Cs") else character for character in text)


def printable(filename: str) -> str:
    """Return a file's name fit to be stored and shown: names from disk may hold anything but a slash."""
    return storable(filename, "?")[:500]
