"""Times large vector indexes against their bars; the exit status is 1 if one is missed.

    python -m benchmarks.vector_index --images 1000000 --folder /some/disk        # about 6 GB there, 12 GB of memory
    python -m benchmarks.vector_index --parts milvus                              # the server of the package `milvus`

Vectors are in clusters, like those of photos. FAISS searches run on one thread and are timed in its CPU time, which
other load does not change; with Milvus, both ways alternate.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.bars import Bar, compare
from benchmarks.clustered_gallery import COLLECTION, Clusters, fingerprint, write_gallery
from benchmarks.faiss_kinds import compare_kinds
from core.gallery import Gallery, NewImage, Storage
from core.gallery.vectors.faiss.flat import one_thread
from core.gallery.vectors.milvus import outbox
from core.gallery.vectors.milvus.connection import INDEXES

_BARS: tuple[Bar, ...] = (
    ("exact", "search / bare FAISS", "<=", 1.1),
    ("exact", "open, CPU s", "<=", 30),
    ("exact", "added seen, deleted unseen", ">=", 1),
    ("float16", "recall@10", ">=", 0.98),
    ("ivf", "recall@10", ">=", 0.98),
    ("ivf", "times as fast as exact", ">=", 5),
    ("ivf", "open, CPU s", "<=", 30),
    ("ivf", "added seen, deleted unseen", ">=", 1),
    ("milvus", "search / bare pymilvus", "<=", 1.2),
    ("milvus", "recall@10", ">=", 0.98),
)
_TOP_K = 10
_INDEXING_S = 900

Figures = dict[str, dict[str, float]]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the chosen parts and print the bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000, help="in memory")
    parser.add_argument("--compared", type=int, default=200_000, help="vectors for FAISS' other kinds, slow to build")
    parser.add_argument("--kinds", nargs="+", choices=["hnsw", "pq"], default=["hnsw", "pq"])
    parser.add_argument("--milvus-images", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=1280)
    parser.add_argument("--places", type=int, default=20_000, help="around which the vectors lie")
    parser.add_argument("--probes", type=int, default=64, help="of ivf: lists read; a sixteenth of them at a million")
    parser.add_argument("--queries", type=int, default=30)
    parser.add_argument("--parts", nargs="+", default=["exact", "float16", "ivf", "others", "milvus"])
    parser.add_argument("--milvus", help="uri of a server, for the part `milvus`; without it one is started")
    parser.add_argument("--folder", type=Path, help="where to make the temporary galleries")
    parser.add_argument("--gallery", type=Path, help="one of an earlier run, of as many images")
    options = parser.parse_args(argv)

    clusters = Clusters(options.dim, options.places)
    queries = clusters.draw(options.queries, 7)
    figures: Figures = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = options.gallery or Path(temporary) / "large"
        if not folder.exists() and {"exact", "float16", "ivf"} & set(options.parts):
            write_gallery(folder, clusters, options.images)
        truth: list[set[int]] = []
        if {"exact", "float16", "ivf"} & set(options.parts):
            figures["exact"], truth = _measure_exact(folder, queries, clusters)
        if "float16" in options.parts:
            figures["float16"] = _measure_option(folder, queries, clusters, truth, {"precision": "float16"}, figures)
        if "ivf" in options.parts:
            ivf = {
                "precision": "float16",
                "approximate": "ivf",
                "approximate_from": options.images // 2,
                "probes": options.probes,
            }
            _learn(folder, clusters, ivf)
            figures["ivf"] = _measure_option(folder, queries, clusters, truth, ivf, figures)
        if "others" in options.parts:
            compare_kinds(clusters, options.compared, queries, _TOP_K, options.kinds)
        if "milvus" in options.parts:
            write_gallery(Path(temporary) / "milvus", clusters, options.milvus_images)
            with _milvus(options.milvus) as uri:
                figures["milvus"] = _measure_milvus(Path(temporary) / "milvus", uri, queries, clusters)
    return compare(figures, _BARS)


def _measure_exact(
    folder: Path, queries: NDArray[np.float32], clusters: Clusters
) -> tuple[dict[str, float], list[set[int]]]:
    """Time exact search and ``faiss.knn`` on the same array, in turn; return also the true results for the others."""
    opened_s, gallery = _open(folder, clusters, {})
    with gallery:
        rows: Any = gallery._vectors._index._shards[COLLECTION]  # type: ignore[attr-defined]
        bare_s, ours_s, truth = list[float](), list[float](), list[set[int]]()

        def bare(query: NDArray[np.float32]) -> NDArray[np.int64]:
            with one_thread():
                _, numbers = faiss.knn(
                    query[None], rows.vectors[: rows.count], _TOP_K, metric=faiss.METRIC_INNER_PRODUCT
                )
            return np.asarray(rows.ids_of(numbers[0]))

        for query in queries:
            spent, found = _cpu_s(lambda query=query: bare(query))
            bare_s.append(spent)
            truth.append(set(found.tolist()))
            ours_s.append(_cpu_s(lambda query=query: gallery.search(query, COLLECTION, _TOP_K))[0])
        ours, theirs = statistics.median(ours_s), statistics.median(bare_s)
        print(f"exact      bare {theirs * 1e3:7.1f} ms, through the gallery {ours * 1e3:7.1f} ms of CPU time")
        seen = _changes_are_seen(gallery, clusters)
    return {
        "search / bare FAISS": ours / theirs,
        "open, CPU s": opened_s,
        "added seen, deleted unseen": seen,
        "s": ours,
    }, truth


def _measure_option(
    folder: Path,
    queries: NDArray[np.float32],
    clusters: Clusters,
    truth: Sequence[set[int]],
    options: dict[str, Any],
    figures: Figures,
) -> dict[str, float]:
    opened_s, gallery = _open(folder, clusters, options)
    with gallery:
        spent, hits = list[float](), 0
        for query, expected in zip(queries, truth, strict=True):
            seconds, found = _cpu_s(lambda query=query: gallery.search(query, COLLECTION, _TOP_K))
            spent.append(seconds)
            hits += len(expected & {int(candidate.image.image_id, 16) for candidate in found})
        seen = _changes_are_seen(gallery, clusters)
    median = statistics.median(spent)
    print(f"{options}: {median * 1e3:.1f} ms of CPU time")
    return {
        "recall@10": hits / (_TOP_K * len(queries)),
        "times as fast as exact": figures["exact"]["s"] / median,
        "open, CPU s": opened_s,
        "added seen, deleted unseen": seen,
    }


def _learn(folder: Path, clusters: Clusters, options: dict[str, Any]) -> None:
    """Open the gallery once, to train and store the lists."""
    with Gallery.open(folder, fingerprint(clusters.dim), storage=Storage(vector_index_options=options)) as gallery:
        learning = gallery._vectors._index._learning  # type: ignore[attr-defined]
        started, cpu = time.perf_counter(), time.process_time()
        if learning is not None:
            learning.join()
        wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        print(f"ivf        lists learned in the background: {cpu_s:.0f} s of CPU time, {wall_s:.0f} s on the clock")


def _open(folder: Path, clusters: Clusters, options: dict[str, Any]) -> tuple[float, Gallery]:
    started, cpu = time.perf_counter(), time.process_time()
    gallery = Gallery.open(folder, fingerprint(clusters.dim), storage=Storage(vector_index_options=options))
    gallery.search(clusters.draw(1, 1)[0], COLLECTION, 1)
    cpu_s = time.process_time() - cpu
    print(f"opened     {options}: {cpu_s:.1f} s of CPU time, {time.perf_counter() - started:.1f} s on the clock")
    return cpu_s, gallery


def _changes_are_seen(gallery: Gallery, clusters: Clusters) -> float:
    """Return 1 if an added image is the next search's best result, and is not found after its deletion; else 0."""
    vector = clusters.draw(1, time.time_ns() % 2**31)[0]
    data = uuid4().bytes
    new = NewImage(data, "new.jpg", "image/jpeg", 4, 3, b"\xff\xd8" + data + b"\xff\xd9", vector, collection=COLLECTION)
    image_id = gallery.add([new])[0].image.image_id
    seen = gallery.search(vector, COLLECTION, 1)[0].image.image_id == image_id
    gallery.delete(image_id)
    unseen = image_id not in {candidate.image.image_id for candidate in gallery.search(vector, COLLECTION, 50)}
    return float(seen and unseen)


@contextmanager
def _milvus(uri: str | None) -> Iterator[str]:
    """Yield the given server's URI, or that of a server that is started here."""
    if uri:
        yield uri
        return
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from servers.milvus import MilvusServer

    with MilvusServer() as server:
        yield server.uri


def _measure_milvus(folder: Path, uri: str, queries: NDArray[np.float32], clusters: Clusters) -> dict[str, float]:
    """Time the gallery and a plain pymilvus client in turn, on the same collection with the same parameters."""
    from pymilvus import MilvusClient

    with Gallery.open(folder, fingerprint(clusters.dim)) as exact:
        truth = [
            {candidate.image.image_id for candidate in exact.search(query, COLLECTION, _TOP_K)} for query in queries
        ]
    name, width = f"benchmark_{uuid4().hex[:8]}", 128
    options = {"uri": uri, "collection": name, "search_width": width, "timeout_s": 30.0}
    client = MilvusClient(uri, dedicated=True)
    try:
        started = time.perf_counter()
        with Gallery.open(
            folder, fingerprint(clusters.dim), storage=Storage(vector_index="milvus", vector_index_options=options)
        ) as gallery:
            _wait_until_settled(gallery)
            client.flush(name)
            for _ in range(_INDEXING_S):
                if not client.describe_index(name, "vector").get("pending_index_rows", 0):
                    break
                time.sleep(1)
            taken_s = time.perf_counter() - started
            print(f"milvus     delivered, settled and indexed in {taken_s:.0f} s ({INDEXES['HNSW']})")
            bare_s, ours_s, hits = list[float](), list[float](), 0
            for query, expected in zip(np.repeat(queries, 5, axis=0), np.repeat(truth, 5), strict=True):
                begun = time.perf_counter()
                client.search(
                    name,
                    [query],
                    filter="collection == 1",
                    limit=_TOP_K,
                    search_params={"params": {"ef": width}},
                    consistency_level="Bounded",
                )
                between = time.perf_counter()
                found = gallery.search(query, COLLECTION, _TOP_K)
                ours_s.append(time.perf_counter() - between)
                bare_s.append(between - begun)
                hits += len(expected & {candidate.image.image_id for candidate in found})
    finally:
        client.drop_collection(name)
        client.close()
    ours, theirs = statistics.median(ours_s), statistics.median(bare_s)
    print(f"milvus     bare p50 {theirs * 1e3:.1f} ms, through the gallery {ours * 1e3:.1f} ms")
    return {"search / bare pymilvus": ours / theirs, "recall@10": hits / (_TOP_K * 5 * len(queries))}


def _wait_until_settled(gallery: Gallery) -> None:
    while True:
        with gallery._database.reading() as connection:
            if outbox.next_due(connection) is None:
                return
        time.sleep(1)


def _cpu_s(action: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU time of this thread in an action, and the action's result."""
    started = time.thread_time()
    result = action()
    return time.thread_time() - started, result


if __name__ == "__main__":
    raise SystemExit(main())
