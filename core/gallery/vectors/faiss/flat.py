"""The vectors of one collection in memory, searched exactly, and the lock under which they change.

FAISS searches plain arrays here (``faiss.knn``) instead of an ``IndexFlatIP`` of its own: as fast, the same answers,
and removing a vector moves one row, where ``remove_ids`` rewrites them all (76 ms at 100,000 vectors).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

_FIRST_CAPACITY = 64

Found = tuple[NDArray[np.int64], NDArray[np.float32]]
"""ids int64 [K] and similarities float32 [K], descending."""


class Shard(Protocol):
    """Ids and unit vectors of one collection. The caller holds the lock: shared to read, exclusive to change."""

    @property
    def count(self) -> int:
        """How many there are."""

    def ids(self) -> NDArray[np.int64]:
        """All ids, in no order: a copy, int64 [N]."""

    def reserve(self, more: int) -> None:
        """Make room for so many more."""

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add vectors float32 [N, D] under new ids int64 [N]."""

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Remove vectors; ids that are not here are ignored."""

    def read(self, ids: NDArray[np.int64]) -> Found:
        """Read those of the ids that are here: int64 [M], and their vectors float32 [M, D]."""

    def search(self, query: NDArray[np.float32], top_k: int) -> Found:
        """Find the ``top_k`` most similar, fewer if there are fewer."""


class Rows:
    """Exact search over float32 rows, in arrays with room for more."""

    def __init__(self, dim: int) -> None:
        self.count = 0
        self.rearrangements = 0
        self.vectors = np.empty((0, dim), np.float32)
        self._ids = np.empty(0, np.int64)

    def ids(self) -> NDArray[np.int64]:
        """See ``Shard``."""
        return self._ids[: self.count].copy()

    def ids_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The ids in some rows."""
        return self._ids[rows]

    def reserve(self, more: int) -> None:
        """See ``Shard``."""
        needed = self.count + more
        if needed <= len(self._ids):
            return
        # Half as much again, so that adding one by one copies each row a few times only.
        capacity = max(needed, len(self._ids) * 3 // 2, _FIRST_CAPACITY)
        ids = np.empty(capacity, np.int64)
        ids[: self.count] = self._ids[: self.count]
        self._ids = ids
        self._reserve_vectors(capacity)

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """See ``Shard``."""
        self.reserve(len(ids))
        end = self.count + len(ids)
        self._ids[self.count : end] = ids
        self._append_vectors(vectors)
        self.count = end

    def remove(self, ids: NDArray[np.int64]) -> None:
        """See ``Shard``."""
        # From the back, so that the row that fills a gap is never itself one to be removed.
        for row in np.flatnonzero(np.isin(self._ids[: self.count], ids))[::-1]:
            last = self.count - 1
            self._ids[row] = self._ids[last]
            self._fill(int(row), last)
            self.count = last
            self.rearrangements += 1

    def read(self, ids: NDArray[np.int64]) -> Found:
        """See ``Shard``."""
        rows = np.flatnonzero(np.isin(self._ids[: self.count], ids))
        return self._ids[rows], self._read(rows)

    def search(self, query: NDArray[np.float32], top_k: int) -> Found:
        """See ``Shard``."""
        top_k = min(top_k, self.count)
        with one_thread():
            similarities, rows = self._search(query[None], top_k)
        return self._ids[rows[0]], similarities[0]

    def _reserve_vectors(self, capacity: int) -> None:
        vectors = np.empty((capacity, self.vectors.shape[1]), np.float32)
        vectors[: self.count] = self.vectors[: self.count]
        self.vectors = vectors

    def _append_vectors(self, vectors: NDArray[np.float32]) -> None:
        self.vectors[self.count : self.count + len(vectors)] = vectors

    def _fill(self, row: int, last: int) -> None:
        self.vectors[row] = self.vectors[last]

    def _read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.vectors[rows]

    def _search(self, queries: NDArray[np.float32], top_k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        vectors = self.vectors[: self.count]
        similarities, rows = faiss.knn(queries, vectors, top_k, metric=faiss.METRIC_INNER_PRODUCT)
        return similarities, rows


class HalfRows(Rows):
    """Exact search over float16 rows, which FAISS stores and searches: half the memory, and less to read."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self._dim = dim
        self._index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)

    def _reserve_vectors(self, capacity: int) -> None:
        # A vector of C++ keeps its room when it shrinks.
        self._index.codes.resize(capacity * self._dim * 2)
        self._index.codes.resize(self.count * self._dim * 2)

    def _append_vectors(self, vectors: NDArray[np.float32]) -> None:
        self._index.add(np.ascontiguousarray(vectors))

    def _fill(self, row: int, last: int) -> None:
        codes = self._codes()
        codes[row] = codes[last]
        self._index.codes.resize(last * self._dim * 2)
        self._index.ntotal = last

    def _read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._codes()[rows].astype(np.float32)

    def _search(self, queries: NDArray[np.float32], top_k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        similarities, rows = self._index.search(queries, top_k)
        return similarities, rows

    def _codes(self) -> NDArray[np.float16]:
        if not self._index.codes.size():
            return np.empty((0, self._dim), np.float16)
        codes = faiss.rev_swig_ptr(self._index.codes.data(), self._index.codes.size())
        return np.asarray(codes).view(np.float16).reshape(-1, self._dim)


class SharedLock:
    """A readers-writer lock. A waiting writer precedes new readers, so that searches cannot starve it."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._readers = 0
        self._writing = False
        self._waiting_writers = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold it beside other readers."""
        with self._changed:
            self._changed.wait_for(lambda: not self._writing and not self._waiting_writers)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold it alone."""
        with self._changed:
            self._waiting_writers += 1
            self._changed.wait_for(lambda: not self._writing and not self._readers)
            self._waiting_writers -= 1
            self._writing = True
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()


@contextmanager
def one_thread() -> Iterator[None]:
    """Search on the calling thread alone: for one query more OpenMP threads are 2 to 8 times slower on a busy machine.

    The setting belongs to the calling thread, so other users of OpenMP are not affected.
    """
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
