"""Times a large gallery: opening, searching compared with plain FAISS, adding, deleting.

    python -m benchmarks.gallery --images 100000

Vectors are random; photos have a few bytes and are written without fsync while filling. Adding is timed with fsync.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import faiss
import numpy as np
from numpy.typing import NDArray

from core.gallery import DATABASE_NAME, Gallery, NewImage
from core.gallery.database.sqlite import SqliteDatabase
from core.gallery.opening import prepare_for_writing
from core.gallery.photos.files import PhotoFiles
from core.results import EncoderFingerprint, FeatureView, LocalFeatures

Result = TypeVar("Result")


class UnsyncedFiles(PhotoFiles):
    """Writes without fsync, so that filling takes seconds."""

    def store(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Write files."""
        for path, data in ((Path(name), data) for name, data in contents):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def main(argv: Sequence[str] | None = None) -> int:
    """Fill a temporary gallery and print its times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--dim", type=int, default=1280)
    parser.add_argument("--rounds", type=int, default=15, help="of each search; medians are printed")
    parser.add_argument("--folder", type=Path, help="where to make the temporary gallery")
    options = parser.parse_args(argv)

    rng = np.random.default_rng(0)
    vectors = _unit_rows(rng, options.images, options.dim)
    fingerprint = EncoderFingerprint("random", "none", "none", options.dim)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        filling_s, _ = _timed(_fill, folder, fingerprint, vectors)
        print(f"{options.images:,} images, {options.dim}-d; filled in {filling_s:.1f} s")
        opening_s, gallery = _timed(Gallery.open, folder, fingerprint)
        print(f"open, index included     {opening_s:8.2f} s")
        with gallery:
            _time_searches(gallery, vectors, options.rounds)
            _time_changes(gallery, _unit_rows(rng, 64, options.dim), rng)
            for writers in (1, 8):
                _time_writers(gallery, writers, _unit_rows(rng, 96, options.dim), rng)
    return 0


def _time_searches(gallery: Gallery, vectors: NDArray[np.float32], rounds: int) -> None:
    raw = faiss.IndexFlatIP(vectors.shape[1])
    raw.add(vectors)
    faiss.omp_set_num_threads(1)
    for top_k in (5, 50):
        ours, bare = [], []
        for query in vectors[:rounds]:  # in turn, so that other load affects both alike
            bare.append(_timed(raw.search, query[None], top_k)[0] * 1000)
            ours.append(_timed(gallery.search, query, top_k=top_k)[0] * 1000)
        ours_ms, bare_ms = statistics.median(ours), statistics.median(bare)
        overhead = statistics.median(mine - its for mine, its in zip(ours, bare, strict=True))
        print(
            f"search top-{top_k:<3} {ours_ms:8.2f} ms, bare FAISS {bare_ms:.2f} ms: "
            f"ratio {ours_ms / bare_ms:.2f}, median difference {overhead:+.2f} ms"
        )


def _time_changes(gallery: Gallery, vectors: NDArray[np.float32], rng: np.random.Generator) -> None:
    photos = [_new_image(vector, rng.bytes(300_000), _features(rng)) for vector in vectors]
    adds = [_timed(gallery.add, [new]) for new in photos[:32]]
    batch_s, _ = _timed(gallery.add, photos[32:])
    image_ids = [results[0].image.image_id for _, results in adds]
    cold_s, _ = _timed(gallery.local_features, image_ids)
    warm_s, _ = _timed(gallery.local_features, image_ids)
    deletes = [_timed(gallery.delete, image_id)[0] for image_id in image_ids]
    page_s, _ = _timed(gallery.list_images, text="no such name")
    print(f"add, one by one          {statistics.median(add_s for add_s, _ in adds) * 1000:8.2f} ms per image")
    print(f"add, batch of 32         {batch_s / 32 * 1000:8.2f} ms per image")
    print(f"local features, stored   {cold_s / 32 * 1000:8.2f} ms per image; from memory {warm_s / 32 * 1000:.3f} ms")
    print(f"delete                   {statistics.median(deletes) * 1000:8.2f} ms per image")
    print(f"list, text in all names  {page_s * 1000:8.2f} ms")


def _time_writers(gallery: Gallery, writers: int, vectors: NDArray[np.float32], rng: np.random.Generator) -> None:
    photos = [[_new_image(vector, rng.bytes(300_000), _features(rng))] for vector in vectors]
    with ThreadPoolExecutor(writers) as pool:
        adding_s, _ = _timed(lambda: list(pool.map(gallery.add, photos)))
    print(f"add, {writers} at a time         {len(photos) / adding_s:8.0f} images per second")


def _fill(folder: Path, fingerprint: EncoderFingerprint, vectors: NDArray[np.float32]) -> None:
    database = SqliteDatabase(folder / DATABASE_NAME, read_only=False, lock_timeout_s=10)
    files = UnsyncedFiles(folder)
    prepare_for_writing(database, files, fingerprint)
    with Gallery(database, files, fingerprint, feature_cache_bytes=0, gpu=None) as gallery:
        for start in range(0, len(vectors), 1000):
            rows = range(start, min(start + 1000, len(vectors)))
            gallery.add([_new_image(vectors[row], str(row).encode()) for row in rows])


def _new_image(vector: NDArray[np.float32], data: bytes, features: LocalFeatures | None = None) -> NewImage:
    return NewImage(data, "photo.jpg", "image/jpeg", 4000, 3000, data[:20_000], vector, features)


def _features(rng: np.random.Generator, count: int = 1024) -> LocalFeatures:
    points, scores = rng.random((count, 2), np.float32), np.sort(rng.random(count, np.float32))[::-1]
    view = FeatureView(points, _unit_rows(rng, count, 64).astype(np.float16), scores, (640, 480))
    return LocalFeatures((view,), "random")


def _unit_rows(rng: np.random.Generator, count: int, dim: int) -> NDArray[np.float32]:
    rows = rng.standard_normal((count, dim), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _timed(work: Callable[..., Result], *arguments: Any, **options: Any) -> tuple[float, Result]:
    start = time.perf_counter()
    result = work(*arguments, **options)
    return time.perf_counter() - start, result


if __name__ == "__main__":
    raise SystemExit(main())
