"""Sends events to the operator's webhook, one after another, and again until they are acknowledged."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from clients.webhooks import NotDelivered, WebhookClient, open_webhook, read_secret
from contracts.webhooks import WebhookEvent
from core.errors import GalleryUnavailable
from core.journal import Outbox
from services.retrieval.settings import RetrievalSettings
from serving.workers import Workers

_LONGEST_SLEEP_S = 60.0
"""Other replicas put events into the same outbox, without waking this one."""

logger = logging.getLogger(__name__)


class Webhooks:
    """The events of this service. Belongs to one event loop; made by ``open_webhooks``.

    Attributes:
        is_on: whether there is a receiver.
    """

    def __init__(self, outbox: Outbox, workers: Workers, *, is_on: bool) -> None:
        """Set the table of events, and the thread that reads and writes it."""
        self.is_on = is_on
        self._outbox = outbox
        self._workers = workers
        self._has_work = asyncio.Event()

    async def tell(self, event: WebhookEvent) -> None:
        """Store an event, which is sent in the background; nothing without a receiver.

        Raises:
            GalleryUnavailable: it was not stored.
        """
        if not self.is_on:
            return
        event_id = f"msg_{uuid4().hex}"
        given_up = await self._workers.run(self._outbox.put, event_id, event.model_dump_json(), time.time())
        if given_up:
            logger.error("too many events wait for the webhook: the %d oldest are given up", given_up)
        self._has_work.set()

    async def keep_sending(self, client: WebhookClient) -> None:
        """Send what is due, and wait for more."""
        while True:
            self._has_work.clear()
            pause_s = _LONGEST_SLEEP_S
            try:
                while await self._send_one(client):
                    pass
                due = await self._workers.run(self._outbox.next_due)
                if due is not None:
                    pause_s = min(pause_s, max(0.0, due - time.time()))
            except GalleryUnavailable as exc:
                logger.warning("events wait for the webhook: %s", exc)
            except Exception:
                logger.exception("events wait for the webhook")
            try:
                async with asyncio.timeout(pause_s):
                    await self._has_work.wait()
            except TimeoutError:
                pass

    async def _send_one(self, client: WebhookClient) -> bool:
        """Send the event that is due; whether there was one."""
        event = await self._workers.run(self._outbox.take, time.time())
        if event is None:
            return False
        try:
            await client.send(event.event_id, event.body)
        except NotDelivered as exc:
            logger.warning(
                "attempt %d to send an event to the webhook failed: %s; the next follows in %.0f s",
                event.tries, exc, event.pause_s,
            )  # fmt: skip
            await self._workers.run(self._outbox.postpone, event.event_id, time.time() + event.pause_s)
        else:
            await self._workers.run(self._outbox.remove, event.event_id)
        return True


@asynccontextmanager
async def open_webhooks(outbox: Outbox, workers: Workers, settings: RetrievalSettings) -> AsyncIterator[Webhooks]:
    """Send in the background until the block ends, if the settings name a receiver."""
    if settings.webhook_url is None or settings.webhook_secret is None:
        yield Webhooks(outbox, workers, is_on=False)
        return
    secret = read_secret(settings.webhook_secret.get_secret_value())
    url = settings.webhook_url.get_secret_value()
    async with open_webhook(url, secret, to_private=settings.webhook_private) as client:
        webhooks = Webhooks(outbox, workers, is_on=True)
        sending = asyncio.create_task(webhooks.keep_sending(client))
        try:
            yield webhooks
        finally:
            sending.cancel()
            await asyncio.wait({sending})
