"""Jobs of several threads are run together, and fail alone."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.runtime.combining import Combiner


class Device:
    """Doubles numbers; waits at a gate in its first run, and fails at a negative number. Keeps what it was given."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        """Double."""
        self.runs.append(list(numbers))
        self.begun.set()
        assert self.go_on.wait(60)
        if min(numbers) < 0:
            raise ValueError(f"negative: {min(numbers)}")
        return [2 * number for number in numbers]


def ask_while_busy(device: Device, numbers: Sequence[int]) -> list[int | BaseException]:
    """Let the first number occupy the device while the others arrive; gives their results or errors."""
    combined = Combiner[int, int](device, threading.Lock())
    with ThreadPoolExecutor(len(numbers)) as threads:
        first = threads.submit(combined, numbers[0])
        assert device.begun.wait(60)
        others = [threads.submit(combined, number) for number in numbers[1:]]
        while combined.waiting < len(others):
            assert not any(other.done() for other in others)
        device.go_on.set()
    return [task.exception() or task.result() for task in (first, *others)]


def test_a_lone_job_runs_at_once():
    """Nobody waits for company."""
    device = Device()
    device.go_on.set()

    assert Combiner[int, int](device, threading.Lock())(4) == 8
    assert device.runs == [[4]]


def test_what_arrives_while_one_runs_shares_the_next_run():
    """The jobs of all waiting threads are one run, and everybody gets the own result."""
    device = Device()

    assert ask_while_busy(device, [1, 2, 3, 4]) == [2, 4, 6, 8]
    assert [sorted(run) for run in device.runs] == [[1], [2, 3, 4]]


def test_a_job_fails_alone():
    """A job that fails in company gets its own error, and the others their results."""
    device = Device()

    first, second, failed, last = ask_while_busy(device, [1, 2, -3, 4])

    assert (first, second, last) == (2, 4, 8)
    assert str(failed) == "negative: -3"
    assert len(device.runs) == 1 + 1 + 3


def test_an_error_is_raised_to_its_caller():
    """Alone, too."""
    device = Device()
    device.go_on.set()

    with pytest.raises(ValueError, match="negative: -1"):
        Combiner[int, int](device, threading.Lock())(-1)
