"""Two threads share the work of one caller; with several callers, each does its own."""

import time
from functools import partial
from threading import Barrier, Event, Thread, get_ident

import pytest

from core.runtime.second_thread import SecondThread, work_time


@pytest.mark.parametrize("counts", [(1, 1), (8, 8), (0, 3), (3, 0), (0, 0)])
def test_results_keep_their_order(counts):
    """Whichever thread runs a task, its result is at the task's place."""
    first, last = ([partial(divmod, number, 3) for number in range(count)] for count in counts)

    assert SecondThread("second").share(first, last) == ([task() for task in first], [task() for task in last])


def test_both_threads_work_at_the_same_time():
    """A task of each kind runs at once: both reach the barrier."""
    both = Barrier(2, timeout=60)

    def meet() -> int:
        both.wait()
        return get_ident()

    (there,), (here,) = SecondThread("second").share([meet], [meet])

    assert here == get_ident() != there


def test_while_the_second_thread_is_busy_a_caller_does_its_own_work():
    """One caller's long task does not hold up another's: it takes one thread for each."""
    second, began, go_on = SecondThread("second"), Event(), Event()

    def long() -> None:
        began.set()
        go_on.wait(60)

    other = Thread(target=second.share, args=([long], [int]))
    other.start()
    began.wait(60)
    done = second.share([get_ident, get_ident], [get_ident])
    go_on.set()
    other.join()

    assert done == ([get_ident()] * 2, [get_ident()])


@pytest.mark.parametrize("is_first", [True, False])
def test_a_failure_reaches_the_caller(is_first):
    """Of a task in either thread; the second thread works on for the next caller."""
    second, both = SecondThread("second"), Barrier(2, timeout=60)

    def fail() -> None:
        both.wait()
        raise ValueError("no such picture")

    with pytest.raises(ValueError, match="no such picture"):
        second.share([fail], [both.wait]) if is_first else second.share([both.wait], [fail])

    assert second.share([int], [int]) == ([0], [0])


def test_work_time_counts_what_the_second_thread_did():
    """A budget of work is spent by both threads together, and only by the caller's own tasks."""
    both = Barrier(2, timeout=60)

    def work() -> None:
        both.wait()
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass

    began = work_time()
    SecondThread("second").share([work], [work])

    assert work_time() - began >= 0.1
