"""Where a gallery keeps rows, photos and vectors: chosen once, when it is opened."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import BackendUnavailable, InvalidRequest
from core.gallery.database.port import Database
from core.gallery.database.sqlite import SqliteDatabase
from core.gallery.photos.cache import PhotoCache
from core.gallery.photos.files import PhotoFiles
from core.gallery.photos.port import PhotoStore
from core.gallery.vectors.faiss.gpu import find_gpu_search
from core.gallery.vectors.faiss.index import read_faiss_options
from core.gallery.vectors.faiss.ivf import PartitionCache
from core.gallery.vectors.faiss.store import FaissStore
from core.gallery.vectors.port import VectorStore
from core.results import EncoderFingerprint

logger = logging.getLogger(__name__)

_NAME = "gallery"
_CACHE_NAME = "photo-cache"
_PARTITIONS_NAME = "vector-index"
DATABASE_NAME = f"{_NAME}.sqlite3"


@dataclass(frozen=True, slots=True)
class Storage:
    """The chosen stores. By default everything is in the gallery's folder, and the vectors also in memory.

    Attributes:
        database_url: of the PostgreSQL database that holds the rows; empty: SQLite in the gallery's folder.
        photo_store: ``s3://BUCKET/PREFIX`` for a bucket; empty: files in the gallery's folder.
        s3_endpoint: of a bucket that is not Amazon's.
        photo_cache_bytes: of the copies of a bucket's photos that are kept in the gallery's folder.
        lock_timeout_s: how long to wait for another process that is writing.
        search_device: where large collections are searched in memory: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        vector_index: ``faiss``, in this process's memory, or ``milvus``, a server.
        vector_index_options: of that one; see docs/vector-index.md.
    """

    database_url: str = field(default="", repr=False)  # it may hold a password
    photo_store: str = ""
    s3_endpoint: str = ""
    photo_cache_bytes: int = 4 * 1024**3
    lock_timeout_s: float = 10.0
    search_device: str = "auto"
    vector_index: str = "faiss"
    vector_index_options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # they may hold a token

    @property
    def is_local(self) -> bool:
        """Whether this machine alone keeps the rows and the photos."""
        return not self.database_url and not self.photo_store


LOCAL = Storage()
"""Everything on this machine."""


def open_database(folder: Path, storage: Storage, *, read_only: bool, name: str = _NAME) -> Database:
    """Choose the database; nothing is read or created yet.

    Args:
        folder: the gallery's.
        storage: the choice.
        read_only: open it without the right to change anything.
        name: of the file or the schema.

    Raises:
        InvalidRequest: the URL is not a PostgreSQL URL.
        BackendUnavailable: the driver is not installed.
    """
    if storage.database_url:
        try:  # the package belongs to the extra "scale"
            from core.gallery.database.postgres import PostgresDatabase
        except ModuleNotFoundError as exc:
            raise BackendUnavailable(
                'galleries in PostgreSQL need psycopg: pip install "semantic-image-matcher[scale]"'
            ) from exc
        if (folder / f"{name}.sqlite3").exists():
            logger.warning("%s is not used: the rows are in PostgreSQL", folder / f"{name}.sqlite3")
        return PostgresDatabase(
            storage.database_url, schema=name, read_only=read_only, lock_timeout_s=storage.lock_timeout_s
        )
    return SqliteDatabase(folder / f"{name}.sqlite3", read_only=read_only, lock_timeout_s=storage.lock_timeout_s)


def open_photos(folder: Path, storage: Storage = LOCAL) -> PhotoStore:
    """Choose the photo store; nothing is read or created yet.

    Raises:
        InvalidRequest: it has no such address.
        BackendUnavailable: the client is not installed.
    """
    if not storage.photo_store:
        return PhotoFiles(folder)
    try:
        from core.gallery.photos.bucket import PhotoBucket
    except ImportError as exc:
        raise BackendUnavailable(
            'photos in a bucket need obstore: pip install "semantic-image-matcher[scale]"'
        ) from exc
    cache = PhotoCache(folder / _CACHE_NAME, storage.photo_cache_bytes)
    return PhotoBucket(storage.photo_store, endpoint=storage.s3_endpoint, cache=cache)


def open_vectors(folder: Path, storage: Storage, database: Database, fingerprint: EncoderFingerprint) -> VectorStore:
    """Choose the vector store; it is empty until it is first searched or brought up to date.

    Args:
        folder: the gallery's, for what may be lost.
        storage: the choice.
        database: of the gallery, which the store follows.
        fingerprint: of the encoder that makes the vectors.

    Raises:
        InvalidRequest: no such store or search device exists, or an option is not acceptable.
        BackendUnavailable: there is no GPU where one was asked for by name, or the store's client is not installed.
    """
    if storage.vector_index == "faiss":
        return FaissStore(
            fingerprint.dim,
            find_gpu_search(storage.search_device),
            read_faiss_options(storage.vector_index_options),
            PartitionCache(folder / _PARTITIONS_NAME, str(fingerprint)),
        )
    if storage.vector_index == "milvus":
        try:
            from core.gallery.vectors.milvus.store import MilvusStore
        except ImportError as exc:
            raise BackendUnavailable(
                'vectors in Milvus need pymilvus: pip install "semantic-image-matcher[scale]"'
            ) from exc
        return MilvusStore(database, fingerprint, storage.vector_index_options)
    raise InvalidRequest(f"unknown vector index: {storage.vector_index!r:.80}; known: faiss, milvus")
