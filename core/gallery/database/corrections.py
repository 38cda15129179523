"""Corrections of stored places. Functions run on the caller's connection, in its transaction."""

from collections.abc import Mapping
from dataclasses import replace

from core.gallery.database.places import COLUMNS, change_place, spelled_as, to_place
from core.gallery.database.port import Connection
from core.gallery.texts import change_texts
from core.gallery.values import UNCHANGED, ImageChange, NewRecording, PlaceCorrection, Unchanged
from core.results import PlaceText


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
    known = {"place_name": place.name} | {
        name: getattr(place, name) for name in ("description", "metadata", "latitude", "longitude", "is_hidden")
    }
    same = {name: UNCHANGED for name, value in known.items() if getattr(change, name) == value}
    texts = change.texts
    if not isinstance(texts, Unchanged):
        differs = {tag: text for tag, text in texts.items() if change_texts(place.texts, {tag: text}) != place.texts}
        texts = differs or UNCHANGED
    change = replace(change, place_id=UNCHANGED, texts=texts, **same)
    new = {tag: new for tag, new in recordings.items() if new.recording != place.texts.get(tag, PlaceText()).recording}
    change_place(connection, row[0], change, {tag: given.recording for tag, given in new.items()})
    return PlaceCorrection(place, change, new)
