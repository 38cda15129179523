"""Work in the background as the retrieval service tells of it, whichever process does it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.images import draw_place, encode
from in_process import AppClient

from core.journal import Jobs, UsageDatabase
from core.journal import jobs as module

PATH = "/calibration-jobs/a/b c"  # a collection's name may hold a slash and a space
JOB = {"state": "running", "done": 3, "total": 20, "seconds_left": 9.0, "target": 0.02, "started_at": "2026-01-01"}


@pytest.fixture
def elsewhere(retrieval: AppClient, folder: Path) -> Iterator[Jobs]:
    """The jobs as another replica sees them."""
    database = UsageDatabase(folder)
    yield Jobs(database)
    database.close()


def tell(client: AppClient, path: str = PATH, holder: str = "gateway-1", begins: bool = False, **job: object) -> dict:
    """Say how far a calibration is."""
    reply = client.request("PUT", path, json={"holder": holder, "job": {**JOB, **job}, "begins": begins})
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_what_a_gateway_tells_every_gateway_may_ask(retrieval: AppClient):
    """How far it is, and how it ended; nothing of a collection that nobody calibrates."""
    assert retrieval.get(PATH).json() == {"job": None}
    assert tell(retrieval, begins=True)["go_on"]
    assert tell(retrieval, done=5)["go_on"]
    assert retrieval.get(PATH).json()["job"]["done"] == 5

    tell(retrieval, state="done", done=20, ended_at="2026-01-02")
    assert retrieval.get(PATH).json()["job"]["state"] == "done"


def test_a_second_is_refused_with_the_first(retrieval: AppClient):
    """By the name of the collection that has its turn, and how far it is."""
    tell(retrieval, begins=True)

    answer = tell(retrieval, "/calibration-jobs/other", "gateway-2", begins=True)

    assert (answer["go_on"], answer["running"], answer["job"]["done"]) == (False, "a/b c", 3)


def test_the_wish_to_stop_reaches_whoever_works(retrieval: AppClient):
    """At its next word; a wish for what does not run is answered as such."""
    tell(retrieval, begins=True)

    assert retrieval.request("DELETE", PATH).json() == {"was_running": True}
    assert not tell(retrieval, done=4)["go_on"]
    tell(retrieval, state="cancelled")
    assert retrieval.request("DELETE", PATH).json() == {"was_running": False}


def test_a_calibration_whose_gateway_fell_silent_has_failed(retrieval: AppClient, monkeypatch: pytest.MonkeyPatch):
    """It is shown as failed, with when it was heard of last, and another may begin."""
    tell(retrieval, begins=True)
    monkeypatch.setattr(module, "SILENT_S", -1.0)

    job = retrieval.get(PATH).json()["job"]

    assert (job["state"], job["done"], job["seconds_left"]) == ("failed", 3, None)
    assert "start it again" in job["error"]
    assert job["ended_at"]
    assert tell(retrieval, holder="gateway-2", begins=True)["go_on"]


def test_a_renamed_collection_takes_no_job_with_it(retrieval: AppClient):
    """What was measured under the former name says nothing under the new one."""
    retrieval.post("/index/images", files={"file": ("a.jpg", encode(draw_place(1)))}, data={"collection": "before"})
    tell(retrieval, "/calibration-jobs/before", begins=True)
    renamed = retrieval.request("PATCH", "/collections/before", json={"name": "after"})

    assert renamed.status_code == 200, renamed.text
    assert retrieval.get("/calibration-jobs/before").json() == {"job": None}


def test_a_sample_built_by_another_replica_is_being_built(retrieval: AppClient, elsewhere: Jobs):
    """It is not built a second time; when the other failed, everybody knows why."""
    elsewhere.begin("sample", "another", "", time.time())

    assert retrieval.get("/sample").json()["state"] == "building"
    assert retrieval.post("/sample").json()["state"] == "building"
    assert retrieval.get("/sample").json()["done"] == 0

    elsewhere.tell("sample", "another", "the disk is full", time.time(), is_running=False)
    said = retrieval.get("/sample").json()
    assert (said["state"], said["reason"]) == ("failed", "the disk is full")
