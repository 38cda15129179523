from collections.abc import Sequence

import pytest
import torch

from core.errors import OutOfMemory
from core.runtime.bounded_forward import BoundedForward


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
    result = BoundedForward(device, max_batch=4)(range(10))
    assert device.asked == [4, 4, 2]
    assert result.tolist() == [2 * number for number in range(10)]


@pytest.mark.parametrize("room", [1, 2, 3, 7, 8])
def test_out_of_memory_halves_the_batch(room: int):
    """A batch that does not fit is tried again in halves, and no result is lost, doubled or moved."""
    forward = BoundedForward(SmallDevice(room), max_batch=8)
    assert forward(range(21)).tolist() == [2 * number for number in range(21)]
    assert 1 <= forward.max_batch <= room


def test_the_smaller_size_is_kept():
    """The next call starts with what fitted, instead of failing again first."""
    device = SmallDevice(room=3)
    forward = BoundedForward(device, max_batch=8)
    forward(range(8))
    device.asked.clear()
    forward(range(8))
    assert max(device.asked) <= 3


def test_a_single_photo_that_does_not_fit_is_an_error():
    """When not even one fits, the error says so instead of looping."""
    with pytest.raises(OutOfMemory, match="smaller input size or model"):
        BoundedForward(SmallDevice(room=0), max_batch=8)(range(3))


def test_other_failures_pass_through():
    """Only running out of memory is retried."""

    def broken(_items: Sequence[int]) -> torch.Tensor:
        raise RuntimeError("device-side assert")

    with pytest.raises(RuntimeError, match="device-side"):
        BoundedForward(broken, max_batch=8)([1])
