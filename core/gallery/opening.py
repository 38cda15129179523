"""Checks before a gallery is used, and what a writer prepares: schema, manifest, orphaned photos."""

from core.errors import GalleryUnavailable
from core.gallery.database.images import newest_contents
from core.gallery.database.manifest import read_fingerprint, read_gallery_id, refuse_other_encoder, write_fingerprint
from core.gallery.database.migrations import MIGRATIONS, apply_migrations, refuse_newer
from core.gallery.database.port import Database
from core.gallery.orphans import sweep
from core.gallery.photos.port import Claim, PhotoStore
from core.results import EncoderFingerprint

_ASKED_FOR = 20
"""So many of the newest photos are looked up in a shared store; its own gallery finds most of them."""


def prepare_for_writing(
    database: Database, files: PhotoStore, fingerprint: EncoderFingerprint | None, *, sweeping: bool
) -> EncoderFingerprint:
    """Create or migrate the database.

    Args:
        database: of the gallery.
        files: its photos.
        fingerprint: the encoder in use, if one is.
        sweeping: also delete the photos that a crash left without a row, which takes a look at every photo; where
            several machines share them, it is made sure instead that no other gallery does.

    Returns:
        The encoder on record.

    Raises:
        EncoderMismatch: the gallery was made by another encoder.
        GalleryUnavailable: as ``Gallery.open`` says.
        InvalidRequest: the photos are another gallery's.
    """
    if fingerprint is None and not database.exists():
        raise _missing(database)
    with database.writing() as connection:
        if database.dialect.schema_version(connection) == 0 and files.has_originals():
            # If it were taken for a new gallery, the sweep below would delete all its photos.
            raise GalleryUnavailable(
                f"there are photos, but the database in {database.place} is missing or blank; "
                "restore it, or remove the photos and rebuild with scripts/build_database.py"
            )
        apply_migrations(connection, database.dialect)
        recorded = read_fingerprint(connection)
        if recorded is None:
            if fingerprint is None:
                raise _missing(database)
            write_fingerprint(connection, fingerprint)
            recorded = fingerprint
        refuse_other_encoder(recorded, fingerprint)
        connection.execute("COMMIT")
    if sweeping:
        sweep(database, files)
    else:
        claim_photos(database, files)
    return recorded


def claim_photos(database: Database, files: PhotoStore) -> None:
    """Make sure that shared photos are this gallery's; where one machine keeps everything, they lie beside its rows.

    Raises:
        InvalidRequest: they are another gallery's, or this gallery's are elsewhere.
    """
    with database.reading() as connection:
        files.claim(Claim(read_gallery_id(connection), tuple(newest_contents(connection, _ASKED_FOR))))


def check_for_reading(database: Database, fingerprint: EncoderFingerprint | None) -> EncoderFingerprint:
    """Make sure that there is a gallery which this program understands.

    Returns:
        The encoder on record.

    Raises:
        EncoderMismatch: the gallery was made by another encoder.
        GalleryUnavailable: as ``Gallery.open`` says.
    """
    if not database.exists():
        raise _missing(database)
    with database.reading() as connection:
        version = database.dialect.schema_version(connection)
        refuse_newer(version)
        recorded = read_fingerprint(connection) if version == len(MIGRATIONS) else None
    if recorded is None:
        raise GalleryUnavailable(
            f"the gallery in {database.place} has schema version {version}, this program reads "
            f"{len(MIGRATIONS)}; start the retrieval service once, which brings an older gallery up to date"
        )
    refuse_other_encoder(recorded, fingerprint)
    return recorded


def _missing(database: Database) -> GalleryUnavailable:
    return GalleryUnavailable(
        f"no gallery in {database.place}; make one with scripts/build_database.py, or check the path"
    )
