"""Milvus as the vector store, for galleries that outgrow one machine's memory. The database stays the only truth.

Every change is written to the outbox in the same transaction as the rows; ``MilvusSync`` delivers it afterwards. Milvus
shows a change some time after it has acknowledged it. Until then, the pending vectors of the outbox are searched in
this process, and what Milvus answers about the same images is ignored. So an added image is found at once, also by
other replicas, and a deleted one never. Correctness rests on the outbox alone, so Milvus is searched at its fast
consistency, Bounded (Strong takes 0.2 s).

Before its answers are used, Milvus must prove that it has not lost anything: it must show the marker of the gallery's
epoch before a search and once more after it, while that epoch is still on record. Within ``TRUST_S`` one look counts
for both, because a server takes longer to restart. This proves, however long the search took:

* The epoch did not change from the first look to the last, and no epoch is ever used twice. So the outbox was read in
  this epoch, and Milvus had everything else before the marker was written.
* Milvus keeps one log, and a marker with a random number is written once. A Milvus that was reset to a state before the
  marker never shows it again. So one that shows it before and after the search was not reset in between.

If the epoch has changed meanwhile, which happens at most once in ``staleness_s``, Milvus is asked again. The answer of
the outbox is still valid if the gallery's generation has not changed: only confirmed rows have left it since, and a
repair, which adds rows, changes the generation. If Milvus is down or not trusted, the search raises GalleryUnavailable;
it never returns a part of the answer.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import GalleryUnavailable
from core.gallery.database.images import has_images
from core.gallery.database.manifest import read_generation
from core.gallery.database.port import Connection, Database
from core.gallery.vectors.milvus import outbox
from core.gallery.vectors.milvus.collection import MAX_TOP_K, MilvusCollection
from core.gallery.vectors.milvus.connection import read_options
from core.gallery.vectors.milvus.outbox import Engine
from core.gallery.vectors.milvus.pending import Found, PendingVectors, merge
from core.gallery.vectors.milvus.sync import TRUST_S, MilvusSync
from core.gallery.vectors.port import Added, Lag, Removed, Renamed, VectorChange
from core.results import EncoderFingerprint

_ATTEMPTS = 3

logger = logging.getLogger(__name__)


class MilvusStore:
    """A collection of Milvus that follows the database; see ``core.gallery.vectors.port.VectorStore``."""

    def __init__(self, database: Database, fingerprint: EncoderFingerprint, options: Mapping[str, Any]) -> None:
        """Check the options; Milvus is first asked by ``catch_up`` or a search.

        Args:
            database: of the gallery.
            fingerprint: of the encoder that makes the vectors.
            options: see ``core.gallery.vectors.milvus.connection.MilvusOptions``.

        Raises:
            InvalidRequest: one is missing, unknown or out of range.
        """
        self._database = database
        self._milvus = MilvusCollection(read_options(options), fingerprint)
        self._pending = PendingVectors(fingerprint.dim, self._milvus.options.rows_in_memory)
        self._sync = MilvusSync(database, self._milvus, fingerprint.dim, self._pending.invalidate)
        self._trusted = 0, 0.0  # an epoch, and until when (monotonic) Milvus surely shows its marker

    @property
    def lag(self) -> Lag | None:
        """See ``VectorStore``; None for a reader."""
        return None if self._database.read_only else self._sync.lag

    def search(
        self,
        connection: Connection,
        collection: str,
        query: NDArray[np.float32],
        top_k: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Search Milvus and the outbox, as of this moment.

        Raises:
            GalleryUnavailable: Milvus does not answer, or has lost something that is being repaired.
        """
        if not self._database.read_only:
            self._sync.start()  # where ``catch_up`` was left out
        known: Found | None = None
        for _ in range(_ATTEMPTS):
            try:
                engine, until = self._check_trust(connection)
                # In this order, both know a row that is repaired or confirmed between the two searches.
                if known is None or known.generation != engine.generation:
                    known = self._pending.search(connection, collection, query, top_k)
                confirmed = self._search_milvus(connection, collection, query, top_k, known.hidden)
                is_whole = time.monotonic() < until or self._is_trusted_still(connection, engine.epoch)
            except GalleryUnavailable:
                if not outbox.holds_all_of(connection, collection):
                    raise
                if known is None or known.generation != read_generation(connection):
                    known = self._pending.search(connection, collection, query, top_k)
                if not outbox.holds_all_of(connection, collection) or read_generation(connection) != known.generation:
                    raise
                return known.seqs, known.similarities
            if is_whole:
                return merge((known.seqs, known.similarities), confirmed, top_k)
        raise GalleryUnavailable(f"the vector engine at {self._milvus.options.address} is too slow; try again later")

    def catch_up(self, connection: Connection) -> None:  # noqa: ARG002 - the port's; changes need a writing one
        """Compare with Milvus and begin to follow. A reader has nothing to load.

        Raises:
            EncoderMismatch: Milvus' collection holds another encoder's vectors.
            InvalidRequest: it is another gallery's.
        """
        if self._database.read_only:
            return
        with self._database.writing() as writing:
            outbox.begin_engine(writing, self._milvus.options.collection)
            outbox.ensure_all_keys(writing)
            writing.execute("COMMIT")
        try:
            self._sync.run_once()
        except GalleryUnavailable as exc:
            # Photos can be added and found; the others are found as soon as Milvus answers.
            self._sync.note(str(exc))
            logger.warning("the gallery opens without its vector engine: %s", exc)
        except BaseException:
            self.close()
            raise
        self._sync.start()

    def commit(self, connection: Connection, generation: int, changes: Sequence[VectorChange]) -> None:
        """Write the changes to the outbox, commit the caller's transaction, and wake the thread that delivers them."""
        for change in changes:
            match change:
                case Added(collection, seqs, _):
                    outbox.ensure_key(connection, collection)
                    outbox.put(connection, "upsert", seqs)
                case Removed(seqs):
                    outbox.put(connection, "delete", seqs)
                    outbox.drop_unused_keys(connection)
                case Renamed(name, new_name):
                    outbox.rename_key(connection, name, new_name)
        outbox.follow(connection, generation)
        connection.execute("COMMIT")
        self._sync.wake()

    def close(self) -> None:
        """End the thread and the connection; what is left in the outbox is delivered after the next start."""
        self._sync.close()
        self._milvus.close()

    def _search_milvus(
        self,
        connection: Connection,
        collection: str,
        query: NDArray[np.float32],
        top_k: int,
        hidden: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        key = outbox.key_of(connection, collection)
        if key is None:
            if has_images(connection, collection):
                raise self._not_trusted()
            return np.empty(0, np.int64), np.empty(0, np.float32)
        limit = min(MAX_TOP_K, top_k + min(top_k, len(hidden)))
        while True:
            seqs, similarities = self._milvus.search(key, query, limit)
            is_current = ~np.isin(seqs, hidden)
            if is_current.sum() >= top_k or len(seqs) < limit or limit == MAX_TOP_K:
                return seqs[is_current][:top_k], similarities[is_current][:top_k]
            limit = min(MAX_TOP_K, 4 * limit)

    def _check_trust(self, connection: Connection) -> tuple[Engine, float]:
        """Return the record, and until when (monotonic) Milvus can be trusted; else raise GalleryUnavailable."""
        for _ in range(_ATTEMPTS):
            engine = outbox.read_engine(connection)
            if engine is None or not engine.follows or engine.name != self._milvus.options.collection:
                break
            if engine.is_compared(time.time()):
                raise self._not_trusted()  # the thread need not be woken: it can only wait
            now = time.monotonic()
            epoch, until = self._trusted
            # Half of the time is left for the search itself.
            if engine.epoch == epoch and now < until - TRUST_S / 2:
                return engine, until
            if self._milvus.shows_marker(engine.epoch):
                self._trusted = engine.epoch, now + TRUST_S
                return engine, now + TRUST_S
            # The epoch may have ended between the two questions.
        self._sync.wake()
        raise self._not_trusted()

    def _is_trusted_still(self, connection: Connection, epoch: int) -> bool:
        """Whether Milvus shows the marker at the end of a search as well, with the same epoch on record."""
        now = time.monotonic()
        engine = outbox.read_engine(connection)
        if engine is None or engine.epoch != epoch or not self._milvus.shows_marker(epoch):
            return False
        self._trusted = epoch, now + TRUST_S
        return True

    def _not_trusted(self) -> GalleryUnavailable:
        return GalleryUnavailable(
            f"the vector engine at {self._milvus.options.address} lacks vectors and is being repaired; try again soon"
        )
