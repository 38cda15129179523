"""Times the check of a large collection.

    python -m benchmarks.gallery_health --images 10000

Embeddings and local features are random, of the embedded encoder's size; photos are noise over clouds at 640 x 480.
Two thirds of the places have one image, the others two. One pair in a hundred is the same picture twice.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.gallery import UnsyncedFiles
from core.gallery import DATABASE_NAME, Gallery, NewImage
from core.gallery.database.sqlite import SqliteDatabase
from core.gallery.opening import prepare_for_writing
from core.gallery_health import HealthCheck
from core.imaging.copies import encode_preview
from core.results import EncoderFingerprint, FeatureView, LocalFeatures, Place
from core.runtime.threads import limit_threads
from core.verifiers.geometric import GeometricVerifier


def main(argv: Sequence[str] | None = None) -> int:
    """Fill a temporary gallery, check it twice, print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2_000)
    parser.add_argument("--dim", type=int, default=2560)
    parser.add_argument("--budget", type=float, default=60)
    parser.add_argument("--folder", type=Path, help="where to make the temporary gallery")
    options = parser.parse_args(argv)
    limit_threads(1)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        fingerprint = EncoderFingerprint("random", "none", "none", options.dim)
        _fill(Path(name), fingerprint, options.images)
        with Gallery.open(Path(name), fingerprint, read_only=True) as gallery:
            verifier = GeometricVerifier(threads=1)
            check = HealthCheck(gallery, verifier)
            for run in ("first", "again"):
                began = time.process_time()
                report = check.run("default", budget_s=options.budget)
                cpu_s = time.process_time() - began
                print(
                    f"{run:6} {report.took_s:6.1f} s ({cpu_s:.1f} s of a processor), complete: {report.is_complete}; "
                    f"{report.photos_compared} photos "
                    f"compared, {report.photos_measured} measured; {report.pairs_tested} pairs tested, "
                    f"{report.pairs_verified} verified, {report.pairs.total} found"
                )
            verifier.close()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return 0


def _fill(folder: Path, fingerprint: EncoderFingerprint, count: int) -> None:
    rng = np.random.default_rng(0)
    database = SqliteDatabase(folder / DATABASE_NAME, read_only=False, lock_timeout_s=10)
    prepare_for_writing(database, UnsyncedFiles(folder), fingerprint)
    database.close()
    previews = [encode_preview(_picture(rng)) for _ in range(50)]
    with Gallery.open(folder, fingerprint) as gallery:
        gallery._files = UnsyncedFiles(folder)
        former = _features(rng), _unit(rng, fingerprint.dim)
        batch = []
        for number in range(count):
            is_copy = number % 100 == 99
            features, embedding = former if is_copy else (_features(rng), _unit(rng, fingerprint.dim))
            former = features, embedding
            place = Place(f"p{number if is_copy else number - (number % 3 == 1)}", f"Place {number}")
            batch.append(
                NewImage(
                    data=previews[number % len(previews)] + rng.bytes(16),  # a unique hash, and still a JPEG
                    filename=f"{number}.jpg",
                    media_type="image/jpeg",
                    width=4000,
                    height=3000,
                    preview=previews[number % len(previews)],
                    embedding=embedding,
                    local_features=features,
                    place=place,
                )
            )
            if len(batch) == 500 or number == count - 1:
                gallery.add(batch)
                batch = []


def _picture(rng: np.random.Generator) -> Image.Image:
    clouds = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize((640, 480))
    return Image.blend(clouds, Image.fromarray(rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)), 0.12)


def _unit(rng: np.random.Generator, dim: int) -> np.ndarray:
    vector = rng.standard_normal(dim).astype(np.float32)
    return vector / np.linalg.norm(vector)


def _features(rng: np.random.Generator) -> LocalFeatures:
    views = []
    for count, size in ((1024, (640, 480)), (384, (320, 240))):
        descriptors = rng.standard_normal((count, 64)).astype(np.float32)
        views.append(
            FeatureView(
                rng.random((count, 2), np.float32),
                (descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)).astype(np.float16),
                np.linspace(1, 0.1, count, dtype=np.float32),
                size,
            )
        )
    return LocalFeatures(tuple(views), "xfeat-1")


if __name__ == "__main__":
    raise SystemExit(main())
