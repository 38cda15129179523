"""Prometheus metrics of how far the vector engine is behind the database."""

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.gallery import Gallery


class VectorEngineMetrics(Collector):
    """Reads the lag whenever metrics are collected; has no metrics if vectors are in this process's memory."""

    def __init__(self, process: str, gallery: Gallery) -> None:
        """Set the gallery; ``process`` is the value of the label of that name."""
        self._process = process
        self._gallery = gallery

    def collect(self) -> Iterator[Metric]:
        """Report the lag that the synchronising thread found last; queries neither the engine nor the database."""
        lag = self._gallery.vector_lag
        if lag is None:
            return
        waiting = GaugeMetricFamily(
            "matcher_vectors_waiting",
            "Images whose last change the vector engine may not show yet.",
            labels=["process"],
        )
        waiting.add_metric([self._process], lag.waiting)
        answering = GaugeMetricFamily(
            "matcher_vector_engine_answers",
            "1 while the vector engine is kept in step with the database, 0 while that fails.",
            labels=["process"],
        )
        answering.add_metric([self._process], not lag.trouble)
        yield from (waiting, answering)
