"""One client's connection, over a real socket: heads that do not end, and what is left of answered requests."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from serving.connections import TimeoutProtocol

STALL_S = 0.3
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
ENDLESS = b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: "
OK = b"HTTP/1.1 200 OK\r\n"


class Client:
    """A connection by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        """Send, however much it is, whether it is taken or not."""
        self._writer.write(data)

    async def answer(self) -> bytes:
        """Read one answer of the application."""
        return await self._reader.readuntil(b"\r\n\r\nok")

    async def rest(self) -> bytes:
        """Read until the server closes."""
        received = b""
        try:
            while piece := await self._reader.read(65536):
                received += piece
        except ConnectionError:
            pass  # closed before it had read all that was sent
        return received

    async def silence(self, seconds: float) -> bool:
        """Whether nothing comes for so long, not even the end."""
        try:
            await asyncio.wait_for(self._reader.read(1), seconds)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def connected(begun: asyncio.Event, may_answer: asyncio.Event) -> AsyncIterator[Client]:
    """A client of an application that says ok without reading, once it may."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    http: Any = partial(TimeoutProtocol, stall_s=STALL_S)
    server = uvicorn.Server(uvicorn.Config(app, http=http, log_config=None, access_log=False, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            yield Client(reader, writer)
            writer.close()
        finally:
            may_answer.set()  # or the server would wait for its application
            server.should_exit = True
            await serving


def over_a_socket(test: Callable[[Client, asyncio.Event, asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run with a client, what tells that a request has begun, and what lets it be answered; for at most ten seconds."""

    async def run() -> None:
        begun, may_answer = asyncio.Event(), asyncio.Event()
        async with asyncio.timeout(10), connected(begun, may_answer) as client:
            await test(client, begun, may_answer)

    asyncio.run(run())


def test_a_later_head_is_limited_as_the_first():
    """On a connection that has been used, a head that does not end is refused as on a new one."""

    async def test(client: Client, begun: asyncio.Event, may_answer: asyncio.Event) -> None:
        may_answer.set()
        client.send(GET)
        assert (await client.answer()).startswith(OK)
        client.send(ENDLESS)
        for _ in range(64):
            client.send(b"a" * 65536)
        assert (await client.rest())[:12] in {b"HTTP/1.1 431", b""}

    over_a_socket(test)


def test_a_head_that_comes_before_its_turn_is_limited():
    """A head that does not end while an answer is being made ends the connection, and says nothing in between."""

    async def test(client: Client, begun: asyncio.Event, may_answer: asyncio.Event) -> None:
        client.send(GET)
        await begun.wait()
        client.send(ENDLESS)
        for _ in range(64):
            client.send(b"a" * 65536)
        assert await client.rest() == b""

    over_a_socket(test)


def test_requests_sent_at_once_are_answered_in_turn():
    """Requests that come before the former is answered are none the worse for it."""

    async def test(client: Client, begun: asyncio.Event, may_answer: asyncio.Event) -> None:
        client.send(GET + POST + b"0123456789" + GET[:10])
        await begun.wait()
        may_answer.set()
        assert [(await client.answer())[:17] for _ in range(2)] == [OK, OK]
        client.send(GET[10:])
        assert (await client.answer()).startswith(OK)

    over_a_socket(test)


def test_an_early_answer_leaves_the_connection_usable():
    """Whoever sends the rest of a body after its answer may rest then, and ask again on the same connection."""

    async def test(client: Client, begun: asyncio.Event, may_answer: asyncio.Event) -> None:
        may_answer.set()
        client.send(POST + b"01234")
        assert (await client.answer()).startswith(OK)
        client.send(b"56789")
        assert await client.silence(2 * STALL_S)
        client.send(GET)
        assert (await client.answer()).startswith(OK)

    over_a_socket(test)


def test_the_rest_of_an_answered_body_gets_no_second_answer():
    """A body that stalls after its answer ends the connection in silence: a 408 would be taken for the next answer."""

    async def test(client: Client, begun: asyncio.Event, may_answer: asyncio.Event) -> None:
        may_answer.set()
        client.send(POST + b"01234")
        assert (await client.answer()).startswith(OK)
        client.send(b"5")
        assert await client.rest() == b""

    over_a_socket(test)


def test_half_a_head_after_an_answer_is_told_so():
    """A second request that begins before the first is answered, and then stalls, is answered with 408 in its turn."""

    async def test(client: Client, begun: asyncio.Event, may_answer: asyncio.Event) -> None:
        client.send(GET + GET[:10])
        await begun.wait()
        assert await client.silence(2 * STALL_S)
        may_answer.set()
        assert (await client.answer()).startswith(OK)
        assert (await client.rest()).startswith(b"HTTP/1.1 408 ")

    over_a_socket(test)
