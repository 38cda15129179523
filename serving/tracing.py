"""Optional OpenTelemetry: a span for every request, service call and stage, connected by the traceparent header.

Off unless a process is started with ``TRACING``; the standard ``OTEL_*`` variables set the destination.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

_tracer: ContextVar["Tracer | None"] = ContextVar("tracer", default=None)


def open_tracing(process: str) -> "TracerProvider":
    """Send spans by OTLP over HTTP; the caller must shut the provider down, which sends the last spans.

    Raises:
        SystemExit: the packages are not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as exc:
        raise SystemExit(f"tracing needs the extra otel: pip install 'semantic-image-matcher[otel]' ({exc})") from exc
    provider = TracerProvider(resource=Resource.create({"service.name": f"semantic-image-matcher-{process}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


@contextmanager
def span(name: str) -> Iterator[None]:
    """Record the block as a span of the current request; nothing if tracing is off."""
    tracer = _tracer.get()
    if tracer is None:
        yield
        return
    with tracer.start_as_current_span(name):
        yield


def trace_headers() -> dict[str, str]:
    """Return the headers that pass the current span to the next process."""
    headers: dict[str, str] = {}
    if _tracer.get() is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(headers)
    return headers


class TraceRequests:
    """The outermost middleware if tracing is on: one span per request, a child of the caller's span if it sent one."""

    def __init__(self, app: ASGIApp, provider: "TracerProvider") -> None:
        self.app = app
        self._tracer = provider.get_tracer(__name__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request inside its span."""
        if scope["type"] != "http" or scope["path"].startswith(("/health/", "/metrics")):
            await self.app(scope, receive, send)
            return
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        caller = TraceContextTextMapPropagator().extract(dict(Headers(scope=scope)))
        with self._tracer.start_as_current_span(scope["method"], context=caller, kind=SpanKind.SERVER) as current:
            current.set_attribute("http.request.method", scope["method"])

            async def note_answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    current.set_attribute("http.response.status_code", message["status"])
                    current.set_attribute("request.id", Headers(raw=message["headers"]).get("x-request-id", "-"))
                    if message["status"] >= 500:
                        current.set_status(Status(StatusCode.ERROR))
                await send(message)

            token = _tracer.set(self._tracer)
            try:
                await self.app(scope, receive, note_answer)
            finally:
                _tracer.reset(token)
                route = getattr(scope.get("route"), "path_format", None)
                if route is not None:  # not the path itself, which holds ids
                    current.update_name(f"{scope['method']} {route}")
                    current.set_attribute("http.route", route)
