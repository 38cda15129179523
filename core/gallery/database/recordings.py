"""The recordings of places. Functions run on the caller's connection, in its transaction."""

from core.gallery.database.places import read_texts, write_texts
from core.gallery.database.port import Connection
from core.gallery.texts import recordings_from_json, with_recording
from core.gallery.validation import check_texts
from core.results import Recording

_SOME = "recordings <> '{}'"  # as the index of places with recordings says it


def read_recordings(connection: Connection, collection: str | None = None) -> set[Recording]:
    """Read the recordings of a collection, or all there are, those in the trash too."""
    query, values = f"SELECT recordings FROM places WHERE {_SOME}", list[str]()
    if collection is not None:
        query += " AND collection = ?"
        values.append(collection)
    rows = connection.execute(query, values).fetchall()
    return {recording for (stored,) in rows for recording in recordings_from_json(stored).values()}


def write_recording(connection: Connection, place_row: int, tag: str, recording: Recording | None) -> Recording | None:
    """Set or remove the recording of a place in one language, and return the former one.

    Raises:
        InvalidRequest: with it the place would have texts in too many languages.
    """
    texts, former = with_recording(read_texts(connection, place_row), tag, recording)
    if recording is not None:
        check_texts(texts)
    write_texts(connection, place_row, texts)
    return former


def forget_recording(connection: Connection, content_hash: str) -> None:
    """Remove a recording from all places that have it."""
    for place_row, stored in connection.execute(f"SELECT id, recordings FROM places WHERE {_SOME}").fetchall():
        for tag, recording in recordings_from_json(stored).items():
            if recording.content_hash == content_hash:
                write_recording(connection, place_row, tag, None)
