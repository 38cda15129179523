"""Counts unreadable replies: a model or server that answers in an unknown format gives no verdicts at all."""

import time
from collections.abc import Callable, Iterator
from threading import Lock

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

QUERIES_IN_A_ROW = 3
"""After so many photos in a row without a verdict the service is not ready; a single photo may be the cause itself."""

_PROOF_EVERY_S = 15.0


class Readability(Collector):
    """Counts pairs without a verdict. Thread-safe.

    Attributes:
        unreadable: number of pairs without a verdict.
        reason: why the last photo got no verdict at all; None if it got one.
    """

    def __init__(self, process: str = "verifier", clock: Callable[[], float] = time.monotonic) -> None:
        """Start at zero; ``process`` is the value of the metric's label of that name."""
        self.unreadable = 0
        self.reason: str | None = None
        self._process = process
        self._clock = clock
        self._in_a_row = 0
        self._proven_s = -float("inf")
        self._lock = Lock()

    @property
    def is_lost(self) -> bool:
        """Whether so many photos in a row got no verdict that the verifier is the likely cause."""
        return self._in_a_row >= QUERIES_IN_A_ROW

    def note(self, unreadable: int, failure: Exception | None) -> None:
        """Count the pairs of one photo; ``failure`` is why none of them got a verdict, or None."""
        with self._lock:
            self.unreadable += unreadable
            self.reason = None if failure is None else str(failure)
            self._in_a_row = 0 if failure is None else self._in_a_row + 1

    def takes_a_proof(self) -> bool:
        """Tell whether it is time to try the verifier with a test pair; True once per interval."""
        with self._lock:
            if not self.is_lost or self._clock() - self._proven_s < _PROOF_EVERY_S:
                return False
            self._proven_s = self._clock()
            return True

    def collect(self) -> Iterator[Metric]:
        """Return the metric."""
        pairs = CounterMetricFamily(
            "matcher_verifier_unreadable_pairs",
            "Pairs that got no verdict: the reply was neither yes nor no, or the pair was refused.",
            labels=["process"],
        )
        pairs.add_metric([self._process], self.unreadable)
        yield pairs
