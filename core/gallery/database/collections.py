"""The rows of collections. Functions run on the caller's connection and belong to its transaction.

A collection exists as long as it holds an image or is recorded as created.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime

from core.errors import UnknownCollection
from core.gallery.database.brandings import delete_branding, move_branding
from core.gallery.database.calibrations import delete_calibration, rename_calibration
from core.gallery.database.port import Connection
from core.gallery.deletions import is_trash
from core.gallery.values import CollectionSummary


def collection_summaries(connection: Connection, *, with_hidden: bool = True) -> list[CollectionSummary]:
    """Read all collections, by name; see ``Gallery.collections``."""
    left_out = int(not with_hidden)
    # Not count(DISTINCT images.place) of all images, for which some databases sort all rows.
    rows = connection.execute(
        f"""
        SELECT of_images.collection,
               of_images.number - {left_out} * coalesce(hidden.images, 0),
               of_places.number - {left_out} * coalesce(hidden.places, 0)
        FROM (SELECT collection, count(*) AS number FROM images GROUP BY collection) AS of_images
        JOIN (SELECT collection, count(*) AS number FROM places GROUP BY collection) AS of_places
             ON of_places.collection = of_images.collection
        LEFT JOIN (SELECT places.collection, count(*) AS images, count(DISTINCT places.id) AS places
                   FROM places JOIN images ON images.place = places.id
                   WHERE places.is_hidden = 1 GROUP BY places.collection) AS hidden
             ON hidden.collection = of_images.collection
        """
    )
    found = {row[0]: CollectionSummary(*row) for row in rows if not is_trash(row[0])}
    created = [row[0] for row in connection.execute("SELECT name FROM collections").fetchall()]
    found |= {name: CollectionSummary(name, 0, 0) for name in created if name not in found}
    languages = dict(connection.execute("SELECT collection, language FROM collection_languages").fetchall())
    former = defaultdict[str, list[str]](list)
    for name, collection in connection.execute("SELECT name, collection FROM former_names ORDER BY name").fetchall():
        if name not in found:
            former[collection].append(name)
    return [
        replace(found[name], language=languages.get(name, ""), former_names=tuple(former[name]))
        for name in sorted(found)
    ]


def collection_summary(connection: Connection, name: str) -> CollectionSummary:
    """Read one collection."""
    images, places = connection.execute(
        "SELECT count(*), count(DISTINCT place) FROM images WHERE collection = ?", (name,)
    ).fetchone()
    former = connection.execute("SELECT name FROM former_names WHERE collection = ? ORDER BY name", (name,)).fetchall()
    former_names = tuple(row[0] for row in former if not has_collection(connection, row[0]))
    return CollectionSummary(name, images, places, read_language(connection, name), former_names)


def current_name(connection: Connection, name: str) -> str:
    """Return the name that a collection has now, by that name or a former one; ``name`` where there is none."""
    if has_collection(connection, name):
        return name
    row = connection.execute("SELECT collection FROM former_names WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row is not None and has_collection(connection, row[0]) else name


def record_former_name(connection: Connection, name: str, collection: str) -> None:
    """Let a name that a collection had until now lead to it."""
    connection.execute("INSERT INTO former_names VALUES (?, ?)", (name, collection))


def read_language(connection: Connection, collection: str) -> str:
    """Return the tag of the language of a collection's names and descriptions; empty where it is not known."""
    row = connection.execute("SELECT language FROM collection_languages WHERE collection = ?", (collection,)).fetchone()
    return "" if row is None else str(row[0])


def write_language(connection: Connection, collection: str, language: str) -> None:
    """Store the language of a collection's names and descriptions; an empty tag forgets it."""
    connection.execute("DELETE FROM collection_languages WHERE collection = ?", (collection,))
    if language:
        connection.execute("INSERT INTO collection_languages VALUES (?, ?)", (collection, language))


def has_collection(connection: Connection, name: str) -> bool:
    """Say whether there is a collection of that name, with images or without."""
    if is_trash(name):
        return False
    row = connection.execute(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM images WHERE collection = ?) "
        "OR EXISTS (SELECT 1 FROM collections WHERE name = ?)",
        (name, name),
    ).fetchone()
    return row is not None


def refuse_unknown(connection: Connection, collection: str) -> None:
    """Let pass only a collection that exists.

    Raises:
        UnknownCollection: it does not.
    """
    if not has_collection(connection, collection):
        raise UnknownCollection(f"unknown collection: {collection[:100]!r}")


def create_collection(connection: Connection, name: str) -> None:
    """Record a collection without images."""
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    connection.execute("INSERT INTO collections VALUES (?, ?)", (name, created_at))


def rename_collection(connection: Connection, name: str, new_name: str) -> None:
    """Give all that belongs to a collection, its calibration included, the name of one that does not exist yet."""
    connection.execute("DELETE FROM collection_languages WHERE collection = ?", (new_name,))
    # The two names were former ones of other collections at most until a collection had them.
    connection.execute("DELETE FROM former_names WHERE name IN (?, ?)", (name, new_name))
    for table in ("places", "images", "collection_languages", "former_names"):
        connection.execute(f"UPDATE {table} SET collection = ? WHERE collection = ?", (new_name, name))
    connection.execute("UPDATE collections SET name = ? WHERE name = ?", (new_name, name))
    rename_calibration(connection, name, new_name)
    move_branding(connection, name, new_name)


def hand_over_former_names(connection: Connection, collection: str, heir: str) -> None:
    """Let the former names of a collection lead to another."""
    connection.execute("UPDATE former_names SET collection = ? WHERE collection = ?", (heir, collection))


def delete_collection(connection: Connection, name: str) -> None:
    """Delete all that belongs to a collection: images with their vectors, places, calibration, branding."""
    connection.execute("DELETE FROM former_names WHERE name = ?", (name,))
    for table in ("images", "places", "collection_languages", "former_names"):
        connection.execute(f"DELETE FROM {table} WHERE collection = ?", (name,))
    connection.execute("DELETE FROM collections WHERE name = ?", (name,))
    delete_calibration(connection, name)
    delete_branding(connection, name)


def count_places(connection: Connection, collection: str) -> int:
    """Count the places of a collection that answers can name."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM places WHERE collection = ?) "
        "- (SELECT count(*) FROM places WHERE collection = ? AND is_hidden = 1)",
        (collection, collection),
    ).fetchone()
    return int(row[0])
