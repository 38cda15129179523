"""Work in the background, as every replica sees it."""

from pathlib import Path

import pytest
from databases import on_both_databases

from core.gallery import Storage
from core.journal import Jobs, UsageDatabase
from core.journal.jobs import KEPT_S, SILENT_S

pytestmark = on_both_databases

NOW = 1_700_000_000.0


@pytest.fixture
def jobs(database: UsageDatabase) -> Jobs:
    return Jobs(database)


def test_what_one_replica_does_another_tells(jobs: Jobs, tmp_path: Path, storage: Storage):
    """How far it is, and how it ended."""
    other = UsageDatabase(tmp_path, storage)
    assert jobs.begin("calibration default", "a", "0 of 9", NOW) is None
    assert jobs.heartbeat("calibration default", "a", "5 of 9", NOW + 1, is_running=True)
    seen = Jobs(other).find("calibration default", NOW + 2)
    assert (seen.owner, seen.body, seen.is_running, seen.is_lost) == ("a", "5 of 9", True, False)

    jobs.heartbeat("calibration default", "a", "done", NOW + 3, is_running=False)
    seen = Jobs(other).find("calibration default", NOW + 4)
    assert (seen.body, seen.is_running) == ("done", False)
    other.close()


def test_one_of_a_kind_runs_at_a_time(jobs: Jobs):
    """A second is not begun while the first speaks; another kind is, and so is the next."""
    jobs.begin("calibration default", "a", "0 of 9", NOW)

    assert jobs.begin("calibration other", "b", "", NOW + 1).name == "calibration default"
    assert jobs.begin("sample", "b", "", NOW + 1) is None
    jobs.heartbeat("calibration default", "a", "done", NOW + 2, is_running=False)
    assert jobs.begin("calibration other", "b", "", NOW + 3) is None


def test_a_job_begun_twice_by_one_owner_is_returned(jobs: Jobs):
    """Whoever did not get the answer and asks again finds its own job, with what became of it since."""
    jobs.begin("calibration default", "a", "0 of 9", NOW)
    jobs.stop("calibration default", NOW)

    found = jobs.begin("calibration default", "a", "0 of 9", NOW + 1)

    assert (found.name, found.owner, found.is_cancelled) == ("calibration default", "a", True)


def test_a_silent_process_is_lost(jobs: Jobs):
    """A job whose process was killed is known as lost, and gives way; should it speak again, it is told to stop."""
    jobs.begin("calibration default", "a", "3 of 9", NOW)
    later = NOW + SILENT_S + 1
    assert jobs.find("calibration default", later).is_lost

    assert jobs.begin("calibration default", "b", "0 of 9", later) is None
    assert not jobs.heartbeat("calibration default", "a", "4 of 9", later + 1, is_running=True)
    assert jobs.find("calibration default", later + 1).body == "0 of 9"


def test_a_silent_job_gives_way_to_one_of_another_name(jobs: Jobs):
    """One of a kind runs at a time: should the silent one speak again, it is told to stop, and the next goes on."""
    jobs.begin("calibration default", "a", "3 of 9", NOW)
    jobs.begin("sample", "s", "", NOW)
    later = NOW + SILENT_S + 1

    assert jobs.begin("calibration other", "b", "0 of 9", later) is None

    assert not jobs.heartbeat("calibration default", "a", "4 of 9", later + 1, is_running=True)
    assert jobs.begin("calibration other", "b", "0 of 9", later + 1).owner == "b"
    assert jobs.heartbeat("calibration other", "b", "1 of 9", later + 1, is_running=True)
    assert jobs.heartbeat("sample", "s", "", later + 1, is_running=True)
    jobs.heartbeat("calibration default", "a", "cancelled", later + 2, is_running=False)
    jobs.heartbeat("calibration other", "b", "done", later + 2, is_running=False)
    assert jobs.begin("calibration default", "c", "0 of 9", later + 3) is None
    assert jobs.heartbeat("calibration default", "c", "1 of 9", later + 4, is_running=True)


def test_any_replica_may_want_a_job_stopped(jobs: Jobs):
    """Whoever works is told at its next word; nothing that has ended can be stopped."""
    jobs.begin("calibration default", "a", "0 of 9", NOW)
    assert jobs.stop("calibration default", NOW + 1)
    assert jobs.find("calibration default", NOW + 1).is_cancelled
    assert not jobs.heartbeat("calibration default", "a", "1 of 9", NOW + 2, is_running=True)

    jobs.heartbeat("calibration default", "a", "cancelled", NOW + 3, is_running=False)
    assert not jobs.stop("calibration default", NOW + 4)
    assert not jobs.stop("calibration other", NOW + 4)


def test_jobs_are_forgotten(jobs: Jobs):
    """A day after their last word, or with what they were about."""
    jobs.begin("sample", "a", "", NOW)
    jobs.heartbeat("sample", "a", "done", NOW, is_running=False)
    assert jobs.find("sample", NOW + KEPT_S + 1) is None

    jobs.forget("sample")
    assert jobs.find("sample", NOW) is None
    assert not jobs.heartbeat("sample", "a", "", NOW, is_running=True)
