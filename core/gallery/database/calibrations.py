"""The rows of calibrations, one per collection at most. Functions run on the caller's connection, in its transaction.

``core.calibration`` writes and reads the text of a calibration.
"""

from core.gallery.database.port import Connection


def read_calibration(connection: Connection, collection: str) -> str | None:
    """Return the stored calibration of a collection, as text."""
    row = connection.execute("SELECT body FROM calibrations WHERE collection = ?", (collection,)).fetchone()
    return None if row is None else str(row[0])


def write_calibration(connection: Connection, collection: str, made_at: str, body: str) -> None:
    """Store a calibration in place of an earlier one; its time is in ISO 8601."""
    delete_calibration(connection, collection)
    connection.execute("INSERT INTO calibrations VALUES (?, ?, ?)", (collection, made_at, body))


def delete_calibration(connection: Connection, collection: str) -> None:
    """Delete the stored calibration of a collection, if there is one."""
    connection.execute("DELETE FROM calibrations WHERE collection = ?", (collection,))


def rename_calibration(connection: Connection, collection: str, new_name: str) -> None:
    """Give the calibration of a collection to its new name, in place of one that stands there."""
    delete_calibration(connection, new_name)
    connection.execute("UPDATE calibrations SET collection = ? WHERE collection = ?", (new_name, collection))
