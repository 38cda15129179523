"""Spans of requests, hops and stages belong together, over process boundaries, and only where tracing is on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from bad_photos import GOOD_PHOTO
from fastapi import FastAPI
from in_process import AppClient

from gateway.app import ServiceTransports, create_app
from gateway.settings import GatewaySettings
from serving.observability import StageTimer
from serving.tracing import TraceRequests, span, trace_headers

try:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
except ImportError:
    pytest.skip("opentelemetry-sdk is not installed: tracing is NOT tested; the extra otel has it", True)

CALLERS_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(spans: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider


def test_a_request_its_hops_and_stages_are_one_trace(provider: TracerProvider, spans: InMemorySpanExporter):
    """The caller's trace goes on through the gateway to the services; a hop's span is the service's parent."""
    told: dict[str, str] = {}

    def retrieval(request: httpx.Request) -> httpx.Response:
        told.update(request.headers)
        return httpx.Response(500, json={})

    @asynccontextmanager
    async def services() -> AsyncIterator[ServiceTransports]:
        yield ServiceTransports(httpx.MockTransport(retrieval), httpx.MockTransport(retrieval))

    app = create_app(GatewaySettings(), services=services)
    app.add_middleware(TraceRequests, provider=provider)
    with AppClient(app) as client:
        client.post(
            "/match",
            files={"file": ("q.jpg", GOOD_PHOTO)},
            headers={"traceparent": f"00-{CALLERS_TRACE}-00f067aa0ba902b7-01"},
        )
        client.get("/health/live")

    finished = {span.name: span for span in spans.get_finished_spans()}
    assert set(finished) == {"POST /match", "receive", "POST retrieval/search"}
    assert {f"{span.context.trace_id:032x}" for span in finished.values()} == {CALLERS_TRACE}
    hop, request = finished["POST retrieval/search"], finished["POST /match"]
    assert hop.parent.span_id == request.context.span_id
    assert told["traceparent"].split("-")[1:3] == [CALLERS_TRACE, f"{hop.context.span_id:016x}"]
    assert request.attributes["http.response.status_code"] == 502
    assert not request.status.is_ok


def test_without_tracing_there_is_nothing():
    """Where tracing is off stages are measured all the same, and no header is sent."""
    timer = StageTimer()
    with timer.stage("decode"), span("inner"):
        assert trace_headers() == {}

    assert "decode" in timer.timings_ms


def test_a_service_goes_on_where_the_gateway_left_off(provider: TracerProvider, spans: InMemorySpanExporter):
    """Work in a service's stages lies below the span that the gateway named."""
    app = FastAPI()
    app.add_middleware(TraceRequests, provider=provider)

    async def search() -> dict[str, Any]:
        with StageTimer().stage("encode"):
            return trace_headers()

    app.add_api_route("/search", search)
    with AppClient(app) as client:
        sent = client.get("/search", headers={"traceparent": f"00-{CALLERS_TRACE}-00f067aa0ba902b7-01"}).json()

    stage, request = spans.get_finished_spans()
    assert (stage.name, request.name) == ("encode", "GET /search")
    assert (stage.parent.span_id, request.parent.span_id) == (request.context.span_id, 0x00F067AA0BA902B7)
    assert sent["traceparent"].endswith(f"{stage.context.span_id:016x}-01")
