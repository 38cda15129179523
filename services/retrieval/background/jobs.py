"""Work in the background that all replicas can show and stop, seen from the event loop."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from core.errors import GalleryUnavailable
from core.journal import Job, Jobs
from serving.workers import Workers

HEARTBEAT_S = 1.0

logger = logging.getLogger(__name__)


class BackgroundJobs:
    """The jobs of every replica of this service; made by ``background.usage.open_usage``."""

    def __init__(self, jobs: Jobs, workers: Workers) -> None:
        """Wrap the rows; ``workers`` reads and writes them."""
        self._jobs = jobs
        self._workers = workers

    async def begin(self, name: str, owner: str, body: str) -> Job | None:
        """Begin one, unless one of its kind is running, which is returned; see ``Jobs.begin``."""
        return await self._workers.run(self._jobs.begin, name, owner, body, time.time())

    async def run(
        self, name: str, owner: str, work: Callable[[], Coroutine[Any, Any, None]], body: Callable[[], str]
    ) -> None:
        """Do the work of a job that was begun, until it ends, is cancelled here, or is stopped at any replica.

        Args:
            name: as it was begun.
            owner: likewise.
            work: does it; raises nothing but its cancellation.
            body: its progress, or its result once ``work`` has ended.
        """
        working = asyncio.create_task(work())
        try:
            while not (await asyncio.wait({working}, timeout=HEARTBEAT_S))[0]:
                if not await self._heartbeat(name, owner, body(), is_running=True):
                    working.cancel()
        finally:
            working.cancel()
            await asyncio.wait({working})
            await self._heartbeat(name, owner, body(), is_running=False)

    async def stop(self, name: str) -> bool:
        """Cancel one at its next heartbeat; whether it was running."""
        return await self._workers.run(self._jobs.stop, name, time.time())

    async def find(self, name: str) -> Job | None:
        """The latest run of one; None as well where the record cannot be read: other facts can still be shown."""
        try:
            return await self._workers.run(self._jobs.find, name, time.time())
        except GalleryUnavailable as exc:
            logger.warning("work in the background cannot be shown: %s", exc)
            return None

    async def forget(self, name: str) -> None:
        """Delete what is on record of one."""
        try:
            await self._workers.run(self._jobs.forget, name)
        except GalleryUnavailable as exc:
            logger.warning("work in the background stays on record: %s", exc)

    async def _heartbeat(self, name: str, owner: str, body: str, *, is_running: bool) -> bool:
        """Whether to go on; also where the database is away, for it may come back."""
        try:
            return await self._workers.run(self._jobs.heartbeat, name, owner, body, time.time(), is_running=is_running)
        except GalleryUnavailable as exc:
            logger.warning("a job's progress is not on record: %s", exc)
            return True
