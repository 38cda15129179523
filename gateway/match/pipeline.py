"""Runs a visitor's photos through retrieval and verification to one answer, also if the verifier is missing."""

import base64
import logging
from collections.abc import Sequence

from clients.errors import DeadlineExceeded, OutOfTime, ServiceError, ServiceRefused, UnusableReply, VerifierUnavailable
from clients.retrieval import RetrievalClient
from clients.verifier import VerifierClient
from contracts.errors import ErrorBody
from contracts.matching import LEAST_CONSIDERED, MatchFields, MatchReply
from contracts.retrieval import RetrievalDecision, SearchReply
from contracts.verification import ReasonsRequest, VerifyReply, VerifyRequest
from gateway.match.answers import (
    candidate_refs,
    candidates_event,
    retrieval_answer,
    service_stages,
    verdict_event,
    verified_answer,
)
from gateway.match.breaker import CircuitBreaker
from gateway.match.copies import is_copy
from gateway.match.events import Tell, tell_nobody
from serving.observability import StageTimer

logger = logging.getLogger(__name__)

VERIFIER_FAILURES = (VerifierUnavailable, UnusableReply, DeadlineExceeded)
"""Errors that count as a failure of the verifier. A refusal does not, even because it is busy: the verifier works."""


_NO_DECISION = RetrievalDecision(matched=False, confidence=0, reason="this photo was sent before")


class MatchPipeline:
    """Calls retrieval, then the verifier, and joins their replies. It makes no decisions itself."""

    def __init__(
        self,
        retrieval: RetrievalClient,
        verifier: VerifierClient,
        breaker: CircuitBreaker,
        *,
        verification_required: bool = False,
    ) -> None:
        """Set the clients.

        Args:
            retrieval: required for every answer.
            verifier: without it, the answer is retrieval's own, stricter decision.
            breaker: around the verifier, so that only the first visitors wait for a broken one.
            verification_required: fail instead of answering without the verifier.
        """
        self.retrieval = retrieval
        self.verifier = verifier
        self.breaker = breaker
        self.verification_required = verification_required
        self._photo_side: int | None = None  # of the verifier, as its last reply says

    async def match(
        self,
        photos: Sequence[bytes],
        fields: MatchFields,
        timer: StageTimer,
        tell: Tell = tell_nobody,
        *,
        languages: str | None = None,
    ) -> MatchReply:
        """Answer one photo, or several of one thing.

        Args:
            photos: N >= 1 photos in any accepted format. Every photo is searched and compared with its own candidates;
                the evidence for a place is added up.
            fields: the visitor's options.
            timer: started when the request arrived; its stage ``receive`` is the time of the upload.
            tell: called with the candidates as soon as they are known, and with every verdict.
            languages: ``Accept-Language`` of the visitor, for the texts of the places.

        Raises:
            ServiceRefused: a photo or an option is invalid, or a service is too busy.
            RetrievalUnavailable: the retrieval service cannot be reached.
            VerifierUnavailable: the verifier gave no verdicts, and they are required.
        """
        # One after another, so that a visitor with several photos has only one request in progress.
        found, copies = await self._search_all(photos, fields, languages)
        if found[0].collection is not None:  # the request may have a former name
            fields = fields.model_copy(update={"collection": found[0].collection})
        is_verifying = fields.verify and any(search.candidates for search in found)
        await tell(candidates_event(found, fields, is_verifying=is_verifying))
        verified = await self._verify(photos, found, fields) if is_verifying else None
        for pair in verified.ranking if verified is not None else ():
            await tell(verdict_event(pair))
        reply = retrieval_answer(found, fields) if verified is None else verified_answer(found, verified, fields)
        reply.copies = copies
        reply.timings_ms = _timings(timer, found, verified)
        reply.cpu_ms = service_stages([search.cpu_ms for search in found], verified.cpu_ms if verified else None)
        return reply

    async def write_reasons(self, photos: Sequence[bytes], fields: MatchFields, reply: MatchReply) -> str | None:
        """Let a model write the reasons of an answer; None if nothing was matched, or no model can write them.

        Args:
            photos: of the match.
            fields: the visitor's options.
            reply: the answer.
        """
        winner = reply.candidates[0] if reply.matched and reply.candidates else None
        if winner is None or winner.verdict is None:
            return None
        if winner.verdict.written_reasons is not None:  # in a style that has the model write before it answers
            return winner.verdict.written_reasons
        request = ReasonsRequest(
            image_id=winner.image_id,
            views=winner.verdict.views,
            prompt_style=fields.prompt_style,
            is_match=winner.verdict.is_match,
        )
        try:
            return (await self.verifier.write_reasons(photos[winner.photo], request)).reasons
        except ServiceError as exc:
            logger.warning("answering without written reasons: %s", exc)
            return None

    async def _search_all(
        self, photos: Sequence[bytes], fields: MatchFields, languages: str | None
    ) -> tuple[list[SearchReply], list[int]]:
        """Search all photos; return their replies and the numbers of copies of an earlier photo, without candidates.

        Evidence from a copy would be counted twice: a visitor who sends a photo twice could pass any threshold.
        """
        found: list[SearchReply] = []
        copies: list[int] = []
        for number, photo in enumerate(photos):
            if photo in photos[:number]:
                reply, is_again = found[photos.index(photo)], True
            else:
                reply = await self._search(photo, number, len(photos), fields, languages)
                is_again = any(is_copy(reply.query_signature, earlier.query_signature) for earlier in found)
            if is_again:
                copies.append(number)
                reply = reply.model_copy(update={"candidates": [], "further_views": [], "decision": _NO_DECISION})
            found.append(reply)
        return found, copies

    async def _search(
        self, photo: bytes, number: int, count: int, fields: MatchFields, languages: str | None
    ) -> SearchReply:
        try:
            return await self.retrieval.search(
                photo,
                collection=fields.collection,
                top_k=max(fields.top_k, LEAST_CONSIDERED),
                features=fields.verify,
                signature=count > 1,
                copy_side=self._photo_side if fields.verify else None,
                languages=languages,
            )
        except ServiceRefused as exc:
            if count == 1 or exc.status in {403, 404, 409} or exc.status >= 500:
                raise
            raise _naming_the_photo(exc, number) from exc

    async def _verify(
        self, photos: Sequence[bytes], found: Sequence[SearchReply], fields: MatchFields
    ) -> VerifyReply | None:
        request = VerifyRequest(
            collection=fields.collection,
            candidates=[ref for photo, reply in enumerate(found) for ref in candidate_refs(reply, photo)],
            location=fields.location,
            prompt_style=fields.prompt_style,
            explain=fields.explain,
            language=fields.language or "en",
        )
        try:
            with self.breaker.attempt():
                verified = await self.verifier.verify(
                    [_smallest(photo, reply) for photo, reply in zip(photos, found, strict=True)],
                    [reply.query_features for reply in found],
                    request,
                )
            self._photo_side = verified.photo_side
            return verified
        except ServiceRefused as exc:
            if exc.status < 500:
                raise
            failure: Exception = exc
        except (*VERIFIER_FAILURES, OutOfTime) as exc:
            failure = exc
        if self.verification_required:
            raise VerifierUnavailable(f"the photo could not be verified: {failure}") from failure
        logger.warning("answering without verification: %s", failure)
        return None


def _smallest(photo: bytes, found: SearchReply) -> bytes:
    """Return retrieval's copy of a photo, or the photo itself where there is none."""
    return photo if found.query_copy is None else base64.b64decode(found.query_copy)


def _naming_the_photo(refused: ServiceRefused, number: int) -> ServiceRefused:
    """Add to a refusal which of several photos it is about."""
    body = ErrorBody.model_validate_json(refused.body)  # the client has checked its format
    body.error.message = f"photo {number + 1}: {body.error.message}"
    return ServiceRefused(refused.status, body.model_dump_json().encode(), refused.retry_after)


def _timings(timer: StageTimer, found: Sequence[SearchReply], verified: VerifyReply | None) -> dict[str, float]:
    """Return all stages of all processes; ``gateway`` is the total without the upload and both services."""
    own = timer.finish()
    services = service_stages([search.timings_ms for search in found], verified.timings_ms if verified else None)
    total = own.pop("total")
    elsewhere = own.get("receive", 0.0) + sum(spent for stage, spent in services.items() if stage.endswith("_total"))
    return {**own, **services, "gateway": round(max(0.0, total - elsewhere), 3), "total": total}
