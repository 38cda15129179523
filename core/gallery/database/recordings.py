"""The recordings of places, a part of their texts. Functions run on the caller's connection, in its transaction."""

from core.gallery.database.port import Connection
from core.gallery.texts import recordings_in, texts_from_json, texts_to_json, with_recording
from core.gallery.validation import check_texts
from core.results import Recording

_WRITTEN = '%"recording": {%'
"""Matches all texts with a recording, and few without."""


def read_recordings(connection: Connection, collection: str | None = None) -> set[Recording]:
    """Read the recordings of a collection, or all there are, those in the trash too."""
    query, values = "SELECT texts FROM places WHERE texts LIKE ?", [_WRITTEN]
    if collection is not None:
        query += " AND collection = ?"
        values.append(collection)
    rows = connection.execute(query, values).fetchall()
    return {recording for (texts,) in rows for recording in recordings_in(texts_from_json(texts))}


def write_recording(connection: Connection, place_row: int, tag: str, recording: Recording | None) -> Recording | None:
    """Set or remove the recording of a place in one language, and return the former one.

    Raises:
        InvalidRequest: with it the place would have texts in too many languages.
    """
    stored = connection.execute("SELECT texts FROM places WHERE id = ?", (place_row,)).fetchone()[0]
    texts, former = with_recording(texts_from_json(stored), tag, recording)
    if recording is not None:
        check_texts(texts)
    connection.execute("UPDATE places SET texts = ? WHERE id = ?", (texts_to_json(texts), place_row))
    return former


def forget_recording(connection: Connection, content_hash: str) -> None:
    """Remove a recording from all places that have it."""
    for place_row, stored in connection.execute(
        "SELECT id, texts FROM places WHERE texts LIKE ?", (_WRITTEN,)
    ).fetchall():
        for tag, text in texts_from_json(stored).items():
            if text.recording is not None and text.recording.content_hash == content_hash:
                write_recording(connection, place_row, tag, None)
