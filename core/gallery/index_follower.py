"""The vector store in this process's memory: follows the database, whoever changes that."""

from collections.abc import Sequence
from functools import partial
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from core.gallery.gpu_search import GpuSearch
from core.gallery.ivf import PartitionCache
from core.gallery.manifest import read_generation
from core.gallery.sql import Connection
from core.gallery.vector_index import FaissOptions, VectorIndex
from core.gallery.vector_rows import read_embeddings, seqs_of, seqs_of_places, sums_by_collection, sums_of
from core.gallery.vector_store import Added, Moved, Removed, Renamed, VectorChange

_LARGEST_SEQ = 2**63 - 1


class IndexFollower:
    """A vector index that knows which generation of the gallery it reflects.

    The gallery's own changes are applied as they are committed, at the price of one vector. Any other difference
    between the generations means that another process has written; then the rows are compared.
    """

    def __init__(
        self,
        dim: int,
        gpu: GpuSearch | None = None,
        options: FaissOptions | None = None,
        cache: PartitionCache | None = None,
    ) -> None:
        """Start empty; the first ``catch_up`` loads everything. See ``VectorIndex`` for the rest."""
        self._index = VectorIndex(dim, gpu, options=options, cache=cache)
        self._generation = -1
        self._newest_seq = 0
        self._lock = Lock()  # held while the generation moves; never while searching

    @property
    def lag(self) -> None:
        """Never behind: every search catches up."""
        return None

    def search(
        self,
        connection: Connection,
        collection: str,
        query: NDArray[np.float32],
        top_k: int,
        places: NDArray[np.int64] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Search what is committed at this moment; see ``VectorIndex.search``."""
        self.catch_up(connection)
        among = None if places is None else seqs_of_places(connection, places)
        return self._index.search(collection, query, top_k, among)

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
                    self._remove_departed(connection)
                    self._add_missing(connection)
                    self._generation = generation
            except BaseException:
                # Half a load is no gallery: start over at the next search, and fail there in the same words.
                self._index.clear()
                self._newest_seq, self._generation = 0, -1
                raise
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
            newest = connection.execute("SELECT coalesce(max(seq), 0) FROM images").fetchone()[0]
            connection.execute("COMMIT")
            # Otherwise another process has written in between, and the next search compares the rows.
            if self._generation == generation - 1:
                for change in changes:
                    self._apply(change)
                self._newest_seq = max(self._newest_seq, newest)
                self._generation = generation
        self._index.improve()

    def close(self) -> None:
        """End what is going on in the background; closing twice is fine."""
        self._index.close()

    def _apply(self, change: VectorChange) -> None:
        match change:
            case Added(collection, seqs, embeddings):
                self._index.add(collection, seqs, embeddings)
            case Removed(seqs):
                self._index.remove(seqs)
            case Renamed(name, new_name):
                self._index.rename(name, new_name)
            case Moved():
                pass  # asked of the database at each search that wants to know

    def _remove_departed(self, connection: Connection) -> None:
        """Let go of what was deleted, and of what belongs to a collection of another name now."""
        # A seq is never used twice, but its collection may get another name.
        stored = sums_by_collection(connection, self._newest_seq)
        for collection, ids in self._index.ids().items():
            if stored.get(collection) != sums_of(ids):
                self._index.remove(np.setdiff1d(ids, seqs_of(connection, collection)))

    def _add_missing(self, connection: Connection) -> None:
        known, newest = self._newest_seq, self._newest_seq
        stored, held = sums_by_collection(connection, known), self._index.ids()
        everything = sums_by_collection(connection, _LARGEST_SEQ)
        for collection, (count, _, _) in everything.items():
            ids = held.get(collection, np.empty(0, np.int64))
            after_seq = known
            if stored.get(collection, (0, 0, 0)) != sums_of(ids):  # renamed by another process: load all of it
                self._index.remove(ids)
                after_seq, ids = 0, np.empty(0, np.int64)
            if len(ids) == count:
                continue
            self._index.reserve(collection, count - len(ids), partial(seqs_of, connection, collection))
            for seqs, _, vectors in read_embeddings(connection, collection, self._index.dim, after_seq=after_seq):
                self._index.add(collection, seqs, vectors)
                newest = max(newest, int(seqs[-1]))
        self._newest_seq = newest
