"""The running retrieval service: its parts, how they start, and operations that need several of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from clients.verifier import VerifierClient
from contracts.feedback import FeedbackReply
from contracts.webhooks import FeedbackGiven
from core.encoders.base import Encoder
from core.gallery import CollectionSummary, Gallery
from core.gallery.deletions import Deletion
from core.gallery.languages import check_language
from core.imaging.budget import DecodingBudget
from core.journal import StoredMatch
from core.retrieval.second_features import open_second_extractor
from core.runtime.devices import device_of
from services.lost_device import Watch
from services.retrieval.background.calibration_jobs import CalibrationJobs
from services.retrieval.background.calibration_run import CalibrationRun
from services.retrieval.background.calibrations import Calibrations
from services.retrieval.background.checkups import Checkups, open_checkups
from services.retrieval.background.collection_watch import CollectionWatch, watching
from services.retrieval.background.inbox import PhotoInbox
from services.retrieval.background.sample import Sample
from services.retrieval.background.trash import Trash, emptying
from services.retrieval.background.usage import Usage, open_usage
from services.retrieval.background.verifier_features import VerifierFeatures, making_verifier_features
from services.retrieval.background.webhooks import Webhooks, open_webhooks
from services.retrieval.engine import RetrievalEngine, encode_batch
from services.retrieval.replies.collections import feedback_reply
from services.retrieval.settings import RetrievalSettings
from services.retrieval.uploads.indexing import Indexer
from serving.audit import AuditLog
from serving.batching import DynamicBatcher
from serving.body_slots import BodySlots
from serving.metrics import Metrics
from serving.workers import Workers

CHUNK_SIZE = 16
"""Photos per transaction of an upload; one commit for many photos costs as much as for one."""

CHUNK_BYTES = 64 * 1024 * 1024
"""Most bytes of originals per transaction, unless a single photo has more."""

_MOST_RECEIVING = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalService:
    """The parts of one running service; made by ``open_service``.

    Attributes:
        gallery: its methods block, so call them through ``workers``.
        engine: searches.
        indexer: adds photos.
        workers: threads for blocking work.
        health_worker: a thread for the health checks only, which must answer while searches are slow.
        body_slots: bound the photos to search with that are being received.
        uploads: bound the uploads that are being received or wait.
        upload_turns: bounds the uploads that are processed at once.
        usage: stores the numbers of matches, and feedback.
        inbox: takes photos that visitors send, for a curator to decide about.
        checkups: checks collections on request.
        calibrations: the stored calibrations of collections.
        calibration_jobs: running calibrations, at any replica.
        webhooks: sends events to the operator.
        sample: a collection to try the product with.
        trash: deletes and restores.
        verifier_features: makes the features by which unclear photos are compared once more; None where that is off.
    """

    gallery: Gallery
    engine: RetrievalEngine
    indexer: Indexer
    workers: Workers
    health_worker: Workers
    body_slots: BodySlots
    uploads: BodySlots
    upload_turns: asyncio.Semaphore
    usage: Usage
    inbox: PhotoInbox
    checkups: Checkups
    calibrations: Calibrations
    calibration_jobs: CalibrationJobs
    webhooks: Webhooks
    sample: Sample
    trash: Trash
    verifier_features: VerifierFeatures | None

    async def tell_feedback(self, given: StoredMatch) -> FeedbackReply:
        """Store the event of feedback that was given, before it is acknowledged; return the acknowledgement.

        Raises:
            GalleryUnavailable: the event was not stored.
        """
        reply = feedback_reply(given)
        await self.webhooks.tell(FeedbackGiven(timestamp=reply.at, data=reply))
        return reply

    async def change_collection(self, name: str, new_name: str, language: str | None) -> CollectionSummary:
        """Rename a collection with its calibration and its log of matches, and store the language of its texts.

        Args:
            name: of the collection.
            new_name: the same leaves it.
            language: tag; empty where it is not known, None leaves it.

        Raises:
            UnknownCollection: there is no such collection.
            InvalidRequest: the new name or the tag is invalid, or another collection has the name.
        """
        tag = check_language(language) if language else language
        summary = await self.workers.run(self.gallery.rename_collection, name, new_name)
        if summary.name != name:
            await self.usage.rename_collection(name, summary.name)
            await self.calibration_jobs.forget(name)
        return summary if tag is None else await self.workers.run(self.gallery.store_language, summary.name, tag)

    async def delete_collection(self, name: str, *, permanently: bool) -> tuple[int, Deletion | None]:
        """Delete a collection, and stop and forget its background jobs; see ``Trash.delete_collection``."""
        deleted = await self.trash.delete_collection(name, permanently=permanently)
        self.checkups.forget(name)
        await self.calibration_jobs.forget(name)
        return deleted


@asynccontextmanager
async def open_service(
    *,
    encoder: Encoder,
    gallery: Gallery,
    verifier: VerifierClient,
    audit: AuditLog,
    settings: RetrievalSettings,
    metrics: Metrics,
    watch: Watch,
) -> AsyncIterator[RetrievalService]:
    """Start the threads and queues of the service; at the end of the block, finish the accepted work and stop them."""
    async with AsyncExitStack() as stack:
        workers = stack.enter_context(Workers(settings.worker_threads, "retrieval"))
        # Indexing has separate threads, so that no visitor waits for an upload.
        index_workers = stack.enter_context(Workers(settings.worker_threads, "indexing"))
        health_worker = stack.enter_context(Workers(1, "health"))
        calibration_worker = stack.enter_context(Workers(1, "calibration", in_background=True))
        usage = await stack.enter_async_context(open_usage(gallery.folder, settings.storage, settings.retention))
        webhooks = await stack.enter_async_context(open_webhooks(usage.outbox, usage.workers, settings))
        checkups = await stack.enter_async_context(open_checkups(gallery))
        batcher = await stack.enter_async_context(
            DynamicBatcher(
                partial(encode_batch, encoder, watch),
                max_batch_size=settings.largest_batch,
                max_wait_s=settings.batch_wait_ms / 1000,
                max_queue=settings.most_waiting,
                name="encoder",
                on_batch=partial(metrics.observe_batch, "encode"),
            )
        )
        limits = replace(settings.image_limits, budget=DecodingBudget(settings.max_photo_pixels))
        engine = RetrievalEngine(
            gallery=gallery,
            look_again=encoder.look_again,
            second=(
                open_second_extractor(gallery.fingerprint, device_of(encoder)) if settings.verifier_features else None
            ),
            batcher=batcher,
            workers=workers,
            limits=limits,
            photo_side=encoder.photo_side,
            most_waiting=settings.most_waiting,
            # As many as are searched for, and two batches: one is encoded, the next grows.
            most_decoded=settings.worker_threads + 2 * settings.largest_batch,
            time_budget_s=settings.time_budget_s,
            watch=watch,
        )
        indexer = Indexer(
            gallery,
            batcher,
            index_workers,
            limits=limits,
            side=encoder.photo_side,
            chunk_size=CHUNK_SIZE,
            chunk_bytes=CHUNK_BYTES,
            without_metadata=settings.strip_metadata,
        )
        verifier_features = await stack.enter_async_context(
            making_verifier_features(gallery, engine, usage.jobs, limits, wanted=settings.verifier_features)
        )
        calibrations = Calibrations(gallery, usage, verifier, workers)
        new_run = partial(CalibrationRun, gallery=gallery, engine=engine, verifier=verifier, workers=calibration_worker)
        service = RetrievalService(
            gallery=gallery,
            engine=engine,
            indexer=indexer,
            workers=workers,
            health_worker=health_worker,
            body_slots=BodySlots(_MOST_RECEIVING, settings.most_waiting * settings.max_photo_bytes, settings.pace),
            uploads=BodySlots(settings.max_receiving, settings.max_uploads * settings.max_upload_bytes, settings.pace),
            upload_turns=asyncio.Semaphore(settings.max_uploads),
            usage=usage,
            inbox=PhotoInbox(gallery, indexer, usage, index_workers, limits),
            checkups=checkups,
            calibrations=calibrations,
            calibration_jobs=CalibrationJobs(calibrations=calibrations, jobs=usage.jobs, audit=audit, new_run=new_run),
            webhooks=webhooks,
            sample=Sample(gallery, indexer, usage.jobs, workers),
            trash=Trash(gallery, usage, workers, index_workers, days=settings.trash_days),
            verifier_features=verifier_features,
        )
        metrics.watch_queue("encode", lambda: batcher.waiting)
        metrics.watch_gate("searches", lambda: engine.gate.inside, engine.gate.capacity)
        metrics.watch_gate("uploads", lambda: service.uploads.inside, service.uploads.capacity)
        metrics.watch_cache("local_features", gallery.feature_cache.uses)
        stack.push_async_callback(service.sample.close)
        stack.push_async_callback(service.calibration_jobs.close)
        await stack.enter_async_context(emptying(service.trash))
        if webhooks.is_on:
            watch_collections = CollectionWatch(gallery, checkups, usage, webhooks, workers)
            await stack.enter_async_context(watching(watch_collections))
        yield service
