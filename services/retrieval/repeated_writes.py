"""Writes with an ``Idempotency-Key``: sent again, they get the reply of the first time."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from hashlib import file_digest, sha256
from typing import Any
from uuid import uuid4

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import FormData, UploadFile

from core.errors import GalleryUnavailable
from core.journal import Replies, Reply
from serving.auth.identity import current_identity
from serving.errors import AlreadyRunning
from serving.idempotency import KEY_HEADER, REPLAYED_HEADER, accept_idempotency_key
from serving.workers import Workers

_HEARTBEAT_S = 5.0

logger = logging.getLogger(__name__)


class RepeatedWrites:
    """Does every write of a caller and a key once, at whichever replica. Belongs to one event loop."""

    def __init__(self, replies: Replies, workers: Workers) -> None:
        """Set the table of replies, and the threads that read and write it."""
        self._replies = replies
        self._workers = workers

    async def once(self, request: Request, body: str, write: Callable[[], Awaitable[Response]]) -> Response:
        """Do a write, or repeat its reply. Only success is stored: a write that failed can be sent again.

        Args:
            request: with an ``Idempotency-Key``.
            body: hash of the request's body.
            write: does it and returns a reply in JSON.

        Raises:
            InvalidRequest: the key belongs to another request.
            AlreadyRunning: the write is being done.
            GalleryUnavailable: the key cannot be checked; nothing was done.
        """
        caller, key, owner = current_identity(), request.headers[KEY_HEADER], uuid4().hex
        # A new API key may have the name of a revoked one, and other collections.
        name = _hash_of(caller.name, *(caller.collections or ()), key)
        asked = _hash_of(request.method, request.url.path, request.url.query, body)
        known = await self._workers.run(self._replies.begin, name, asked, owner, time.time())
        if known is not None:
            if known.status is None:
                raise AlreadyRunning("the write of this Idempotency-Key is still being done; ask again later")
            headers = {REPLAYED_HEADER: "true"}
            return Response(known.body, known.status, headers, media_type="application/json")
        response = None
        try:
            async with self._alive(name, owner):
                response = await write()
        finally:
            await asyncio.shield(self._end(name, owner, response))
        return response

    async def _end(self, name: str, owner: str, response: Response | None) -> None:
        try:
            if response is not None and response.status_code < 300:
                reply = Reply(response.status_code, bytes(response.body))
                await self._workers.run(self._replies.finish, name, owner, reply, time.time())
            else:
                await self._workers.run(self._replies.abandon, name, owner)
        except GalleryUnavailable as exc:
            logger.warning("a reply is not stored; sent again, its write is done again: %s", exc)

    @asynccontextmanager
    async def _alive(self, name: str, owner: str) -> AsyncIterator[None]:
        """Renew the lease until the block ends."""
        beating = asyncio.create_task(self._beat(name, owner))
        try:
            yield
        finally:
            beating.cancel()

    async def _beat(self, name: str, owner: str) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            try:
                await self._workers.run(self._replies.heartbeat, name, owner, time.time())
            except GalleryUnavailable as exc:
                logger.warning("the lease of a write is not renewed: %s", exc)


class JsonRoute(APIRoute):
    """A route with a JSON body, or none, that may accept an ``Idempotency-Key``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of requests; with the header, it does every write once."""
        handle = super().get_route_handler()
        if not any(dependency.dependency is accept_idempotency_key for dependency in self.dependencies):
            return handle

        async def handle_once(request: Request) -> Response:
            if not request.headers.get(KEY_HEADER):
                return await handle(request)
            writes: RepeatedWrites = request.app.state.loading.get().usage.repeated_writes
            body = sha256(await request.body()).hexdigest()
            return await writes.once(request, body, partial(handle, request))

        return handle_once


def hash_form(form: FormData) -> str:
    """Return a hash of a form's texts, file names and files; clients choose another boundary every time."""
    digest = sha256()
    for name, part in form.multi_items():
        if isinstance(part, UploadFile):
            content = file_digest(part.file, "sha256").hexdigest()  # type: ignore[arg-type]  # it has readinto
            part.file.seek(0)
            digest.update(_hash_of(name, part.filename or "", content).encode())
        else:
            digest.update(_hash_of(name, part).encode())
    return digest.hexdigest()


def _hash_of(*parts: str) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()
