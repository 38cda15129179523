"""Sends the numbers of answers to the retrieval service, after the answer, so that no visitor waits.

Waiting records are sent when the previous batch has arrived. A crash loses unsent records, usually those of a few
milliseconds. While the service cannot be reached, the newest records are kept and the oldest are dropped.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clients.errors import ServiceRefused
from clients.retrieval import RetrievalClient
from contracts.feedback import MatchRecordBody, MatchRecords, verifier_asked
from contracts.matching import MatchReply

MOST_WAITING = 5_000
_BATCH = 500
_ANOTHER_TIME = frozenset({408, 429})
"""Statuses of refusals that do not depend on the records."""

logger = logging.getLogger(__name__)


class MatchLog:
    """A queue of unsent records; made by ``open_match_log``."""

    def __init__(self, retrieval: RetrievalClient, pause_s: float) -> None:
        """Start with an empty queue; after a failure nothing is sent for ``pause_s`` seconds."""
        self._retrieval = retrieval
        self._pause_s = pause_s
        self._waiting: deque[MatchRecordBody] = deque(maxlen=MOST_WAITING)
        self._has_work = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    @property
    def waiting(self) -> int:
        """Number of unsent records."""
        return len(self._waiting)

    def note(self, reply: MatchReply) -> None:
        """Queue the record of an answer."""
        self._waiting.append(record_of(reply, time.time()))
        self._is_idle.clear()
        self._has_work.set()

    async def sent(self, timeout_s: float) -> None:
        """Wait until all queued records have arrived, or for ``timeout_s`` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._is_idle.wait()
        except TimeoutError:
            logger.warning("%d answers are not yet in the log of matches", len(self._waiting))

    async def keep_sending(self) -> None:
        """Send queued records in batches."""
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            while self._waiting:
                if not await self._send():
                    await asyncio.sleep(self._pause_s)
            self._is_idle.set()

    async def _send(self) -> bool:
        batch = [self._waiting[index] for index in range(min(_BATCH, len(self._waiting)))]
        try:
            await self._retrieval.record(MatchRecords(matches=batch))
        except Exception as exc:  # no error may stop the sending of later records
            if not _is_final(exc):
                logger.warning(
                    "%d answers wait for the log of matches: %s: %s", len(self._waiting), type(exc).__name__, exc
                )
                return False
            logger.error("%d answers are lost, because the log of matches refuses them: %s", len(batch), exc)
        for record in batch:
            # A full queue has dropped its oldest records in the meantime, which may include some of these.
            if self._waiting and self._waiting[0] is record:
                self._waiting.popleft()
        return True


def _is_final(error: Exception) -> bool:
    """Tell whether the same batch would be refused again, so that all later records would wait for ever."""
    return isinstance(error, ServiceRefused) and 400 <= error.status < 500 and error.status not in _ANOTHER_TIME


def record_of(reply: MatchReply, at: float) -> MatchRecordBody:
    """Return the numbers of an answer.

    Args:
        reply: the answer.
        at: its time, seconds since 1970 UTC.
    """
    first = reply.candidates[0] if reply.candidates else None
    second = reply.candidates[1] if len(reply.candidates) > 1 else None
    decision = reply.decision
    evidence = {f"signal {name}": value for name, value in decision.signals.items()} if decision is not None else {}
    if first is not None:
        evidence["similarity"] = first.similarity
        if second is not None:
            evidence["similarity_margin"] = first.similarity - second.similarity
        if second is not None and second.verdict is not None:
            evidence["runner_up_confidence"] = second.verdict.confidence
    if reply.answer == "maybe":
        evidence["maybe"] = 1.0
    verifier = reply.models.verifier
    return MatchRecordBody(
        request_id=reply.request_id,
        at=at,
        collection=reply.collection,
        matched=reply.matched,
        place_id=first.place.id if first is not None else None,
        place_name=first.place.name if first is not None else None,
        confidence=reply.confidence,
        score=decision.score if decision is not None else reply.confidence,
        verification=reply.verification,
        encoder=reply.models.encoder,
        verifier=None if verifier is None else verifier_asked(verifier, reply.models.prompt_style),
        evidence=evidence,
    )


@asynccontextmanager
async def open_match_log(retrieval: RetrievalClient, *, pause_s: float = 2.0) -> AsyncIterator[MatchLog]:
    """Send in the background; at the end of the block, send the waiting records if the service still answers."""
    log = MatchLog(retrieval, pause_s)
    sending = asyncio.create_task(log.keep_sending())
    try:
        yield log
    finally:
        await log.sent(timeout_s=pause_s)
        sending.cancel()
