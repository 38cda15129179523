"""Whether what the model says can be read: a model or server that answers in another form gives no verdicts at all."""

import time
from collections.abc import Callable, Iterator
from threading import Lock

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

QUERIES_IN_A_ROW = 3
"""So many photos in a row without any verdict make the service unready; one may be the photo's fault."""

_PROOF_EVERY_S = 15.0


class Readability(Collector):
    """Counts verdicts that could not be had. Safe from any thread.

    Attributes:
        unreadable: pairs without a verdict so far.
        reason: why the last photo got no verdict at all; None where it got one.
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
        """Whether so many photos got no verdict that it is hardly their fault."""
        return self._in_a_row >= QUERIES_IN_A_ROW

    def note(self, unreadable: int, failure: Exception | None) -> None:
        """Count what became of one photo's pairs; ``failure`` says why none of them got a verdict."""
        with self._lock:
            self.unreadable += unreadable
            self.reason = None if failure is None else str(failure)
            self._in_a_row = 0 if failure is None else self._in_a_row + 1

    def takes_a_proof(self) -> bool:
        """Whether it is time to try again with a photo of our own; true once for each time."""
        with self._lock:
            if not self.is_lost or self._clock() - self._proven_s < _PROOF_EVERY_S:
                return False
            self._proven_s = self._clock()
            return True

    def collect(self) -> Iterator[Metric]:
        """The metric."""
        pairs = CounterMetricFamily(
            "matcher_verifier_unreadable_pairs",
            "Pairs that got no verdict: the reply was neither yes nor no, or the pair was refused.",
            labels=["process"],
        )
        pairs.add_metric([self._process], self.unreadable)
        yield pairs
