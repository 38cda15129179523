"""Times the product against only its networks: one ``POST /match`` and one indexing run.

    python -m benchmarks.overhead --photos FOLDER

FOLDER holds references and queries (a manifest.csv with roles). Both alternate in one run, so that other load affects
both alike:

match     POST /match with top_k=5 through gateway, retrieval and verifier in one process, against only the forward
          passes for the same photo: encoder, further looks if there were any, LighterGlue on the same five pairs.
indexing  index_photos from files on disk, against encoder.encode of the same photos already decoded.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import httpx

from core.building.indexing import PhotoToIndex, index_photos
from core.building.labels import read_folder
from core.encoders.embedded import EmbeddedEncoder
from core.gallery import Gallery
from core.imaging.decoding import decode_image
from core.local_features.lighterglue import LighterGlue
from core.local_features.matching import local_evidence
from core.m1_retrieval import M1GlobalRetrieval
from core.results import FeatureView
from core.runtime.threads import limit_threads
from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from standalone.app import compose

TOP_K = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--references", type=int, default=48, help="photos to index")
    parser.add_argument("--queries", type=int, default=20, help="photos to match")
    arguments = parser.parse_args(argv)
    if not arguments.photos.is_dir():
        print(f"error: no photos in {arguments.photos}: nothing was measured", file=sys.stderr)
        return 2
    limit_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        _measure_indexing(arguments.photos, Path(folder), arguments.references)
        asyncio.run(_measure_matching(arguments.photos, Path(folder), arguments.queries))
    return 0


def _measure_indexing(photos: Path, folder: Path, count: int) -> None:
    encoder = EmbeddedEncoder()
    references = [PhotoToIndex(photo.path, photo.place) for photo in read_folder(photos, "reference")[:count]]
    half = len(references) // 2
    bare, indexed = [], []
    with Gallery.open(folder, encoder.fingerprint) as gallery:
        for part in (references[:half], references[half:]):
            images = [decode_image(photo.path.read_bytes()).image for photo in part]
            bare.append(_seconds(lambda images=images: encoder.encode(images)) / len(part))
            indexing = lambda part=part: list(index_photos(gallery, encoder, part, "default"))  # noqa: E731
            indexed.append(_seconds(indexing) / len(part))
    rate = [1 / statistics.mean(values) for values in (bare, indexed)]
    print(
        f"indexing  bare encoder {rate[0]:.2f} photos/s   index_photos {rate[1]:.2f} photos/s   "
        f"ratio {rate[1] / rate[0]:.2f}   (bar: >= 0.85)"
    )


async def _measure_matching(photos: Path, folder: Path, count: int) -> None:
    queries = read_folder(photos, "query")
    queries = queries[:: max(1, len(queries) // count)][:count]
    encoder, matcher = EmbeddedEncoder(), LighterGlue()
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    app = compose(
        GatewaySettings(),
        retrieval=create_retrieval(RetrievalSettings(data_dir=folder)),
        verifier=create_verifier(VerifierSettings(data_dir=folder)),
    )
    matched, bare, stages = [], [], []
    with M1GlobalRetrieval("cpu") as retrieval:
        retrieval.load_index(folder)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", timeout=None) as client,
        ):
            while (await client.get("/health/ready")).status_code != 200:  # noqa: ASYNC110 - it can only be asked
                await asyncio.sleep(0.2)
            for photo in [queries[0], *queries]:
                data = photo.path.read_bytes()
                started = time.perf_counter()
                reply = await client.post("/match", files={"file": data}, data={"top_k": TOP_K})
                matched.append(time.perf_counter() - started)
                stages.append(reply.raise_for_status().json()["timings_ms"])
                networks = _networks_of(data, retrieval, encoder, matcher, pool)
                bare.append(await asyncio.to_thread(_seconds, networks))
    pool.shutdown()
    # The first photo warms up both.
    ratios = [whole / part for whole, part in zip(matched[1:], bare[1:], strict=True)]
    print(
        f"match     networks alone {1000 * statistics.median(bare[1:]):.0f} ms   POST /match "
        f"{1000 * statistics.median(matched[1:]):.0f} ms   ratio {statistics.median(ratios):.2f}   (bar: <= 1.30)"
    )
    for stage in stages[0]:
        print(f"          {stage:12} {statistics.median([timings.get(stage, 0.0) for timings in stages[1:]]):8.1f} ms")


def _networks_of(
    data: bytes, retrieval: M1GlobalRetrieval, encoder: EmbeddedEncoder, matcher: LighterGlue, pool: ThreadPoolExecutor
) -> Callable[[], Any]:
    """Return a function that runs only the forward passes of this photo's match."""
    image = decode_image(data).image
    found = retrieval.retrieve(image, TOP_K)
    stored = retrieval.gallery.local_features([candidate.image.image_id for candidate in found.candidates])
    pairs: list[tuple[FeatureView, FeatureView]] = []
    for reference in stored:
        if reference is not None and found.local_features is not None:
            best = local_evidence(found.local_features, reference)
            pairs.append((found.local_features.views[best.query_view], reference.views[best.candidate_view]))

    def run() -> None:
        first = encoder.encode([image]).local_features[0]
        if first is not None:
            list(islice(encoder.look_again(image, first), found.looks - 1))
        list(pool.map(lambda pair: matcher.match(*pair), pairs))

    return run


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    raise SystemExit(main())
