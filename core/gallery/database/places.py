"""The rows of places. Functions run on the caller's connection and belong to its transaction.

A place exists as long as an image shows it.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UnknownPlace
from core.gallery.database.collections import refuse_unknown
from core.gallery.database.pages import (
    check_limit,
    contains,
    contains_within,
    like_pattern,
    outside_trash,
    read_cursor,
    write_cursor,
)
from core.gallery.database.port import Connection, Dialect
from core.gallery.texts import (
    fill_texts,
    recordings_from_json,
    recordings_to_json,
    texts_from_json,
    texts_to_json,
    without_recordings,
)
from core.gallery.validation import check_place, metadata_to_json
from core.gallery.values import PlacePage, PlaceSummary
from core.results import Place, PlaceText, Recording

_FIELDS = ("place_id", "name", "description", "metadata", "latitude", "longitude", "texts", "recordings", "is_hidden")
COLUMNS = ", ".join(f"places.{field}" for field in _FIELDS)
"""What ``to_place`` reads."""

_SELECT = f"""
    SELECT id, collection,
           (SELECT count(*) FROM images WHERE place = places.id),
           (SELECT image_id FROM images WHERE place = places.id ORDER BY seq LIMIT 1),
           {COLUMNS}
    FROM places
"""


def ensure_place(connection: Connection, collection: str, place: Place) -> int:
    """Find or make the place and return its row's id.

    A known place keeps its stored fields; only missing fields are taken from ``place``.
    A name equal to the place_id counts as lacking. Whether a known place is hidden does not change. A recording of
    ``place`` is left out, because its bytes may not be here: ``core.gallery.recordings`` adds both.

    Raises:
        InvalidRequest: a field is out of range.
    """
    checked = check_place(place)
    return merge_place(connection, collection, replace(checked, texts=without_recordings(checked.texts)))


def merge_place(connection: Connection, collection: str, place: Place) -> int:
    """Find or make a place that was stored before, as ``ensure_place`` does, without checking it again."""
    place_id = spelled_as(connection, collection, place.place_id)
    place = replace(place, place_id=place_id, name=unicodedata.normalize("NFC", place.name))
    rows = connection.execute(
        f"""
        INSERT INTO places (collection, {", ".join(_FIELDS)})
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (collection, place_id) DO UPDATE SET
            name = CASE WHEN places.name = places.place_id THEN excluded.name ELSE places.name END,
            description = CASE WHEN places.description = '' THEN excluded.description ELSE places.description END,
            metadata = CASE WHEN places.metadata = '{{}}' THEN excluded.metadata ELSE places.metadata END,
            latitude = CASE WHEN places.latitude IS NULL AND places.longitude IS NULL
                            THEN excluded.latitude ELSE places.latitude END,
            longitude = CASE WHEN places.latitude IS NULL AND places.longitude IS NULL
                             THEN excluded.longitude ELSE places.longitude END
        RETURNING id, texts, recordings
        """,
        (
            collection,
            place.place_id,
            place.name,
            place.description,
            metadata_to_json(place.metadata),
            place.latitude,
            place.longitude,
            texts_to_json(place.texts),
            recordings_to_json(place.texts),
            int(place.is_hidden),
        ),
    ).fetchall()  # all, for a RETURNING statement left open would block the commit
    place_row: int
    place_row, *stored = rows[0]
    known = texts_from_json(*stored)
    filled = fill_texts(known, place.texts)
    if filled != known:
        write_texts(connection, place_row, filled)
    return place_row


def spelled_as(connection: Connection, collection: str, place_id: str) -> str:
    """The spelling of an id that a place has already, else Unicode's composed one.

    macOS names folders in the decomposed form, which looks the same and is another text.
    """
    composed, decomposed = (unicodedata.normalize(form, place_id) for form in ("NFC", "NFD"))
    if composed == decomposed == place_id:
        return place_id
    for spelling in (composed, place_id, decomposed):
        row = connection.execute(
            "SELECT 1 FROM places WHERE collection = ? AND place_id = ?", (collection, spelling)
        ).fetchone()
        if row is not None:
            return spelling
    return composed


def read_texts(connection: Connection, place_row: int) -> dict[str, PlaceText]:
    """Read the texts and recordings of a place."""
    row = connection.execute("SELECT texts, recordings FROM places WHERE id = ?", (place_row,)).fetchone()
    return texts_from_json(*row)


def write_texts(connection: Connection, place_row: int, texts: Mapping[str, PlaceText]) -> None:
    """Write the texts and recordings of a place."""
    connection.execute(
        "UPDATE places SET texts = ?, recordings = ? WHERE id = ?",
        (texts_to_json(texts), recordings_to_json(texts), place_row),
    )


def place_row_of(connection: Connection, image_id: str) -> int:
    """Return the id of the row of the place that an existing image shows."""
    row: int = connection.execute("SELECT place FROM images WHERE image_id = ?", (image_id,)).fetchone()[0]
    return row


def place_summary(connection: Connection, place_row: int) -> PlaceSummary:
    """Read a place by its row's id."""
    return _to_summary(connection.execute(f"{_SELECT} WHERE id = ?", (place_row,)).fetchone())


def drop_place_without_images(connection: Connection, place_row: int) -> list[Recording]:
    """Delete the place if no image shows it any more; return its recordings, which may be unused now."""
    rows = connection.execute(
        "DELETE FROM places WHERE id = ? AND NOT EXISTS (SELECT 1 FROM images WHERE place = places.id) "
        "RETURNING recordings",
        (place_row,),
    ).fetchall()
    return [recording for (stored,) in rows for recording in recordings_from_json(stored).values()]


def page_of_places(
    connection: Connection,
    dialect: Dialect,
    collection: str | None,
    text: str | None,
    cursor: str | None,
    limit: int,
    is_hidden: bool | None,
) -> PlacePage:
    """Read a page; see ``Gallery.places``."""
    conditions, values = [outside_trash("collection")], list[str | int]()
    if collection is not None:
        conditions = ["collection = ?"]
        values.append(collection)
    if text:
        searched = [contains(column) for column in ("name", "place_id", "description", "metadata")]
        searched.append(contains_within(dialect, "places.texts"))
        conditions.append(f"({' OR '.join(searched)})")
        values += [like_pattern(text)] * len(searched)
    if is_hidden is not None:
        conditions.append(f"is_hidden = {int(is_hidden)}")  # in the text, so that the index of hidden places serves
    total = connection.execute(f"SELECT count(*) FROM places WHERE {' AND '.join(conditions)}", values).fetchone()[0]
    if cursor is not None:
        conditions.append("(name, id) > (?, ?)")
        values += read_cursor(cursor, str, int)
    rows = connection.execute(
        f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY name, id LIMIT ?", (*values, check_limit(limit) + 1)
    ).fetchall()
    more = len(rows) > limit
    places = tuple(map(_to_summary, rows[:limit]))
    return PlacePage(places, total, write_cursor(rows[limit - 1][5], rows[limit - 1][0]) if more else None)


def known_place(connection: Connection, collection: str, place_id: str, *, with_hidden: bool = True) -> int:
    """Return the id of a place's row.

    Args:
        connection: the caller's.
        collection: that has the place.
        place_id: of the place.
        with_hidden: whether it may be hidden.

    Raises:
        UnknownCollection: there is no such collection.
        UnknownPlace: it has no such place.
    """
    refuse_unknown(connection, collection)
    row = connection.execute(
        "SELECT id, is_hidden FROM places WHERE collection = ? AND place_id = ?",
        (collection, spelled_as(connection, collection, place_id)),
    ).fetchone()
    if row is None or (row[1] and not with_hidden):
        raise UnknownPlace(
            f"no place of id {place_id[:100]!r} in collection {collection[:100]!r}; GET /index/places lists those that "
            "are"
        )
    return int(row[0])


def hidden_seqs(connection: Connection, collection: str) -> NDArray[np.int64]:
    """Read the seqs of the images that show the hidden places of a collection: int64 [N], in no order."""
    rows = connection.execute(
        "SELECT images.seq FROM places JOIN images ON images.place = places.id "
        "WHERE places.collection = ? AND places.is_hidden = 1",
        (collection,),
    )
    return np.fromiter((row[0] for row in rows), np.int64)


def _to_summary(row: Sequence[Any]) -> PlaceSummary:
    return PlaceSummary(row[1], to_place(row[4:]), row[2], row[3])


def to_place(columns: Sequence[Any]) -> Place:
    """Build a place of the values of ``COLUMNS``."""
    place_id, name, description, metadata, latitude, longitude, written, recordings, is_hidden = columns
    position, texts = (latitude, longitude), texts_from_json(written, recordings)
    return Place(place_id, name, description, json.loads(metadata), *position, texts, bool(is_hidden))
