"""Work in the background as all replicas tell of it, seen from the event loop."""

import logging
import time

from core.errors import GalleryUnavailable
from core.journal import Job, Jobs
from serving.workers import Workers

logger = logging.getLogger(__name__)


class BackgroundJobs:
    """What every replica of this service may ask and end; made by ``background.usage.open_usage``."""

    def __init__(self, jobs: Jobs, workers: Workers) -> None:
        """Compose."""
        self._jobs = jobs
        self._workers = workers

    async def begin(self, name: str, holder: str, body: str) -> Job | None:
        """Begin one, unless one of its kind is running, which is returned; see ``Jobs.begin``."""
        return await self._workers.run(self._jobs.begin, name, holder, body, time.time())

    async def tell(self, name: str, holder: str, body: str, *, is_running: bool) -> bool:
        """Say how far one is; whether to go on. See ``Jobs.tell``."""
        return await self._workers.run(self._jobs.tell, name, holder, body, time.time(), is_running=is_running)

    async def stop(self, name: str) -> bool:
        """Want one stopped; whether it was running."""
        return await self._workers.run(self._jobs.stop, name, time.time())

    async def find(self, name: str) -> Job | None:
        """What is known of one; None where the record cannot be read, which is no reason to say nothing at all."""
        try:
            return await self._workers.run(self._jobs.find, name, time.time())
        except GalleryUnavailable as exc:
            logger.warning("nothing is known of work in the background: %s", exc)
            return None

    async def forget(self, name: str) -> None:
        """Know nothing more of one."""
        try:
            await self._workers.run(self._jobs.forget, name)
        except GalleryUnavailable as exc:
            logger.warning("work in the background stays on record: %s", exc)
