"""Drives an application in process, with its lifespan, from ordinary synchronous tests."""

import time
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Self

import httpx
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI


class AppClient:
    """A client of an application that runs in an event loop of its own thread; no sockets.

    Requests may be sent from several threads at once.
    """

    def __init__(self, app: FastAPI, *, wait_until_loaded: bool = True) -> None:
        self.app = app
        self._wait_until_loaded = wait_until_loaded
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._portal = self._stack.enter_context(start_blocking_portal("asyncio"))
        self._stack.enter_context(self._portal.wrap_async_context_manager(self.app.router.lifespan_context(self.app)))
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=None)
        self._client = self._stack.enter_context(self._portal.wrap_async_context_manager(client))
        engine = getattr(self.app.state, "loading", None)
        if engine is not None and self._wait_until_loaded:
            self.call(engine.finished)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def call(self, function: Any, *arguments: Any, **options: Any) -> Any:
        """Call an async function in the application's event loop."""
        return self._portal.call(partial(function, *arguments, **options))

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        """Send one request."""
        return self.call(self._client.request, method, url, **options)

    def get(self, url: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", url, **options)


def ready_body(client: AppClient, headers: dict[str, str] | None = None, *, within_s: float = 60) -> dict[str, Any]:
    """What a gateway says at /health/ready when it and its parts are ready, or what it said last.

    On a busy machine a part may answer later than the gateway waits for it: then it is asked again, as balancers do.
    """
    end = time.monotonic() + within_s
    while True:
        body = client.get("/health/ready", headers=headers).json()
        if all(part["ready"] for part in (body, *body["parts"].values())) or time.monotonic() > end:
            return body


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error of an error answer; fails where the answer has not exactly the one shape."""
    body = response.json()
    assert response.headers["content-type"] == "application/json"
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "accepted", "field"}
    return body["error"]
