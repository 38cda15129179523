"""Stages are measured in all threads that work for them."""

import time

import pytest

from core.runtime.stage_times import StageThreads, recording, stage


def work(cpu_s: float) -> None:
    """Keep this thread's processor busy."""
    until = time.thread_time() + cpu_s
    while time.thread_time() < until:
        pass


@stage("inner")
def inner(cpu_s: float) -> None:
    """Work as a stage."""
    work(cpu_s)


def test_a_stage_counts_all_its_blocks_and_the_stages_inside_it():
    """A stage that runs twice counts both times, and belongs to the stage around it."""
    with recording() as times, stage("outer"):
        work(0.01)
        inner(0.02)
        inner(0.02)

    assert times.cpu_s["inner"] >= 0.04
    assert times.cpu_s["outer"] >= times.cpu_s["inner"] + 0.01
    assert times.wall_s["outer"] >= times.wall_s["inner"] >= times.cpu_s["inner"] * 0.9


def test_the_work_of_a_pool_counts_for_the_stage_that_submitted_it():
    """CPU time is that of all threads together; the stage's own thread only waits for them."""
    with StageThreads(2) as pool, recording() as times, stage("outer"):
        list(pool.map(inner, [0.03, 0.03]))
        pool.submit(work, 0.02).result()

    assert times.cpu_s["inner"] >= 0.06
    assert times.cpu_s["outer"] >= times.cpu_s["inner"] + 0.02


def test_two_recordings_in_one_pool_stay_apart():
    """The work of one photo is never counted for another."""
    with StageThreads(1) as pool:
        with recording() as first, stage("first"):
            pool.submit(work, 0.01).result()
        with recording() as second, stage("second"):
            pool.submit(work, 0.01).result()

    assert (set(first.cpu_s), set(second.cpu_s)) == ({"first"}, {"second"})


def test_work_that_fails_is_counted_and_raises():
    """An exception passes through a stage and a pool, with the time until it."""

    def fail() -> None:
        work(0.01)
        raise ValueError("no")

    with StageThreads(1) as pool, recording() as times:
        with pytest.raises(ValueError, match="no"), stage("outer"):
            pool.submit(fail).result()
        with stage("after"):
            pass

    assert times.cpu_s["outer"] >= 0.01
    assert "after" in times.cpu_s


def test_nothing_is_measured_where_nobody_records():
    """A stage outside of a recording, and a pool's work for it, run as without."""
    with StageThreads(1) as pool, stage("outer"):
        assert pool.submit(lambda: 3).result() == 3
