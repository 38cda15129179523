"""Checks collections on request, one at a time in a separate thread; a report is valid until the gallery changes."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from core.gallery import Gallery
from core.gallery_health import HealthCheck, HealthReport
from core.verifiers import VERIFIERS
from serving.workers import Workers

BUDGET_S = 60.0
_KEPT = 50  # collections

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkup:
    """The newest report of a collection.

    Attributes:
        report: None while the first one is being made.
        generation: of the gallery now; the report is valid if it has the same generation.
        got_further: whether the check measured more than the one before it, of the same photos.
    """

    report: HealthReport | None
    generation: int
    got_further: bool = True

    @property
    def state(self) -> str:
        """``fresh``, ``stale`` or ``computing``."""
        if self.report is None:
            return "computing"
        return "fresh" if self.report.generation == self.generation else "stale"

    @property
    def needs_another(self) -> bool:
        """Whether another check would measure more: this one ran out of time, but made progress."""
        if self.report is None or self.report.is_complete or not self.got_further:
            return False
        return self.report.took_s > BUDGET_S / 2


class Checkups:
    """The reports by collection; made by ``open_checkups``."""

    def __init__(self, gallery: Gallery, workers: Workers) -> None:
        """Set the parts; ``workers`` has one thread, so checks do not delay visitors."""
        self._gallery = gallery
        self._workers = workers
        self._check: HealthCheck | None = None
        self._reports: dict[str, HealthReport] = {}
        self._stuck: set[str] = set()  # collections whose latest check made no progress
        self._running: dict[str, asyncio.Task[HealthReport]] = {}
        self._is_closed = False

    async def ask(self, collection: str, wait_s: float) -> Checkup:
        """Return the report of a collection; start a new check if the gallery has changed since.

        Args:
            collection: to check.
            wait_s: how long to wait for a running check, seconds.

        Raises:
            EmptyGallery: the gallery holds no image.
            UnknownCollection: the collection holds no image.
        """
        await asyncio.to_thread(self._gallery.check_collection, collection)
        checkup = await self._look(collection)
        if checkup.state == "fresh":
            if checkup.needs_another:
                self._begin(collection)  # measurements are kept, so the next check continues them
            return checkup
        task = self._begin(collection)
        # The task itself is not awaited: if this caller hangs up, the next one can use the report.
        await asyncio.wait({task}, timeout=wait_s)
        if task.done():
            task.result()
        return await self._look(collection)

    def forget(self, collection: str) -> None:
        """Drop the report of a deleted collection, so that a new one of the same name does not get it."""
        self._reports.pop(collection, None)
        self._stuck.discard(collection)

    def close(self) -> None:
        """Cancel the running check."""
        self._is_closed = True
        if self._check is not None:
            self._check.stop()

    def _begin(self, collection: str) -> asyncio.Task[HealthReport]:
        """Start a check, unless one is running."""
        task = self._running.get(collection)
        if task is None:
            task = self._running[collection] = asyncio.create_task(self._workers.run(self._run, collection))
            task.add_done_callback(partial(self._keep, collection))
        return task

    async def _look(self, collection: str) -> Checkup:
        generation = await asyncio.to_thread(lambda: self._gallery.generation)
        return Checkup(self._reports.get(collection), generation, collection not in self._stuck)

    def _run(self, collection: str) -> HealthReport:
        """Run a check; called in the thread of the checks."""
        if self._check is None:
            # The geometric verifier reads the embedded encoder's features; it is loaded at its first use.
            is_embedded = self._gallery.fingerprint.name == "embedded"
            verifier = VERIFIERS.create("geometric", threads=1) if is_embedded else None
            self._check = HealthCheck(self._gallery, verifier)
            if self._is_closed:
                self._check.stop()
        return self._check.run(collection, budget_s=BUDGET_S)

    def _keep(self, collection: str, task: asyncio.Task[HealthReport]) -> None:
        del self._running[collection]
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            logger.warning("checking a collection failed: %s: %s", type(error).__name__, error)
            return
        report, former = task.result(), self._reports.get(collection)
        self.forget(collection)
        self._reports[collection] = report
        is_same = former is not None and former.generation == report.generation
        if former is not None and is_same and report.photos_measured <= former.photos_measured:
            self._stuck.add(collection)
        while len(self._reports) > _KEPT:
            self.forget(next(iter(self._reports)))


@asynccontextmanager
async def open_checkups(gallery: Gallery) -> AsyncIterator[Checkups]:
    """Start the thread of the checks; at the end of the block, cancel a running check."""
    with Workers(1, "checkups", in_background=True) as workers:
        checkups = Checkups(gallery, workers)
        try:
            yield checkups
        finally:
            checkups.close()
