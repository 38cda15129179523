"""The outbox that keeps an external vector engine in sync with the database.

Functions run on the caller's connection, in its transaction.

    outbox         changes that the engine may not show yet: at most one row per image, removed once they are confirmed
    vector_keys    the engine's number for each collection, so that renaming one rewrites no vector
    vector_engine  one row: the engine's collection, and the epoch that proves it has not gone back

Used only if the vectors are in an external engine; see ``core.gallery.vectors.milvus.store``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.gallery.database.embeddings import to_matrix
from core.gallery.database.manifest import read_gallery_id
from core.gallery.database.port import Connection, in_chunks, placeholders

Operation = Literal["upsert", "delete"]

_NEVER = -1
_LONGEST_LEASE_S = 60.0


@dataclass(frozen=True, slots=True)
class Engine:
    """The record of the engine in the database.

    Attributes:
        gallery: the gallery's random name, which its collection in the engine carries.
        name: of that collection.
        epoch: the number of the marker that a trustworthy engine shows.
        follows: whether every change of the gallery has been put into the outbox so far.
        generation: of the gallery.
        compared_until: seconds since the epoch: a replica is comparing, and will have said so again by then; else 0.
    """

    gallery: str
    name: str
    epoch: int
    follows: bool
    generation: int
    compared_until: float

    def is_compared(self, now: float) -> bool:
        """Whether a replica is comparing; a lease dated in the future by a clock that was set back does not count."""
        return now < self.compared_until < now + _LONGEST_LEASE_S


class OutboxState(IntEnum):
    """How far a row of the outbox is; stored as ``is_delivered``."""

    WRITTEN = 0
    DELIVERED = 1


@dataclass(frozen=True, slots=True)
class Task:
    """A row of the outbox; a row that replaces another has a new ``id``."""

    id: int
    seq: int
    operation: Operation


@dataclass(frozen=True, slots=True, eq=False)
class Entities:
    """Images as an engine holds them: seqs, collection keys int64 [N], vectors float32 [N, D].

    ``images`` are the images themselves, ``number_of`` their ids, int64 [N]: after a backup has been restored, another
    image may get a seq and a key that were given before.
    """

    seqs: NDArray[np.int64]
    keys: NDArray[np.int64]
    images: NDArray[np.int64]
    vectors: NDArray[np.float32]


def number_of(image_id: str) -> int:
    """Return the first 63 bits of an image's id, which is hexadecimal."""
    return int(image_id[:16], 16) >> 1


def begin_engine(connection: Connection, name: str) -> None:
    """Record the engine's collection, unless it is recorded; another collection than before is not in sync yet."""
    row = connection.execute("SELECT name FROM vector_engine").fetchone()
    if row is None:
        gallery_id = read_gallery_id(connection)
        connection.execute("INSERT INTO vector_engine VALUES (1, ?, ?, 0, ?, 0)", (gallery_id, name, _NEVER))
    elif row[0] != name:
        connection.execute(
            "UPDATE vector_engine SET name = ?, epoch = 0, generation = ?, compared_until = 0", (name, _NEVER)
        )


def read_engine(connection: Connection) -> Engine | None:
    """Read the record in one statement; None before ``begin_engine``."""
    row = connection.execute(
        "SELECT gallery, name, epoch, vector_engine.generation = manifest.generation, manifest.generation, "
        "compared_until FROM vector_engine CROSS JOIN manifest"
    ).fetchone()
    return None if row is None else Engine(row[0], row[1], row[2], bool(row[3]), row[4], row[5])


def write_epoch(connection: Connection, epoch: int) -> None:
    """Record another epoch."""
    connection.execute("UPDATE vector_engine SET epoch = ?", (epoch,))


def write_comparison(connection: Connection, epoch: int, until: float) -> None:
    """Record until when a replica compares for an epoch; ignored if another epoch is recorded."""
    connection.execute("UPDATE vector_engine SET compared_until = ? WHERE epoch = ?", (until, epoch))


def follow_from_here(connection: Connection) -> None:
    """Record that all earlier changes are in the outbox, or will be found by the comparison that begins."""
    connection.execute("UPDATE vector_engine SET generation = (SELECT generation FROM manifest)")


def follow(connection: Connection, generation: int) -> None:
    """Record that the outbox holds this transaction's change; a change missed earlier stays missed."""
    connection.execute("UPDATE vector_engine SET generation = ? WHERE generation = ?", (generation, generation - 1))


def ensure_key(connection: Connection, collection: str) -> None:
    """Give a collection a number, unless it has one."""
    connection.execute(
        "INSERT INTO vector_keys (collection) VALUES (?) ON CONFLICT (collection) DO NOTHING", (collection,)
    )


def ensure_all_keys(connection: Connection) -> None:
    """Give every collection that holds an image a number, unless it has one."""
    connection.execute(
        "INSERT INTO vector_keys (collection) SELECT DISTINCT collection FROM images "
        "WHERE collection NOT IN (SELECT collection FROM vector_keys)"
    )


def key_of(connection: Connection, collection: str) -> int | None:
    """Return a collection's number."""
    row = connection.execute("SELECT collection_key FROM vector_keys WHERE collection = ?", (collection,)).fetchone()
    return None if row is None else int(row[0])


def rename_key(connection: Connection, name: str, new_name: str) -> None:
    """Give a collection's number to its new name."""
    connection.execute("DELETE FROM vector_keys WHERE collection = ?", (new_name,))
    connection.execute("UPDATE vector_keys SET collection = ? WHERE collection = ?", (new_name, name))


def drop_unused_keys(connection: Connection) -> None:
    """Delete the numbers of collections without images; no number is used again."""
    connection.execute(
        "DELETE FROM vector_keys WHERE NOT EXISTS "
        "(SELECT 1 FROM images WHERE images.collection = vector_keys.collection)"
    )


def put(connection: Connection, operation: Operation, seqs: NDArray[np.int64]) -> None:
    """Queue vectors to be written or deleted; earlier rows of the same seqs are replaced."""
    for chunk in in_chunks(seqs):
        connection.execute(f"DELETE FROM outbox WHERE seq IN {placeholders(len(chunk))}", chunk)
        rows = ", ".join(["(?, ?, 0, 0)"] * len(chunk))
        values = [value for seq in chunk for value in (seq, operation)]
        connection.execute(f"INSERT INTO outbox (seq, operation, is_delivered, due_at) VALUES {rows}", values)


def put_repairs(connection: Connection, missing: NDArray[np.int64], surplus: NDArray[np.int64]) -> None:
    """Queue the differences that a comparison found, int64 [N] and [M], if they still hold."""
    put(connection, "upsert", existing(connection, missing))
    put(connection, "delete", np.setdiff1d(surplus, existing(connection, surplus)))


def existing(connection: Connection, seqs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return those seqs that belong to an image."""
    found: list[int] = []
    for chunk in in_chunks(seqs):
        rows = connection.execute(f"SELECT seq FROM images WHERE seq IN {placeholders(len(chunk))}", chunk)
        found += [row[0] for row in rows]
    return np.array(found, np.int64)


def holds_all_of(connection: Connection, collection: str) -> bool:
    """Whether the outbox holds all images of a collection, so that the engine is not needed."""
    row = connection.execute(
        "SELECT 1 FROM images WHERE collection = ? "
        "AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.seq = images.seq) LIMIT 1",
        (collection,),
    ).fetchone()
    return row is None


def next_due(connection: Connection) -> float | None:
    """When the first row is due, seconds since the epoch; None for an empty outbox."""
    row = connection.execute("SELECT min(due_at) FROM outbox").fetchone()
    return None if row[0] is None else float(row[0])


def has_due(connection: Connection, *, state: OutboxState, now: float) -> bool:
    """Whether ``claim`` would find a row."""
    row = connection.execute(
        "SELECT 1 FROM outbox WHERE is_delivered = ? AND due_at <= ? LIMIT 1", (state, now)
    ).fetchone()
    return row is not None


def delivered_seqs(connection: Connection) -> NDArray[np.int64] | None:
    """Return the seqs that wait for confirmation, int64 [N]; None while any has not been delivered."""
    rows = connection.execute("SELECT seq, is_delivered FROM outbox").fetchall()
    return np.array([row[0] for row in rows], np.int64) if all(row[1] for row in rows) else None


def count(connection: Connection) -> int:
    """How many rows there are."""
    waiting: int = connection.execute("SELECT count(*) FROM outbox").fetchone()[0]
    return waiting


def claim(connection: Connection, *, state: OutboxState, now: float, until: float, limit: int) -> list[Task]:
    """Claim rows that are due; no other replica can claim them before ``until``."""
    rows = connection.execute(
        """
        UPDATE outbox SET due_at = ? WHERE id IN (
            SELECT id FROM outbox WHERE is_delivered = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?
        )
        RETURNING id, seq, operation
        """,
        (until, state, now, limit),
    ).fetchall()
    return [Task(*row) for row in sorted(rows)]


def mark(connection: Connection, tasks: Sequence[Task], *, state: OutboxState, due_at: float) -> None:
    """Set the state of rows, except those replaced meanwhile."""
    for chunk in in_chunks([task.id for task in tasks]):
        connection.execute(
            f"UPDATE outbox SET is_delivered = ?, due_at = ? WHERE id IN {placeholders(len(chunk))}",
            (state, due_at, *chunk),
        )


def remove(connection: Connection, tasks: Sequence[Task]) -> None:
    """Delete rows, except those replaced meanwhile."""
    for chunk in in_chunks([task.id for task in tasks]):
        connection.execute(f"DELETE FROM outbox WHERE id IN {placeholders(len(chunk))}", chunk)


def read_entities(connection: Connection, seqs: NDArray[np.int64], dim: int) -> Iterator[Entities]:
    """Read images in the form that the engine stores, in chunks; missing ones are left out.

    Raises:
        GalleryUnavailable: a vector has the wrong length.
    """
    for chunk in in_chunks(seqs):
        rows = connection.execute(
            f"""
            SELECT images.seq, vector_keys.collection_key, images.image_id, embeddings.vector
            FROM images JOIN embeddings USING (seq) JOIN vector_keys ON vector_keys.collection = images.collection
            WHERE images.seq IN {placeholders(len(chunk))} ORDER BY images.seq
            """,
            chunk,
        ).fetchall()
        if not rows:
            continue
        found, keys, image_ids, vectors = zip(*rows, strict=True)
        images = [number_of(image_id) for image_id in image_ids]
        seqs_now, keys_now, images_now = np.array([found, keys, images], np.int64)
        matrix = to_matrix(vectors, dim, "that waits for the vector engine")
        yield Entities(seqs_now, keys_now, images_now, matrix)
