"""A service that is busy is not taken for one that is gone: real sockets, and a server that takes its time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx

from clients.base import SILENCE_S, open_http
from clients.retrieval import RetrievalClient

HTTP_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
LONGER_THAN_SILENCE_S = SILENCE_S + 1.5  # the kernel looks a while after that
CONNECTIONS = 200

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def connected_to(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that treats every connection like this, and then closes it."""
    open_connections: set[asyncio.Task[None]] = set()

    async def serve_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_connections.add(task)
        with suppress(asyncio.IncompleteReadError, OSError):
            await serve(reader, writer)
            await writer.drain()
        with suppress(OSError):
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve_and_close, "127.0.0.1", 0, backlog=2 * CONNECTIONS)
    port = server.sockets[0].getsockname()[1]
    try:
        async with server, open_http(f"http://127.0.0.1:{port}", None) as http:
            yield http
    finally:
        await asyncio.gather(*open_connections)


def test_an_upload_waits_for_a_service_that_stops_reading_for_a_while():
    """A disk that is slow for seconds, with no room left in the service's kernel, does not end an upload."""
    chunk, count = bytes(1024 * 1024), 24

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(LONGER_THAN_SILENCE_S)
        await reader.readexactly(count * len(chunk))
        writer.write(HTTP_OK)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield chunk

    async def upload() -> int:
        async with connected_to(serve) as http:
            answer = await RetrievalClient(http, 60).forward(
                "POST", "/index/images", query="", headers={"content-length": str(count * len(chunk))}, body=body()
            )
            await answer.aread()
            return answer.status_code

    assert asyncio.run(upload()) == 200


def test_a_request_waits_for_a_connection_while_all_are_in_use():
    """With every connection taken for longer than connecting may take, the next request waits instead of failing."""

    async def ask() -> list[int]:
        arrived, may_answer = asyncio.Semaphore(0), asyncio.Semaphore(0)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            arrived.release()
            await may_answer.acquire()
            writer.write(HTTP_OK)

        async with connected_to(serve) as http, asyncio.TaskGroup() as requests:
            asked = []
            for _ in range(CONNECTIONS):  # in turn: a busy machine may connect no 200 at once within a second
                asked.append(requests.create_task(http.get("/")))
                await arrived.acquire()
            asked.append(requests.create_task(http.get("/")))
            await asyncio.wait(asked, timeout=LONGER_THAN_SILENCE_S, return_when=asyncio.FIRST_COMPLETED)
            may_answer.release()
            await arrived.acquire()  # the last one, on the connection of the first that was answered or on a new one
            for _ in range(CONNECTIONS):
                may_answer.release()
        return [(await task).status_code for task in asked]

    assert set(asyncio.run(ask())) == {200}
