"""Calls an application in this process as if over a socket, for httpx."""

import asyncio
from collections.abc import AsyncIterator

import httpx
from starlette.types import ASGIApp, Message, Scope


class InProcessTransport(httpx.AsyncBaseTransport):
    """Sends requests to an application, and returns its answers while they are made.

    httpx's own transport has a whole answer in memory before it returns it. An application that fails without an
    answer, or in the middle of one, is a broken connection, as over sockets.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Bind the application."""
        self._app = app
        self._running = set[asyncio.Task[None]]()  # the event loop alone would let them be collected

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; see ``httpx.AsyncBaseTransport``."""
        answer = _Answer(self._app, request, self._running)
        try:
            start = await answer.next_message()
        except BaseException:
            await answer.aclose()
            raise
        return httpx.Response(start["status"], headers=start["headers"], stream=answer)


class _Answer(httpx.AsyncByteStream):
    """An answer that is being made. The next part is not taken before the last one has been read."""

    def __init__(self, app: ASGIApp, request: httpx.Request, running: set[asyncio.Task[None]]) -> None:
        self._request_parts = aiter(request.stream)  # type: ignore[arg-type]  # an asynchronous one, by the caller
        self._is_received = False
        self._messages = asyncio.Queue[Message | None]()
        self._room = asyncio.Semaphore()
        self._is_whole = asyncio.Event()
        self._task = asyncio.create_task(self._make(app, request))
        self._task.add_done_callback(self._end)
        running.add(self._task)
        self._task.add_done_callback(running.discard)

    async def next_message(self) -> Message:
        """Wait for the next message.

        Raises:
            RemoteProtocolError: the application has ended without it.
        """
        message = await self._messages.get()
        self._room.release()
        if message is None:
            raise httpx.RemoteProtocolError("the answer broke off")
        return message

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more_body = True
        while more_body:
            message = await self.next_message()
            yield message.get("body", b"")
            more_body = message.get("more_body", False)

    async def aclose(self) -> None:
        """Cancel what nobody will read, and wait for its end."""
        if not self._is_whole.is_set():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _make(self, app: ASGIApp, request: httpx.Request) -> None:
        await app(_scope_of(request), self._receive, self._send)

    def _end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # which the application has logged
        self._messages.put_nowait(None)

    async def _receive(self) -> Message:
        part = await anext(self._request_parts, None)
        if part is None and self._is_received:
            await self._is_whole.wait()
            return {"type": "http.disconnect"}
        self._is_received = part is None
        return {"type": "http.request", "body": part or b"", "more_body": part is not None}

    async def _send(self, message: Message) -> None:
        await self._room.acquire()
        self._messages.put_nowait(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_whole.set()


def _scope_of(request: httpx.Request) -> Scope:
    url = request.url
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.partition(b"?")[0],
        "query_string": url.query,
        "server": (url.host, url.port),
        "client": ("127.0.0.1", 123),
        "root_path": "",
    }
