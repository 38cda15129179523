"""Where a gallery keeps its rows, its photos and its vectors, chosen once when it is opened."""

from dataclasses import dataclass, field
from pathlib import Path

from core.errors import BackendUnavailable
from core.gallery.files import PhotoFiles
from core.gallery.gpu_search import find_gpu_search
from core.gallery.index_follower import IndexFollower
from core.gallery.sql import Database
from core.gallery.sqlite_database import SqliteDatabase
from core.gallery.vector_store import VectorStore

DATABASE_NAME = "gallery.sqlite3"
GALLERY_SCHEMA = "gallery"


@dataclass(frozen=True, slots=True)
class Storage:
    """The choice. The default keeps everything in the gallery's folder, and the vectors in memory as well.

    Attributes:
        database_url: of the PostgreSQL database that holds the rows; empty: SQLite in the gallery's folder.
        lock_timeout_s: how long to wait for another process that is writing.
        search_device: where large collections are searched in memory: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    """

    database_url: str = field(default="", repr=False)  # it may hold a password
    lock_timeout_s: float = 10.0
    search_device: str = "auto"


LOCAL = Storage()
"""Everything on this machine."""


def open_database(folder: Path, storage: Storage, *, read_only: bool) -> Database:
    """Prepare the rows' database; nothing is read or made yet.

    Raises:
        InvalidRequest: the URL is no PostgreSQL one.
        BackendUnavailable: the driver is not installed.
    """
    if storage.database_url:
        try:  # the package belongs to the extra "scale"
            from core.gallery.postgres_database import PostgresDatabase
        except ModuleNotFoundError as exc:
            raise BackendUnavailable(
                'galleries in PostgreSQL need psycopg: pip install "semantic-image-matcher[scale]"'
            ) from exc
        return PostgresDatabase(
            storage.database_url, schema=GALLERY_SCHEMA, read_only=read_only, lock_timeout_s=storage.lock_timeout_s
        )
    return SqliteDatabase(folder / DATABASE_NAME, read_only=read_only, lock_timeout_s=storage.lock_timeout_s)


def open_photos(folder: Path) -> PhotoFiles:
    """Prepare the photos' store; nothing is read or made yet."""
    return PhotoFiles(folder)


def open_vectors(storage: Storage, dim: int) -> VectorStore:
    """Prepare the vectors' store, empty.

    Args:
        storage: the choice.
        dim: D, of every vector.

    Raises:
        InvalidRequest: no such search device exists.
        BackendUnavailable: there is no GPU where one was asked for by name.
    """
    return IndexFollower(dim, find_gpu_search(storage.search_device))
