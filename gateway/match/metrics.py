"""Counts the outcomes of matches per collection."""

from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram

from contracts.matching import MatchReply
from serving.metrics import BoundedLabels, Metrics

_MAX_COLLECTIONS = 100
_CONFIDENCES = tuple(step / 20 for step in range(1, 21))
_SIMILARITIES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)


class MatchMetrics:
    """Counts answers and records the distributions of their scores.

    Failed requests are not included; they are counted by status.
    """

    def __init__(self, metrics: Metrics) -> None:
        """Add the metrics to those of the process."""
        self._process = metrics.process
        self._collections = BoundedLabels(_MAX_COLLECTIONS)
        self._matches = Counter(
            "matcher_matches",
            "Photos answered: matched, or refused as not in the collection.",
            ["process", "collection", "outcome", "verification"],
            registry=metrics.registry,
        )
        self._confidence = Histogram(
            "matcher_confidence",
            "Confidence of the answers, from 0 to 1.",
            ["process", "collection", "outcome"],
            registry=metrics.registry,
            buckets=_CONFIDENCES,
        )
        self._similarity = Histogram(
            "matcher_similarity",
            "Cosine similarity of the first candidate.",
            ["process", "collection", "outcome"],
            registry=metrics.registry,
            buckets=_SIMILARITIES,
        )
        self._breaker_open = Gauge(
            "matcher_verifier_left_alone",
            "1 while the verifier is not asked because it failed, else 0.",
            ["process"],
            registry=metrics.registry,
        )

    def watch_breaker(self, is_open: Callable[[], bool]) -> None:
        """Report whether the verifier is not called; ``is_open`` is called whenever metrics are collected."""
        self._breaker_open.labels(self._process).set_function(lambda: float(is_open()))

    def observe(self, reply: MatchReply) -> None:
        """Count one answer."""
        collection = self._collections.bound(reply.collection)
        outcome = "matched" if reply.matched else "refused"
        self._matches.labels(self._process, collection, outcome, reply.verification).inc()
        self._confidence.labels(self._process, collection, outcome).observe(reply.confidence)
        if reply.candidates:
            self._similarity.labels(self._process, collection, outcome).observe(reply.candidates[0].similarity)
