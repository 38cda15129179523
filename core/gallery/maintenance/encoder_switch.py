"""From one encoder's database to another's, and back, by one rename.

``GALLERY/previous/gallery.sqlite3`` is the database that the last switch replaced. Photos are shared: they lie under
the names of their content, whoever embeds them.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from core.errors import GalleryUnavailable
from core.gallery.database.manifest import read_fingerprint, read_generation
from core.gallery.database.migrations import apply_migrations
from core.gallery.database.sqlite import SqliteDatabase, translating_failures
from core.gallery.maintenance.reembedded_vectors import PREVIOUS_FOLDER, ReembeddedVectors, refuse_missing
from core.gallery.photos.files import sync_folder
from core.gallery.storage import DATABASE_NAME
from core.results import EncoderFingerprint

_KEPT = (
    "SELECT image_id, collection, place, content_hash, filename, added_at FROM {}.images",
    "SELECT collection, place_id, name, description, metadata, latitude, longitude, texts, recordings, is_hidden "
    "FROM {}.places",
    "SELECT deletion_id, kind, collection, name, place_id, deleted_at, collection_created_at FROM {}.deletions",
    "SELECT name, created_at FROM {}.collections",
    "SELECT collection, language FROM {}.collection_languages",
    "SELECT name, collection FROM {}.former_names",
    "SELECT collection, body, logo FROM {}.brandings",
)


def check_unused(gallery: Path) -> None:
    """Make sure that no process has the gallery open.

    Raises:
        GalleryUnavailable: one has.
    """
    with _alone(gallery.absolute()):
        pass


def switch(reembedded: ReembeddedVectors) -> None:
    """Let the gallery be the new encoder's: ids, places, collections and times stay, vectors and features change.

    Nothing has changed if this raises, or if the process dies before the rename.

    Args:
        reembedded: complete; closed by this.

    Raises:
        GalleryUnavailable: a photo has no vector, or another process has the gallery open or has changed it.
    """
    folder, following = reembedded.gallery, reembedded.path.with_name(DATABASE_NAME)
    refuse_missing(len(reembedded.missing()))
    with translating_failures(folder):
        following.unlink(missing_ok=True)
        reembedded.source.copy_to(following)
        reembedded.close()
        with closing(sqlite3.connect(following, isolation_level=None)) as copy:
            generation = read_generation(copy)
            _replace_vectors(copy, reembedded.path, reembedded.fingerprint)
        with _alone(folder) as current:
            if read_generation(current) != generation:
                raise GalleryUnavailable(
                    f"the gallery in {folder} was changed meanwhile; stop the services and try again"
                )
            _exchange(folder / DATABASE_NAME, following)
        shutil.rmtree(following.parent)


def roll_back(gallery: Path) -> EncoderFingerprint:
    """Undo the last switch; done twice, it is redone.

    Returns:
        The encoder that the gallery is of now.

    Raises:
        GalleryUnavailable: there is nothing to go back to, or the gallery has changed since, or is open elsewhere.
    """
    folder = gallery.absolute()
    previous = folder / PREVIOUS_FOLDER / DATABASE_NAME
    if not previous.is_file():
        raise GalleryUnavailable(f"nothing to go back to: {previous.parent} holds no database")
    with translating_failures(folder):
        _bring_up_to_date(previous)
        with closing(sqlite3.connect(f"{previous.as_uri()}?mode=ro", uri=True)) as former:
            fingerprint = read_fingerprint(former)
        if fingerprint is None:
            raise GalleryUnavailable(f"nothing to go back to: {previous} is blank")
        with _alone(folder, attached=previous) as current:
            if any(_differs(current, columns) for columns in _KEPT):
                raise GalleryUnavailable(
                    f"the gallery in {folder} has changed since the switch, which going back would lose; "
                    f"re-embed it with {fingerprint} instead, which reuses the vectors that it had"
                )
            _swap(folder / DATABASE_NAME, previous)
    return fingerprint


def _bring_up_to_date(database: Path) -> None:
    """Give the database the schema that the gallery has, which may have been upgraded since the switch."""
    with (
        closing(SqliteDatabase(database, read_only=False, lock_timeout_s=1)) as opened,
        opened.writing() as connection,
    ):
        apply_migrations(connection, opened.dialect)
        connection.execute("COMMIT")


@contextmanager
def _alone(folder: Path, attached: Path | None = None) -> Iterator[sqlite3.Connection]:
    """Lend a connection that no other can stand beside; the database is one file then, without a WAL."""
    path = folder / DATABASE_NAME
    if not path.is_file():
        raise GalleryUnavailable(f"no gallery in {folder}; check the path")
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=1, isolation_level=None)) as connection:
        try:
            # Fails unless it is the only connection, and leaves no WAL that would outlive a rename.
            connection.execute("PRAGMA journal_mode = DELETE")
            if attached is not None:
                connection.execute("ATTACH ? AS attached", (str(attached),))
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorname.startswith("SQLITE_BUSY"):
                raise GalleryUnavailable(
                    f"another process has the gallery in {folder} open; stop the services and scripts that use it"
                ) from exc
            raise
        yield connection


def _replace_vectors(copy: sqlite3.Connection, vectors: Path, fingerprint: EncoderFingerprint) -> None:
    copy.execute("ATTACH ? AS reembedded", (str(vectors),))
    copy.execute("BEGIN")
    copy.execute("DELETE FROM embeddings")
    copy.execute("DELETE FROM local_features")
    copy.execute("INSERT INTO embeddings SELECT seq, vector FROM images JOIN reembedded.vectors USING (content_hash)")
    copy.execute(
        "INSERT INTO local_features SELECT seq, packed FROM images JOIN reembedded.vectors USING (content_hash) "
        "WHERE packed IS NOT NULL"
    )
    copy.execute(
        "UPDATE manifest SET encoder_name = ?, encoder_weights = ?, encoder_preprocessing = ?, encoder_dim = ?, "
        "generation = generation + 1",
        (fingerprint.name, fingerprint.weights, fingerprint.preprocessing, fingerprint.dim),
    )
    refuse_missing(
        copy.execute("SELECT (SELECT count(*) FROM images) - (SELECT count(*) FROM embeddings)").fetchone()[0]
    )
    copy.execute("COMMIT")


def _exchange(current: Path, following: Path) -> None:
    """Put ``following`` into the database's place; the present one becomes the previous one before that."""
    previous = current.parent / PREVIOUS_FOLDER / DATABASE_NAME
    previous.parent.mkdir(exist_ok=True)
    kept = _second_name(current, ".kept")
    kept.replace(previous)
    # Still there if both were names of one file already, as an interrupted switch leaves them.
    kept.unlink(missing_ok=True)
    sync_folder(previous.parent)
    following.replace(current)
    sync_folder(current.parent)


def _swap(current: Path, previous: Path) -> None:
    """Let the two change places; whenever this is interrupted, each name stands for a whole database."""
    former, kept = _second_name(previous, ".former"), _second_name(current, ".kept")
    former.replace(current)
    sync_folder(current.parent)
    kept.replace(previous)
    sync_folder(previous.parent)


def _second_name(database: Path, name: str) -> Path:
    """Give the file another name as well, beside its own."""
    link = database.with_name(f"{name}-{DATABASE_NAME}")
    link.unlink(missing_ok=True)
    os.link(database, link)
    return link


def _differs(connection: sqlite3.Connection, columns: str) -> bool:
    here, there = columns.format("main"), columns.format("attached")
    return any(
        connection.execute(f"SELECT EXISTS ({one} EXCEPT {other})").fetchone()[0]
        for one, other in ((here, there), (there, here))
    )
