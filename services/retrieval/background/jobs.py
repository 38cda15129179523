"""Background jobs that all replicas can show and stop; the asynchronous interface of ``core.journal.jobs``."""

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
        """Set the table of jobs, and the threads that read and write it."""
        self._jobs = jobs
        self._workers = workers

    async def begin(self, name: str, owner: str, body: str) -> Job | None:
        """Begin a job; if one of its kind is running, return that one instead. See ``Jobs.begin``."""
        return await self._workers.run(self._jobs.begin, name, owner, body, time.time())

    async def run(
        self, name: str, owner: str, work: Callable[[], Coroutine[Any, Any, None]], body: Callable[[], str]
    ) -> None:
        """Do the work of a job that was begun, until it ends, is cancelled here, or is stopped at any replica.

        Args:
            name: as given to ``begin``.
            owner: as given to ``begin``.
            work: does the work; raises only ``CancelledError``.
            body: returns the progress, or the result after ``work`` has ended.
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
        """Cancel a job at its next heartbeat. Tell whether it was running."""
        return await self._workers.run(self._jobs.stop, name, time.time())

    async def find(self, name: str) -> Job | None:
        """Return the latest run of a job; None if there is none, or the record cannot be read."""
        try:
            return await self._workers.run(self._jobs.find, name, time.time())
        except GalleryUnavailable as exc:
            logger.warning("work in the background cannot be shown: %s", exc)
            return None

    async def forget(self, name: str) -> None:
        """Delete the record of a job."""
        try:
            await self._workers.run(self._jobs.forget, name)
        except GalleryUnavailable as exc:
            logger.warning("work in the background stays on record: %s", exc)

    async def _heartbeat(self, name: str, owner: str, body: str, *, is_running: bool) -> bool:
        """Tell whether the job goes on. It also goes on while the database is away, which may be temporary."""
        try:
            return await self._workers.run(self._jobs.heartbeat, name, owner, body, time.time(), is_running=is_running)
        except GalleryUnavailable as exc:
            logger.warning("a job's progress is not on record: %s", exc)
            return True
