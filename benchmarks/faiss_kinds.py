"""Measures FAISS' other approximate indexes, which are not options of the gallery.

HNSW (Malkov & Yashunin 2016) needs as much memory as exact search and cannot delete. Product quantization (Jégou et al.
2011) needs little memory; its best candidates are ranked again by the exact vectors.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.clustered_gallery import Clusters
from core.gallery.vectors.faiss.flat import one_thread

_LINKS = 32
_EF_CONSTRUCTION = 200
_CODE_BYTES = 160
_SAMPLE_PER_LIST = 64
_REREAD = 100


@dataclass(frozen=True)
class _Exact:
    vectors: NDArray[np.float32]
    queries: NDArray[np.float32]
    top_k: int
    found: list[set[int]]
    seconds: float


def compare_kinds(
    clusters: Clusters, count: int, queries: NDArray[np.float32], top_k: int, kinds: Sequence[str]
) -> None:
    """Print recall and speed of every kind, compared with exact search in the same vectors.

    Args:
        clusters: source of the vectors.
        count: number of vectors; in memory once for exact search, and once more for ``hnsw``.
        queries: float32 [Q, D].
        top_k: K of recall@K.
        kinds: of ``hnsw`` and ``pq``.
    """
    vectors = np.empty((count, clusters.dim), np.float32)
    start = 0
    for chunk in clusters.chunks(count):
        vectors[start : start + len(chunk)] = chunk
        start += len(chunk)
    seconds, found = _search_all(lambda q: faiss.knn(q, vectors, top_k, metric=faiss.METRIC_INNER_PRODUCT)[1], queries)
    print(f"\n{count:,} vectors   exact {seconds * 1e3:.1f} ms of CPU time", flush=True)
    exact = _Exact(vectors, queries, top_k, found, seconds)
    if "pq" in kinds:
        _measure_pq(exact)
    if "hnsw" in kinds:
        _measure_hnsw(exact)


def _measure_hnsw(exact: _Exact) -> None:
    dim = exact.vectors.shape[1]
    index: Any = faiss.IndexHNSWFlat(dim, _LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = _EF_CONSTRUCTION
    _build(f"HNSW {_LINKS}", lambda: index.add(exact.vectors), dim * 4 + 2 * _LINKS * 4)
    for width in (64, 128, 256, 512):
        index.hnsw.efSearch = width
        _report(exact, f"efSearch {width}", lambda q: index.search(q, exact.top_k)[1])


def _measure_pq(exact: _Exact) -> None:
    count, dim = exact.vectors.shape
    lists = round(count**0.5)
    index: Any = faiss.index_factory(dim, f"IVF{lists},PQ{_CODE_BYTES}x8", faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1  # below 39, FAISS warns for every list and every part of the code

    def build() -> None:
        index.train(exact.vectors[: _SAMPLE_PER_LIST * lists])
        index.add(exact.vectors)

    _build(f"IVF{lists}, PQ{_CODE_BYTES}", build, _CODE_BYTES + 8)
    for probes in (16, 64):
        index.nprobe = probes
        _report(exact, f"nprobe {probes}", lambda q: index.search(q, exact.top_k)[1])

        def reread(query: NDArray[np.float32]) -> NDArray[np.int64]:
            numbers = index.search(query, _REREAD)[1][0]
            numbers = numbers[numbers >= 0]
            best = np.argsort(-(exact.vectors[numbers] @ query[0]))[: exact.top_k]
            return np.asarray(numbers[best][None])

        _report(exact, f"nprobe {probes}, {_REREAD} best reread", reread)


def _build(name: str, action: Callable[[], None], size: int) -> None:
    cpu, wall = time.process_time(), time.perf_counter()
    action()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{name}: built in {cpu:.0f} s of CPU time, {wall:.0f} s on the clock; {size:,} bytes per vector", flush=True)


def _report(exact: _Exact, name: str, search: Callable[[NDArray[np.float32]], NDArray[np.int64]]) -> None:
    seconds, found = _search_all(search, exact.queries)
    hits = sum(len(a & b) for a, b in zip(exact.found, found, strict=True))
    recall = hits / (exact.top_k * len(exact.queries))
    ratio = exact.seconds / seconds
    print(f"  {name}: recall@{exact.top_k} {recall:.3f}, {ratio:.1f} times as fast as exact ({seconds * 1e3:.2f} ms)")


def _search_all(
    search: Callable[[NDArray[np.float32]], NDArray[np.int64]], queries: NDArray[np.float32]
) -> tuple[float, list[set[int]]]:
    """Return the median CPU time of one search on this thread, and the results."""
    spent, found = list[float](), list[set[int]]()
    with one_thread():
        for query in queries:
            started = time.thread_time()
            numbers = search(query[None])
            spent.append(time.thread_time() - started)
            found.append(set(numbers[0].tolist()))
    return statistics.median(spent), found
