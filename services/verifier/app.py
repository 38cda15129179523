"""Composes the verifier service: verifier, read-only gallery, engine, route."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, closing
from functools import partial

from fastapi import FastAPI

from contracts.health import ReadyBody, ReadyCode, VersionBody
from core.errors import BackendUnavailable, GalleryUnavailable, SemanticMatchError
from core.runtime.device_use import device_use_of
from core.runtime.devices import device_of
from core.runtime.downloads import Downloads
from core.runtime.threads import limit_threads
from core.verifiers import VERIFIERS
from core.verifiers.base import AsksServers, RemembersPhotos, Verifier, WarmsUp, queries_at_once
from services.device_metrics import DeviceMetrics
from services.errors import CORE_ERRORS
from services.lost_device import Watch, ending_where_lost
from services.memory_trimming import trimming_memory
from services.readiness import describe_loading
from services.verifier import routes
from services.verifier.engine import VerifierEngine, prove
from services.verifier.gallery_access import GalleryAccess
from services.verifier.server_metrics import ServerMetrics
from services.verifier.settings import VerifierSettings
from serving.health import describe_version, health_router
from serving.loading import Loading
from serving.metrics import Metrics
from serving.process import build_api
from serving.workers import Workers

_DESCRIPTION = "Internal: verifies candidates. The gateway is the public API."


def create_app(settings: VerifierSettings, *, verifier: Verifier | None = None) -> FastAPI:
    """Build the application. It answers health checks while the verifier is being loaded.

    Args:
        settings: of this process.
        verifier: replaces the verifier of the settings.
    """
    metrics = Metrics("verifier")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watch = partial(ending_where_lost, app)
        with (
            closing(GalleryAccess(settings.data_dir, settings.image_limits, settings.storage)) as gallery,
            ExitStack() as stack,
            Workers(1, "verifier") as worker,
        ):

            async def load() -> VerifierEngine:
                loaded = await worker.run(_load, settings, verifier, watch, app.state.downloads)
                if verifier is None:
                    stack.callback(getattr(loaded, "close", lambda: None))
                at_once = queries_at_once(loaded)
                workers = worker if at_once == 1 else stack.enter_context(Workers(at_once, "verifier"))
                engine = VerifierEngine(loaded, gallery, workers, settings, watch)
                await workers.run(gallery.open_early)
                _watch(metrics, engine, gallery)
                return engine

            app.state.loading = Loading[VerifierEngine](
                "verifier", expected=SemanticMatchError, passing=(BackendUnavailable, GalleryUnavailable)
            )
            async with app.state.loading.in_background(load), trimming_memory():
                yield

    app = build_api(
        "semantic-image-matcher: verifier",
        _DESCRIPTION,
        lifespan=lifespan,
        errors=CORE_ERRORS,
        metrics=metrics,
        access=settings.access,
    )
    app.state.settings = settings
    app.state.downloads = Downloads()
    routes.router.serve(app)
    health_router(lambda: _probe(app), lambda: _version(app)).serve(app)
    return app


def _watch(metrics: Metrics, engine: VerifierEngine, gallery: GalleryAccess) -> None:
    metrics.watch_gate("photos", lambda: engine.gate.inside, engine.gate.capacity)
    metrics.watch_cache("local_features", gallery.feature_uses)
    metrics.registry.register(engine.readability)
    if isinstance(engine.verifier, RemembersPhotos):
        for name, cache in engine.verifier.caches.items():
            metrics.watch_cache(name, cache.uses)
    if (use := device_use_of(engine.verifier)) is not None:
        metrics.registry.register(DeviceMetrics(metrics.process, use))
    if isinstance(engine.verifier, AsksServers):
        metrics.registry.register(ServerMetrics(metrics.process, engine.verifier))


def _load(settings: VerifierSettings, verifier: Verifier | None, watch: Watch, downloads: Downloads) -> Verifier:
    """Load the verifier, check with a real pair that a verification would succeed, and warm up a GPU."""
    if verifier is not None:
        with watch():
            _start(verifier)
        return verifier
    limit_threads(settings.threads)
    with watch(), downloads.watched():
        made = VERIFIERS.create(settings.verifier, settings.hints, **settings.options)
        try:
            _start(made)
        except BaseException:
            getattr(made, "close", lambda: None)()
            raise
    return made


def _start(verifier: Verifier) -> None:
    prove(verifier)
    device = device_of(verifier)
    if device is not None and device.is_cuda and isinstance(verifier, WarmsUp):
        verifier.warm_up()


async def _probe(app: FastAPI) -> ReadyBody:
    loading: Loading[VerifierEngine] = app.state.loading
    if loading.reason is not None:
        return describe_loading("verifier", loading, app.state.downloads)
    engine = loading.get()
    details = {
        "verifier": engine.verifier.fingerprint,
        "device": device.reason if (device := device_of(engine.verifier)) else "elsewhere",
        "photos_at_work": engine.gate.inside,
        "photos_at_most": engine.gate.capacity,
        "decision_rule_fitted": engine.rule_fitted,
    }
    servers = engine.verifier.servers if isinstance(engine.verifier, AsksServers) else ()
    if servers:
        details["servers"] = {server.name: server.away_because or "answers" for server in servers}
    if servers and all(server.away_because for server in servers):
        reason = f"none of the {len(servers)} servers that the verifier asks is answering"
        code = ReadyCode.SERVERS_UNAVAILABLE
        return ReadyBody(ready=False, process="verifier", code=code, reason=reason, details=details)
    readability = engine.readability
    details["pairs_unreadable"] = readability.unreadable
    if readability.takes_a_proof():
        app.state.proof = asyncio.create_task(
            engine.prove()
        )  # referenced, or it might be garbage-collected before it ends
    if readability.reason is None:
        return ReadyBody(ready=True, process="verifier", details=details)
    return ReadyBody(
        ready=not readability.is_lost,
        process="verifier",
        code=ReadyCode.REPLIES_UNREADABLE,
        reason=f"the last photo got no verdict: {readability.reason}",
        details=details,
    )


async def _version(app: FastAPI) -> VersionBody:
    loading: Loading[VerifierEngine] = app.state.loading
    return describe_version(verifier=None if loading.reason else loading.get().verifier.fingerprint)
