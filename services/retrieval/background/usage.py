"""Stores matches and feedback in a separate thread, so that no visitor waits for it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import tzinfo
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import GalleryUnavailable, UnknownMatch
from core.gallery import PlaceSummary, Storage
from core.journal import (
    FeedbackVerdict,
    Inbox,
    Jobs,
    MatchRecord,
    Outbox,
    QueryFeatures,
    Replies,
    Retention,
    StoredMatch,
    UsageDatabase,
    UsageLog,
)
from core.journal.calibrated import calibration_reference
from core.journal.drift import Drift, report_drift
from core.journal.statistics import PlaceCount, Statistics, count_by_place, last_days
from core.runtime.bounded_cache import BoundedCache
from services.retrieval.background.jobs import BackgroundJobs
from services.retrieval.repeated_writes import RepeatedWrites
from serving.observability import current_request_id
from serving.workers import Workers

RECENT_BYTES = 64 * 1024 * 1024
"""Size of the features of recent queries in memory; enough for some hundreds with the embedded encoder."""

_FORGETTING_EVERY_S = 3600.0
_LOOKS, _BETWEEN_LOOKS_S = 5, 0.2

logger = logging.getLogger(__name__)


class Usage:
    """Stores the numbers of matches, and feedback; made by ``open_usage``.

    Attributes:
        jobs: background jobs, stored in the same database.
        repeated_writes: replies to writes, likewise.
        outbox: events to be sent, likewise.
        inbox: photos that a curator decides about, likewise.
        workers: the thread that reads and writes it.
    """

    def __init__(self, database: UsageDatabase, retention: Retention, workers: Workers) -> None:
        """Set the database, how long matches are kept, and the thread that reads and writes."""
        self.jobs = BackgroundJobs(Jobs(database), workers)
        self._replies = Replies(database)
        self.repeated_writes = RepeatedWrites(self._replies, workers)
        self.outbox = Outbox(database)
        self.inbox = Inbox(database, retention)
        self.workers = workers
        self._log = UsageLog(database, retention)
        self._recent = BoundedCache[str, QueryFeatures](RECENT_BYTES, lambda features: features.byte_size)

    def remember(self, embedding: NDArray[np.float32], packed: bytes | None) -> None:
        """Hold a query's features in memory under the request's id, in case feedback on the answer follows.

        Nothing is held if the retention of features is 0. Features are written to disk only with feedback.
        """
        if self._log.retention.feature_days:
            self._recent.put(current_request_id(), QueryFeatures(embedding, packed))

    async def record(self, matches: Sequence[MatchRecord]) -> None:
        """Store the numbers of matches; see ``UsageLog.record``."""
        await self.workers.run(self._log.record, matches)

    async def find(self, request_id: str) -> StoredMatch:
        """Read the newest match of a request; see ``UsageLog.find``."""
        return await self.workers.run(self._log.find, request_id)

    async def await_match(self, request_id: str) -> None:
        """Wait a moment for a match that a gateway may be sending just now.

        Raises:
            UnknownMatch: the match did not arrive.
        """
        for _ in range(_LOOKS - 1):
            with suppress(UnknownMatch):
                await self.find(request_id)
                return
            await asyncio.sleep(_BETWEEN_LOOKS_S)
        await self.find(request_id)

    async def give_feedback(self, request_id: str, verdict: FeedbackVerdict, place_id: str | None) -> StoredMatch:
        """Store the feedback on a match, with the query's features if they are still held."""
        features = self._recent.get(request_id)
        return await self.workers.run(self._log.give_feedback, request_id, verdict, place_id, time.time(), features)

    async def page(
        self, collection: str, cursor: str | None, limit: int, *, commented: bool
    ) -> tuple[list[StoredMatch], str | None]:
        """List matches, newest first; see ``UsageLog.page``."""
        return await self.workers.run(self._log.page, collection, cursor, limit, commented=commented)

    async def drift(self, collection: str, calibration: str | None) -> Drift:
        """Compare the collection's recent answers with earlier ones, or with those of its calibration."""
        return await self.workers.run(self._drift, collection, calibration)

    def _drift(self, collection: str, calibration: str | None) -> Drift:
        columns = self._log.columns(collection)
        return report_drift(columns, time.time(), calibration_reference(calibration, columns))

    @property
    def match_days(self) -> float:
        """Days for which matches are kept."""
        return self._log.retention.match_days

    async def statistics(
        self, collection: str, days: int, zone: tzinfo, places: Iterable[PlaceSummary]
    ) -> tuple[Statistics, list[PlaceCount]]:
        """Count the questions of the last days, today included, and how often each of ``places`` was photographed."""
        return await self.workers.run(self._statistics, collection, days, zone, places)

    def _statistics(
        self, collection: str, days: int, zone: tzinfo, places: Iterable[PlaceSummary]
    ) -> tuple[Statistics, list[PlaceCount]]:
        found = self._log.statistics(collection, last_days(days, zone, time.time()))
        return found, count_by_place(places, found.places)

    async def rename_collection(self, name: str, new_name: str, *, keeping: bool = False) -> None:
        """Move a collection's records to its new name. If that fails, they keep the old name and are not shown."""
        try:
            await self.workers.run(self._log.rename_collection, name, new_name, keeping=keeping)
        except GalleryUnavailable as exc:
            logger.warning("matches stay on record under a collection's former name: %s", exc)

    async def forget_collection(self, name: str) -> None:
        """Delete a collection's records."""
        try:
            await self.workers.run(self._log.forget_collection, name)
        except GalleryUnavailable as exc:
            logger.warning("matches of a deleted collection stay on record until their time is over: %s", exc)

    async def keep_forgetting(self) -> None:
        """Delete expired records, now and every hour."""
        while True:
            try:
                given_up, photos, forgotten = await self.workers.run(self._forget, time.time())
                if given_up:
                    logger.error("%d events are given up: the webhook did not receive them in a day", given_up)
                if forgotten or photos:
                    logger.info("forgot %d matches and %d photos of the inbox after their time", forgotten, photos)
            except GalleryUnavailable as exc:
                logger.warning("expired records stay for another hour: %s", exc)
            await asyncio.sleep(_FORGETTING_EVERY_S)

    def _forget(self, now: float) -> tuple[int, int, int]:
        """Delete expired replies, events, photos and matches; return how many events, photos and matches."""
        self._replies.forget(now)
        given_up, photos = self.outbox.give_up(now), self.inbox.forget(now)
        return given_up, photos, self._log.forget(now)  # at last, because it overwrites what was deleted


@asynccontextmanager
async def open_usage(folder: Path, storage: Storage, retention: Retention) -> AsyncIterator[Usage]:
    """Start the thread that writes; at the end of the block, finish the accepted writes."""
    database = UsageDatabase(folder, storage)
    with Workers(1, "usage") as workers:
        usage = Usage(database, retention, workers)
        forgetting = asyncio.create_task(usage.keep_forgetting())
        try:
            yield usage
        finally:
            forgetting.cancel()
    database.close()
