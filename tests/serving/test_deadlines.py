"""Work for callers who left, or whose time is over, stops and costs nothing."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI, Request
from in_process import AppClient, error_of

from serving.deadlines import Deadline, RequestTimeout, current_deadline, until_disconnect
from serving.errors import DeadlinePassed, install_error_table
from serving.workers import Workers


def app_with(work: Callable[[], Awaitable[str]]) -> FastAPI:
    """An application with one route, which works for whoever waits."""
    app = FastAPI()
    install_error_table(app, {})

    async def handler(request: Request, timeout_s: RequestTimeout = None) -> str:
        async with until_disconnect(request, timeout_s):
            return await work()

    app.add_api_route("/", handler, methods=["POST"])
    return app


async def call(app: FastAPI, *, hang_up: asyncio.Event) -> list[dict]:
    """Send one request as a server does, which tells the application when the connection is gone; what it sent."""
    sent: list[dict] = []
    body_read = False

    async def receive() -> dict:
        nonlocal body_read
        if not body_read:
            body_read = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await hang_up.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": [], "scheme": "http"}
    await app({**scope, "server": ("test", 80), "client": ("test", 1)}, receive, send)
    return sent


def test_a_caller_who_hangs_up_ends_the_work():
    """Over a real connection: what the route waits for is cancelled, waiting threads' work never begins."""

    async def scenario() -> None:
        hang_up, occupied, busy = asyncio.Event(), asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def occupy() -> None:
            loop.call_soon_threadsafe(occupied.set)
            busy.wait(30)

        with Workers(1, "test") as workers:
            blocking = asyncio.create_task(workers.run(occupy))
            await occupied.wait()

            async def work() -> str:
                hang_up.set()
                return await workers.run(done.append, "work")

            try:
                sent = await call(app_with(work), hang_up=hang_up)
            finally:
                busy.set()
                await blocking
        assert sent == []

    done: list[str] = []
    asyncio.run(scenario())

    assert done == []


def test_work_in_a_thread_learns_that_the_caller_hung_up():
    """Steps in a thread that has begun see it at their next check."""

    async def scenario() -> None:
        hang_up, go_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def steps() -> None:
            caller = current_deadline()
            done.append("first")
            loop.call_soon_threadsafe(hang_up.set)
            go_on.wait(30)
            caller.check()
            done.append("second")

        with Workers(1, "test") as workers:
            try:
                await call(app_with(lambda: workers.run(steps)), hang_up=hang_up)
            finally:
                go_on.set()

    done: list[str] = []
    asyncio.run(scenario())

    assert done == ["first"]


def test_a_caller_who_is_cancelled_in_the_same_process_ends_the_work():
    """In one process the caller's task is the route's: its end is the work's end, in threads as well."""

    async def scenario() -> None:
        begun, go_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def steps() -> None:
            caller = current_deadline()
            loop.call_soon_threadsafe(begun.set)
            go_on.wait(30)
            caller.check()
            done.append("second")

        with Workers(1, "test") as workers:
            transport = httpx.ASGITransport(app_with(lambda: workers.run(steps)))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
                asking = asyncio.create_task(http.post("/"))
                await begun.wait()
                asking.cancel()
                await asyncio.wait([asking])
                go_on.set()

    done: list[str] = []
    asyncio.run(scenario())

    assert done == []


def test_an_answer_later_than_the_caller_waits_is_504():
    """The header's seconds are kept, and told of in the one error shape."""

    async def never() -> str:
        await asyncio.Event().wait()
        return "unreachable"

    with AppClient(app_with(never)) as client:
        answer = client.post("/", headers={"X-Request-Timeout-S": "0.01"})

    assert (answer.status_code, error_of(answer)["code"]) == (504, "deadline_exceeded")
    assert "0.01 s" in error_of(answer)["message"]


@pytest.mark.parametrize("offered", ["0", "-1", "nan", "inf", "soon", "1e9"])
def test_an_unusable_limit_is_named(offered: str):
    """What is no number of seconds is refused, not ignored."""

    async def at_once() -> str:
        return "ok"

    with AppClient(app_with(at_once)) as client:
        answer = client.post("/", headers={"X-Request-Timeout-S": offered})

    assert (answer.status_code, error_of(answer)["field"]) == (422, "X-Request-Timeout-S")


def test_a_timeout_within_the_work_is_not_the_callers():
    """A TimeoutError of the work's own is a bug like any other, not somebody's limit."""

    async def fails() -> str:
        raise TimeoutError("of something else")

    with AppClient(app_with(fails)) as client:
        answer = client.post("/", headers={"X-Request-Timeout-S": "60"})

    assert answer.status_code == 500


def test_without_a_limit_nobody_is_hurried():
    """A caller who said nothing waits for ever."""
    Deadline().check()

    assert current_deadline().seconds_left == float("inf")


def test_a_caller_whose_time_is_over_wants_nothing():
    """The check raises once the time is over."""
    with pytest.raises(DeadlinePassed, match="time limit has passed"):
        Deadline(-1.0).check()
