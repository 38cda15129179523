"""How a gallery's database came to its present form: numbered, append-only, applied on opening.

To change the schema:

1. Write ``m002_what_it_does(connection)``: plain ``execute`` calls, no ``executescript`` (it commits), no BEGIN and
   no COMMIT. A published migration is never edited.
2. Append it to ``MIGRATIONS``; its place there is the version it leads to, kept as SQLite's ``user_version``.
3. Run ``pytest tests/core/gallery/test_migrations.py``: the first run dumps the new schema to
   ``tests/core/gallery/schemas``, beside those of all earlier versions, and fails; add a row of each table of yours to
   the dump, and the second run finds all of them readable.

All that are missing run in one transaction with the version: whatever stops them, a full disk or ``kill -9``, leaves
the gallery as it was. Only a writer migrates. Readers refuse what is older, and say who will bring it up to date; a
version of the future is refused by both.

Rather add than rebuild: ``DROP TABLE images`` would empty, by ``ON DELETE CASCADE``, all that refers to it. What refers
to an image or a place says ``ON DELETE CASCADE`` too. What visitors or operators put into a table of their own is lost
by ``core.gallery.switching.roll_back``, unless ``_KEPT`` there names it.

Storage notes, version 1:

    images.seq            grows with every image and is never used twice: the vector index's id and the pages' cursor
    embeddings.vector     little-endian float32 [D], L2 norm 1
    local_features.packed see core.local_features.codec; no row where the encoder made none
    manifest              exactly one row: which encoder made all embeddings, and the count of changes so far
    places                exist as long as an image shows them

Vectors and features have tables of their own, so that listing images never reads past them.
"""

import logging
import sqlite3
from collections.abc import Callable, Sequence

from core.errors import GalleryUnavailable

Migration = Callable[[sqlite3.Connection], None]

_log = logging.getLogger(__name__)


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


def m002_calibrations(connection: sqlite3.Connection) -> None:
    """Make room for one calibration per collection; what its text says is ``core.calibration``'s affair."""
    connection.execute(
        "CREATE TABLE calibrations (collection TEXT PRIMARY KEY, made_at TEXT NOT NULL, body TEXT NOT NULL)"
    )


MIGRATIONS: tuple[Migration, ...] = (m001_images_and_places, m002_calibrations)


def apply_migrations(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the schema up to date, inside the caller's transaction.

    Raises:
        GalleryUnavailable: the file is no gallery, or was made by a newer version of this program.
    """
    version = schema_version(connection)
    refuse_newer(version, len(migrations))
    if version == 0 and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise GalleryUnavailable("the database is not a gallery: it holds tables of something else")
    if 0 < version < len(migrations):
        _log.info("bringing the gallery from schema version %d to %d", version, len(migrations))
    for number, migrate in enumerate(migrations[version:], start=version + 1):
        migrate(connection)
        connection.execute(f"PRAGMA user_version = {number}")


def schema_version(connection: sqlite3.Connection) -> int:
    """Say how many migrations have been applied; 0 for a blank file."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def refuse_newer(version: int, known: int = len(MIGRATIONS)) -> None:
    """Let pass only a schema version that this program can have made.

    Raises:
        GalleryUnavailable: it was made by a newer one, which would be misread.
    """
    if version > known:
        raise GalleryUnavailable(
            f"the gallery has schema version {version}, this program knows {known}; use a newer program, "
            "or restore a backup made before it was upgraded"
        )
