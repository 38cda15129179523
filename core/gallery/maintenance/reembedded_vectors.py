"""Vectors of another encoder, gathered beside a gallery that stays in use.

``GALLERY/reembedding/vectors.sqlite3`` keeps them by content hash, so that work which stops is taken up again, whatever
was added or deleted in between. ``core.gallery.maintenance.encoder_switch`` makes the gallery's next database of them.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from core.errors import GalleryUnavailable, InvalidRequest
from core.gallery.database.images import uses_content
from core.gallery.database.sqlite import SqliteDatabase, translating_failures
from core.gallery.opening import check_for_reading
from core.gallery.photos.files import PhotoFiles
from core.gallery.storage import DATABASE_NAME
from core.local_features.codec import pack
from core.results import EncoderFingerprint, Encodings

SHADOW_FOLDER = "reembedding"
PREVIOUS_FOLDER = "previous"

_VECTORS_NAME = "vectors.sqlite3"
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS encoder (name TEXT, weights TEXT, preprocessing TEXT, dim INTEGER);
    CREATE TABLE IF NOT EXISTS vectors (content_hash TEXT PRIMARY KEY, vector BLOB NOT NULL, packed BLOB);
"""


class ReembeddedVectors:
    """What another encoder has made of a gallery's photos so far. Closes with its ``with`` block."""

    def __init__(self, gallery: Path, fingerprint: EncoderFingerprint) -> None:
        """Begin, or take up what an earlier run has left.

        Vectors of the database before the last switch are taken over if the same encoder made them.

        Args:
            gallery: its folder; services may be using it.
            fingerprint: of the new encoder.

        Raises:
            InvalidRequest: the gallery is this encoder's already, or another encoder's work is unfinished here.
            GalleryUnavailable: there is no gallery, or it cannot be read or written.
        """
        self.gallery = gallery.absolute()
        self.fingerprint = fingerprint
        self.path = self.gallery / SHADOW_FOLDER / _VECTORS_NAME
        self.source = SqliteDatabase(self.gallery / DATABASE_NAME, read_only=True, lock_timeout_s=10)
        self._files = PhotoFiles(self.gallery)
        if fingerprint.is_recorded_as(check_for_reading(self.source, None)):
            self.source.close()
            raise InvalidRequest(f"the gallery in {self.gallery} is already made by {fingerprint}")
        with translating_failures(self.gallery):
            self.path.parent.mkdir(exist_ok=True)
            self._vectors = sqlite3.connect(self.path)
        try:
            with translating_failures(self.gallery):
                self._begin()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the gallery and of the vectors, which stay on the disk."""
        self.source.close()
        self._vectors.close()

    def missing(self) -> dict[str, Path]:
        """List the photos that have no vector yet, oldest first: content hash and original."""
        with self.source.reading() as connection:
            contents = connection.execute("SELECT content_hash, media_type FROM images ORDER BY seq").fetchall()
        known = {row[0] for row in self._vectors.execute("SELECT content_hash FROM vectors")}
        return {
            content_hash: Path(self._files.original_path(content_hash, media_type))
            for content_hash, media_type in contents
            if content_hash not in known
        }

    def is_wanted(self, content_hash: str) -> bool:
        """Say whether the gallery still holds the photo: one that was deleted meanwhile needs no vector."""
        with self.source.reading() as connection:
            return uses_content(connection, content_hash)

    def put(self, content_hashes: Sequence[str], encodings: Encodings) -> None:
        """Keep what the encoder made of these photos; when this returns, it is on the disk."""
        rows = [
            (content_hash, embedding.astype("<f4").tobytes(), None if features is None else pack(features))
            for content_hash, embedding, features in zip(
                content_hashes, encodings.embeddings, encodings.local_features, strict=True
            )
        ]
        with translating_failures(self.gallery), self._vectors:
            self._vectors.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

    def _begin(self) -> None:
        self._vectors.executescript(_SCHEMA)
        new = (self.fingerprint.name, self.fingerprint.weights, self.fingerprint.preprocessing, self.fingerprint.dim)
        recorded = self._vectors.execute("SELECT name, weights, preprocessing, dim FROM encoder").fetchone()
        if recorded is None:
            with self._vectors:
                self._vectors.execute("INSERT INTO encoder VALUES (?, ?, ?, ?)", new)
        elif recorded != new:
            raise InvalidRequest(
                f"{self.path.parent} holds unfinished work of {EncoderFingerprint(*recorded)}; finish that, or remove "
                "the folder"
            )
        self._take_over(self.gallery / PREVIOUS_FOLDER / DATABASE_NAME)

    def _take_over(self, previous: Path) -> None:
        if not previous.is_file():
            return
        self._vectors.execute("ATTACH ? AS previous", (str(previous),))
        with self._vectors:
            self._vectors.execute(
                """
                INSERT OR IGNORE INTO vectors
                SELECT content_hash, vector, packed
                FROM previous.images JOIN previous.embeddings USING (seq) LEFT JOIN previous.local_features USING (seq)
                WHERE (SELECT (encoder_name, encoder_weights, encoder_preprocessing, encoder_dim) = (?, ?, ?, ?)
                       FROM previous.manifest)
                """,
                (self.fingerprint.name, self.fingerprint.weights, self.fingerprint.preprocessing, self.fingerprint.dim),
            )
        self._vectors.execute("DETACH previous")


def refuse_missing(missing: int) -> None:
    """Raise GalleryUnavailable unless every photo has its vector."""
    if missing:
        raise GalleryUnavailable(f"{missing} photos have no vector of the new encoder yet; embed again, then switch")
