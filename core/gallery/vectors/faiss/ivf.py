"""Approximate search: vectors in inverted lists around centroids, of which a search reads the nearest (FAISS' IVF).

The vectors of the lists that are read are compared exactly. So similarities are exact, and only the last results of an
answer may be missing. Centroids and the list of each image are trained in the background and kept as a cache file
beside the gallery: assigning a million vectors takes a minute, reading their lists takes no time.

Nothing depends on the file. Without it, everything is trained again. After a restore, the same ids may belong to other
images; so a list from the file is used only if the vector is as near to its centroid as the file says.
"""

import hashlib
import logging
import math
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import faiss
import numpy as np
from numpy.typing import NDArray

from core.gallery.vectors.faiss.flat import Found, one_thread

_SAMPLE_PER_LIST = 40
_ROUNDS = 8
_OUTGROWN = 4
_SAME_SIMILARITY = 1e-3  # float16 changes the similarity of two unit vectors by half of this at most

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """The inverted lists of a collection.

    Attributes:
        centroids: float32 [L, D].
        ids: int64 [N], sorted: the images whose list is known.
        lists: int64 [N], theirs.
        similarities: float32 [N], theirs to the centroids of their lists.
    """

    centroids: NDArray[np.float32]
    ids: NDArray[np.int64]
    lists: NDArray[np.int64]
    similarities: NDArray[np.float32]

    def fits(self, ids: NDArray[np.int64]) -> bool:
        """Whether it was made from these images, int64 [N]. Another collection of the same name has none of them."""
        return 2 * np.isin(self.ids, ids).sum() > len(self.ids) and not self.is_outgrown(len(ids))

    def is_outgrown(self, count: int) -> bool:
        """Whether ``count`` vectors need more lists than these."""
        return count > _OUTGROWN * len(self.centroids) ** 2


class IvfShard:
    """See ``core.gallery.vectors.faiss.flat.Shard``.

    Attributes:
        has_changed: whether it holds other vectors than the partition that it was made of.
    """

    def __init__(self, partition: Partition, nprobe: int, *, half: bool) -> None:
        """Create the lists without vectors.

        Args:
            partition: whose lists are used.
            nprobe: lists read by each search.
            half: keep float16 instead of float32.
        """
        nlist, dim = partition.centroids.shape
        self.has_changed = False
        self._nprobe = min(nlist, nprobe)
        self._centroids = partition.centroids
        self._known, self._mistaken = partition, 0
        self._quantizer = faiss.IndexFlatIP(dim)
        self._quantizer.add(partition.centroids)
        self._number = np.float16 if half else np.float32
        self._index: Any  # FAISS' stubs leave out half of it
        if half:
            kind = faiss.ScalarQuantizer.QT_fp16
            self._index = faiss.IndexIVFScalarQuantizer(
                self._quantizer, dim, nlist, kind, faiss.METRIC_INNER_PRODUCT, False
            )
            self._index.train(partition.centroids)  # float16 has nothing to learn, but FAISS asks for it
        else:
            self._index = faiss.IndexIVFFlat(self._quantizer, dim, nlist, faiss.METRIC_INNER_PRODUCT)
        self._index.set_direct_map_type(faiss.DirectMap.Hashtable)  # type: ignore[attr-defined]
        # FAISS doubles a list that is full; with room for what is known, little is copied or left over.
        for number, size in enumerate(np.bincount(partition.lists, minlength=nlist).tolist()):
            self._index.invlists.resize(number, size)
            self._index.invlists.resize(number, 0)

    @property
    def count(self) -> int:
        """See ``Shard``."""
        return int(self._index.ntotal)

    @property
    def is_mistaken(self) -> bool:
        """Whether most of the partition was made from other vectors."""
        return 2 * self._mistaken > len(self._known.ids)

    def ids(self) -> NDArray[np.int64]:
        """See ``Shard``."""
        lists = self._index.invlists
        held = [
            faiss.rev_swig_ptr(lists.get_ids(number), size).copy() if size else np.empty(0, np.int64)
            for number, size in enumerate(self._sizes())
        ]
        return np.concatenate(held).astype(np.int64, copy=False)

    def partition(self) -> Partition:
        """Return the list of every vector now."""
        sizes, ids = self._sizes(), self.ids()
        similarities = np.concatenate([self._similarities(number, size) for number, size in enumerate(sizes)])
        lists, order = np.repeat(np.arange(len(sizes)), sizes), np.argsort(ids)
        return Partition(self._centroids, ids[order], lists[order], similarities[order])

    def reserve(self, more: int) -> None:
        """See ``Shard``; the lists grow by themselves."""

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """See ``Shard``."""
        with one_thread():
            lists = self._lists_of(ids, vectors)
            vectors, ids = np.ascontiguousarray(vectors), np.ascontiguousarray(ids)
            pointers = faiss.swig_ptr(vectors), faiss.swig_ptr(ids), faiss.swig_ptr(lists)
            self._index.add_core(len(ids), *pointers)

    def remove(self, ids: NDArray[np.int64]) -> None:
        """See ``Shard``."""
        if len(ids) and self._index.remove_ids(faiss.IDSelectorArray(np.ascontiguousarray(ids))):
            self.has_changed = True

    def read(self, ids: NDArray[np.int64]) -> Found:
        """See ``Shard``."""
        held = np.unique(ids[np.isin(ids, self.ids())])
        if not len(held):
            return held, np.empty((0, self._centroids.shape[1]), np.float32)
        with one_thread():
            return held, self._index.reconstruct_batch(held)

    def search(self, query: NDArray[np.float32], top_k: int) -> Found:
        """See ``Shard``; if the nearest lists hold too few vectors, all lists are searched."""
        with one_thread():
            similarities, ids = self._search(query, top_k, self._nprobe)
            if len(ids) < min(top_k, self.count):
                similarities, ids = self._search(query, top_k, len(self._centroids))
        return ids, similarities

    def _search(
        self, query: NDArray[np.float32], top_k: int, nprobe: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        parameters = faiss.SearchParametersIVF(nprobe=nprobe)  # type: ignore[call-arg]
        similarities, ids = self._index.search(query[None], min(top_k, self.count), params=parameters)
        found = ids[0] >= 0
        return similarities[0][found], ids[0][found]

    def _lists_of(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        known, lists = self._known, np.empty(len(ids), np.int64)
        places = np.searchsorted(known.ids, ids)
        is_known = places < len(known.ids)
        is_known[is_known] = known.ids[places[is_known]] == ids[is_known]
        places = places[is_known]
        lists[is_known] = known.lists[places]
        similarities = np.einsum("nd,nd->n", vectors[is_known], self._centroids[known.lists[places]])
        is_same = np.abs(similarities - known.similarities[places]) < _SAME_SIMILARITY
        self._mistaken += int(np.count_nonzero(~is_same))
        is_known[is_known] = is_same
        if not is_known.all():
            self.has_changed = True
            lists[~is_known], _ = assign(self._centroids, vectors[~is_known])
        return lists

    def _sizes(self) -> list[int]:
        return [self._index.invlists.list_size(number) for number in range(len(self._centroids))]

    def _similarities(self, number: int, size: int) -> NDArray[np.float32]:
        """How near the vectors of one list are to its centroid."""
        if not size:
            return np.empty(0, np.float32)
        codes = faiss.rev_swig_ptr(self._index.invlists.get_codes(number), size * self._index.code_size)
        vectors = np.asarray(codes).view(self._number).reshape(size, -1)
        similarities: NDArray[np.float32] = vectors.astype(np.float32, copy=False) @ self._centroids[number]
        return similarities


def train_centroids(
    sample: NDArray[np.float32], count: int, is_over: Callable[[], bool] = lambda: False
) -> NDArray[np.float32]:
    """Find centroids of unit vectors by spherical k-means, on the calling thread.

    Args:
        sample: float32 [N, D].
        count: L, of the centroids.
        is_over: asked between the rounds, each of which takes seconds for a million vectors; ends them early.

    Returns:
        float32 [L, D].
    """
    centroids = _one_round(sample, count, None)
    for _ in range(_ROUNDS - 1):
        if is_over():
            break
        centroids = _one_round(sample, count, centroids)
    return centroids


def _one_round(sample: NDArray[np.float32], count: int, centroids: NDArray[np.float32] | None) -> NDArray[np.float32]:
    with one_thread():
        kmeans = faiss.Kmeans(
            sample.shape[1],
            count,
            niter=1,
            spherical=True,
            seed=1,
            min_points_per_centroid=1,
            max_points_per_centroid=len(sample),
        )
        kmeans.train(sample, init_centroids=centroids)
    return np.array(kmeans.centroids, np.float32)


def nlist_for(count: int) -> int:
    """Return the number of lists for ``count`` vectors, so that reading some costs about as much as choosing them."""
    return max(1, round(math.sqrt(count)))


def sample_size(count: int) -> int:
    """Return how many of ``count`` vectors are enough to train their centroids."""
    return min(count, nlist_for(count) * _SAMPLE_PER_LIST)


def assign(
    centroids: NDArray[np.float32], vectors: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the nearest of centroids float32 [L, D] for each of vectors float32 [N, D].

    Returns:
        Their numbers int64 [N], and the similarities to them float32 [N].
    """
    with one_thread():
        similarities, lists = faiss.knn(np.ascontiguousarray(vectors), centroids, 1, metric=faiss.METRIC_INNER_PRODUCT)
    return lists[:, 0].copy(), similarities[:, 0].copy()


class PartitionCache:
    """Partitions by collection, in files that may be deleted at any time."""

    def __init__(self, folder: Path, encoder: str) -> None:
        """Set the folder, which is created when needed, and the encoder that made the vectors."""
        self._folder = folder
        self._encoder = encoder

    def read(self, collection: str) -> Partition | None:
        """Read the partition of a collection; None if there is none, or it is another encoder's."""
        try:
            with np.load(self._path(collection), allow_pickle=False) as file:
                if str(file["encoder"]) != self._encoder:
                    return None
                lists = file["lists"].astype(np.int64)
                return Partition(file["centres"], file["ids"], lists, file["similarities"])
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as exc:
            logger.warning("the cache of the vector index is of no use, it is made again: %s", exc)
            return None

    def write(self, collection: str, partition: Partition) -> None:
        """Write the partition of a collection; on a full or read-only disk, log a warning."""
        path = self._path(collection)
        following = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with following.open("wb") as file:
                np.savez(
                    file,
                    encoder=np.array(self._encoder),
                    centres=partition.centroids,
                    ids=partition.ids,
                    lists=partition.lists.astype(np.int32),
                    similarities=partition.similarities,
                )
            following.replace(path)
        except OSError as exc:
            following.unlink(missing_ok=True)
            logger.warning("the vector index is not kept, and is made again at the next start: %s", exc)

    def drop(self, collection: str) -> None:
        """Delete the partition of a collection. If the file stays, its ids and similarities fit no other collection."""
        with suppress(OSError):
            self._path(collection).unlink(missing_ok=True)

    def _path(self, collection: str) -> Path:
        return self._folder / f"{hashlib.sha256(collection.encode()).hexdigest()[:32]}.npz"
