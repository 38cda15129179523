"""Prometheus metrics of the servers that a verifier uses."""

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.verifiers.base import AsksServers


class ServerMetrics(Collector):
    """Reads the servers' state whenever metrics are collected."""

    def __init__(self, process: str, verifier: AsksServers) -> None:
        """Set the verifier; ``process`` is the value of the label of that name."""
        self._process = process
        self._verifier = verifier

    def collect(self) -> Iterator[Metric]:
        """Return the metrics of all servers."""
        labels = ["process", "server"]
        answering = GaugeMetricFamily(
            "matcher_verifier_server_answers",
            "1 while a server behind the verifier is asked, 0 while it is skipped after failures.",
            labels=labels,
        )
        in_flight = GaugeMetricFamily(
            "matcher_verifier_server_in_flight", "Requests that a server has not answered yet.", labels=labels
        )
        requests = CounterMetricFamily(
            "matcher_verifier_server_requests",
            "Requests to a server, and checks that failed.",
            labels=[*labels, "outcome"],
        )
        for server in self._verifier.servers:
            answering.add_metric([self._process, server.name], server.away_because is None)
            in_flight.add_metric([self._process, server.name], server.in_flight)
            for outcome, count in (("answered", server.answered), ("failed", server.failed)):
                requests.add_metric([self._process, server.name, outcome], count)
        yield from (answering, in_flight, requests)
