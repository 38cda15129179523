"""Work in the background as the retrieval service shows it, whichever replica does it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.images import draw_place, encode
from in_process import AppClient, error_of

from contracts.calibration import CalibrationJob
from core.journal import Jobs, UsageDatabase
from core.journal import jobs as module

PLACE = "a/b c"  # a collection's name may hold a slash and a space
PATH = f"/collections/{PLACE}/calibration"
NAME = f"calibration {PLACE}"


@pytest.fixture
def elsewhere(retrieval: AppClient, folder: Path) -> Iterator[Jobs]:
    """The jobs as another replica sees them; there is one collection to calibrate."""
    retrieval.post("/index/images", files={"file": ("a.jpg", encode(draw_place(1)))}, data={"collection": PLACE})
    database = UsageDatabase(folder)
    yield Jobs(database)
    database.close()


def body(**changes: object) -> str:
    """How far a calibration is."""
    values = {"state": "running", "done": 3, "total": 20, "seconds_left": 9.0, "target": 0.02, "started_at": "2026"}
    return CalibrationJob(**{**values, **changes}).model_dump_json()


def test_what_one_replica_calibrates_every_replica_shows(retrieval: AppClient, elsewhere: Jobs):
    """How far it is, and how it ended; nothing of a collection that was never calibrated."""
    assert retrieval.get(PATH).json()["job"] is None
    elsewhere.begin(NAME, "another", body(), time.time())
    elsewhere.heartbeat(NAME, "another", body(done=5), time.time(), is_running=True)
    assert retrieval.get(PATH).json()["job"]["done"] == 5

    elsewhere.heartbeat(NAME, "another", body(state="done", done=20), time.time(), is_running=False)
    assert retrieval.get(PATH).json()["job"]["state"] == "done"


def test_a_second_is_refused_with_the_first(retrieval: AppClient, elsewhere: Jobs):
    """By the name of the collection that is calibrated, and how far it is."""
    retrieval.post("/index/images", files={"file": ("a.jpg", encode(draw_place(2)))})
    elsewhere.begin(NAME, "another", body(), time.time())

    refused = retrieval.post("/collections/default/calibration", json={})

    assert (refused.status_code, error_of(refused)["code"]) == (409, "already_running")
    assert error_of(refused)["message"] == f"collection '{PLACE}' is being calibrated: 3 of 20 photos; one at a time"


def test_a_request_sent_again_because_its_answer_was_lost_begins_one(retrieval: AppClient, elsewhere: Jobs):
    """At another replica: the answer is the job that its first try began there. A new request is refused."""
    elsewhere.begin(NAME, "the-request", body(), time.time())

    again = retrieval.post(PATH, json={}, headers={"X-Request-ID": "the-request"})
    new = retrieval.post(PATH, json={}, headers={"X-Request-ID": "a-new-request"})

    assert (again.status_code, again.json()["done"]) == (202, 3)
    assert new.status_code == 409


def test_deleting_stops_it_wherever_it_is_made(retrieval: AppClient, elsewhere: Jobs):
    """At its next heartbeat; where none is made, what is on record is deleted."""
    elsewhere.begin(NAME, "another", body(), time.time())

    assert retrieval.request("DELETE", PATH).status_code == 204
    assert not elsewhere.heartbeat(NAME, "another", body(), time.time(), is_running=True)


def test_a_calibration_whose_process_was_killed_has_failed(
    retrieval: AppClient, elsewhere: Jobs, monkeypatch: pytest.MonkeyPatch
):
    """It is shown as failed, with the time of its latest heartbeat, and another may begin."""
    elsewhere.begin(NAME, "another", body(), time.time())
    monkeypatch.setattr(module, "SILENT_S", -1.0)

    job = retrieval.get(PATH).json()["job"]

    assert (job["state"], job["done"], job["seconds_left"]) == ("failed", 3, None)
    assert "start it again" in job["error"]
    assert job["ended_at"]
    assert retrieval.post(PATH, json={}).status_code == 202


def test_a_renamed_collection_takes_no_job_with_it(retrieval: AppClient, elsewhere: Jobs):
    """What was measured under the former name says nothing under the new one."""
    elsewhere.begin(NAME, "another", body(), time.time())
    renamed = retrieval.request("PATCH", f"/collections/{PLACE}", json={"name": "after"})
    back = retrieval.request("PATCH", "/collections/after", json={"name": PLACE})

    assert (renamed.status_code, back.status_code) == (200, 200)
    assert retrieval.get(PATH).json()["job"] is None


def test_a_sample_built_by_another_replica_is_being_built(retrieval: AppClient, elsewhere: Jobs):
    """It is not built a second time; when the other failed, everybody knows why."""
    elsewhere.begin("sample", "another", "", time.time())

    assert retrieval.get("/sample").json()["state"] == "building"
    assert retrieval.post("/sample").json()["state"] == "building"
    assert retrieval.get("/sample").json()["done"] == 0

    elsewhere.heartbeat("sample", "another", "the disk is full", time.time(), is_running=False)
    said = retrieval.get("/sample").json()
    assert (said["state"], said["reason"]) == ("failed", "the disk is full")
