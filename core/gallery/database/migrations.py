"""How a gallery's database came to its present form: numbered, append-only, applied on opening.

To change the schema:

1. Write ``m002_what_it_does(connection, dialect)``: plain ``execute`` calls with the dialect's column types, no
   ``executescript`` (it commits), no BEGIN and no COMMIT. A published migration is never edited.
2. Append it to ``MIGRATIONS``; its place there is the version it leads to, kept where the dialect says.
3. Run ``pytest tests/core/gallery/database/test_migrations.py``: the first run dumps the new schema to
   ``tests/core/gallery/database/schemas``, beside those of all earlier versions, and fails; add a row of each table of
   yours to the dump, and the second run finds all of them readable.

All that are missing run in one transaction with the version: whatever stops them, a full disk or ``kill -9``, leaves
the gallery as it was. Only a writer migrates. Readers refuse what is older, and say who will bring it up to date; a
version of the future is refused by both.

Rather add than rebuild: ``DROP TABLE images`` would empty, by ``ON DELETE CASCADE``, all that refers to it. What refers
to an image or a place says ``ON DELETE CASCADE`` too. What visitors or operators put into a table of their own is lost
by ``core.gallery.maintenance.encoder_switch.roll_back``, unless ``_KEPT`` there names it.

Storage notes, version 1:

    images.seq            grows with every image and is never used twice: the vector index's id and the pages' cursor
    embeddings.vector     little-endian float32 [D], L2 norm 1
    local_features.packed see core.local_features.codec; no row where the encoder made none
    manifest              exactly one row: which encoder made all embeddings, and the count of changes so far
    places                exist as long as an image shows them

Version 5:

    collections           those that were created, which exist without an image too
    deletions             what the trash holds; the images are rows of a collection of its own, see
                          ``core.gallery.database.trash``

Version 6:

    verifier_features     by the photo's content and the extractor; made beside the requests, and made again where lost

Version 7:

    places.texts          JSON, by language tag; see ``core.gallery.texts``
    collection_languages  may name a collection that does not exist; it counts again when there is one of that name
    former_names          what a collection was called; where there is a collection of that name, it does not count

Version 8:

    brandings             JSON of ``core.gallery.branding.Branding`` without the logo, a PNG

Version 9:

    places.is_hidden      1 where no answer names the place; else 0
    places.recordings     JSON, by language tag, apart from the texts, which are searched

Vectors and features have tables of their own, so that listing images never reads past them.
"""

import logging
from collections.abc import Callable, Sequence
from uuid import uuid4

from core.errors import GalleryUnavailable
from core.gallery.database.port import Connection, Dialect

Migration = Callable[[Connection, Dialect], None]

logger = logging.getLogger(__name__)


def m001_images_and_places(connection: Connection, dialect: Dialect) -> None:
    """Create everything."""
    for statement in (
        f"""
        CREATE TABLE manifest (
            id {dialect.integer} PRIMARY KEY CHECK (id = 1),
            encoder_name {dialect.text} NOT NULL,
            encoder_weights {dialect.text} NOT NULL,
            encoder_preprocessing {dialect.text} NOT NULL,
            encoder_dim {dialect.integer} NOT NULL,
            created_at {dialect.text} NOT NULL,
            generation {dialect.integer} NOT NULL
        )
        """,
        f"""
        CREATE TABLE places (
            id {dialect.row_id},
            collection {dialect.text} NOT NULL,
            place_id {dialect.text} NOT NULL,
            name {dialect.text} NOT NULL,
            description {dialect.text} NOT NULL,
            metadata {dialect.text} NOT NULL,
            latitude {dialect.real},
            longitude {dialect.real},
            UNIQUE (collection, place_id)
        )
        """,
        f"""
        CREATE TABLE images (
            seq {dialect.growing_id},
            image_id {dialect.text} NOT NULL UNIQUE,
            collection {dialect.text} NOT NULL,
            place {dialect.integer} NOT NULL REFERENCES places (id),
            content_hash {dialect.text} NOT NULL,
            filename {dialect.text} NOT NULL,
            media_type {dialect.text} NOT NULL,
            width {dialect.integer} NOT NULL,
            height {dialect.integer} NOT NULL,
            byte_size {dialect.integer} NOT NULL,
            added_at {dialect.text} NOT NULL,
            UNIQUE (content_hash, collection)
        )
        """,
        f"CREATE INDEX images_by_collection ON images (collection{dialect.then_by_seq})",
        f"CREATE INDEX images_by_place ON images (place{dialect.then_by_seq})",
        f"""
        CREATE TABLE embeddings (
            seq {dialect.integer} PRIMARY KEY REFERENCES images (seq) ON DELETE CASCADE,
            vector {dialect.blob} NOT NULL
        )
        """,
        f"""
        CREATE TABLE local_features (
            seq {dialect.integer} PRIMARY KEY REFERENCES images (seq) ON DELETE CASCADE,
            packed {dialect.blob} NOT NULL
        )
        """,
    ):
        connection.execute(statement)


def m002_calibrations(connection: Connection, dialect: Dialect) -> None:
    """Make room for one calibration per collection; what its text says is ``core.calibration``'s affair."""
    connection.execute(
        f"CREATE TABLE calibrations (collection {dialect.text} PRIMARY KEY, "
        f"made_at {dialect.text} NOT NULL, body {dialect.text} NOT NULL)"
    )


def m003_vector_engine(connection: Connection, dialect: Dialect) -> None:
    """Make room for what leads a vector engine after the database; see ``core.gallery.vectors.milvus.outbox``."""
    for statement in (
        f"""
        CREATE TABLE outbox (
            id {dialect.growing_id},
            seq {dialect.integer} NOT NULL UNIQUE,
            operation {dialect.text} NOT NULL,
            is_delivered {dialect.integer} NOT NULL,
            due_at {dialect.real} NOT NULL
        )
        """,
        "CREATE INDEX outbox_by_due ON outbox (is_delivered, due_at)",
        f"""
        CREATE TABLE vector_keys (
            collection_key {dialect.growing_id},
            collection {dialect.text} NOT NULL UNIQUE
        )
        """,
        f"""
        CREATE TABLE vector_engine (
            id {dialect.integer} PRIMARY KEY CHECK (id = 1),
            gallery {dialect.text} NOT NULL,
            name {dialect.text} NOT NULL,
            epoch {dialect.integer} NOT NULL,
            generation {dialect.integer} NOT NULL
        )
        """,
    ):
        connection.execute(statement)


def m004_gallery_id_and_comparisons(connection: Connection, dialect: Dialect) -> None:
    """Name the gallery, for stores that several galleries can reach, and say until when a replica compares vectors.

    See ``core.gallery.photos.port`` and ``core.gallery.vectors.milvus.reconciliation``.
    """
    connection.execute(
        f"CREATE TABLE identity (id {dialect.integer} PRIMARY KEY CHECK (id = 1), gallery {dialect.text} NOT NULL)"
    )
    connection.execute("INSERT INTO identity VALUES (1, ?)", (uuid4().hex,))
    connection.execute(f"ALTER TABLE vector_engine ADD COLUMN compared_until {dialect.real} NOT NULL DEFAULT 0")
    # Vectors in Milvus do not have the id of their image yet.
    connection.execute("UPDATE vector_engine SET epoch = 0")


def m005_trash_and_collections(connection: Connection, dialect: Dialect) -> None:
    """Make room for deletions that can be undone, and for collections that hold no image yet.

    See ``core.gallery.database.trash`` and ``core.gallery.database.places``.
    """
    for statement in (
        f"CREATE TABLE collections (name {dialect.text} PRIMARY KEY, created_at {dialect.text} NOT NULL)",
        f"""
        CREATE TABLE deletions (
            deletion_id {dialect.text} PRIMARY KEY,
            kind {dialect.text} NOT NULL,
            collection {dialect.text} NOT NULL,
            name {dialect.text} NOT NULL,
            place_id {dialect.text},
            deleted_at {dialect.real} NOT NULL,
            collection_created_at {dialect.text}
        )
        """,
        "CREATE INDEX deletions_by_time ON deletions (deleted_at, deletion_id)",
    ):
        connection.execute(statement)


def m006_verifier_features(connection: Connection, dialect: Dialect) -> None:
    """Make room for features of a second extractor; see ``core.gallery.database.verifier_features``."""
    connection.execute(
        f"CREATE TABLE verifier_features (content_hash {dialect.text} NOT NULL, extractor {dialect.text} NOT NULL, "
        f"packed {dialect.blob} NOT NULL, PRIMARY KEY (content_hash, extractor))"
    )


def m007_languages_and_former_names(connection: Connection, dialect: Dialect) -> None:
    """Make room for texts in further languages, the language of a collection's own, and names before a rename."""
    for statement in (
        f"ALTER TABLE places ADD COLUMN texts {dialect.text} NOT NULL DEFAULT '{{}}'",
        f"CREATE TABLE collection_languages (collection {dialect.text} PRIMARY KEY, language {dialect.text} NOT NULL)",
        f"CREATE TABLE former_names (name {dialect.text} PRIMARY KEY, collection {dialect.text} NOT NULL)",
    ):
        connection.execute(statement)


def m008_brandings(connection: Connection, dialect: Dialect) -> None:
    """Make room for how collections present their museums; see ``core.gallery.database.brandings``."""
    connection.execute(
        f"CREATE TABLE brandings (collection {dialect.text} PRIMARY KEY, body {dialect.text} NOT NULL, "
        f"logo {dialect.blob})"
    )


def m009_hidden_places_and_recordings(connection: Connection, dialect: Dialect) -> None:
    """Make room for places that no answer names, of which a collection usually has none, and for recordings."""
    for statement in (
        f"ALTER TABLE places ADD COLUMN is_hidden {dialect.integer} NOT NULL DEFAULT 0",
        "CREATE INDEX hidden_places ON places (collection) WHERE is_hidden = 1",
        f"ALTER TABLE places ADD COLUMN recordings {dialect.text} NOT NULL DEFAULT '{{}}'",
        "CREATE INDEX places_with_recordings ON places (collection) WHERE recordings <> '{}'",
    ):
        connection.execute(statement)


MIGRATIONS: tuple[Migration, ...] = (
    m001_images_and_places,
    m002_calibrations,
    m003_vector_engine,
    m004_gallery_id_and_comparisons,
    m005_trash_and_collections,
    m006_verifier_features,
    m007_languages_and_former_names,
    m008_brandings,
    m009_hidden_places_and_recordings,
)


def apply_migrations(connection: Connection, dialect: Dialect, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the schema up to date, inside the caller's transaction.

    Raises:
        GalleryUnavailable: the file is not a gallery, or was made by a newer version of this program.
    """
    version = dialect.schema_version(connection)
    refuse_newer(version, len(migrations))
    if version == 0 and dialect.holds_tables(connection):
        raise GalleryUnavailable("the database is not a gallery: it holds tables of something else")
    if 0 < version < len(migrations):
        logger.info("bringing the gallery from schema version %d to %d", version, len(migrations))
    for number, migrate in enumerate(migrations[version:], start=version + 1):
        migrate(connection, dialect)
        dialect.write_schema_version(connection, number)


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
