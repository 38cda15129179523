"""Request ids across all processes, one log line per request, Server-Timing."""

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from time import perf_counter
from urllib.parse import quote
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.metrics import PATH as METRICS_PATH
from serving.metrics import Metrics
from serving.secrets import without_secrets
from serving.tracing import span

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-ID"

# A caller's id is logged and sent on, so only short, harmless text is accepted.
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_request_id: ContextVar[str] = ContextVar("request_id", default="-")


def current_request_id() -> str:
    """Return the id of the current request; ``-`` outside of a request."""
    return _request_id.get()


class JsonFormatter(logging.Formatter):
    """One JSON object per line; lines about a finished request have its method, path, status and times as well."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record, whose ``request`` may hold further fields."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", "-"),
            **getattr(record, "request", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class _WithoutSecrets(logging.Formatter):
    """Removes secrets from the lines of another formatter, including tracebacks."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(self._inner.format(record))


def configure_logging(level: str, log_format: str = "text") -> None:
    """Send log lines to stderr, each with its request's id, as ``text`` or ``json``."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(request_id)s %(name)s: %(message)s")
    handler.setFormatter(_WithoutSecrets(JsonFormatter() if log_format == "json" else text))
    handler.addFilter(_add_request_id)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "PIL", "python_multipart"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def shown_path(path: str) -> str:
    """Return the path of a request for a log line: percent-encoded again, and cut."""
    return quote(path[:200])


class StageTimer:
    """Measures named stages of one request.

    Attributes:
        timings_ms: milliseconds by stage; a stage measured twice counts both times.
        cpu_ms: milliseconds of work by stage, of the stages that are done in threads.
    """

    def __init__(self) -> None:
        self._started = perf_counter()
        self.timings_ms: dict[str, float] = {}
        self.cpu_ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to ``name``."""
        started = perf_counter()
        try:
            with span(name):
                yield
        finally:
            self.record(name, (perf_counter() - started) * 1000)

    def record(self, name: str, spent_ms: float) -> None:
        """Add time that was measured elsewhere to ``name``."""
        self.timings_ms[name] = self.timings_ms.get(name, 0.0) + spent_ms

    def include(self, wall_s: Mapping[str, float], cpu_s: Mapping[str, float]) -> None:
        """Add what the threads of this request measured themselves.

        Args:
            wall_s: seconds by stage; a stage that this timer has measured keeps its own time, which includes waiting.
            cpu_s: seconds of work by stage.
        """
        for name in [name for name in wall_s if name not in self.timings_ms]:
            self.record(name, wall_s[name] * 1000)
        for name, spent_s in cpu_s.items():
            self.cpu_ms[name] = round(self.cpu_ms.get(name, 0.0) + spent_s * 1000, 3)

    def finish(self) -> dict[str, float]:
        """Return all stages and the ``total`` since construction, rounded to microseconds."""
        total = (perf_counter() - self._started) * 1000
        return {name: round(value, 3) for name, value in {**self.timings_ms, "total": total}.items()}


class RequestContext:
    """Outermost middleware: gives the request its id, times and counts it.

    Adds ``X-Request-ID`` and ``Server-Timing`` to the answer. A route that leaves ``timings_ms`` in
    ``request.state`` gets its stages listed there as well; those, and ``cpu_ms`` beside them, are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request in its own context."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        offered = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = offered if _ACCEPTABLE_ID.fullmatch(offered) else uuid4().hex
        token = _request_id.set(request_id)
        state = scope.setdefault("state", {})
        started = perf_counter()
        status = 0

        async def add_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = request_id
                total_ms = (perf_counter() - started) * 1000
                headers["Server-Timing"] = _server_timing({**state.get("timings_ms", {}), "total": total_ms})
            await send(message)

        try:
            await self.app(scope, receive, add_headers)
        finally:
            elapsed_s = perf_counter() - started
            self._metrics.observe_request(
                scope, status, elapsed_s, state.get("timings_ms", {}), state.get("cpu_ms", {})
            )
            # Health checks arrive every few seconds, and would hide other lines.
            level = logging.DEBUG if scope["path"].startswith(("/health/", METRICS_PATH)) else logging.INFO
            path, stages_ms = shown_path(scope["path"]), state.get("timings_ms", {})
            fields = {
                "method": scope["method"],
                "path": path,
                "status": status,
                "duration_ms": round(elapsed_s * 1000, 1),
            }
            logger.log(
                level,
                "%s %s %d %.1f ms",
                scope["method"],
                path,
                status,
                elapsed_s * 1000,
                extra={"request": {**fields, "stages_ms": stages_ms}},
            )
            _request_id.reset(token)


def _server_timing(timings_ms: Mapping[str, float]) -> str:
    return ", ".join(f"{name};dur={value:.1f}" for name, value in timings_ms.items())


def _add_request_id(record: logging.LogRecord) -> bool:
    record.request_id = _request_id.get()
    return True
