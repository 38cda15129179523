"""Compares the vectors of an engine with the gallery, and puts the differences into the outbox.

A comparison begins a new epoch. The engine does not show its marker yet, so no replica searches the engine until the
differences are in the outbox, where they are found at once. A comparison that is interrupted is repeated. If the engine
shows the marker and only its count is wrong, ``repair`` alone is enough: a few wrong vectors are no reason to refuse
all searches while a million vectors are compared.

One replica compares at a time, because a new epoch invalidates the work of others. It renews a lease in the database;
the others wait, for at most ``_LEASE_S`` if it has been killed.
"""

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import numpy as np
from numpy.typing import NDArray

from core.errors import GalleryUnavailable
from core.gallery.database import manifest
from core.gallery.database.embeddings import count_images, newest_seq
from core.gallery.database.port import Connection, Database
from core.gallery.vectors.milvus import outbox
from core.gallery.vectors.milvus.collection import MilvusCollection
from core.gallery.vectors.milvus.outbox import Engine

_LEASE_S = 10.0
_RENEWED_EVERY_S = 2.0
_SEQS_AT_ONCE = 16_000

logger = logging.getLogger(__name__)


def reconcile(database: Database, milvus: MilvusCollection, judged: Engine | None, wait: Callable[[], object]) -> bool:
    """Make the engine searchable: create its collection, and put all differences into the outbox.

    Args:
        database: of the gallery.
        milvus: the engine's collection, which is made if it is missing.
        judged: the record when the engine was found not to be trustworthy.
        wait: returns when no replica trusts the former epoch any more.

    Returns:
        Whether it was done here; otherwise another replica is comparing, or has begun since.

    Raises:
        EncoderMismatch: the collection holds another encoder's vectors.
        InvalidRequest: it is another gallery's.
        GalleryUnavailable: the engine or the database cannot be used.
    """
    epoch = new_epoch()
    engine = _begin(database, milvus.options.collection, judged, epoch)
    if engine is None:
        return False
    with _leased(database, epoch):
        if not milvus.exists():
            if engine.epoch:
                wait()  # an empty collection must not be taken for the one that was lost
            milvus.make(engine.gallery)
        milvus.load(engine.gallery)
        repair(database, milvus)
        former = milvus.markers()
        milvus.write_marker(epoch)
    with database.reading() as connection:
        following = outbox.read_engine(connection)
    if following is not None and following.epoch == epoch:  # else one of them may be needed
        milvus.delete_markers(former)
    return True


def repair(database: Database, milvus: MilvusCollection) -> None:
    """Put all differences between engine and gallery into the outbox.

    Raises:
        GalleryUnavailable: the engine or the database cannot be used.
    """
    missing, surplus = compare(database, milvus)
    with database.writing() as connection:
        outbox.put_repairs(connection, missing, surplus)
        generation = manifest.next_generation(connection)  # for every replica to read the outbox
        outbox.follow(connection, generation)
        connection.execute("COMMIT")
    logger.info("the vector engine lacked %d vectors and had %d too many", len(missing), len(surplus))


def _begin(database: Database, name: str, judged: Engine | None, epoch: int) -> Engine | None:
    """Record an epoch that no engine shows yet; return the former record, or None if another replica compares."""
    with database.writing() as connection:
        found = outbox.read_engine(connection)
        if found is not None and found.is_compared(time.time()):
            return None
        if (found and found.epoch) != (judged and judged.epoch):
            return None
        outbox.begin_engine(connection, name)
        engine = outbox.read_engine(connection)
        if engine is None:
            raise GalleryUnavailable(f"the gallery in {database.place} has no manifest")
        outbox.ensure_all_keys(connection)
        outbox.follow_from_here(connection)
        outbox.write_epoch(connection, epoch)
        outbox.write_comparison(connection, epoch, time.time() + _LEASE_S)
        connection.execute("COMMIT")
    return engine


@contextmanager
def _leased(database: Database, epoch: int) -> Iterator[None]:
    """Hold the lease of the comparison for this epoch, and renew it until the block ends."""
    done = Event()

    def write_lease(until: float) -> None:
        # If the database does not answer, no other replica can begin either.
        with suppress(GalleryUnavailable), database.writing() as connection:
            outbox.write_comparison(connection, epoch, until)
            connection.execute("COMMIT")

    def renew() -> None:
        while not done.wait(_RENEWED_EVERY_S):
            write_lease(time.time() + _LEASE_S)

    # In a thread of its own, because one step of the work may take a minute.
    thread = Thread(target=renew, name="milvus-comparison", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        write_lease(0)


def counts_agree(database: Database, milvus: MilvusCollection) -> bool | None:
    """Whether the engine holds as many images as it should, not counting delivered ones that are not yet confirmed.

    Returns:
        None if that is unknown: something has not been delivered yet, or has changed meanwhile.

    Raises:
        GalleryUnavailable: the engine or the database cannot be used.
    """
    with database.reading() as connection:
        before = manifest.read_generation(connection)
        waiting = outbox.delivered_seqs(connection)
        if waiting is None:
            return None
        here = count_images(connection) - len(outbox.existing(connection, waiting))
    there = milvus.count() - len(milvus.shown(waiting, consistency="Strong"))
    with database.reading() as connection:
        if manifest.read_generation(connection) != before:
            return None
    if here != there:
        logger.warning("the vector engine holds %d confirmed vectors, the gallery %d", there, here)
    return here == there


def new_epoch() -> int:
    """Draw a number that no engine shows, >= 1."""
    return secrets.randbelow(2**62) + 1


def compare(database: Database, milvus: MilvusCollection) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the differences, while the gallery goes on.

    Returns:
        int64 [N], the seqs that the engine lacks, holds twice, or under another collection or id; and
        int64 [M], those that it should not hold.
    """
    missing, surplus = list[NDArray[np.int64]](), list[NDArray[np.int64]]()
    counted, after = 0, 0
    with database.reading() as connection:
        newest = newest_seq(connection)
        # Beyond the newest lies what a gallery restored from a backup does not know of.
        while after < newest or milvus.count(after):
            ours = _images(connection, after, after + _SEQS_AT_ONCE)
            theirs = milvus.entities(after, after + _SEQS_AT_ONCE)
            counted += len(theirs)
            same = np.intersect1d(_as_rows(ours), _as_rows(theirs), assume_unique=True)["seq"]
            missing.append(np.setdiff1d(ours[:, 0], same))
            surplus.append(np.setdiff1d(theirs[:, 0], ours[:, 0]))
            after += _SEQS_AT_ONCE
        if milvus.count(0, after) != counted:
            missing += _of_doubled_ranges(connection, milvus, after)
    return np.concatenate([np.empty(0, np.int64), *missing]), np.concatenate([np.empty(0, np.int64), *surplus])


def _images(connection: Connection, after: int, up_to: int) -> NDArray[np.int64]:
    rows = connection.execute(
        "SELECT images.seq, vector_keys.collection_key, images.image_id FROM images "
        "JOIN vector_keys USING (collection) WHERE images.seq > ? AND images.seq <= ? ORDER BY images.seq",
        (after, up_to),
    ).fetchall()
    table = [(seq, key, outbox.number_of(image_id)) for seq, key, image_id in rows]
    return np.array(table, np.int64).reshape(-1, 3)


def _of_doubled_ranges(connection: Connection, milvus: MilvusCollection, newest: int) -> list[NDArray[np.int64]]:
    """All images of those ranges in which Milvus counts more than it lists, as after a delivery by two replicas."""
    return [
        _images(connection, after, after + _SEQS_AT_ONCE)[:, 0]
        for after in range(0, newest, _SEQS_AT_ONCE)
        if milvus.count(after, after + _SEQS_AT_ONCE) != len(milvus.entities(after, after + _SEQS_AT_ONCE))
    ]


def _as_rows(table: NDArray[np.int64]) -> NDArray[np.void]:
    columns = [(name, np.int64) for name in ("seq", "key", "image")]
    return np.ascontiguousarray(table).view(columns).reshape(-1)
