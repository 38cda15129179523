"""One photo through retrieval and verification to one answer, and what is answered when a part is missing."""

import logging

from contracts.match_events import CandidatesEvent, VerdictEvent
from contracts.matching import MatchCandidate, MatchFields, MatchReply, Models
from contracts.retrieval import RetrievedCandidate, SearchReply
from contracts.verification import CandidateRef, RankedVerdict, VerdictBody, VerifyReply, VerifyRequest
from gateway.breaker import CircuitBreaker
from gateway.clients import RetrievalClient, VerifierClient
from gateway.errors import DeadlineExceeded, OutOfTime, ServiceRefused, UnusableReply, VerifierUnavailable
from gateway.events import Tell, tell_nobody
from serving.observability import StageTimer, current_request_id

logger = logging.getLogger(__name__)

VERIFIER_FAILURES = (VerifierUnavailable, UnusableReply, DeadlineExceeded)
"""What shows that the verifier is broken. A refusal shows the contrary, even one because it is busy."""


class MatchPipeline:
    """Asks retrieval, then the verifier, and joins their answers by image id. Decides nothing itself."""

    def __init__(
        self,
        retrieval: RetrievalClient,
        verifier: VerifierClient,
        breaker: CircuitBreaker,
        *,
        verification_required: bool = False,
    ) -> None:
        """Join two clients.

        Args:
            retrieval: without it there is no answer.
            verifier: without it the answer is retrieval's own, stricter decision.
            breaker: around the verifier, so that a broken one costs only the first visitors their time.
            verification_required: fail instead of giving that answer.
        """
        self.retrieval = retrieval
        self.verifier = verifier
        self.breaker = breaker
        self.verification_required = verification_required

    async def match(self, photo: bytes, fields: MatchFields, timer: StageTimer, tell: Tell = tell_nobody) -> MatchReply:
        """Answer one photo.

        Args:
            photo: in any accepted format.
            fields: the visitor's options.
            timer: started when the request came; its stage ``receive`` is the time the upload took.
            tell: is told the candidates as soon as there are any, and each verdict.

        Raises:
            ServiceRefused: the photo or an option is at fault, or a service is too busy.
            RetrievalUnavailable: no candidates can be had.
            VerifierUnavailable: no verdicts can be had, and they are required.
        """
        found = await self.retrieval.search(
            photo, collection=fields.collection, top_k=fields.top_k, features=fields.verify
        )
        is_verifying = bool(fields.verify and found.candidates)
        await tell(_candidates_event(found, fields, is_verifying))
        verified = await self._verify(photo, found, fields) if is_verifying else None
        for each in verified.ranking if verified is not None else ():
            await tell(_verdict_event(each))
        reply = _retrieval_answer(found, fields) if verified is None else _verified_answer(found, verified, fields)
        reply.timings_ms = _timings(timer, found, verified)
        return reply

    async def _verify(self, photo: bytes, found: SearchReply, fields: MatchFields) -> VerifyReply | None:
        request = VerifyRequest(
            collection=fields.collection,
            candidates=candidate_refs(found),
            location=fields.location,
            prompt_style=fields.prompt_style,
            explain=fields.explain,
            language=fields.language or "en",
        )
        try:
            with self.breaker.attempt():
                return await self.verifier.verify(photo, found.query_features, request)
        except ServiceRefused as exc:
            if exc.status < 500:
                raise
            failure: Exception = exc
        except (*VERIFIER_FAILURES, OutOfTime) as exc:
            failure = exc
        if self.verification_required:
            raise VerifierUnavailable(f"the photo could not be verified: {failure}") from failure
        logger.warning("answering unverified: %s", failure)
        return None


def candidate_refs(found: SearchReply) -> list[CandidateRef]:
    """What the verifier is to compare the photo with: the candidates, and further views of the first places."""
    return [
        CandidateRef(
            image_id=each.image.id,
            place_id=each.image.place.id,
            similarity=each.similarity,
            local_score=each.local_score,
        )
        for each in found.candidates + found.further_views
    ]


def _candidates_event(found: SearchReply, fields: MatchFields, is_verifying: bool) -> CandidatesEvent:
    return CandidatesEvent(
        request_id=current_request_id(),
        collection=fields.collection,
        candidates=[_join(each, rank=rank, verdict=None) for rank, each in enumerate(found.candidates, start=1)],
        verifying=is_verifying,
    )


def _verdict_event(ranked: RankedVerdict) -> VerdictEvent:
    verdict = ranked.verdict
    return VerdictEvent(image_id=ranked.image_id, is_match=verdict.is_match, confidence=verdict.confidence)


def _retrieval_answer(found: SearchReply, fields: MatchFields) -> MatchReply:
    decision = found.decision
    candidates = [_join(each, rank=rank, verdict=None) for rank, each in enumerate(found.candidates, start=1)]
    skipped = not (fields.verify and candidates)
    return MatchReply(
        matched=decision.matched,
        place=candidates[0].place if decision.matched and candidates else None,
        confidence=decision.confidence,
        reason=decision.reason if skipped else f"{decision.reason} (the verifier is unavailable)",
        verification="skipped" if skipped else "unavailable",
        collection=fields.collection,
        candidates=candidates,
        timings_ms={},
        models=Models(encoder=found.encoder, verifier=None),
        request_id=current_request_id(),
    )


def _verified_answer(found: SearchReply, verified: VerifyReply, fields: MatchFields) -> MatchReply:
    retrieved = {each.image.id: each for each in found.candidates + found.further_views}
    ranked = _without_further_views([each for each in verified.ranking if each.image_id in retrieved], found)
    candidates = [
        _join(retrieved[each.image_id], rank=rank, verdict=each.verdict) for rank, each in enumerate(ranked, start=1)
    ]
    return MatchReply(
        matched=verified.matched,
        place=candidates[0].place if verified.matched and candidates else None,
        confidence=verified.confidence,
        decision=verified.decision,
        reason=verified.reason,
        reasons=verified.reasons,
        verification="done",
        collection=fields.collection,
        candidates=candidates,
        timings_ms={},
        models=Models(encoder=found.encoder, verifier=verified.verifier),
        request_id=current_request_id(),
    )


def _without_further_views(ranking: list[RankedVerdict], found: SearchReply) -> list[RankedVerdict]:
    """The best image of each place, as many as candidates were found: its other views have had their say."""
    place_of = {each.image.id: each.image.place.id for each in found.candidates + found.further_views}
    viewed = {each.image.place.id for each in found.further_views}
    kept: dict[str, RankedVerdict] = {}
    for each in ranking:
        place = place_of[each.image_id]
        kept.setdefault(place if place in viewed else each.image_id, each)
    return list(kept.values())


def _join(candidate: RetrievedCandidate, *, rank: int, verdict: VerdictBody | None) -> MatchCandidate:
    return MatchCandidate(
        image_id=candidate.image.id,
        place=candidate.image.place,
        similarity=candidate.similarity,
        rank=rank,
        retrieval_rank=candidate.rank,
        verdict=verdict,
        preview_url=candidate.image.preview_url,
        file_url=candidate.image.file_url,
    )


def _timings(timer: StageTimer, found: SearchReply, verified: VerifyReply | None) -> dict[str, float]:
    """All stages of all processes; ``gateway`` is what is left when the upload and both services are taken off."""
    own = timer.finish()
    services = {f"retrieval_{stage}": spent for stage, spent in found.timings_ms.items()}
    if verified is not None:
        services |= {f"verification_{stage}": spent for stage, spent in verified.timings_ms.items()}
    total = own.pop("total")
    elsewhere = own.get("receive", 0.0) + sum(spent for stage, spent in services.items() if stage.endswith("_total"))
    return {**own, **services, "gateway": round(max(0.0, total - elsewhere), 3), "total": total}
