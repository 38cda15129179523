"""Matches and feedback, seen from the event loop: written in a thread of their own, off every visitor's path."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import GalleryUnavailable, UnknownMatch
from core.gallery import Storage
from core.journal import (
    FeedbackVerdict,
    Jobs,
    MatchRecord,
    QueryFeatures,
    Retention,
    StoredMatch,
    UsageDatabase,
    UsageLog,
)
from core.journal.calibrated import calibration_reference
from core.journal.drift import Drift, report_drift
from core.runtime.bounded_cache import BoundedCache
from services.retrieval.background.jobs import BackgroundJobs
from serving.observability import current_request_id
from serving.workers import Workers

RECENT_BYTES = 64 * 1024 * 1024
"""Of queries whose features may still be kept: some hundreds of the embedded encoder's."""

_FORGETTING_EVERY_S = 3600.0
_LOOKS, _BETWEEN_LOOKS_S = 5, 0.2

logger = logging.getLogger(__name__)


class Usage:
    """Keeps what visitors asked, as numbers; made by ``open_usage``.

    Attributes:
        jobs: work in the background, kept in the same database.
    """

    def __init__(self, log: UsageLog, jobs: BackgroundJobs, workers: Workers) -> None:
        """Compose."""
        self.jobs = jobs
        self.logger = log
        self._workers = workers
        self._recent = BoundedCache[str, QueryFeatures](RECENT_BYTES, lambda features: features.byte_size)

    def remember(self, embedding: NDArray[np.float32], packed: bytes | None) -> None:
        """Hold a query's features in memory under the request's id, in case that somebody comments on the answer.

        Nothing is held unless the retention of features allows it; nothing reaches the disk before the feedback.
        """
        if self.logger.retention.feature_days:
            self._recent.put(current_request_id(), QueryFeatures(embedding, packed))

    async def record(self, matches: Sequence[MatchRecord]) -> None:
        """Keep the numbers of matches; see ``UsageLog.record``."""
        await self._workers.run(self.logger.record, matches)

    async def find(self, request_id: str) -> StoredMatch:
        """Read the newest match of a request; see ``UsageLog.find``."""
        return await self._workers.run(self.logger.find, request_id)

    async def await_match(self, request_id: str) -> None:
        """Wait a moment for a match of which another gateway may be telling just now.

        Raises:
            UnknownMatch: nobody did.
        """
        for _ in range(_LOOKS - 1):
            with suppress(UnknownMatch):
                await self.find(request_id)
                return
            await asyncio.sleep(_BETWEEN_LOOKS_S)
        await self.find(request_id)

    async def give_feedback(self, request_id: str, verdict: FeedbackVerdict, place_id: str | None) -> StoredMatch:
        """Keep what was said of a match, with the query's features if they may be and still are here."""
        features = self._recent.get(request_id)
        return await self._workers.run(self.logger.give_feedback, request_id, verdict, place_id, time.time(), features)

    async def page(
        self, collection: str, cursor: str | None, limit: int, *, commented: bool
    ) -> tuple[list[StoredMatch], str | None]:
        """List matches, newest first; see ``UsageLog.page``."""
        return await self._workers.run(self.logger.page, collection, cursor, limit, commented=commented)

    async def drift(self, collection: str, calibration: str | None) -> Drift:
        """Report whether the collection answers as it used to, or as when it was calibrated."""
        return await self._workers.run(self._drift, collection, calibration)

    def _drift(self, collection: str, calibration: str | None) -> Drift:
        columns = self.logger.columns(collection)
        return report_drift(columns, time.time(), calibration_reference(calibration, columns))

    async def rename_collection(self, name: str, new_name: str, *, keeping: bool = False) -> None:
        """Let what is on record of a collection follow its new name; where that fails, it is lost to view, no more."""
        try:
            await self._workers.run(self.logger.rename_collection, name, new_name, keeping=keeping)
        except GalleryUnavailable as exc:
            logger.warning("matches stay on record under a collection's former name: %s", exc)

    async def forget_collection(self, name: str) -> None:
        """Delete what is on record of a collection."""
        try:
            await self._workers.run(self.logger.forget_collection, name)
        except GalleryUnavailable as exc:
            logger.warning("matches of a deleted collection stay on record until their time is over: %s", exc)

    async def keep_forgetting(self) -> None:
        """Delete what may not be kept any longer, now and every hour."""
        while True:
            try:
                forgotten = await self._workers.run(self.logger.forget, time.time())
                if forgotten:
                    logger.info("forgot %d matches after their time", forgotten)
            except GalleryUnavailable as exc:
                logger.warning("old matches stay for another hour: %s", exc)
            await asyncio.sleep(_FORGETTING_EVERY_S)


@asynccontextmanager
async def open_usage(folder: Path, storage: Storage, retention: Retention) -> AsyncIterator[Usage]:
    """Start the thread that writes; at the end, what was accepted is written."""
    database = UsageDatabase(folder, storage)
    with Workers(1, "usage") as workers:
        usage = Usage(UsageLog(database, retention), BackgroundJobs(Jobs(database), workers), workers)
        forgetting = asyncio.create_task(usage.keep_forgetting())
        try:
            yield usage
        finally:
            forgetting.cancel()
    database.close()
