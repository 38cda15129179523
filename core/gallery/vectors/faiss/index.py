"""Nearest neighbours among the embeddings of each collection, in memory. It knows ids and vectors only."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from threading import Event, Lock, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidRequest
from core.gallery.vectors.faiss.flat import Found, HalfRows, Rows, Shard, SharedLock
from core.gallery.vectors.faiss.gpu import MAX_TOP_K, GpuSearch
from core.gallery.vectors.faiss.ivf import (
    IvfShard,
    Partition,
    PartitionCache,
    assign,
    nlist_for,
    sample_size,
    train_centroids,
)

# Below, the CPU takes less than two milliseconds.
_GPU_FROM = 10_000
_ROWS_AT_ONCE = 16_384

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FaissOptions:
    """What ``vector_index_options`` may hold of FAISS.

    Attributes:
        precision: ``float32``, or ``float16``: half the memory.
        approximate: ``ivf``: large collections are searched in part; empty: never.
        approximate_from: vectors that make a collection large.
        probes: how many of a collection's lists, of which it has as many as the square root of its vectors, are read.
    """

    precision: str = "float32"
    approximate: str = ""
    approximate_from: int = 200_000
    probes: int = 64

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.precision not in ("float32", "float16"):
            raise InvalidRequest(
                f"unknown precision of the FAISS index: {self.precision!r:.80}; give float32 or float16"
            )
        if self.approximate not in ("", "ivf"):
            raise InvalidRequest(f"unknown approximate index: {self.approximate!r:.80}; known: ivf")
        for name in ("approximate_from", "probes"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InvalidRequest(f"invalid option {name} of the FAISS index: {value!r:.80}; give a number >= 1")


def read_faiss_options(options: Mapping[str, Any]) -> FaissOptions:
    """Check the options.

    Raises:
        InvalidRequest: one is unknown or out of range.
    """
    known = [field.name for field in fields(FaissOptions)]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise InvalidRequest(f"unknown options of the FAISS index: {', '.join(unknown)}; known: {', '.join(known)}")
    return FaissOptions(**options)


class VectorIndex:
    """Ids and unit vectors by collection. Any number of threads may search at once; a change runs alone."""

    def __init__(
        self,
        dim: int,
        gpu: GpuSearch | None = None,
        gpu_from: int = _GPU_FROM,
        options: FaissOptions | None = None,
        cache: PartitionCache | None = None,
    ) -> None:
        """Create an index without vectors.

        Args:
            dim: D, of every vector.
            gpu: searches collections of ``gpu_from`` float32 vectors or more exactly; given up when it fails once.
            gpu_from: as guessed from the CPU's times.
            options: exact in float32 where nothing else is said.
            cache: where partitions of large collections are kept.
        """
        self.dim = dim
        self._gpu = gpu
        self._gpu_from = gpu_from
        self._options = options or FaissOptions()
        self._cache = cache
        self._shards: dict[str, Shard] = {}
        self._lock = SharedLock()
        self._closing = Event()
        self._learning: Thread | None = None
        self._learning_lock = Lock()

    def __len__(self) -> int:
        with self._lock.shared():
            return sum(shard.count for shard in self._shards.values())

    def ids(self) -> dict[str, NDArray[np.int64]]:
        """Return the ids of each collection, in no order: int64 [N]."""
        with self._lock.shared():
            return {collection: shard.ids() for collection, shard in self._shards.items()}

    def reserve(self, collection: str, count: int, ids: Callable[[], NDArray[np.int64]]) -> None:
        """Reserve memory for more vectors of a collection at once.

        Args:
            collection: of them.
            count: how many more.
            ids: gives theirs, int64 [N]; asked of a collection that holds nothing yet, where lists are kept of one.
        """
        with self._lock.exclusive():
            self._shard(collection, ids).reserve(count)

    def add(self, collection: str, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add vectors.

        Args:
            collection: to search them under.
            ids: int64 [N], new ones.
            vectors: float32 [N, D], each row of L2 norm 1.
        """
        with self._lock.exclusive():
            self._shard(collection, lambda: ids).add(ids, vectors)

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Remove vectors by id; ids that are not here are ignored."""
        with self._lock.exclusive():
            for collection, shard in list(self._shards.items()):
                count = shard.count
                shard.remove(ids)
                if count and not shard.count:
                    del self._shards[collection]
                    self._forget(collection)

    def rename(self, collection: str, new_name: str) -> None:
        """Give a collection another name, under which there is nothing yet."""
        with self._lock.exclusive():
            shard = self._shards.pop(collection, None)
            if shard is not None:
                self._shards[new_name] = shard
                self._forget(collection)
                if isinstance(shard, IvfShard):
                    shard.has_changed = True  # so that it is kept under its new name

    def clear(self) -> None:
        """Remove all vectors."""
        with self._lock.exclusive():
            self._shards.clear()

    def search(self, collection: str, query: NDArray[np.float32], top_k: int) -> Found:
        """Find the vectors most similar to ``query``.

        Args:
            collection: where to look; an unknown one holds nothing.
            query: float32 [D], L2 norm 1.
            top_k: at most so many, >= 1.

        Returns:
            ids int64 [K] and similarities float32 [K], descending.
        """
        with self._lock.shared():
            shard = self._shards.get(collection)
            if shard is None or shard.count == 0:
                return np.empty(0, np.int64), np.empty(0, np.float32)
            return self._search_on_gpu(shard, query, min(top_k, shard.count)) or shard.search(query, top_k)

    def improve(self) -> None:
        """Partition a collection that has become large, in the background, unless that is running already."""
        if not self._options.approximate or not self._learning_lock.acquire(blocking=False):
            return
        try:
            if self._learning is not None and self._learning.is_alive():
                return
            with self._lock.shared():
                large = [
                    shard
                    for shard in self._shards.values()
                    if shard.count >= self._options.approximate_from
                    and (not isinstance(shard, IvfShard) or shard.is_mistaken)
                ]
            if large and not self._closing.is_set():
                self._learning = Thread(target=self._partition, args=(large[0],), name="vector-index", daemon=True)
                self._learning.start()
        finally:
            self._learning_lock.release()

    def close(self) -> None:
        """End the background work and write trained lists to the cache; closing twice is fine."""
        if self._closing.is_set():
            return
        self._closing.set()
        if self._learning is not None:
            self._learning.join()
        with self._lock.shared():
            learned = {name: shard for name, shard in self._shards.items() if isinstance(shard, IvfShard)}
            for name, shard in learned.items():
                if self._cache is not None and shard.has_changed:
                    self._cache.write(name, shard.partition())

    def _partition(self, rows: Shard) -> None:
        with self._lock.shared():
            ids = np.sort(rows.ids())
        drawn = np.random.default_rng(len(ids)).choice(ids, sample_size(len(ids)), replace=False)
        centroids = train_centroids(self._read(rows, drawn)[1], nlist_for(len(ids)), self._closing.is_set)
        lists, similarities = np.empty(len(ids), np.int64), np.empty(len(ids), np.float32)
        chunks = [slice(start, start + _ROWS_AT_ONCE) for start in range(0, len(ids), _ROWS_AT_ONCE)]
        known = np.zeros(len(ids), bool)
        for chunk in chunks:
            held, vectors = self._read(rows, ids[chunk])
            places = np.searchsorted(ids, held)
            lists[places], similarities[places] = assign(centroids, vectors)
            known[places] = True
            if self._closing.is_set():
                return
        shard = self._new_ivf(Partition(centroids, ids[known], lists[known], similarities[known]))
        for chunk in chunks:
            shard.add(*self._read(rows, ids[chunk]))
            if self._closing.is_set():
                return
        with self._lock.exclusive():
            name = next((name for name, held in self._shards.items() if held is rows), None)
            if name is None:  # deleted, or created again
                return
            current, taken = rows.ids(), shard.ids()
            shard.remove(np.setdiff1d(taken, current))
            shard.add(*rows.read(np.setdiff1d(current, taken)))
            self._shards[name] = shard
        logger.info("collection %r is searched in %d of %d lists", name, self._options.probes, len(centroids))
        if self._cache is not None:
            with self._lock.shared():
                partition, shard.has_changed = shard.partition(), False
            self._cache.write(name, partition)

    def _read(self, rows: Shard, ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        with self._lock.shared():
            return rows.read(ids)

    def _search_on_gpu(self, shard: Shard, query: NDArray[np.float32], top_k: int) -> Found | None:
        gpu = self._gpu
        # float16 was chosen to save memory, approximate search for speed: neither wants a copy on the GPU.
        if gpu is None or type(shard) is not Rows or shard.count < self._gpu_from or top_k > MAX_TOP_K:
            return None
        try:
            similarities, numbers = gpu.search(shard, query, top_k)
        except RuntimeError:
            logger.warning("searching on the GPU failed; searching on the CPU from now on", exc_info=True)
            self._gpu = None
            return None
        return shard.ids_of(numbers[0]), similarities[0]

    def _forget(self, collection: str) -> None:
        if self._cache is not None:
            self._cache.drop(collection)

    def _shard(self, collection: str, ids: Callable[[], NDArray[np.int64]]) -> Shard:
        shard = self._shards.get(collection)
        if shard is None:
            partition = self._cache.read(collection) if self._cache and self._options.approximate else None
            if partition is not None and partition.fits(ids()):
                shard = self._new_ivf(partition)
            else:
                shard = HalfRows(self.dim) if self._options.precision == "float16" else Rows(self.dim)
            self._shards[collection] = shard
        return shard

    def _new_ivf(self, partition: Partition) -> IvfShard:
        return IvfShard(partition, self._options.probes, half=self._options.precision == "float16")
