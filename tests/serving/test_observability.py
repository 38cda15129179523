"""Request ids, stage times and log lines."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, Request
from in_process import AppClient, error_of

from serving.auth.guard import Access
from serving.auth.identity import Everybody
from serving.metrics import Metrics
from serving.observability import JsonFormatter, StageTimer, current_request_id
from serving.process import build_api


@asynccontextmanager
async def nothing(app: FastAPI) -> AsyncIterator[None]:
    """A lifespan without resources."""
    yield


def app_with(handler) -> FastAPI:
    """An application with one route."""
    app = build_api("test", "test", lifespan=nothing, errors={}, metrics=Metrics("test"), access=Access(Everybody()))
    app.add_api_route("/", handler)
    return app


def test_each_request_has_an_id_of_its_own():
    """Inside a route the id is known; it comes back in the header; two requests differ."""

    async def handler() -> str:
        return current_request_id()

    with AppClient(app_with(handler)) as client:
        first, second = client.get("/"), client.get("/")

    assert first.json() == first.headers["x-request-id"]
    assert first.json() != second.json()
    assert current_request_id() == "-"


@pytest.mark.parametrize("offered", ["", "with space", "x" * 65, "a\r\nSet-Cookie: b", "emoji-é"])
def test_harmful_ids_are_not_taken_over(offered: str):
    """An id that could disturb a log or a header is replaced."""

    async def handler() -> str:
        return current_request_id()

    with AppClient(app_with(handler)) as client:
        answer = client.get("/", headers={"X-Request-ID": offered.encode("latin-1")})

    assert answer.headers["x-request-id"] != offered
    assert len(answer.headers["x-request-id"]) == 32


def test_each_request_is_one_log_line_with_its_status(caplog: pytest.LogCaptureFixture):
    """Method, path and status of each request are logged once, health checks quietly."""

    async def handler() -> str:
        return "ok"

    with caplog.at_level(logging.INFO, logger="serving"), AppClient(app_with(handler)) as client:
        client.get("/")
        client.get("/missing")
        client.get("/health/live")

    lines = [record.getMessage() for record in caplog.records if record.name == "serving.observability"]
    assert [line.rpartition(" ")[0].rpartition(" ")[0] for line in lines] == ["GET / 200", "GET /missing 404"]


def test_a_crash_is_logged_once_and_answered_generically(caplog: pytest.LogCaptureFixture):
    """The traceback of a bug is in the log, exactly once, and nowhere else."""

    async def handler() -> str:
        raise KeyError("secret")

    with AppClient(app_with(handler)) as client:
        answer = client.get("/")

    assert (answer.status_code, error_of(answer)["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert [record.exc_info is not None for record in caplog.records if record.levelno >= logging.ERROR] == [True]


def test_stages_add_up():
    """A stage measured twice counts both times; the total spans everything."""
    timer = StageTimer()
    timer.record("decode", 2.0)
    timer.record("decode", 3.0)
    with timer.stage("encode"):
        pass

    timings = timer.finish()

    assert timings["decode"] == 5.0
    assert set(timings) == {"decode", "encode", "total"}


def test_what_threads_measured_joins_the_stages():
    """Parts of stages get their times from threads; a stage that was timed keeps its own, with the waiting in it."""
    timer = StageTimer()
    timer.record("search", 50.0)
    timer.include({"search": 0.03, "local_test": 0.02}, {"search": 0.04, "local_test": 0.02})

    timings = timer.finish()

    assert (timings["search"], timings["local_test"]) == (50.0, 20.0)
    assert timer.cpu_ms == {"search": 40.0, "local_test": 20.0}


def test_json_lines_have_every_field():
    """A line is one JSON object, with the request's id, status and stages; a bug's traceback is inside it."""
    request = {"method": "GET", "path": "/", "status": 200, "duration_ms": 1.5, "stages_ms": {"decode": 1.0}}
    record = logging.LogRecord("serving", logging.INFO, "f.py", 1, "GET %s\n", ("/",), None)
    record.request_id, record.request = "visit-7", request
    failed = logging.LogRecord("serving", logging.ERROR, "f.py", 1, "failed", (), (ValueError, ValueError("no"), None))

    line, failure = (JsonFormatter().format(log_record) for log_record in (record, failed))

    assert "\n" not in line + failure
    assert json.loads(line) == {
        "time": json.loads(line)["time"], "level": "INFO", "logger": "serving", "message": "GET /\n",
        "request_id": "visit-7", **request,
    }  # fmt: skip
    assert json.loads(line)["time"].endswith("+00:00")
    assert "ValueError: no" in json.loads(failure)["exception"]


def test_a_request_is_logged_with_its_fields(caplog: pytest.LogCaptureFixture):
    """What a JSON line tells of a request besides its text."""

    async def handler(request: Request) -> str:
        request.state.timings_ms = {"decode": 2.0}
        return "ok"

    with caplog.at_level(logging.INFO, logger="serving"), AppClient(app_with(handler)) as client:
        client.get("/")

    (record,) = [record for record in caplog.records if record.name == "serving.observability"]
    assert {**record.request, "duration_ms": 0} == {
        "method": "GET", "path": "/", "status": 200, "duration_ms": 0, "stages_ms": {"decode": 2.0},
    }  # fmt: skip
