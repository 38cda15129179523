"""Prometheus metrics of the device that a service's model runs on."""

from collections.abc import Iterator
from dataclasses import asdict

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.runtime.device_use import DeviceUse


class DeviceMetrics(Collector):
    """Reads the counts of a model whenever metrics are collected."""

    def __init__(self, process: str, use: DeviceUse) -> None:
        """Set the counts; ``process`` is the value of the label of that name."""
        self._process = process
        self._use = use

    def collect(self) -> Iterator[Metric]:
        """Return the counts, and on a GPU its memory; only the counts that need no device once it is lost."""
        use = self._use
        counts = {
            "matcher_device_passes": ("Forward passes on the model's device.", float(use.passes)),
            "matcher_device_waiting_seconds": ("Time that work waited for the device.", use.waiting_s),
            "matcher_device_halvings": ("Batches halved for lack of memory.", float(use.halvings)),
        }
        memory = None
        try:
            counts["matcher_device_seconds"] = ("Time the device worked for the model.", use.busy_s)
            memory = use.memory
        except RuntimeError:  # the device is lost; the process is about to end
            pass
        for name, (meaning, count) in counts.items():
            counter = CounterMetricFamily(name, meaning, labels=["process"])
            counter.add_metric([self._process], count)
            yield counter
        graphs = GaugeMetricFamily("matcher_device_graphs", "Recorded CUDA graphs.", labels=["process"])
        graphs.add_metric([self._process], use.graphs)
        yield graphs
        if memory is not None:
            sizes = GaugeMetricFamily("matcher_device_memory_bytes", "Memory of the GPU.", labels=["process", "kind"])
            for kind, size in asdict(memory).items():
                sizes.add_metric([self._process, kind], size)
            yield sizes
