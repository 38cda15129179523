"""How much of a device a model uses: passes, their time, waiting, and memory. Operators see it as metrics."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Protocol, runtime_checkable

import torch

from core.runtime.bounded_forward import BatchLimit
from core.runtime.devices import DeviceChoice


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Memory of a GPU, in bytes.

    Attributes:
        allocated: for this process's tensors.
        reserved: by this process, cached blocks included.
        free: for all processes.
        total: of the card.
    """

    allocated: int
    reserved: int
    free: int
    total: int


class DeviceUse:
    """Counts what a model does on its device. Several threads may count.

    Attributes:
        device: the model's.
        passes: forward passes so far.
        waiting_s: seconds for which work that was ready waited for the device, of all threads together.
    """

    def __init__(
        self, device: DeviceChoice, limits: Sequence[BatchLimit] = (), graphs: Callable[[], int] = lambda: 0
    ) -> None:
        """Start with nothing counted.

        Args:
            device: the model's.
            limits: of its batches.
            graphs: returns how many CUDA graphs it has recorded.
        """
        self.device = device
        self.passes = 0
        self.waiting_s = 0.0
        self._limits = tuple(limits)
        self._graphs = graphs
        self._busy_s = 0.0
        self._running: deque[tuple[torch.cuda.Event, torch.cuda.Event]] = deque()
        self._lock = Lock()

    @property
    def busy_s(self) -> float:
        """Seconds for which the device worked for this model."""
        with self._lock:
            self._collect()
            return self._busy_s

    @property
    def halvings(self) -> int:
        """How often a batch was halved, because it did not fit."""
        return sum(limit.halvings for limit in self._limits)

    @property
    def graphs(self) -> int:
        """Number of recorded CUDA graphs."""
        return self._graphs()

    @property
    def memory(self) -> DeviceMemory | None:
        """The device's memory; None on a CPU."""
        if not self.device.is_cuda:
            return None
        device = self.device.device
        return DeviceMemory(
            torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device), *torch.cuda.mem_get_info(device)
        )

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the block as one pass: a GPU's own time for what the block starts, or the time of a CPU."""
        if not self.device.is_cuda:
            started = time.perf_counter()
            try:
                yield
            finally:
                with self._lock:
                    self.passes += 1
                    self._busy_s += time.perf_counter() - started
            return
        # A GPU works on after the block, so its time is read once it has passed the second event.
        stream = torch.cuda.current_stream(self.device.device)
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        begin.record(stream)
        try:
            yield
        finally:
            end.record(stream)
            with self._lock:
                self.passes += 1
                self._running.append((begin, end))
                self._collect()

    def add_waiting(self, seconds: float) -> None:
        """Add to the time for which work waited."""
        with self._lock:
            self.waiting_s += seconds

    def _collect(self) -> None:
        while self._running and self._running[0][1].query():  # type: ignore[no-untyped-call]
            begin, end = self._running.popleft()
            self._busy_s += begin.elapsed_time(end) / 1000


@runtime_checkable
class UsesDevice(Protocol):
    """A model that may count what it does on its device."""

    @property
    def device_use(self) -> DeviceUse | None:
        """The counts; None if it uses none itself."""
        ...


def device_use_of(model: object) -> DeviceUse | None:
    """Return a model's counts; None if it has none."""
    return model.device_use if isinstance(model, UsesDevice) else None
