"""The asynchronous face of verification: photos through a verifier, as many at once as it takes."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from contracts.verification import CandidateRef, VerifyRequest
from core.decision.acceptance import Acceptance, at_confidence
from core.decision.answer import Decision, decide
from core.decision.evidence import VerifiedPair
from core.decision.explanations import ExplainedPair, Explanation, explain
from core.decision.location import Whereabouts, location_odds
from core.decision.rule import models_in_use
from core.imaging.decoding import decode_image
from core.local_features.codec import unpack
from core.results import Photo, Verdict
from core.runtime.cancellation import cancelled_by, raise_if_cancelled
from core.verifiers.base import Verifier
from services.verifier.gallery_access import CandidatePhoto, GalleryAccess, UnusableCandidate
from services.verifier.settings import VerifierSettings
from serving.admission import Gate
from serving.body_slots import BodySlots
from serving.deadlines import current_deadline
from serving.observability import StageTimer
from serving.workers import Workers

logger = logging.getLogger(__name__)

_MOST_RECEIVING = 256


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """What became of the candidates of one or several photos.

    Attributes:
        ranking: those that could be judged, with their verdicts, best first.
        decision: drawn from them.
        contributions: what each signal added to the decision's score.
        acceptance: from when on an answer was given.
        dropped: ids of the others: deleted meanwhile, or of a photo that cannot be read.
        explanation: of the ranking and the decision, where it was asked for.
    """

    ranking: list[tuple[CandidateRef, Verdict]]
    decision: Decision
    contributions: dict[str, float]
    acceptance: Acceptance
    dropped: list[str]
    explanation: Explanation | None = None


class VerifierEngine:
    """Verifies. Lives in one event loop.

    Attributes:
        verifier: the backend.
        gate: admits requests; what is inside and not at work waits for a worker.
    """

    def __init__(
        self, verifier: Verifier, gallery: GalleryAccess, workers: Workers, settings: VerifierSettings
    ) -> None:
        """Compose running parts; ``workers`` has one thread, unless the verifier may be shared by several."""
        self.verifier = verifier
        self.gate = Gate(settings.max_waiting)
        self.body_slots = BodySlots(_MOST_RECEIVING, settings.max_waiting * settings.max_photo_bytes, settings.pace)
        self._gallery = gallery
        self._workers = workers
        self._limits = settings.image_limits
        threshold = settings.accept_threshold
        self._acceptance = None if threshold is None else at_confidence(threshold)

    async def verify(
        self, photos: Sequence[bytes], features: Sequence[bytes | None], request: VerifyRequest, timer: StageTimer
    ) -> Verified:
        """Verify all candidates of one photo, or of several photos of one thing.

        Args:
            photos: each in any accepted format; decoded only if the backend looks at pixels.
            features: each photo's packed local features, if somebody has them already.
            request: candidates, each of one of the photos, and options.
            timer: gets the stages ``wait`` (for photos that came before), ``gallery`` and ``verify``.

        Raises:
            InvalidImage: a visitor's photo cannot be read; a candidate's that cannot is dropped.
            InvalidRequest: an unknown prompt style, or damaged features.
            GalleryUnavailable: the candidates cannot be looked up.
            BackendUnavailable: no verdict could be had.
            Overloaded: too many photos are waiting; for work in the background, any.
            DeadlinePassed: the caller is gone; noticed before each step, and by some backends between candidates.
        """
        asked = perf_counter()
        with self.gate.admit(in_background=request.in_background), cancelled_by(current_deadline().check):
            return await self._workers.run(self._verify, photos, features, request, timer, asked)

    def _verify(
        self,
        photos: Sequence[bytes],
        features: Sequence[bytes | None],
        request: VerifyRequest,
        timer: StageTimer,
        asked: float,
    ) -> Verified:
        timer.record("wait", (perf_counter() - asked) * 1000)
        queries = [self._query(*each) for each in zip(photos, features, strict=True)]
        raise_if_cancelled()
        with timer.stage("gallery"):
            found = self._gallery.photos(list(dict.fromkeys(each.image_id for each in request.candidates)))
        pairs: list[tuple[CandidateRef, Verdict]] = []
        with timer.stage("verify"):
            for number, query in enumerate(queries):
                pairs += self._judge(
                    query, [each for each in request.candidates if each.photo == number], found, request
                )
        judged = [
            VerifiedPair(candidate.place_id, candidate.similarity, verdict, candidate.local_score, candidate.photo)
            for candidate, verdict in pairs
        ]
        models = models_in_use(
            self._gallery.encoder(), self.verifier.fingerprint, self.verifier.style(request.prompt_style)
        )
        answer = decide(
            judged,
            self._gallery,
            request.collection,
            models,
            location=_location(request, found),
            acceptance=self._acceptance,
        )
        ranking = [pairs[index] for index in answer.order]
        seen = {candidate.image_id for candidate, _ in pairs}
        return Verified(
            ranking=ranking,
            decision=answer.decision,
            contributions=answer.contributions,
            acceptance=answer.acceptance,
            dropped=list(dict.fromkeys(each.image_id for each in request.candidates if each.image_id not in seen)),
            explanation=_explanation(ranking, found, answer.decision) if request.explain else None,
        )

    def _query(self, photo: bytes, features: bytes | None) -> Photo:
        return Photo(
            load=lambda: decode_image(photo, limits=self._limits).image,
            content_hash=hashlib.sha256(photo).hexdigest(),
            local_features=None if features is None else unpack(features),
        )

    def _judge(
        self, query: Photo, candidates: list[CandidateRef], found: list[CandidatePhoto], request: VerifyRequest
    ) -> list[tuple[CandidateRef, Verdict]]:
        """Have the candidates judged without those that are gone, or whose photo turns out to be unusable."""
        photos = {each.image.image_id: each.photo for each in found}
        candidates = [each for each in candidates if each.image_id in photos]
        while True:
            raise_if_cancelled()
            try:
                verdicts = self.verifier.verify(
                    query,
                    [photos[each.image_id] for each in candidates],
                    prompt_style=request.prompt_style,
                    explain=request.explain,
                )
            except UnusableCandidate as exc:
                logger.warning("verifying without a candidate: %s", exc)
                candidates = [each for each in candidates if each.image_id != exc.image_id]
            else:
                return list(zip(candidates, verdicts, strict=True))


def _explanation(
    ranking: list[tuple[CandidateRef, Verdict]], found: list[CandidatePhoto], decision: Decision
) -> Explanation:
    names = {each.image.image_id: each.image.place.name for each in found}
    judged = [
        ExplainedPair(candidate.place_id, names[candidate.image_id], candidate.similarity, verdict)
        for candidate, verdict in ranking
    ]
    return explain(judged, matched=decision.matched)


def _location(request: VerifyRequest, found: list[CandidatePhoto]) -> dict[str, float]:
    told = request.location
    if told is None:
        return {}
    whereabouts = Whereabouts(told.latitude, told.longitude, told.accuracy_m, told.area)
    return {each.image.place.place_id: location_odds(whereabouts, each.image.place) for each in found}
