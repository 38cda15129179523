"""Changes of places that are there. Functions run on the caller's connection and belong to its transaction."""

import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from core.gallery.database.places import COLUMNS, read_texts, spelled_as, to_place
from core.gallery.database.port import Connection
from core.gallery.database.trash import copies_of_place
from core.gallery.texts import change_texts, recordings_to_json, texts_to_json, with_recording
from core.gallery.validation import (
    check_angle,
    check_description,
    check_name,
    check_position,
    check_texts,
    metadata_to_json,
)
from core.gallery.values import PLACE_FIELDS, UNCHANGED, ImageChange, NewRecording, PlaceCorrection, Unchanged
from core.results import PlaceText, Recording

_NO_RECORDINGS: Mapping[str, Recording] = MappingProxyType({})


def correct_place(
    connection: Connection,
    collection: str,
    place_id: str,
    change: ImageChange,
    recordings: Mapping[str, NewRecording],
) -> PlaceCorrection | None:
    """Write those fields of ``change`` and those recordings that differ from the stored ones of a place.

    Returns:
        What differed, which may be nothing; None if the place does not exist.

    Raises:
        InvalidRequest: a field is out of range; nothing was written.
    """
    row = connection.execute(
        f"SELECT id, {COLUMNS} FROM places WHERE collection = ? AND place_id = ?",
        (collection, spelled_as(connection, collection, place_id)),
    ).fetchone()
    if row is None:
        return None
    place = to_place(row[1:])
    same = {name: UNCHANGED for name, field in PLACE_FIELDS.items() if getattr(change, name) == getattr(place, field)}
    texts = change.texts
    if not isinstance(texts, Unchanged):
        differs = {tag: text for tag, text in texts.items() if change_texts(place.texts, {tag: text}) != place.texts}
        texts = differs or UNCHANGED
    change = replace(change, place_id=UNCHANGED, texts=texts, **same)
    new = {tag: new for tag, new in recordings.items() if new.recording != place.texts.get(tag, PlaceText()).recording}
    change_place(connection, row[0], change, {tag: given.recording for tag, given in new.items()})
    return PlaceCorrection(place, change, new)


def change_place(
    connection: Connection, place_row: int, change: ImageChange, recordings: Mapping[str, Recording] = _NO_RECORDINGS
) -> None:
    """Write the fields that ``change`` holds, and recordings by language tag.

    Photos of the place that are in the trash come back to it as it is then: hidden or not.

    Raises:
        InvalidRequest: a field is out of range, or the position would be incomplete; nothing was written.
    """
    values: dict[str, Any] = {}
    if not isinstance(change.place_name, Unchanged):
        values["name"] = unicodedata.normalize("NFC", check_name("place_name", change.place_name, 500))
    if not isinstance(change.description, Unchanged):
        values["description"] = check_description(change.description)
    if not isinstance(change.metadata, Unchanged):
        values["metadata"] = metadata_to_json(change.metadata)
    if not isinstance(change.latitude, Unchanged):
        values["latitude"] = check_angle("latitude", change.latitude, 90)
    if not isinstance(change.longitude, Unchanged):
        values["longitude"] = check_angle("longitude", change.longitude, 180)
    if recordings or not isinstance(change.texts, Unchanged):
        changes = {} if isinstance(change.texts, Unchanged) else change.texts
        texts = change_texts(read_texts(connection, place_row), changes)
        for tag, recording in recordings.items():
            texts, _ = with_recording(texts, tag, recording)
        values["texts"] = texts_to_json(check_texts(texts))
        if recordings:  # no change of a text changes one
            values["recordings"] = recordings_to_json(texts)
    if not isinstance(change.is_hidden, Unchanged):
        values["is_hidden"] = int(change.is_hidden)
    if not values:
        return
    if {"latitude", "longitude"} & values.keys():
        row = connection.execute("SELECT latitude, longitude FROM places WHERE id = ?", (place_row,)).fetchone()
        check_position(values.get("latitude", row[0]), values.get("longitude", row[1]))
    if "is_hidden" in values:
        collection, place_id = connection.execute(
            "SELECT collection, place_id FROM places WHERE id = ?", (place_row,)
        ).fetchone()
        for copy in copies_of_place(connection, collection, place_id, with_collections=False):
            connection.execute("UPDATE places SET is_hidden = ? WHERE id = ?", (values["is_hidden"], copy))
    assignments = ", ".join(f"{column} = ?" for column in values)
    connection.execute(f"UPDATE places SET {assignments} WHERE id = ?", (*values.values(), place_row))
