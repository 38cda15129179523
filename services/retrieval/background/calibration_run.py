"""Measures one collection with its own photos, by the search and the verifier that answer visitors.

``core.evaluation.calibration_queries`` selects the photos and the questions; ``scripts/calibrate.py`` uses it too.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from clients.errors import ServiceError, ServiceRefused, UnusableReply
from clients.verifier import VerifierClient
from contracts.calibration import CalibrationRequest
from contracts.errors import ErrorCode
from contracts.matching import LEAST_CONSIDERED
from contracts.verification import CandidateRef, VerifyReply, VerifyRequest
from core.calibration.samples import Sample
from core.errors import BackendUnavailable, GalleryUnavailable
from core.evaluation.calibration_queries import UNREADABLE, Question, gallery_photos
from core.gallery import Gallery
from core.retrieval.exclusion import Exclusion
from services.retrieval.background.calibrations import Measurement
from services.retrieval.engine import Found, RetrievalEngine
from serving.errors import Overloaded
from serving.observability import StageTimer
from serving.workers import Workers

Answer = TypeVar("Answer")
Pause = Callable[[float], Awaitable[None]]

MOST_TRIES = 12
"""Tries of one call; with the pauses between them, the verifier or gallery may be away for five minutes."""

_PASSING = (ServiceError, Overloaded, GalleryUnavailable, BackendUnavailable)
_LONGEST_PAUSE_S = 60.0
# Visitors come first, but constant traffic must not stop a calibration for ever.
_LONGEST_WAIT_S = 10.0
_LOOK_EVERY_S = 0.5


class CalibrationRun:
    """One measurement.

    Attributes:
        done: number of photos measured.
        total: number of photos to measure; 0 until the collection is listed.
        waiting_for: why the measurement waits; None while it runs.
    """

    def __init__(
        self,
        *,
        gallery: Gallery,
        engine: RetrievalEngine,
        verifier: VerifierClient,
        workers: Workers,
        pause: Pause = asyncio.sleep,
    ) -> None:
        """Set the parts.

        Args:
            gallery: holds the photos.
            engine: finds candidates.
            verifier: compares them with the photo.
            workers: threads that list, read and simulate photos, after all work that visitors wait for.
            pause: waits for a number of seconds.
        """
        self._gallery = gallery
        self._engine = engine
        self._verifier = verifier
        self._workers = workers
        self._pause = pause
        self._verified_by: set[tuple[str, str | None]] = set()
        self.done = 0
        self.total = 0
        self.waiting_for: str | None = None

    async def measure(self, collection: str, wanted: CalibrationRequest) -> Measurement:
        """Measure a random sample of the collection's photos; the same collection always gives the same sample.

        Raises:
            ServiceRefused: an option is invalid.
            ServiceError: the verifier was unavailable for minutes, or was changed during the measurement.
            SemanticMatchError: the collection was deleted, or the gallery was unavailable for minutes.
        """
        listed = partial(self._workers.run, gallery_photos, self._gallery, collection, wanted.photos)
        photos = await self._patiently(listed)
        self.total = sum(len(photo.questions) for photo in photos)
        samples: list[Sample] = []
        for photo in photos:
            try:
                data = await self._patiently(partial(self._workers.run, photo.read))
            except UNREADABLE:  # damaged, or deleted since it was listed
                self.total -= len(photo.questions)
                continue
            for question in photo.questions:
                samples.append(await self._ask(data, collection, wanted.prompt_style, question))
                self.done += 1
        verifier, style = await self._verifier_in_use()
        return Measurement(samples, verifier, style)

    async def _ask(self, photo: bytes, collection: str, prompt_style: str | None, question: Question) -> Sample:
        await self._let_visitors_pass()
        found = await self._patiently(partial(self._search, photo, collection, question.exclusion))
        compared = found.candidates + found.further_views
        if not compared:
            return question.sample(None, None)
        request = VerifyRequest(
            collection=collection,
            prompt_style=prompt_style,
            # All views are compared: the highest score that a visitor's match could reach is what a threshold is for.
            candidates=[
                CandidateRef(
                    image_id=candidate.image.image_id,
                    place_id=candidate.image.place.place_id,
                    similarity=candidate.similarity,
                    local_score=candidate.local_score,
                )
                for candidate in compared
            ],
        )
        verified = await self._verify(photo, found, request)
        self._verified_by.add((verified.verifier, verified.prompt_style))
        if len({verifier for verifier, _ in self._verified_by}) > 1:
            raise UnusableReply("the verifier was changed during the calibration; start it again")
        if verified.decision is None or not verified.ranking:
            return question.sample(None, None)
        places = {candidate.image.image_id: candidate.image.place.place_id for candidate in compared}
        return question.sample(verified.decision.score, places.get(verified.ranking[0].image_id))

    async def _search(self, photo: bytes, collection: str, exclusion: Exclusion | None) -> Found:
        return await self._engine.search(
            photo,
            collection=collection,
            top_k=LEAST_CONSIDERED,
            features=True,
            timer=StageTimer(),
            exclusion=exclusion,
            in_background=True,
        )

    async def _verify(self, photo: bytes, found: Found, request: VerifyRequest) -> VerifyReply:
        """Verify the candidates when the verifier has no visitor's request, or after the longest wait."""
        features = None if found.features is None else base64.b64encode(found.features).decode()
        ask = partial(self._verifier.verify, [photo], [features])
        in_background = request.model_copy(update={"in_background": True})
        for _ in range(round(_LONGEST_WAIT_S / _LOOK_EVERY_S)):
            try:
                return await ask(in_background)
            except ServiceError as exc:
                if not _is_overloaded(exc):
                    break
            await self._pause(_LOOK_EVERY_S)
        return await self._patiently(partial(ask, request))

    async def _verifier_in_use(self) -> tuple[str, str | None]:
        if self._verified_by:
            return next(iter(self._verified_by))
        version = await self._verifier.version()
        if version is None or version.verifier is None:
            raise UnusableReply("the verifier service does not say what it runs")
        return version.verifier, None

    async def _let_visitors_pass(self) -> None:
        for _ in range(round(_LONGEST_WAIT_S / _LOOK_EVERY_S)):
            if not self._engine.gate.inside:
                return
            await self._pause(_LOOK_EVERY_S)

    async def _patiently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Call ``ask``, and repeat it after growing pauses while the verifier or gallery is away or too busy."""
        tries = 0
        while True:
            tries += 1
            try:
                answer = await ask()
            except UNREADABLE:
                raise
            except _PASSING as exc:
                refusal = exc if isinstance(exc, ServiceRefused) else None
                if tries == MOST_TRIES or (refusal is not None and refusal.status < 500):
                    raise
                self.waiting_for = str(exc)
                retry_after = refusal.retry_after if refusal is not None else None
                least_s = float(retry_after) if retry_after is not None and retry_after.isdecimal() else 0.0
                await self._pause(min(_LONGEST_PAUSE_S, max(least_s, 2.0 ** (tries - 1))))
            else:
                self.waiting_for = None
                return answer


def _is_overloaded(exc: ServiceError) -> bool:
    detail = exc.detail if isinstance(exc, ServiceRefused) else None
    return detail is not None and detail.code == ErrorCode.OVERLOADED
