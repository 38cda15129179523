"""The rows of brandings, one per collection at most. Functions run on the caller's connection, in its transaction."""

import json
from dataclasses import asdict

from core.gallery.branding import Branding
from core.gallery.database.port import Connection


def read_branding(connection: Connection, collection: str) -> Branding:
    """Read the branding of a collection; an empty one where nothing is stored."""
    row = connection.execute("SELECT body, logo FROM brandings WHERE collection = ?", (collection,)).fetchone()
    return Branding() if row is None else Branding(**json.loads(row[0]), logo=None if row[1] is None else bytes(row[1]))


def write_branding(connection: Connection, collection: str, branding: Branding) -> None:
    """Store a branding in place of an earlier one; an empty one leaves no row."""
    delete_branding(connection, collection)
    if branding != Branding():
        body = asdict(branding)
        logo = body.pop("logo")
        text = json.dumps(body, ensure_ascii=False)
        connection.execute("INSERT INTO brandings VALUES (?, ?, ?)", (collection, text, logo))


def delete_branding(connection: Connection, collection: str) -> None:
    """Delete the branding of a collection, if there is one."""
    connection.execute("DELETE FROM brandings WHERE collection = ?", (collection,))


def move_branding(connection: Connection, collection: str, new_name: str) -> None:
    """Give the branding of a collection to another name that has none."""
    connection.execute(
        "UPDATE brandings SET collection = ? WHERE collection = ? "
        "AND NOT EXISTS (SELECT 1 FROM brandings WHERE collection = ?)",
        (new_name, collection, new_name),
    )
