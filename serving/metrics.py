"""Metrics of a process for Prometheus: ``GET /metrics``.

Every series has a ``process`` label, so that ``standalone`` can show the metrics of all three processes. The number of
label values from outside is bounded, because series are never removed from memory.
"""

from collections.abc import Callable, Iterator, Mapping

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.types import Scope

PATH = "/metrics"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MAX_STAGES = 64
OTHER = "(other)"


class BoundedLabels:
    """The first ``limit`` different values of a label; all later ones are called ``(other)``."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: set[str] = set()

    def bound(self, value: str) -> str:
        """Return the value, or ``(other)``."""
        if value in self._seen:
            return value
        if len(self._seen) >= self._limit:
            return OTHER
        self._seen.add(value)
        return value


class Metrics:
    """The metrics of one process. Each application has its own.

    Attributes:
        process: value of the label ``process``.
        registry: for metrics of one process only; they need the label ``process`` too.
    """

    def __init__(self, process: str) -> None:
        """Create the metrics; all counts are 0."""
        self.process = process
        self.registry = CollectorRegistry()
        self._others: list[Metrics] = []
        self._stages = BoundedLabels(_MAX_STAGES)
        self._requests = Counter(
            "matcher_requests", "Requests answered.", ["process", "method", "route", "status"], registry=self.registry
        )
        self._request_seconds = Histogram(
            "matcher_request_seconds",
            "Time from the request's head to the end of its answer.",
            ["process", "method", "route"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._stage_seconds = Histogram(
            "matcher_stage_seconds",
            "Time spent in a stage of a request.",
            ["process", "stage"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._stage_cpu_seconds = Counter(
            "matcher_stage_cpu_seconds",
            "CPU time spent in a stage of requests, of all threads together.",
            ["process", "stage"],
            registry=self.registry,
        )
        self._inside = Gauge(
            "matcher_inside", "Requests that run or wait.", ["process", "gate"], registry=self.registry
        )
        self._capacity = Gauge(
            "matcher_capacity", "Most requests that may run or wait.", ["process", "gate"], registry=self.registry
        )
        self._queue_depth = Gauge(
            "matcher_queue_depth", "Items waiting for a batch.", ["process", "queue"], registry=self.registry
        )
        self._batch_size = Histogram(
            "matcher_batch_size",
            "Items processed in one batch.",
            ["process", "queue"],
            registry=self.registry,
            buckets=_BATCH_SIZES,
        )
        self._caches = _CacheUses(process)
        self.registry.register(self._caches)

    def include(self, other: "Metrics") -> None:
        """Show the metrics of another application of this process as well."""
        self._others.append(other)

    def observe_request(
        self,
        scope: Scope,
        status: int,
        elapsed_s: float,
        timings_ms: Mapping[str, float],
        cpu_ms: Mapping[str, float],
    ) -> None:
        """Count a finished request.

        Args:
            scope: of the request, after it was routed.
            status: of the answer; 0 if the caller hung up before it.
            elapsed_s: until the end of the answer.
            timings_ms: its stages.
            cpu_ms: the work of its stages, where that was measured.
        """
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        route = _route_of(scope)
        self._requests.labels(self.process, method, route, str(status)).inc()
        self._request_seconds.labels(self.process, method, route).observe(elapsed_s)
        for stage, spent_ms in timings_ms.items():
            self._stage_seconds.labels(self.process, self._stages.bound(stage)).observe(spent_ms / 1000)
        for stage, spent_ms in cpu_ms.items():
            self._stage_cpu_seconds.labels(self.process, self._stages.bound(stage)).inc(spent_ms / 1000)

    def observe_batch(self, queue: str, size: int) -> None:
        """Record the size of a batch."""
        self._batch_size.labels(self.process, queue).observe(size)

    def watch_gate(self, gate: str, inside: Callable[[], int], capacity: int | Callable[[], int]) -> None:
        """Report how many requests are inside a gate, and its capacity."""
        self._inside.labels(self.process, gate).set_function(inside)
        self._capacity.labels(self.process, gate).set_function(capacity if callable(capacity) else lambda: capacity)

    def watch_queue(self, queue: str, depth: Callable[[], int]) -> None:
        """Report how many items wait in a queue."""
        self._queue_depth.labels(self.process, queue).set_function(depth)

    def watch_cache(self, cache: str, uses: Callable[[], tuple[int, int]]) -> None:
        """Report hits and misses of a cache.

        Args:
            cache: its name.
            uses: returns hits and misses so far.
        """
        self._caches.watch(cache, uses)

    def render(self) -> bytes:
        """Return the metrics of this application and the included ones, in Prometheus' text format."""
        shown = CollectorRegistry()
        shown.register(_Joined([self, *self._others]))
        return generate_latest(shown)


def serve_metrics(app: FastAPI, metrics: Metrics) -> None:
    """Answer ``GET /metrics``, undocumented: it is for the operator's own Prometheus."""

    async def show() -> Response:
        return Response(metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})

    app.add_api_route(PATH, show, include_in_schema=False, response_class=Response)


class _CacheUses(Collector):
    """Collects the hits and misses that caches count themselves."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._uses: dict[str, Callable[[], tuple[int, int]]] = {}

    def watch(self, cache: str, uses: Callable[[], tuple[int, int]]) -> None:
        self._uses[cache] = uses

    def collect(self) -> Iterator[Metric]:
        """Read the counts of all caches."""
        family = CounterMetricFamily(
            "matcher_cache_uses", "Look-ups in a cache.", labels=["process", "cache", "outcome"]
        )
        for cache, uses in self._uses.items():
            for outcome, count in zip(("hit", "miss"), uses(), strict=True):
                family.add_metric([self._process, cache, outcome], count)
        yield family


class _Joined(Collector):
    """Joins families of the same name from several registries, as the text format requires."""

    def __init__(self, parts: list[Metrics]) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        """Join the families, and add the metrics of the operating-system process once."""
        families: dict[str, Metric] = {}
        for part in self._parts:
            for family in part.registry.collect():
                # The creation times of series are not needed, and would double the number of series.
                samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
                joined = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type, family.unit)
                )
                joined.samples += samples
        yield from families.values()
        yield from ProcessCollector(registry=None).collect()


def _route_of(scope: Scope) -> str:
    """Return the template of the route, never the path, which holds ids."""
    route = getattr(scope.get("route"), "path_format", None)
    if route is not None:
        return str(route)
    return "(files)" if "endpoint" in scope else "(none)"
