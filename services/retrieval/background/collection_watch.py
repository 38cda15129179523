"""Checks every collection once a day for the webhook: health that has become worse, and answers that have changed."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from uuid import uuid4

from contracts.webhooks import DriftFound, HealthProblems, HealthWorse, UnusualWeek
from core.errors import EmptyGallery, GalleryUnavailable, SemanticMatchError, UnknownCollection
from core.gallery import Gallery
from services.retrieval.background.checkups import BUDGET_S, Checkups
from services.retrieval.background.usage import Usage
from services.retrieval.background.webhooks import Webhooks
from serving.workers import Workers

_FIRST_AFTER_S, _EVERY_S = 600.0, 86_400.0
_JOB = "watch"

logger = logging.getLogger(__name__)


class CollectionWatch:
    """Compares every collection with the time before. Belongs to one event loop."""

    def __init__(
        self, gallery: Gallery, checkups: Checkups, usage: Usage, webhooks: Webhooks, workers: Workers
    ) -> None:
        """Set the parts."""
        self._gallery = gallery
        self._checkups = checkups
        self._usage = usage
        self._webhooks = webhooks
        self._workers = workers

    async def look(self) -> None:
        """Check all collections, unless another replica is doing so."""
        owner = uuid4().hex
        if await self._usage.jobs.begin(_JOB, owner, "") is None:
            await self._usage.jobs.run(_JOB, owner, self._look, str)

    async def _look(self) -> None:
        try:
            names = [summary.name for summary in await self._workers.run(self._gallery.collections)]
            notes = {f"{what} {name}" for name in names for what in ("health", "drift")}
            await self._usage.workers.run(self._usage.outbox.forget_notes, notes)
            for name in names:
                with suppress(EmptyGallery, UnknownCollection):  # it holds no image, or was deleted in the meantime
                    await self._look_at_health(name)
                    await self._look_at_drift(name)
        except SemanticMatchError as exc:
            logger.warning("not all collections are checked for the webhook today: %s", exc)

    async def _look_at_health(self, name: str) -> None:
        checkup = await self._checkups.ask(name, wait_s=2 * BUDGET_S)
        report = checkup.report
        if report is None or checkup.state != "fresh" or not report.is_complete:
            return
        now = [report.faulty_photos.total, report.pairs.total]
        noted = await self._noted(f"health {name}")
        before = now if noted is None else json.loads(noted)
        if now[0] > before[0] or now[1] > before[1]:
            problems = HealthProblems(
                collection=name,
                faulty_photos=now[0],
                similar_places=now[1],
                former_faulty_photos=before[0],
                former_similar_places=before[1],
            )
            await self._webhooks.tell(HealthWorse(timestamp=_now(), data=problems))
        await self._note(f"health {name}", json.dumps(now))

    async def _look_at_drift(self, name: str) -> None:
        calibration = await self._workers.run(self._gallery.calibration, name)
        drift = await self._usage.drift(name, calibration)
        unusual = [week.start for week in drift.weeks if week.answers_changed or week.scores_changed]
        if drift.state != "unusual" or not unusual or await self._noted(f"drift {name}") == unusual[-1]:
            return
        week = UnusualWeek(collection=name, week=unusual[-1], en=drift.en, zh=drift.zh)
        await self._webhooks.tell(DriftFound(timestamp=_now(), data=week))
        await self._note(f"drift {name}", unusual[-1])

    async def _noted(self, name: str) -> str | None:
        return await self._usage.workers.run(self._usage.outbox.noted, name)

    async def _note(self, name: str, value: str) -> None:
        """Store a value after its event, so that a crash repeats an event and loses none."""
        await self._usage.workers.run(self._usage.outbox.note, name, value)

    async def keep_looking(self) -> None:
        """Check soon after the start, then every day."""
        await asyncio.sleep(_FIRST_AFTER_S)
        while True:
            try:
                await self.look()
            except GalleryUnavailable as exc:
                logger.warning("collections are not checked for the webhook today: %s", exc)
            except Exception:
                logger.exception("collections are not checked for the webhook today")
            await asyncio.sleep(_EVERY_S)


@asynccontextmanager
async def watching(watch: CollectionWatch) -> AsyncIterator[None]:
    """Check in the background until the block ends."""
    task = asyncio.create_task(watch.keep_looking())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
