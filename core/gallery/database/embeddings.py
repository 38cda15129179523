"""The rows of embeddings and local features. Functions run on the caller's connection and belong to its transaction."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import GalleryUnavailable, InvalidRequest
from core.gallery.database.port import Connection, in_chunks, placeholders
from core.local_features.codec import pack, unpack
from core.results import LocalFeatures

_ROWS_PER_CHUNK = 512  # with more, the allocator returns memory after every chunk and faults it in again: slower
_PRIME = 65521  # the squares of a thousand million remainders add up to no more than 63 bits


def insert_embedding(connection: Connection, seq: int, embedding: NDArray[np.float32]) -> None:
    """Write the embedding of image ``seq``: float32 [D]."""
    connection.execute("INSERT INTO embeddings VALUES (?, ?)", (seq, embedding.astype("<f4").tobytes()))


def insert_local_features(connection: Connection, seq: int, features: LocalFeatures) -> None:
    """Write the local features of image ``seq``."""
    connection.execute("INSERT INTO local_features VALUES (?, ?)", (seq, pack(features)))


def read_embeddings(
    connection: Connection, collection: str, dim: int, after_seq: int = 0
) -> Iterator[tuple[NDArray[np.int64], list[str], NDArray[np.float32]]]:
    """Read the embeddings of a collection, oldest image first, in chunks.

    Yields:
        seqs int64 [N], the N image ids, and float32 [N, D]; only images newer than ``after_seq``.

    Raises:
        GalleryUnavailable: a vector has the wrong length.
    """
    # One statement per chunk, because some databases send the whole result, a million vectors, at once. Both tables
    # get the lower bound, because the planner may begin with either.
    while chunk := connection.execute(
        """
        SELECT images.seq, images.image_id, embeddings.vector
        FROM images JOIN embeddings USING (seq)
        WHERE images.collection = ? AND images.seq > ? AND embeddings.seq > ? ORDER BY images.seq LIMIT ?
        """,
        (collection, after_seq, after_seq, _ROWS_PER_CHUNK),
    ).fetchall():
        after_seq = chunk[-1][0]
        seqs, image_ids, vectors = zip(*chunk, strict=True)
        yield np.array(seqs, np.int64), list(image_ids), to_matrix(vectors, dim, f"of collection {collection!r}")


def to_matrix(vectors: Sequence[bytes], dim: int, whose: str) -> NDArray[np.float32]:
    """Put N stored embeddings together: float32 [N, D].

    Args:
        vectors: as ``insert_embedding`` stored them.
        dim: D.
        whose: they are, for the message.

    Raises:
        GalleryUnavailable: one has the wrong length.
    """
    if any(len(vector) != dim * 4 for vector in vectors):
        raise GalleryUnavailable(
            f"the gallery is damaged: an embedding {whose} has not {dim} numbers; "
            "restore a copy, or rebuild with scripts/build_database.py"
        )
    return np.frombuffer(b"".join(vectors), "<f4").reshape(len(vectors), dim).astype(np.float32, copy=False)


def read_local_features(connection: Connection, image_ids: Sequence[str]) -> dict[str, LocalFeatures]:
    """Read the local features of one image or more; those that have none are left out.

    Raises:
        GalleryUnavailable: stored features are damaged.
    """
    rows = connection.execute(
        f"""
        SELECT images.image_id, local_features.packed
        FROM images JOIN local_features USING (seq)
        WHERE images.image_id IN {placeholders(len(image_ids))}
        """,
        tuple(image_ids),
    )
    try:
        return {image_id: unpack(packed) for image_id, packed in rows}
    except InvalidRequest as exc:
        raise GalleryUnavailable(
            f"the gallery is damaged: {exc}; restore a copy, or rebuild with scripts/build_database.py"
        ) from exc


def seqs_of(connection: Connection, collection: str) -> NDArray[np.int64]:
    """Read the seqs of a collection's images: int64 [N]."""
    rows = connection.execute("SELECT seq FROM images WHERE collection = ?", (collection,))
    return np.fromiter((row[0] for row in rows), np.int64)


def newest_seq(connection: Connection) -> int:
    """The seq of the newest image; 0 if there is none."""
    seq: int = connection.execute("SELECT coalesce(max(seq), 0) FROM images").fetchone()[0]
    return seq


def count_images(connection: Connection) -> int:
    """Count the images of all collections."""
    count: int = connection.execute("SELECT count(*) FROM images").fetchone()[0]
    return count


def collections_after(connection: Connection, seq: int) -> Iterator[str]:
    """The collection of each image that is newer than a seq."""
    # A GROUP BY would count over an index of all images.
    return (row[0] for row in connection.execute("SELECT collection FROM images WHERE seq > ?", (seq,)))


def collections_of(connection: Connection, seqs: Sequence[int]) -> dict[int, str]:
    """The collections of images by their seqs, of those that exist."""
    found = dict[int, str]()
    for chunk in in_chunks(seqs):
        rows = connection.execute(f"SELECT seq, collection FROM images WHERE seq IN {placeholders(len(chunk))}", chunk)
        found |= dict(rows.fetchall())
    return found


def sums_by_collection(connection: Connection) -> dict[str, tuple[int, int, int]]:
    """Return three numbers per collection that identify its set of images; see ``sums_of``."""
    rows = connection.execute(
        "SELECT collection, count(*), CAST(sum(seq) AS BIGINT), "
        f"CAST(sum((seq % {_PRIME}) * (seq % {_PRIME})) AS BIGINT) FROM images GROUP BY collection"
    )
    return {collection: (count, total, squares) for collection, count, total, squares in rows}


def sums_of(seqs: NDArray[np.int64]) -> tuple[int, int, int]:
    """Return count, sum, and sum of squared remainders of seqs; two different sets hardly ever share all three."""
    remainders = seqs % _PRIME
    return len(seqs), int(seqs.sum()), int((remainders * remainders).sum())
