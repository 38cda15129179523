"""What a model's use of its device is counted as."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import pytest
import torch

from core.runtime.bounded_forward import BatchLimit, BoundedForward
from core.runtime.combining import Combiner
from core.runtime.device_use import DeviceUse, device_use_of
from core.runtime.devices import CPU_ALWAYS


def test_passes_and_their_time_are_counted():
    """Also a pass that fails has used the device."""
    use = DeviceUse(CPU_ALWAYS)
    with use.counting():
        torch.ones(100, 100) @ torch.ones(100, 100)
    first = use.busy_s
    with pytest.raises(torch.OutOfMemoryError), use.counting():
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert (use.passes, use.memory) == (2, None)
    assert 0 < first < use.busy_s


def test_halved_batches_of_all_networks_are_counted():
    """Those of the vision tower and of the text network are one number."""
    limits = [BatchLimit(4), BatchLimit(8)]

    def forward(items: list[int]) -> torch.Tensor:
        if len(items) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.tensor(items)

    for limit in limits:
        BoundedForward(forward, limit)(list(range(8)))
    assert DeviceUse(CPU_ALWAYS, limits).halvings == 1 + 2


def test_waiting_for_the_device_is_counted():
    """A job that arrives while another runs waits; one on an idle device does not."""
    use, begun, go_on = DeviceUse(CPU_ALWAYS), Event(), Event()

    def run(jobs: list[str]) -> list[str]:
        begun.set()
        assert go_on.wait(60)
        return jobs

    combined = Combiner[str, str](run, Lock(), use.add_waiting)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(combined, "first")
        assert begun.wait(60)
        alone = use.waiting_s
        second = threads.submit(combined, "second")
        while not combined.waiting:
            assert not second.done()
        go_on.set()
        assert (first.result(), second.result()) == ("first", "second")
    assert use.waiting_s > alone


def test_a_model_without_a_device_has_no_counts():
    """One that asks a server, for example."""
    assert device_use_of(object()) is None
