"""Two requests with one ``Idempotency-Key`` at the same time."""

import asyncio
from pathlib import Path

import pytest
from fastapi import Request, Response
from fastapi.responses import JSONResponse

from core.gallery import Storage
from core.journal import Retention
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
