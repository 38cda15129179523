"""Joins the replies of both services by image id to one answer. Pure functions."""

from collections import Counter
from collections.abc import Mapping, Sequence

from contracts.match_events import CandidatesEvent, VerdictEvent
from contracts.matching import MatchCandidate, MatchFields, MatchReply, ModelsBody
from contracts.retrieval import RetrievedCandidate, SearchReply
from contracts.verification import CandidateRef, Language, RankedVerdict, VerdictBody, VerifyReply
from serving.observability import current_request_id

_LEFT_OUT: Mapping[Language, str] = {
    "en": "There was no time to compare the photo turned and enlarged. Take it again upright and from closer by.",
    "zh": "时间不足，未能将照片旋转、放大后再次比对。请摆正手机、靠近一些再拍一张。",
}


def candidate_refs(found: SearchReply, photo: int = 0) -> list[CandidateRef]:
    """List the images that the verifier compares with a photo: the candidates, and further views of the first places.

    Args:
        found: the search reply for the photo.
        photo: number of the photo, from 0.
    """
    return [
        CandidateRef(
            image_id=candidate.image.id,
            place_id=candidate.image.place.id,
            similarity=candidate.similarity,
            local_score=candidate.local_score,
            photo=photo,
            further_view=is_view,
        )
        for candidates, is_view in ((found.candidates, False), (found.further_views, True))
        for candidate in candidates
    ]


def candidates_event(found: Sequence[SearchReply], fields: MatchFields, *, is_verifying: bool) -> CandidatesEvent:
    """Build the event with the candidates, before they are verified."""
    return CandidatesEvent(
        request_id=current_request_id(),
        collection=fields.collection,
        candidates=_unverified(found)[: fields.top_k],
        verifying=is_verifying,
    )


def verdict_event(ranked: RankedVerdict) -> VerdictEvent:
    """Build the event with one verdict."""
    verdict = ranked.verdict
    return VerdictEvent(
        image_id=ranked.image_id, photo=ranked.photo, is_match=verdict.is_match, confidence=verdict.confidence
    )


def retrieval_answer(found: Sequence[SearchReply], fields: MatchFields) -> MatchReply:
    """Build the answer without verdicts: retrieval's decision on the photo with the highest confidence."""
    decision = found[_surest(found)].decision
    candidates = _unverified(found)[: fields.top_k]
    skipped = not (fields.verify and candidates)
    return MatchReply(
        matched=decision.matched,
        answer="match" if decision.matched else "none",
        place=candidates[0].place if decision.matched and candidates else None,
        confidence=decision.confidence,
        reason=decision.reason if skipped else f"{decision.reason} (the verifier is unavailable)",
        verification="skipped" if skipped else "unavailable",
        collection=fields.collection,
        candidates=candidates,
        looks=sum(photo.looks for photo in found),
        looks_left_out=_looks_left_out(found),
        timings_ms={},
        models=ModelsBody(encoder=found[0].encoder, verifier=None),
        request_id=current_request_id(),
    )


def verified_answer(found: Sequence[SearchReply], verified: VerifyReply, fields: MatchFields) -> MatchReply:
    """Build the answer of the verifier."""
    retrieved = {
        (photo, candidate.image.id): candidate
        for photo, of_photo in enumerate(found)
        for candidate in of_photo.candidates + of_photo.further_views
    }
    ranked = [pair for pair in verified.ranking if (pair.photo, pair.image_id) in retrieved]
    candidates = [
        _join(retrieved[pair.photo, pair.image_id], pair.photo, rank=rank, verdict=pair.verdict)
        for rank, pair in enumerate(_once_each(ranked, found)[: fields.top_k], start=1)
    ]
    unsure = not verified.matched and _looks_left_out(found)
    maybe = verified.maybe and bool(candidates)
    return MatchReply(
        matched=verified.matched,
        answer="match" if verified.matched else "maybe" if maybe else "none",
        place=candidates[0].place if verified.matched and candidates else None,
        confidence=verified.confidence,
        decision=verified.decision,
        reason=verified.reason,
        reasons=verified.reasons + ([_LEFT_OUT[fields.language or "en"]] if verified.reasons and unsure else []),
        reasons_in={
            language: reasons + ([_LEFT_OUT[language]] if unsure else [])
            for language, reasons in verified.reasons_in.items()
        },
        verification="done",
        collection=fields.collection,
        candidates=candidates,
        looks=sum(photo.looks for photo in found),
        looks_left_out=_looks_left_out(found),
        timings_ms={},
        models=ModelsBody(encoder=found[0].encoder, verifier=verified.verifier, prompt_style=verified.prompt_style),
        request_id=current_request_id(),
    )


def service_stages(
    searches: Sequence[Mapping[str, float]], verification: Mapping[str, float] | None
) -> dict[str, float]:
    """Return all stages of both services; stages of several searches, which run one after another, are summed.

    Args:
        searches: milliseconds by stage, of every photo.
        verification: milliseconds by stage.
    """
    spent: Counter[str] = Counter()
    for search in searches:
        spent.update({f"retrieval_{stage}": took for stage, took in search.items()})
    spent.update({f"verification_{stage}": took for stage, took in (verification or {}).items()})
    return {stage: round(took, 3) for stage, took in spent.items()}


def _looks_left_out(found: Sequence[SearchReply]) -> bool:
    return any(photo.out_of_time for photo in found)


def _surest(found: Sequence[SearchReply]) -> int:
    """Return the index of the photo whose decision by retrieval counts."""
    return max(range(len(found)), key=lambda photo: (found[photo].decision.matched, found[photo].decision.confidence))


def _unverified(found: Sequence[SearchReply]) -> list[MatchCandidate]:
    """List every image once: first those of the surest photo, then by rank among the candidates of their photo."""
    surest = _surest(found)
    pairs = sorted(
        ((photo, candidate) for photo, of_photo in enumerate(found) for candidate in of_photo.candidates),
        key=lambda pair: (pair[1].rank, pair[0] != surest),
    )
    once: dict[str, tuple[int, RetrievedCandidate]] = {}
    for photo, candidate in pairs:
        once.setdefault(candidate.image.id, (photo, candidate))
    return [
        _join(candidate, photo, rank=rank, verdict=None)
        for rank, (photo, candidate) in enumerate(once.values(), start=1)
    ]


def _once_each(ranking: Sequence[RankedVerdict], found: Sequence[SearchReply]) -> list[RankedVerdict]:
    """Keep only the best pair of a place that was compared in several views; the decision has used the others."""
    several = sum(bool(of_photo.candidates) for of_photo in found) > 1
    images = [candidate.image for of_photo in found for candidate in of_photo.candidates + of_photo.further_views]
    place_of: Mapping[str, str] = {image.id: image.place.id for image in images}
    viewed = {candidate.image.place.id for of_photo in found for candidate in of_photo.further_views}
    kept: dict[str, RankedVerdict] = {}
    for pair in ranking:
        place = place_of[pair.image_id]
        kept.setdefault(place if place in viewed or several else pair.image_id, pair)
    return list(kept.values())


def _join(candidate: RetrievedCandidate, photo: int, *, rank: int, verdict: VerdictBody | None) -> MatchCandidate:
    return MatchCandidate(
        image_id=candidate.image.id,
        photo=photo,
        place=candidate.image.place,
        similarity=candidate.similarity,
        rank=rank,
        retrieval_rank=candidate.rank,
        verdict=verdict,
        preview_url=candidate.image.preview_url,
        file_url=candidate.image.file_url,
    )
