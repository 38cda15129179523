"""One client's connection, over a real socket: heads that do not end, what is left of requests, unread answers."""

import asyncio
import select
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from serving.connections import TimeoutProtocol

STALL_S = 0.3
UNREAD_S = 20.0
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
ENDLESS = b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: "
OK = b"HTTP/1.1 200 OK\r\n"
LARGE = bytes(range(256)) * 8192


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

    http: Any = partial(TimeoutProtocol, stall_s=STALL_S, unread_s=STALL_S)
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


class SkippingLoop(asyncio.SelectorEventLoop):
    """Its clock can be put forward: a test of minutes takes none, and a busy machine decides nothing."""

    skipped_s = 0.0

    def time(self) -> float:
        return super().time() + self.skipped_s


class Reader:
    """A client with a small buffer that has sent a request."""

    def __init__(self, loop: SkippingLoop, connection: socket.socket) -> None:
        self._loop = loop
        self._connection = connection
        self._hung_up = select.poll()
        self._hung_up.register(connection, 0)  # errors and hang-ups only

    @property
    def is_reset(self) -> bool:
        """Whether the server has reset the connection."""
        return bool(self._hung_up.poll(0))

    async def read(self, size: int) -> bytes:
        """Read so many bytes; fewer at the end."""
        received = b""
        while len(received) < size and (piece := await self._loop.sock_recv(self._connection, size - len(received))):
            received += piece
        return received

    async def pause(self) -> None:
        """Let the time pass after which a client that reads nothing is reset."""
        self._loop.skipped_s += UNREAD_S
        for _ in range(3):  # a timer is due, it acts, and the connection is lost
            await asyncio.sleep(0)


Answer = Callable[[Send, uvicorn.Server], Coroutine[Any, Any, None]]


def read_over_a_socket(answer: Answer, test: Callable[[Reader], Coroutine[Any, Any, None]]) -> None:
    """Run with a client of an application that answers like this."""

    async def run() -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await answer(send, server)

        loop = asyncio.get_running_loop()
        assert isinstance(loop, SkippingLoop)
        http: Any = partial(TimeoutProtocol, stall_s=UNREAD_S, unread_s=UNREAD_S)
        server = uvicorn.Server(
            uvicorn.Config(app, http=http, timeout_keep_alive=75, log_config=None, access_log=False, lifespan="off")
        )
        with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as connection:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
            connection.setblocking(False)
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                await loop.sock_connect(connection, listening.getsockname())
                await loop.sock_sendall(connection, GET)
                await test(Reader(loop, connection))
            finally:
                connection.close()
                server.should_exit = True
                await serving

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        runner.run(run())


async def answer_much(send: Send, server: uvicorn.Server) -> None:
    """Send more than all buffers take."""
    size = str(len(LARGE)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", size)]})
    await send({"type": "http.response.body", "body": LARGE})


async def answer_a_little_too_much(send: Send, server: uvicorn.Server) -> None:
    """Send a little more than the kernel takes, and less than what pauses an application."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    (connection,) = server.server_state.connections
    while connection.transport.get_write_buffer_size() < 32 * 1024:
        await send({"type": "http.response.body", "body": bytes(4096), "more_body": True})
    await send({"type": "http.response.body"})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much of an answer is not acknowledged")
def test_a_slow_reader_gets_its_whole_answer():
    """Whoever reads steadily is not cut off, however long the server's buffers stay full."""

    async def test(reader: Reader) -> None:
        received = b""
        while piece := await reader.read(128 * 1024):
            received += piece
            await reader.pause()
        assert received.partition(b"\r\n\r\n")[2] == LARGE

    read_over_a_socket(answer_much, test)


@pytest.mark.parametrize("bytes_at_a_time", [0, 1])
@pytest.mark.parametrize("answer", [answer_much, answer_a_little_too_much])
def test_a_client_that_reads_next_to_nothing_is_reset(answer: Answer, bytes_at_a_time: int):
    """Whoever does not read is reset, and so is whoever reads a byte now and then; also at the end of an answer."""

    async def test(reader: Reader) -> None:
        assert await reader.read(len(OK)) == OK
        for _ in range(1000):
            await reader.pause()
            if reader.is_reset:
                return
            await reader.read(bytes_at_a_time)
        pytest.fail("the connection was not reset")

    read_over_a_socket(answer, test)
