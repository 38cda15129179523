"""Keeps the vector index in step with the database, whoever changes it: this process or another one."""

import sqlite3
from collections.abc import Callable
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from core.gallery.gpu_search import GpuSearch
from core.gallery.image_rows import count_by_collection
from core.gallery.manifest import read_generation
from core.gallery.vector_index import VectorIndex
from core.gallery.vector_rows import all_seqs, read_embeddings


class IndexFollower:
    """A vector index that knows which generation of the gallery it reflects.

    The gallery's own changes are applied as they are committed, at the price of one vector. Any other difference
    between the generations means that another process has written; then the rows are compared.
    """

    def __init__(self, dim: int, gpu: GpuSearch | None = None) -> None:
        """Start empty; the first ``catch_up`` loads everything. ``gpu`` searches large collections."""
        self._index = VectorIndex(dim, gpu)
        self._generation = -1
        self._newest_seq = 0
        self._lock = Lock()  # held while the generation moves; never while searching

    def search(
        self, connection: sqlite3.Connection, collection: str, query: NDArray[np.float32], top_k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Search what is committed at this moment; see ``VectorIndex.search``."""
        self.catch_up(connection)
        return self._index.search(collection, query, top_k)

    def catch_up(self, connection: sqlite3.Connection) -> None:
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
                    self._remove_deleted(connection)
                    self._add_new(connection)
                    self._generation = generation
            except BaseException:
                # Half a load is no gallery: start over at the next search, and fail there in the same words.
                self._index.remove(self._index.ids())
                self._newest_seq, self._generation = 0, -1
                raise
            finally:
                connection.execute("ROLLBACK")

    def commit(self, connection: sqlite3.Connection, generation: int, apply: Callable[[VectorIndex], None]) -> None:
        """Commit the caller's transaction and let the index follow at once.

        Args:
            connection: the writing one, inside the transaction.
            generation: what the transaction makes it.
            apply: makes the same change to the index.
        """
        with self._lock:
            # Asked inside the transaction: afterwards another process may have added rows that are not in the index.
            newest = connection.execute("SELECT coalesce(max(seq), 0) FROM images").fetchone()[0]
            connection.execute("COMMIT")
            # Otherwise another process has written in between, and the next search compares the rows.
            if self._generation == generation - 1:
                apply(self._index)
                self._newest_seq = max(self._newest_seq, newest)
                self._generation = generation

    def _remove_deleted(self, connection: sqlite3.Connection) -> None:
        # A seq is never used twice, so what the database holds up to the newest known one is a subset of the index.
        left = connection.execute("SELECT count(*) FROM images WHERE seq <= ?", (self._newest_seq,)).fetchone()[0]
        if left != len(self._index):
            self._index.remove(np.setdiff1d(self._index.ids(), all_seqs(connection)))

    def _add_new(self, connection: sqlite3.Connection) -> None:
        newest = self._newest_seq
        counts = count_by_collection(connection, after_seq=newest)
        self._index.reserve(counts)
        for collection in counts:
            for seqs, _, vectors in read_embeddings(connection, collection, self._index.dim, after_seq=newest):
                self._index.add(collection, seqs, vectors)
                self._newest_seq = max(self._newest_seq, int(seqs[-1]))
