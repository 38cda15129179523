"""An application in the same process answers as over a socket: part by part, and no further than somebody reads."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from standalone.in_process import InProcessTransport


class Service:
    """Answers in numbered parts, fails, never answers, or echoes, by the path."""

    def __init__(self) -> None:
        self.made = 0
        self.has_ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            if scope["path"] == "/waiting":
                await asyncio.Event().wait()
            if scope["path"] == "/failing":
                raise LookupError
            headers = [(b"x-query", scope["query_string"])]
            await send({"type": "http.response.start", "status": 201, "headers": headers})
            if scope["path"] == "/echo":
                while (message := await receive())["type"] == "http.request":
                    await send({**message, "type": "http.response.body"})
                return
            last = int(scope["query_string"])
            for self.made in range(1, min(last, 10) + 1):
                is_last = self.made == last
                await send({"type": "http.response.body", "body": b"%d " % self.made, "more_body": not is_last})
            if self.made != last:
                raise LookupError
        finally:
            self.has_ended = True


def call(scenario: Callable[[httpx.AsyncClient, Service], Awaitable[None]]) -> None:
    """Run a scenario with a client of a new service."""

    async def run() -> None:
        service = Service()
        transport = InProcessTransport(service)
        async with httpx.AsyncClient(transport=transport, base_url="http://service", timeout=None) as client:
            await scenario(client, service)

    asyncio.run(run())


def test_an_answer_is_made_while_it_is_read():
    """It begins before it is whole, the service is a few parts ahead at most, and stops when the reader leaves."""

    async def scenario(client: httpx.AsyncClient, service: Service) -> None:
        async with client.stream("GET", "/parts?10") as answer:
            parts = answer.aiter_raw()
            assert [await anext(parts) for _ in range(3)] == [b"1 ", b"2 ", b"3 "]
            for _ in range(100):
                await asyncio.sleep(0)
            assert service.made <= 5
        assert service.has_ended

    call(scenario)


def test_an_answer_that_breaks_off_does_not_look_whole():
    """A service that fails in the middle of it, or before, is a broken connection."""

    async def scenario(client: httpx.AsyncClient, _: Service) -> None:
        assert (await client.get("/parts?3")).text == "1 2 3 "
        for path in ("/parts?11", "/failing"):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(path)

    call(scenario)


def test_who_hangs_up_ends_the_work():
    """Also before the answer has begun."""

    async def scenario(client: httpx.AsyncClient, service: Service) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.get("/waiting")
        assert service.has_ended

    call(scenario)


def test_a_body_is_passed_on_as_it_comes():
    """With status, headers and query: the service answers the first part before the second is sent."""

    async def scenario(client: httpx.AsyncClient, _: Service) -> None:
        goes_on = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b"first"
            await goes_on.wait()
            yield b"second"

        async with client.stream("POST", "/echo?a=%2F", content=body()) as answer:
            parts = answer.aiter_raw()
            first = await anext(parts)
            goes_on.set()
            rest = b"".join([part async for part in parts])
        assert (answer.status_code, answer.headers["x-query"]) == (201, "a=%2F")
        assert (first, rest) == (b"first", b"second")

    call(scenario)
