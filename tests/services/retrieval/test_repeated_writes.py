"""Two requests with one ``Idempotency-Key`` at the same time, and how long replies and events are kept."""

import asyncio
import time
from pathlib import Path

import pytest
from fastapi import Request, Response
from fastapi.responses import JSONResponse

from core.gallery import Storage
from core.journal import Outbox, Replies, Reply, Retention, UsageDatabase
from services.retrieval.background.usage import open_usage
from services.retrieval.repeated_writes import RepeatedWrites
from serving.errors import AlreadyRunning


def a_request() -> Request:
    """A write with a key."""
    headers = [(b"idempotency-key", b"k1")]
    scope = {"type": "http", "method": "POST", "path": "/collections", "query_string": b"", "headers": headers}
    return Request({**scope, "server": ("localhost", 80), "scheme": "http"})


def test_the_second_is_refused_until_the_first_has_ended(tmp_path: Path):
    """It is not done a second time; what fails is forgotten, and then sent again."""
    begun, ended = asyncio.Event(), asyncio.Event()
    done: list[str] = []

    async def write() -> Response:
        done.append("write")
        begun.set()
        await ended.wait()
        return JSONResponse({"id": "east"}, 201)

    async def fail() -> Response:
        raise OSError("the disk is full")

    async def use(writes: RepeatedWrites) -> None:
        with pytest.raises(OSError, match="the disk is full"):
            await writes.once(a_request(), "body", fail)
        first = asyncio.create_task(writes.once(a_request(), "body", write))
        await begun.wait()
        with pytest.raises(AlreadyRunning, match="still being done"):
            await writes.once(a_request(), "body", write)
        ended.set()
        made = await first
        again = await writes.once(a_request(), "body", write)
        assert (again.status_code, again.body) == (made.status_code, made.body) == (201, b'{"id":"east"}')

    async def run() -> None:
        async with open_usage(tmp_path, Storage(), Retention(0, 0)) as usage:
            await use(usage.repeated_writes)

    asyncio.run(run())

    assert done == ["write"]


def test_expired_replies_and_events_are_deleted(tmp_path: Path):
    """Also where no further write has a key, and no webhook is set any more; what is newer stays."""
    database = UsageDatabase(tmp_path, Storage())
    replies, outbox, now = Replies(database), Outbox(database), time.time()
    for name, at in (("old", now - 2 * 86_400), ("new", now)):
        replies.begin(name, "request", "a", at)
        replies.finish(name, "a", Reply(201, b"{}"), at)
        outbox.put(name, "{}", at)

    def left() -> list[str]:
        with database.reading() as connection:
            rows = connection.execute("SELECT name FROM replies UNION ALL SELECT id FROM outbox").fetchall()
        return [name for (name,) in rows]

    async def run() -> None:
        async with open_usage(tmp_path, Storage(), Retention(1, 0)) as usage, asyncio.timeout(60):
            while "old" in await usage.workers.run(left):
                pass

    asyncio.run(run())

    assert left() == ["new", "new"]
    database.close()
