"""Makes a large gallery of random vectors directly in SQLite: a million images in a minute or two."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.gallery import DATABASE_NAME, Gallery
from core.results import EncoderFingerprint

COLLECTION = "region"
_PER_TRANSACTION = 1000  # as scripts/build_database.py and uploads of archives write them
_SPREAD = 0.75


def fingerprint(dim: int) -> EncoderFingerprint:
    """Return the fingerprint of the random vectors."""
    return EncoderFingerprint("drawn", "clustered", "none", dim)


class Clusters:
    """Random unit vectors in clusters (places) of clusters (kinds of places).

    The cosine of two photos of one place is about 0.64, of two places of a kind 0.13, of others 0.
    """

    def __init__(self, dim: int, places: int, kinds: int = 500, seed: int = 0) -> None:
        """Draw the centres."""
        rng = np.random.default_rng(seed)
        kind = rng.standard_normal((kinds, dim), np.float32)
        self.dim = dim
        self._centres = kind[rng.integers(kinds, size=places)] * 0.5 + rng.standard_normal((places, dim), np.float32)
        self._centres /= np.linalg.norm(self._centres, axis=1, keepdims=True)

    def draw(self, count: int, seed: int) -> NDArray[np.float32]:
        """Draw photos: float32 [N, D], rows of L2 norm 1."""
        rng = np.random.default_rng((seed, 1))
        noise = rng.standard_normal((count, self.dim), np.float32) * np.float32(_SPREAD / np.sqrt(self.dim))
        vectors = self._centres[rng.integers(len(self._centres), size=count)] + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def chunks(self, count: int) -> Iterator[NDArray[np.float32]]:
        """Draw the photos of a gallery, some thousands at a time."""
        for start in range(0, count, _PER_TRANSACTION):
            yield self.draw(min(_PER_TRANSACTION, count - start), 1000 + start)


def write_gallery(folder: Path, clusters: Clusters, count: int) -> None:
    """Write a gallery of images with rows and vectors, but without photos, which opening it does not need."""
    Gallery.open(folder, fingerprint(clusters.dim)).close()
    with closing(sqlite3.connect(folder / DATABASE_NAME, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        places = (
            "INSERT INTO places (id, collection, place_id, name, description, metadata) VALUES (?, ?, ?, ?, '', '{}')"
        )
        images = (
            "INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, 'image/jpeg', 4000, 3000, 3000000, '2026-01-01T00:00:00Z')"
        )
        written = 0
        for vectors in clusters.chunks(count):
            seqs = range(written + 1, written + len(vectors) + 1)
            connection.execute("BEGIN")
            connection.executemany(
                places,
                ((seq, COLLECTION, f"{seq:032x}", f"photo {seq}") for seq in seqs if seq % 10 == 1),
            )
            connection.executemany(
                images,
                (
                    (seq, f"{seq:032x}", COLLECTION, seq - (seq - 1) % 10, f"{seq:064x}", f"photo {seq}.jpg")
                    for seq in seqs
                ),
            )
            connection.executemany(
                "INSERT INTO embeddings VALUES (?, ?)",
                ((seq, vector.tobytes()) for seq, vector in zip(seqs, vectors, strict=True)),
            )
            connection.execute("UPDATE manifest SET generation = generation + 1")
            connection.execute("COMMIT")
            written += len(vectors)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
