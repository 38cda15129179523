"""How a gallery's database came to its present form: numbered, append-only, applied on opening.

A published migration is never edited; a change of the schema is a new function at the end of ``MIGRATIONS``.

Storage notes, version 1:

    images.seq            grows with every image and is never used twice: the vector index's id and the pages' cursor
    embeddings.vector     little-endian float32 [D], L2 norm 1
    local_features.packed see core.local_features.codec; no row where the encoder made none
    manifest              exactly one row: which encoder made all embeddings, and the count of changes so far
    places                exist as long as an image shows them

Vectors and features have tables of their own, so that listing images never reads past them.
"""

import sqlite3
from collections.abc import Callable

from core.errors import GalleryUnavailable


def apply_migrations(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date, inside the caller's transaction.

    Raises:
        GalleryUnavailable: the file is no gallery, or was made by a newer version of this program.
    """
    version = schema_version(connection)
    if version > len(MIGRATIONS):
        raise GalleryUnavailable(
            f"the gallery has schema version {version}, this program knows {len(MIGRATIONS)}; use a newer program"
        )
    if version == 0 and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise GalleryUnavailable("the database is not a gallery: it holds tables of something else")
    for number, migrate in enumerate(MIGRATIONS[version:], start=version + 1):
        migrate(connection)
        connection.execute(f"PRAGMA user_version = {number}")


def schema_version(connection: sqlite3.Connection) -> int:
    """Say how many migrations have been applied; 0 for a blank file."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def m001_images_and_places(connection: sqlite3.Connection) -> None:
    """Create everything."""
    for statement in (
        """
        CREATE TABLE manifest (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            encoder_name TEXT NOT NULL,
            encoder_weights TEXT NOT NULL,
            encoder_preprocessing TEXT NOT NULL,
            encoder_dim INTEGER NOT NULL,
            created_at TEXT NOT NULL,
            generation INTEGER NOT NULL
        )
        """,
        """
        CREATE TABLE places (
            id INTEGER PRIMARY KEY,
            collection TEXT NOT NULL,
            place_id TEXT NOT NULL,
            name TEXT NOT NULL,
            description TEXT NOT NULL,
            metadata TEXT NOT NULL,
            latitude REAL,
            longitude REAL,
            UNIQUE (collection, place_id)
        )
        """,
        """
        CREATE TABLE images (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            image_id TEXT NOT NULL UNIQUE,
            collection TEXT NOT NULL,
            place INTEGER NOT NULL REFERENCES places (id),
            content_hash TEXT NOT NULL,
            filename TEXT NOT NULL,
            media_type TEXT NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            byte_size INTEGER NOT NULL,
            added_at TEXT NOT NULL,
            UNIQUE (content_hash, collection)
        )
        """,
        "CREATE INDEX images_by_collection ON images (collection)",
        "CREATE INDEX images_by_place ON images (place)",
        """
        CREATE TABLE embeddings (
            seq INTEGER PRIMARY KEY REFERENCES images (seq) ON DELETE CASCADE,
            vector BLOB NOT NULL
        )
        """,
        """
        CREATE TABLE local_features (
            seq INTEGER PRIMARY KEY REFERENCES images (seq) ON DELETE CASCADE,
            packed BLOB NOT NULL
        )
        """,
    ):
        connection.execute(statement)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (m001_images_and_places,)
