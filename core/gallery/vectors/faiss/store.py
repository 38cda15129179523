"""The vector store in this process's memory, kept in step with the database."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from core.gallery.database.embeddings import (
    collections_after,
    collections_of,
    count_images,
    newest_seq,
    read_embeddings,
    seqs_of,
    sums_by_collection,
    sums_of,
)
from core.gallery.database.manifest import read_generation
from core.gallery.database.port import Connection
from core.gallery.vectors.faiss.gpu import GpuSearch
from core.gallery.vectors.faiss.index import FaissOptions, VectorIndex
from core.gallery.vectors.faiss.ivf import PartitionCache
from core.gallery.vectors.port import Added, Removed, Renamed, VectorChange


class FaissStore:
    """A vector index that knows which generation of the gallery it reflects.

    This process's own changes are applied as they are committed, which costs one vector. Any other difference between
    the generations means that another process has written. If it has only added images, counting shows that; otherwise
    all rows are compared, as they are after a failure.
    """

    def __init__(
        self,
        dim: int,
        gpu: GpuSearch | None = None,
        options: FaissOptions | None = None,
        cache: PartitionCache | None = None,
    ) -> None:
        """Create an empty store; the first ``catch_up`` loads everything. See ``VectorIndex`` for the arguments."""
        self._index = VectorIndex(dim, gpu, options=options, cache=cache)
        self._generation = -1
        self._newest_seq = 0  # at that generation; none is given out twice, so what is added gets greater ones
        self._lock = Lock()  # held while the generation moves; never while searching

    @property
    def lag(self) -> None:
        """None: every search catches up first."""
        return None

    def search(
        self,
        connection: Connection,
        collection: str,
        query: NDArray[np.float32],
        top_k: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Search what is committed at this moment; see ``VectorIndex.search``."""
        self.catch_up(connection)
        return self._index.search(collection, query, top_k)

    def catch_up(self, connection: Connection) -> None:
        """Load what has changed since, all of it the first time.

        Args:
            connection: outside any transaction.
        """
        if read_generation(connection) == self._generation:
            return
        with self._lock:
            connection.execute("BEGIN")  # one snapshot for the generation and its rows
            try:
                generation = read_generation(connection)
                if generation != self._generation:
                    # Whatever fails on the way, what is held by then stays, and the next search goes on from there.
                    was_whole, self._generation = self._generation >= 0, -1
                    if not (was_whole and self._add_newer(connection)):
                        self._compare(connection)
                    self._newest_seq = newest_seq(connection)
                    self._generation = generation
            finally:
                connection.execute("ROLLBACK")
        self._index.improve()

    def commit(self, connection: Connection, generation: int, changes: Sequence[VectorChange]) -> None:
        """Commit the caller's transaction and let the index follow at once.

        Args:
            connection: the writing one, inside the transaction.
            generation: what the transaction makes it.
            changes: what it has changed of the vectors.
        """
        with self._lock:
            # Asked inside the transaction: afterwards another process may have added rows that are not in the index.
            newest = newest_seq(connection)
            connection.execute("COMMIT")
            # Otherwise another process has written in between, and the next search compares the rows.
            if self._generation == generation - 1:
                self._generation = -1
                for change in changes:
                    self._apply(change)
                self._newest_seq = newest
                self._generation = generation
        self._index.improve()

    def close(self) -> None:
        """End the background work; closing twice is fine."""
        self._index.close()

    def _apply(self, change: VectorChange) -> None:
        match change:
            case Added(collection, seqs, embeddings):
                self._index.add(collection, seqs, embeddings)
            case Removed(seqs):
                self._index.remove(seqs)
            case Renamed(name, new_name):
                self._index.rename(name, new_name)

    def _add_newer(self, connection: Connection) -> bool:
        """Load what is newer than all that was there, if nothing else has changed, and say whether that is so.

        Everything older was held. If it is still as many, then nothing was deleted; and collections get other names as
        a whole, so that one image of each tells its present name.
        """
        held = {collection: ids for collection, ids in self._index.ids().items() if len(ids)}
        newer = Counter(collections_after(connection, self._newest_seq))
        if count_images(connection) - newer.total() != sum(map(len, held.values())):
            return False
        names = {int(ids[0]): collection for collection, ids in held.items()}
        if collections_of(connection, list(names)) != names:
            return False
        for collection, count in newer.items():
            self._load(connection, collection, count, self._newest_seq)
        return True

    def _compare(self, connection: Connection) -> None:
        """Remove vectors whose images are deleted or renamed, and load those that are missing."""
        stored = sums_by_collection(connection)
        for collection, ids in self._index.ids().items():
            if stored.get(collection) != sums_of(ids):
                self._index.remove(ids[~np.isin(ids, seqs_of(connection, collection))])
        # Not before all departures: an image is held once only, under the former name or the present one.
        held = self._index.ids()
        for collection, sums in stored.items():
            ids = held.get(collection, np.empty(0, np.int64))
            if sums != sums_of(ids):
                self._complete(connection, collection, ids, count=sums[0])

    def _complete(self, connection: Connection, collection: str, ids: NDArray[np.int64], count: int) -> None:
        """Load what is missing of a collection.

        Args:
            connection: in the snapshot.
            collection: of that name.
            ids: int64 [N], those held, all of them the collection's.
            count: how many it has.
        """
        after_seq = 0
        if len(ids):
            seqs = seqs_of(connection, collection)
            after_seq = int(seqs[~np.isin(seqs, ids)].min()) - 1
            ids, newer = ids[ids <= after_seq], ids[ids > after_seq]
            self._index.remove(newer)
        self._load(connection, collection, count - len(ids), after_seq)

    def _load(self, connection: Connection, collection: str, count: int, after_seq: int) -> None:
        """Load the ``count`` vectors of a collection that are newer than ``after_seq``."""
        self._index.reserve(collection, count, partial(seqs_of, connection, collection))
        for seqs, _, vectors in read_embeddings(connection, collection, self._index.dim, after_seq=after_seq):
            self._index.add(collection, seqs, vectors)
