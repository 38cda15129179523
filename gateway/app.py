"""Composes the gateway: settings, two clients, the pipeline, the routes, the page."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import httpx
from fastapi import FastAPI, Request
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.responses import Response
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from clients.base import open_http
from clients.errors import OutOfTime, ServiceRefused, VerifierUnavailable
from clients.retrieval import RetrievalClient
from clients.verifier import VerifierClient
from contracts.trash import TRASH_ID_HEADER
from gateway import health
from gateway.access import gateway_access, role_of_strangers
from gateway.dependencies import Gateway
from gateway.errors import GATEWAY_ERRORS
from gateway.match.breaker import CircuitBreaker
from gateway.match.log import open_match_log
from gateway.match.metrics import MatchMetrics
from gateway.match.pipeline import VERIFIER_FAILURES, MatchPipeline
from gateway.match.recent_times import RecentTimes
from gateway.page import qr
from gateway.page.docs import serve_docs
from gateway.page.files import serve_page
from gateway.routes import forwarded_router, match, session
from gateway.routes.forwarded import ROUTES
from gateway.routes.forwarding import VERSION_PREFIX
from gateway.routes.webhooks import describe_webhooks
from gateway.settings import GatewaySettings
from serving.admission import Gate
from serving.auth.sessions import COOKIE, Sessions
from serving.body_slots import BodySlots
from serving.deadlines import TIMEOUT_HEADER
from serving.health import health_router
from serving.idempotency import KEY_HEADER, REPLAYED_HEADER
from serving.metrics import Metrics
from serving.observability import REQUEST_ID_HEADER
from serving.openapi import add_schemas, describe_keys
from serving.path_prefix import PathPrefix
from serving.process import build_api
from serving.roles import Role

_DESCRIPTION = (
    "Send a photo and get the exhibit or place that it shows, or the answer *not in the collection*. "
    "Every error has the same body: `error.code`, `error.message`, `error.accepted`, `error.field`."
)

_INCOMPRESSIBLE = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "image/heic", "image/heif", "application/octet-stream")

_ADMITTED_SHARE = 0.5
"""A match is refused if the mean one would take more than this share of its time now: an unclear photo takes longer."""


@dataclass(frozen=True, slots=True)
class ServiceTransports:
    """The transports to the two services; None for sockets."""

    retrieval: httpx.AsyncBaseTransport | None = None
    verifier: httpx.AsyncBaseTransport | None = None


Services = Callable[[], AbstractAsyncContextManager[ServiceTransports]]


@asynccontextmanager
async def over_sockets() -> AsyncIterator[ServiceTransports]:
    """Reach services that run in other processes."""
    yield ServiceTransports()


def create_app(settings: GatewaySettings, *, services: Services = over_sockets) -> FastAPI:
    """Build the application.

    Args:
        settings: of this process.
        services: a context manager around the application's lifetime; it gives the transports, and may start the
            services in this process.
    """
    metrics = Metrics("gateway")
    match_metrics = MatchMetrics(metrics)
    sessions = Sessions(settings.service_key.get_secret_value() if settings.service_key else None)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            services() as transports,
            open_http(settings.retrieval_url, settings.service_key, transports.retrieval) as m1,
            open_http(settings.verifier_url, settings.service_key, transports.verifier) as m3,
        ):
            breaker = CircuitBreaker(
                failures=settings.verifier_failures,
                rest_s=settings.verifier_rest_s,
                counted=VERIFIER_FAILURES,
                refuse=lambda why: VerifierUnavailable(f"the verifier service {why}"),
                telling_nothing=(OutOfTime,),
            )
            match_metrics.watch_breaker(lambda: breaker.is_open)
            pipeline = MatchPipeline(
                RetrievalClient(m1, settings.retrieval_timeout_s),
                VerifierClient(m3, settings.verifier_timeout_s),
                breaker,
                verification_required=settings.require_verification,
            )
            gate = Gate(settings.max_concurrent, longest_s=_ADMITTED_SHARE * settings.longest_match_s)
            metrics.watch_gate("matches", lambda: gate.inside, lambda: gate.room)
            body_slots = BodySlots(settings.max_receiving, settings.max_received_bytes, settings.pace)
            metrics.watch_gate("receiving", lambda: body_slots.inside, body_slots.capacity)
            async with open_match_log(pipeline.retrieval) as match_log:
                app.state.gateway = Gateway(
                    settings=settings,
                    pipeline=pipeline,
                    body_slots=body_slots,
                    gate=gate,
                    match_metrics=match_metrics,
                    recent_times=RecentTimes(),
                    match_log=match_log,
                )
                yield

    app = build_api(
        "semantic-image-matcher",
        _DESCRIPTION,
        lifespan=lifespan,
        errors=GATEWAY_ERRORS,
        metrics=metrics,
        access=gateway_access(settings, sessions),
        middleware=_middleware(settings),
    )
    app.state.sessions = sessions
    app.add_exception_handler(ServiceRefused, _pass_on)
    states = health_router(lambda: health.probe(app.state.gateway), lambda: health.version(app.state.gateway))
    routers = (match.router, qr.router, forwarded_router.router, session.router, states)
    for router in routers:
        router.serve(app)
    for router in routers:
        # One after the other, because FastAPI prepares these routes when a request first comes to one of them.
        app.include_router(router, prefix=VERSION_PREFIX, include_in_schema=False)
    describe_webhooks(app)
    add_schemas(app, [route.body for route in ROUTES if route.body is not None])
    app.servers.append({"url": VERSION_PREFIX[1:], "description": "the same, with the version in the path"})
    if settings.keys_file is not None:
        describe_keys(app, cookie=COOKIE, strangers=role_of_strangers(settings))
    serve_docs(app)
    serve_page(app, settings.frame_ancestors)
    return app


def _middleware(settings: GatewaySettings) -> list[Middleware]:
    """List the middleware that browsers need: path prefix, compression, CORS and security headers."""
    # Photos and archives are compressed already; a level above 5 costs more time than it saves.
    compression = Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5, exclude_content_types=_INCOMPRESSIBLE)
    proxies = Middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    # Before the next one, which replaces the proxy's address by the caller's.
    prefix = Middleware(PathPrefix, prefix=settings.root_path, trusted=settings.trusted_proxies)
    if not settings.cors_origins:
        return [compression, proxies, prefix]
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "If-Match",
            "If-None-Match",
            KEY_HEADER,
            REQUEST_ID_HEADER,
            TIMEOUT_HEADER,
        ],
        expose_headers=[
            "Content-Disposition",
            "ETag",
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "Server-Timing",
            REQUEST_ID_HEADER,
            TRASH_ID_HEADER,
            REPLAYED_HEADER,
        ],
    )
    return [compression, cors, proxies, prefix]


async def _pass_on(request: Request, exc: Exception) -> Response:
    """Pass on a service's error answer; visitors get it without details for operators."""
    refusal = exc if isinstance(exc, ServiceRefused) else ServiceRefused(502, b"", None)
    if request.state.identity.role < Role.MANAGE:
        refusal = refusal.for_visitors()
    headers = {"Retry-After": refusal.retry_after} if refusal.retry_after is not None else None
    return Response(refusal.body, refusal.status, headers, media_type="application/json")
