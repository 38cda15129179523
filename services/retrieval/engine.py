"""The asynchronous face of the library: decode in threads, encode in batches, search in threads."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from PIL import Image

from core.encoders.base import Encoder
from core.gallery import CollectionSummary, Gallery
from core.imaging.budget import DecodingBudget
from core.imaging.decoding import DecodedImage, decode_image
from core.local_features.codec import pack
from core.results import Candidate
from core.retrieval.exclusion import ExcludingGallery, Exclusion
from core.retrieval.retriever import LookAgain, Retriever
from core.runtime.cancellation import cancelled_by
from services.retrieval.background.calibrations import Calibrations
from services.retrieval.background.checkups import Checkups, open_checkups
from services.retrieval.background.sample import Sample
from services.retrieval.background.usage import Usage, open_usage
from services.retrieval.calibration_jobs import CalibrationJobs
from services.retrieval.settings import RetrievalSettings
from services.retrieval.uploads.indexing import Encoding, Indexer
from serving.admission import Gate
from serving.batching import DynamicBatcher
from serving.body_slots import BodySlots
from serving.deadlines import current_deadline
from serving.metrics import Metrics
from serving.observability import StageTimer
from serving.workers import Workers

CHUNK_SIZE = 16
"""Photos per transaction of an upload: one commit costs as much as many."""

CHUNK_BYTES = 64 * 1024 * 1024
"""Of their originals together, unless one has more."""

NOTHING = Exclusion()

_MOST_RECEIVING = 256


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search found.

    Attributes:
        candidates: best first.
        further_views: see ``core.retrieval.retriever.Retrieved``.
        query: the decoded photo.
        features: the photo's packed local features, where asked for and where the encoder makes them.
    """

    candidates: list[Candidate]
    further_views: list[Candidate]
    query: DecodedImage
    features: bytes | None


class RetrievalEngine:
    """Searches and indexes. Lives in one event loop; made by ``open_engine``.

    Attributes:
        gallery: for everything that needs no encoder; its methods block, so call them through ``workers``.
        workers: threads for blocking work.
        health_worker: a thread for the health checks alone, which must answer while searches are slow.
        indexer: adds photos.
        gate: admits searches.
        body_slots: where photos to search with arrive.
        uploads: where uploads arrive, and wait for their turn.
        upload_turns: lets so many complete uploads work at once.
        usage: keeps what visitors asked, as numbers.
        checkups: checks collections on request.
        calibrations: of collections, on record.
        calibration_jobs: those being made, by whichever gateway.
        sample: a collection to try the product with.
    """

    def __init__(
        self,
        gallery: Gallery,
        look_again: LookAgain,
        batcher: DynamicBatcher[Image.Image, Encoding],
        workers: Workers,
        index_workers: Workers,
        health_worker: Workers,
        usage: Usage,
        checkups: Checkups,
        settings: RetrievalSettings,
    ) -> None:
        """Compose running parts; indexing has threads of its own, so that no visitor queues behind an upload."""
        self.gallery = gallery
        self.workers = workers
        self.health_worker = health_worker
        self.usage = usage
        self.checkups = checkups
        self.calibrations = Calibrations(gallery, usage, workers)
        self.calibration_jobs = CalibrationJobs(usage.jobs)
        self.gate = Gate(settings.most_waiting)
        self.body_slots = BodySlots(_MOST_RECEIVING, settings.most_waiting * settings.max_photo_bytes, settings.pace)
        self.uploads = BodySlots(
            settings.max_receiving, settings.max_uploads * settings.max_upload_bytes, settings.pace
        )
        self.upload_turns = asyncio.Semaphore(settings.max_uploads)
        self._limits = replace(settings.image_limits, budget=DecodingBudget(settings.max_photo_pixels))
        self.indexer = Indexer(
            gallery,
            batcher,
            index_workers,
            limits=self._limits,
            chunk_size=CHUNK_SIZE,
            chunk_bytes=CHUNK_BYTES,
            without_metadata=settings.strip_metadata,
        )
        self.sample = Sample(gallery, self.indexer, usage.jobs, workers)
        self._look_again = look_again
        self._time_budget_s = settings.time_budget_s
        self._batcher = batcher

    @property
    def waiting(self) -> int:
        """Photos waiting to be encoded."""
        return self._batcher.waiting

    async def search(
        self,
        photo: bytes,
        *,
        collection: str,
        top_k: int,
        features: bool,
        timer: StageTimer,
        exclusion: Exclusion = NOTHING,
    ) -> Found:
        """Find candidates for a photo.

        Args:
            photo: in any accepted format.
            collection: to search in.
            top_k: how many candidates, >= 1.
            features: whether to pack the photo's local features.
            timer: gets the stages ``decode``, ``encode`` and ``search``.
            exclusion: passed over, as if the collection did not have it.

        Raises:
            InvalidImage: the photo cannot be read.
            UnknownCollection: no such collection.
            EmptyGallery: nothing to search in.
            Overloaded: too many searches are waiting.
            DeadlinePassed: the caller is gone; noticed between decoding, encoding, searching and the second look.
        """
        with self.gate.admit(), cancelled_by(current_deadline().check):
            with timer.stage("decode"):
                query = await self.workers.run(self._decode, photo, collection)
            with timer.stage("encode"):
                embedding, local_features = await self._batcher.submit(query.image)
            with timer.stage("search"):
                retrieved = await self.workers.run(
                    self._retriever(exclusion).retrieve, query.image, embedding, local_features, collection, top_k
                )
            seen = retrieved.local_features
            packed = pack(seen) if features and seen is not None else None
            self.usage.remember(embedding, packed)
            return Found(retrieved.candidates, retrieved.further_views, query, packed)

    async def rename_collection(self, name: str, new_name: str) -> CollectionSummary:
        """Call a collection something else; what is on record of its matches follows.

        Raises:
            UnknownCollection: it holds no image.
            InvalidRequest: the new name is not acceptable, or is another collection's.
        """
        summary = await self.workers.run(self.gallery.rename_collection, name, new_name)
        await self.usage.rename_collection(name, new_name)
        await self.calibration_jobs.forget(name)
        return summary

    async def delete_collection(self, name: str) -> int:
        """Forget all of a collection, its matches as well; return how many images it held.

        Raises:
            UnknownCollection: it held none.
        """
        count = await self.workers.run(self.gallery.delete_collection, name)
        self.checkups.forget(name)
        await self.usage.forget_collection(name)
        await self.calibration_jobs.forget(name)
        return count

    def _retriever(self, exclusion: Exclusion) -> Retriever:
        searched = ExcludingGallery(self.gallery, exclusion) if exclusion else self.gallery
        return Retriever(searched, self._look_again, time_budget_s=self._time_budget_s)

    def _decode(self, photo: bytes, collection: str) -> DecodedImage:
        self.gallery.check_collection(collection)  # before any work for what cannot be answered
        return decode_image(photo, limits=self._limits)


@asynccontextmanager
async def open_engine(
    encoder: Encoder, gallery: Gallery, settings: RetrievalSettings, metrics: Metrics
) -> AsyncIterator[RetrievalEngine]:
    """Start the threads and queues around an encoder and a gallery; stop them at the end, after the work accepted."""
    async with AsyncExitStack() as stack:
        workers = stack.enter_context(Workers(settings.workers, "retrieval"))
        index_workers = stack.enter_context(Workers(settings.workers, "indexing"))
        health_worker = stack.enter_context(Workers(1, "health"))
        usage = await stack.enter_async_context(open_usage(gallery.folder, settings.storage, settings.retention))
        checkups = await stack.enter_async_context(open_checkups(gallery))
        batcher = await stack.enter_async_context(
            DynamicBatcher(
                partial(encode_batch, encoder),
                max_batch_size=settings.largest_batch,
                max_wait_s=settings.batch_wait_ms / 1000,
                max_queue=settings.most_waiting,
                name="encoder",
                on_batch=partial(metrics.observe_batch, "encode"),
            )
        )
        engine = RetrievalEngine(
            gallery,
            encoder.look_again,
            batcher,
            workers,
            index_workers,
            health_worker,
            usage,
            checkups,
            settings,
        )
        metrics.watch_queue("encode", lambda: batcher.waiting)
        metrics.watch_gate("searches", lambda: engine.gate.inside, engine.gate.capacity)
        metrics.watch_gate("uploads", lambda: engine.uploads.inside, engine.uploads.capacity)
        metrics.watch_cache("local_features", gallery.feature_cache.uses)
        stack.push_async_callback(engine.sample.close)
        yield engine


def encode_batch(encoder: Encoder, images: Sequence[Image.Image]) -> list[Encoding]:
    """Encode photos together, and give each what is its own."""
    encodings = encoder.encode(images)
    return list(zip(encodings.embeddings, encodings.local_features, strict=True))
