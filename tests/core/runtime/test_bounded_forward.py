from collections.abc import Sequence

import pytest
import torch

from core.errors import OutOfMemory
from core.runtime.bounded_forward import BatchLimit, BoundedForward


class SmallDevice:
    """Doubles numbers; runs out of memory above ``room`` of them. Remembers the sizes it was asked for."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.asked: list[int] = []

    def __call__(self, items: Sequence[float]) -> torch.Tensor:
        """Double the numbers, or run out of memory."""
        self.asked.append(len(items))
        if len(items) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.tensor(items) * 2


def test_batches_are_bounded_and_in_order():
    """No batch exceeds the limit, and row i is input i's."""
    device = SmallDevice(room=100)
    result = BoundedForward(device, 4)(range(10))
    assert device.asked == [4, 4, 2]
    assert result.tolist() == [2 * number for number in range(10)]


@pytest.mark.parametrize("room", [1, 2, 3, 7, 8])
def test_out_of_memory_halves_the_batch(room: int):
    """A batch that does not fit is tried again in halves, and no result is lost, doubled or moved."""
    forward = BoundedForward(SmallDevice(room), 8)
    assert forward(range(21)).tolist() == [2 * number for number in range(21)]
    assert 1 <= forward.limit.now <= room


def test_the_smaller_size_is_kept():
    """The next call starts with what fitted, instead of failing again first."""
    device = SmallDevice(room=3)
    forward = BoundedForward(device, 8)
    forward(range(8))
    device.asked.clear()
    forward(range(8))
    assert max(device.asked) <= 3


def test_the_full_size_comes_back_after_some_minutes():
    """A neighbour that took the memory for a moment does not cost speed for ever; each attempt is a full batch."""
    device, seconds = SmallDevice(room=3), [0.0]
    forward = BoundedForward(device, BatchLimit(8, recovers_after_s=300, clock=lambda: seconds[0]))
    forward(range(8))
    seconds[0], device.room = 299.0, 100
    device.asked.clear()
    forward(range(8))
    seconds[0] = 300.0
    forward(range(8))
    assert device.asked == [2, 2, 2, 2, 8]


def test_a_single_photo_that_does_not_fit_is_an_error():
    """When not even one fits, the error says so instead of looping."""
    with pytest.raises(OutOfMemory, match="smaller input size or model"):
        BoundedForward(SmallDevice(room=0), 8)(range(3))


def test_other_failures_pass_through():
    """Only running out of memory is retried."""

    def broken(_items: Sequence[int]) -> torch.Tensor:
        raise RuntimeError("device-side assert")

    with pytest.raises(RuntimeError, match="device-side"):
        BoundedForward(broken, 8)([1])
