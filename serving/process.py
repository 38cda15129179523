"""A FastAPI application with the parts of this package installed, and the uvicorn server that runs it."""

import resource
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial

import uvicorn
from fastapi import FastAPI
from starlette.middleware import Middleware

from contracts.errors import ErrorBody
from serving.auth.guard import Access, Guard
from serving.connections import TimeoutProtocol
from serving.ending import Ending
from serving.errors import ErrorTable, install_error_table
from serving.health import describe_version
from serving.metrics import Metrics, serve_metrics
from serving.observability import RequestContext, configure_logging
from serving.openapi import add_schemas
from serving.routers import AUTHORIZED, operation_name
from serving.security import SecurityHeaders
from serving.settings import ProcessSettings
from serving.tracing import TraceRequests, open_tracing

_OPEN_FILES = 65536

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build_api(
    title: str,
    description: str,
    *,
    lifespan: Lifespan,
    errors: ErrorTable,
    metrics: Metrics,
    access: Access,
    middleware: Sequence[Middleware] = (),
) -> FastAPI:
    """Build an application with common error answers, request ids and metrics.

    Args:
        title: for its documentation.
        description: for its documentation.
        lifespan: opens and closes its resources.
        errors: its error table.
        metrics: served at ``/metrics``; also at ``app.state.metrics``.
        access: who may use it, and how.
        middleware: of this application only, around its routes and their error answers, innermost first.
    """
    app = FastAPI(
        title=title,
        description=description,
        version=describe_version().version,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads from a CDN; see gateway.page.docs
        redoc_url=None,
        dependencies=[AUTHORIZED],
        redirect_slashes=False,  # a redirect would go to the request's Host, which the caller chooses
        generate_unique_id_function=operation_name,
        servers=[{"url": ".", "description": "beside this document, whatever the address"}],
        separate_input_output_schemas=False,  # one schema per contract, not one per direction
    )
    add_schemas(app, [ErrorBody])
    install_error_table(app, errors)
    app.add_middleware(Guard, access=access)
    for layer in middleware:
        app.add_middleware(layer.cls, *layer.args, **layer.kwargs)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestContext, metrics=metrics)
    app.state.metrics = metrics
    app.state.ending = Ending()
    serve_metrics(app, metrics)
    return app


def run_server(app: FastAPI, settings: ProcessSettings) -> None:
    """Serve ``app`` until a signal, or until it cannot continue; running requests get 20 s to finish."""
    configure_logging(settings.log_level, settings.log_format)
    provider = open_tracing(app.state.metrics.process) if settings.tracing else None
    if provider is not None:
        app.add_middleware(TraceRequests, provider=provider)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=partial(  # type: ignore[arg-type]  # uvicorn only calls it
            TimeoutProtocol, stall_s=settings.stall_timeout_s, unread_s=settings.unread_timeout_s
        ),
        log_config=None,
        access_log=False,  # serving.observability logs every request, with its id
        server_header=False,
        # Longer than our clients keep idle connections, so that none reuses a connection that is being closed.
        timeout_keep_alive=75,
        # uvicorn would trust every process on this machine; see GATEWAY_TRUSTED_PROXIES.
        proxy_headers=False,
        timeout_graceful_shutdown=20,
    )
    _allow_open_files()
    # Before models are loaded, so that a taken port is reported at once.
    server = _Server(config, app.state.ending)
    try:
        server.run(sockets=[config.bind_socket()])
    finally:
        if provider is not None:
            provider.shutdown()
    if not server.started:
        raise SystemExit("the server did not start; its log has the reason")
    if app.state.ending.is_asked_for:
        raise SystemExit(f"ended to be restarted: {app.state.ending.reason}")


class _Server(uvicorn.Server):
    """A server that also stops when the application asks for it."""

    def __init__(self, config: uvicorn.Config, ending: Ending) -> None:
        super().__init__(config)
        self._ending = ending

    async def on_tick(self, counter: int) -> bool:
        """Tell whether to stop; called ten times a second."""
        return await super().on_tick(counter) or self._ending.is_asked_for


def _allow_open_files() -> None:
    """Raise the usual limit of 1024 open files: connections and photos of uploads are files."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if allowed == resource.RLIM_INFINITY else min(allowed, _OPEN_FILES)
    with suppress(ValueError, OSError):  # some systems allow less than they report
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, allowed))
