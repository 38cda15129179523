"""Compares what a vector engine holds with the gallery, and asks for what differs.

A new epoch is begun first: no engine shows its marker, so that no replica trusts the engine until the differences have
been found and stand in the outbox, from where they are searched at once. Whatever stops this, it is done again. Where
the engine shows the marker and merely counts wrongly, ``repair`` alone is enough: one vector too many or too few is no
reason to answer nobody while a million are compared.

One replica compares at a time, for each that begins makes the others' work void. It says so in the database and goes on
saying so; the others wait, ``_LEASE_S`` at most for one that has been killed.
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
    """Make the engine trustworthy: its collection is there, and all that it lacks or has too much is in the outbox.

    Args:
        database: of the gallery.
        milvus: the engine's collection, which is made if it is missing.
        judged: what was on record when the engine was found not to be trustworthy.
        wait: returns when no replica trusts the former epoch any more.

    Returns:
        Whether it has been done here; else another replica is at it, or has begun since the judgement.

    Raises:
        EncoderMismatch: the collection holds another encoder's vectors.
        InvalidRequest: it is another gallery's.
        GalleryUnavailable: the engine or the database cannot be used.
    """
    epoch = new_epoch()
    engine = _begin(database, milvus.options.collection, judged, epoch)
    if engine is None:
        return False
    with _keeping_others_waiting(database, epoch):
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
    """Put into the outbox all that the engine lacks or has too much.

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
    """Put an epoch on record that no engine shows yet; return what was there before, None if others are at it."""
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
def _keeping_others_waiting(database: Database, epoch: int) -> Iterator[None]:
    """Say again and again that it is compared for this epoch, and at the end that it is not any more."""
    done = Event()

    def say_until(until: float) -> None:
        # Where the database does not answer, nobody else can begin either.
        with suppress(GalleryUnavailable), database.writing() as connection:
            outbox.write_comparison(connection, epoch, until)
            connection.execute("COMMIT")

    def go_on_saying() -> None:
        while not done.wait(_RENEWED_EVERY_S):
            say_until(time.time() + _LEASE_S)

    # Beside the work, of which one step may take a minute.
    thread = Thread(target=go_on_saying, name="milvus-comparison", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        say_until(0)


def counts_agree(database: Database, milvus: MilvusCollection) -> bool | None:
    """Whether the engine holds as many of the images as it should, those apart that wait to be seen.

    Returns:
        None where that cannot be said now: something has yet to be brought to the engine, or has changed meanwhile.

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
        logger.warning("the vector engine holds %d settled vectors, the gallery %d", there, here)
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
