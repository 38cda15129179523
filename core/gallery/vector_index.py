"""Exact nearest neighbours among the embeddings of each collection, in memory. Knows nothing of images.

FAISS searches plain arrays here (``faiss.knn``) instead of an ``IndexFlatIP`` of its own: as fast, the same answers,
and removing a vector moves one row, where ``remove_ids`` rewrites them all (76 ms at 100,000 vectors).
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Condition

import faiss
import numpy as np
from numpy.typing import NDArray

from core.gallery.gpu_search import MAX_TOP_K, GpuSearch

_FIRST_CAPACITY = 64
# Below, the CPU takes less than two milliseconds.
_GPU_FROM = 10_000

_log = logging.getLogger(__name__)


class VectorIndex:
    """Ids and unit vectors by collection. Any number of threads may search; changes wait for them and go alone."""

    def __init__(self, dim: int, gpu: GpuSearch | None = None, gpu_from: int = _GPU_FROM) -> None:
        """Start empty.

        Args:
            dim: D, of every vector.
            gpu: searches collections of ``gpu_from`` vectors or more; given up when it fails once.
            gpu_from: as guessed from the CPU's times.
        """
        self.dim = dim
        self._gpu = gpu
        self._gpu_from = gpu_from
        self._shards: dict[str, _Shard] = {}
        self._lock = _SharedLock()

    def __len__(self) -> int:
        with self._lock.shared():
            return sum(shard.count for shard in self._shards.values())

    def ids(self) -> dict[str, NDArray[np.int64]]:
        """Return the ids of each collection, in no order: int64 [N]."""
        with self._lock.shared():
            return {collection: shard.ids[: shard.count].copy() for collection, shard in self._shards.items()}

    def reserve(self, counts: Mapping[str, int]) -> None:
        """Make room for so many more vectors per collection, to be spared from growing step by step."""
        with self._lock.exclusive():
            for collection, count in counts.items():
                self._shard(collection).reserve(count)

    def add(self, collection: str, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add vectors.

        Args:
            collection: to search them under.
            ids: int64 [N], new ones.
            vectors: float32 [N, D], each row of L2 norm 1.
        """
        with self._lock.exclusive():
            shard = self._shard(collection)
            shard.reserve(len(ids))
            end = shard.count + len(ids)
            shard.ids[shard.count : end] = ids
            shard.vectors[shard.count : end] = vectors
            shard.count = end

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Remove vectors by id; ids that are not here are ignored."""
        with self._lock.exclusive():
            for collection, shard in list(self._shards.items()):
                # From the back, so that the row that fills a gap is never itself one to be removed.
                for row in np.flatnonzero(np.isin(shard.ids[: shard.count], ids))[::-1]:
                    shard.count -= 1
                    shard.ids[row] = shard.ids[shard.count]
                    shard.vectors[row] = shard.vectors[shard.count]
                    shard.rearrangements += 1
                if shard.count == 0:
                    del self._shards[collection]

    def rename(self, collection: str, new_name: str) -> None:
        """Search a collection under another name, which holds nothing yet."""
        with self._lock.exclusive():
            shard = self._shards.pop(collection, None)
            if shard is not None:
                self._shards[new_name] = shard

    def clear(self) -> None:
        """Forget everything."""
        with self._lock.exclusive():
            self._shards.clear()

    def search(
        self, collection: str, query: NDArray[np.float32], top_k: int, among: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the vectors most similar to ``query``.

        Args:
            collection: where to look; an unknown one holds nothing.
            query: float32 [D], L2 norm 1.
            top_k: at most so many, >= 1.
            among: int64 [N], only these ids; None for all.

        Returns:
            ids int64 [K] and similarities float32 [K], descending.
        """
        with self._lock.shared():
            shard = self._shards.get(collection)
            if shard is None or shard.count == 0:
                return np.empty(0, np.int64), np.empty(0, np.float32)
            if among is not None:
                return _search_among(shard, among, query, top_k)
            top_k = min(top_k, shard.count)
            found = self._search_on_gpu(shard, query, top_k) or _search_on_cpu(shard, query, top_k)
            similarities, rows = found
            return shard.ids[rows[0]], similarities[0]

    def _search_on_gpu(
        self, shard: "_Shard", query: NDArray[np.float32], top_k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
        gpu = self._gpu
        if gpu is None or shard.count < self._gpu_from or top_k > MAX_TOP_K:
            return None
        try:
            return gpu.search(shard, query, top_k)
        except RuntimeError:
            _log.warning("searching on the GPU failed; searching on the CPU from now on", exc_info=True)
            self._gpu = None
            return None

    def _shard(self, collection: str) -> "_Shard":
        return self._shards.setdefault(collection, _Shard(self.dim))


class _Shard:
    """The vectors of one collection: rows [0, count) of arrays that have room for more."""

    def __init__(self, dim: int) -> None:
        self.count = 0
        self.rearrangements = 0
        self.ids = np.empty(0, np.int64)
        self.vectors = np.empty((0, dim), np.float32)

    def reserve(self, more: int) -> None:
        needed = self.count + more
        if needed <= len(self.ids):
            return
        # Half as much again, so that adding one by one copies each row a few times only.
        capacity = max(needed, len(self.ids) * 3 // 2, _FIRST_CAPACITY)
        ids, vectors = np.empty(capacity, np.int64), np.empty((capacity, self.vectors.shape[1]), np.float32)
        ids[: self.count], vectors[: self.count] = self.ids[: self.count], self.vectors[: self.count]
        self.ids, self.vectors = ids, vectors


def _search_on_cpu(
    shard: _Shard, query: NDArray[np.float32], top_k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    with _one_thread():
        similarities, rows = faiss.knn(
            query[None], shard.vectors[: shard.count], top_k, metric=faiss.METRIC_INNER_PRODUCT
        )
    return similarities, rows


def _search_among(
    shard: _Shard, among: NDArray[np.int64], query: NDArray[np.float32], top_k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    rows = np.flatnonzero(np.isin(shard.ids[: shard.count], among))
    similarities = shard.vectors[rows] @ query
    best = np.argsort(-similarities, kind="stable")[:top_k]
    return shard.ids[rows[best]], similarities[best]


class _SharedLock:
    """Many readers or one writer; a waiting writer goes before new readers, so that searches cannot starve it."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._readers = 0
        self._writing = False
        self._waiting_writers = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
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
def _one_thread() -> Iterator[None]:
    """Search on the calling thread alone: for one query more OpenMP threads are 2 to 8 times slower on a busy machine.

    The setting belongs to the calling thread, so other users of OpenMP are not affected.
    """
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
