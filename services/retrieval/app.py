"""Composes the retrieval service: encoder, gallery, engine, routes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import numpy as np
from fastapi import FastAPI
from PIL import Image
from starlette.middleware import Middleware

from clients.base import open_http
from clients.verifier import VerifierClient
from contracts.health import ReadyBody, ReadyCode, VersionBody
from core.encoders import ENCODERS
from core.encoders.base import Encoder
from core.errors import BackendUnavailable, GalleryUnavailable, SemanticMatchError
from core.gallery import Gallery
from core.runtime.device_use import device_use_of
from core.runtime.devices import device_of
from core.runtime.downloads import Downloads
from core.runtime.threads import limit_threads
from services.device_metrics import DeviceMetrics
from services.errors import CORE_ERRORS
from services.lost_device import Watch, ending_where_lost
from services.memory_trimming import trimming_memory
from services.readiness import describe_loading
from services.retrieval.routes import audio, collections, feedback, inbox, index, sample, search, trash
from services.retrieval.service import RetrievalService, open_service
from services.retrieval.settings import RetrievalSettings
from services.retrieval.vector_engine_metrics import VectorEngineMetrics
from serving.audit import AuditLog
from serving.health import describe_version, health_router
from serving.loading import Loading
from serving.metrics import Metrics
from serving.path_prefix import LinkPrefix
from serving.process import build_api

_VERIFIER_TIMEOUT_S = 120.0  # long, because no visitor waits for a calibration
_DESCRIPTION = "Internal: finds candidates for a photo and stores the gallery. The gateway is the public API."


def create_app(settings: RetrievalSettings, *, encoder: Encoder | None = None) -> FastAPI:
    """Build the application. It answers health checks while the encoder is being loaded.

    Args:
        settings: of this process.
        encoder: replaces the encoder of the settings.
    """
    metrics = Metrics("retrieval")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watch = partial(ending_where_lost, app)
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(
                open_http(settings.verifier_url, settings.service_key, app.state.verifier_transport)
            )
            verifier = VerifierClient(http, _VERIFIER_TIMEOUT_S)

            async def load() -> RetrievalService:
                loaded, gallery = await asyncio.to_thread(_load, settings, encoder, watch, app.state.downloads)
                stack.callback(gallery.close)
                app.state.encoder = loaded
                metrics.registry.register(VectorEngineMetrics(metrics.process, gallery))
                if (use := device_use_of(loaded)) is not None:
                    metrics.registry.register(DeviceMetrics(metrics.process, use))
                return await stack.enter_async_context(
                    open_service(
                        encoder=loaded,
                        gallery=gallery,
                        verifier=verifier,
                        audit=app.state.audit,
                        settings=settings,
                        metrics=metrics,
                        watch=watch,
                    )
                )

            app.state.loading = Loading[RetrievalService](
                "encoder", expected=SemanticMatchError, passing=(BackendUnavailable, GalleryUnavailable)
            )
            async with app.state.loading.in_background(load), trimming_memory():
                yield

    app = build_api(
        "semantic-image-matcher: retrieval",
        _DESCRIPTION,
        lifespan=lifespan,
        errors=CORE_ERRORS,
        metrics=metrics,
        access=settings.access,
        middleware=[Middleware(LinkPrefix)],
    )
    app.state.settings = settings
    app.state.downloads = Downloads()
    app.state.verifier_transport = None  # over sockets, unless both run in one process
    app.state.audit = AuditLog(settings.audit_file)
    for part in (search, index, audio, inbox, collections, trash, feedback, sample):
        part.router.serve(app)
    health_router(lambda: _probe(app), lambda: _version(app)).serve(app)
    return app


def _load(
    settings: RetrievalSettings, encoder: Encoder | None, watch: Watch, downloads: Downloads
) -> tuple[Encoder, Gallery]:
    """Load the encoder, open its gallery, and check with a forward pass that a search would succeed."""
    if encoder is None:
        limit_threads(settings.threads)
        with watch(), downloads.watched():
            encoder = ENCODERS.create(settings.encoder, settings.hints, **settings.options)
    gallery = Gallery.open(
        settings.data_dir, encoder.fingerprint, storage=settings.storage, preview_side=settings.preview_side
    )
    try:
        noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
        with watch():
            encoder.encode([Image.fromarray(noise)])
    except BaseException:
        gallery.close()
        raise
    return encoder, gallery


async def _probe(app: FastAPI) -> ReadyBody:
    loading: Loading[RetrievalService] = app.state.loading
    if loading.reason is not None:
        return describe_loading("retrieval", loading, app.state.downloads)
    service = loading.get()
    engine = service.engine
    try:
        images = await service.health_worker.run(service.gallery.count)
    except GalleryUnavailable as exc:
        return ReadyBody(
            ready=False,
            process="retrieval",
            code=ReadyCode.GALLERY_UNAVAILABLE,
            reason="the gallery does not answer",
            details={"gallery": str(exc)},
        )
    details = {
        "encoder": str(service.gallery.fingerprint),
        "device": device.reason if (device := device_of(app.state.encoder)) else "elsewhere",
        "images": images,
        "searches_at_work": engine.gate.inside,
        "searches_at_most": engine.gate.capacity,
        "photos_waiting": engine.waiting,
    }
    if service.verifier_features is not None:
        details["photos_without_verifier_features"] = service.verifier_features.left
    code, reason = None, None
    if (lag := service.gallery.vector_lag) is not None:
        details["vectors_waiting"] = lag.waiting
        details["vector_engine"] = lag.trouble or "answers"
        if lag.trouble:
            code = ReadyCode.SEARCHES_MAY_FAIL
            reason = (
                "searches may fail, because the vector engine is unavailable or being repaired; photos can be added"
            )
    return ReadyBody(ready=True, process="retrieval", code=code, reason=reason, details=details)


async def _version(app: FastAPI) -> VersionBody:
    loading: Loading[RetrievalService] = app.state.loading
    return describe_version(encoder=None if loading.reason else str(loading.get().gallery.fingerprint))
