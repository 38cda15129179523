"""The asynchronous interface of verification: runs the verifier on photos, as many at once as it accepts."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np
from PIL import Image

from contracts.verification import VerifyRequest
from core.decision.acceptance import Acceptance, at_confidence
from core.decision.answer import Answer, Decision, decide
from core.decision.explanations import ExplainedPair, Explanation, explain
from core.decision.location import Whereabouts, location_odds
from core.decision.rule import models_in_use, rule_for
from core.errors import NoVerdict, SemanticMatchError
from core.results import Photo
from core.runtime.cancellation import cancelled_by, raise_if_cancelled
from core.runtime.stage_times import recording, stage
from core.verifiers.base import ReadsPrompts, Verifier, queries_at_once, style_threshold
from services.lost_device import Watch
from services.verifier.gallery_access import CandidatePhoto, GalleryAccess
from services.verifier.pairs import Group, Pair, group_candidates, verify_groups
from services.verifier.photos import query_photo
from services.verifier.readability import Readability
from services.verifier.reasons import ReasonWriter
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
    """The result for one or several photos.

    Attributes:
        ranking: candidates with their verdicts, best first; views that were shown with a candidate are part of it.
        decision: computed from the ranking.
        contributions: what every signal added to the decision's score.
        acceptance: the threshold of the decision, and what set it.
        rule_fitted: whether the decision's rule was fitted to answers of these models.
        dropped: ids of the other candidates: deleted in the meantime, with an unreadable photo, or without a verdict.
        explanation: of the ranking and the decision, if requested.
    """

    ranking: list[Pair]
    decision: Decision
    contributions: dict[str, float]
    acceptance: Acceptance
    rule_fitted: bool
    dropped: list[str]
    explanation: Explanation | None = None


class VerifierEngine:
    """Verifies. Belongs to one event loop.

    Attributes:
        verifier: the backend.
        gate: admits requests; an admitted request waits for a worker.
        readability: whether the verifier's replies can be read.
        reasons: writes the reasons of verdicts.
    """

    def __init__(
        self,
        verifier: Verifier,
        gallery: GalleryAccess,
        workers: Workers,
        settings: VerifierSettings,
        watch: Watch,
    ) -> None:
        """Set the parts, which are running; ``workers`` has one thread, unless several may share the verifier."""
        self.verifier = verifier
        self.gate = Gate(settings.max_waiting)
        self.body_slots = BodySlots(_MOST_RECEIVING, settings.max_waiting * settings.max_photo_bytes, settings.pace)
        self._gallery = gallery
        self._workers = workers
        self._watch = watch
        self._limits = settings.image_limits
        self.readability = Readability()
        at_once = queries_at_once(verifier)
        self.reasons = ReasonWriter(verifier, gallery, workers, self.gate, self._limits, watch, at_once=at_once)
        threshold = settings.accept_threshold
        self._acceptance = None if threshold is None else at_confidence(threshold)

    async def verify(
        self, photos: Sequence[bytes], features: Sequence[bytes | None], request: VerifyRequest, timer: StageTimer
    ) -> Verified:
        """Verify all candidates of one photo, or of several photos of one thing.

        Args:
            photos: N photos in any accepted format; decoded only if the backend reads pixels.
            features: packed local features of the N photos, of one extractor or more; None for a photo without.
            request: candidates, each with the number of its photo, and options.
            timer: gets the stages ``wait`` (for earlier requests), ``gallery`` and ``verify``, and the verifier's own
                stages, which are parts of the last.

        Raises:
            InvalidImage: a visitor's photo cannot be read; a candidate with an unreadable photo is dropped.
            InvalidRequest: unknown prompt style, or damaged features.
            GalleryUnavailable: the candidates cannot be read.
            BackendUnavailable: the backend gave no verdict.
            Overloaded: too many requests are waiting; for work in the background: one is.
            DeadlinePassed: the caller is gone; checked before every step, and by some backends between candidates.
        """
        asked = perf_counter()
        deadline = current_deadline()
        still_wanted = cancelled_by(deadline.check, lambda: deadline.seconds_left)
        with self.gate.admit(in_background=request.in_background), still_wanted, recording() as spent:
            verified = await self._workers.run(self._verify, photos, features, request, timer, asked)
        timer.include(spent.wall_s, spent.cpu_s)
        return verified

    @property
    def rule_fitted(self) -> bool | None:
        """Whether the decision rule was fitted to answers of these models; None until the gallery is open."""
        encoder = self._gallery.encoder_if_open
        return None if encoder is None else rule_for(encoder, self.verifier.fingerprint).fitted

    async def prove(self) -> None:
        """Check whether the verifier's replies can be read again."""
        try:
            await self._workers.run(self._prove)
        except SemanticMatchError as failure:
            self.readability.note(0, failure)
        else:
            self.readability.note(0, None)

    def _prove(self) -> None:
        with self._watch():
            prove(self.verifier)

    def _verify(
        self,
        photos: Sequence[bytes],
        features: Sequence[bytes | None],
        request: VerifyRequest,
        timer: StageTimer,
        asked: float,
    ) -> Verified:
        timer.record("wait", (perf_counter() - asked) * 1000)
        queries = [query_photo(photo, self._limits, packed) for photo, packed in zip(photos, features, strict=True)]
        raise_if_cancelled()
        with timer.stage("gallery"), stage("gallery"):
            found = self._gallery.photos(list(dict.fromkeys(candidate.image_id for candidate in request.candidates)))
        verify = partial(self._verify_all, queries, found, request, timer)
        groups = group_candidates(self.verifier, request)
        # A language model takes as long for a further view as for a candidate; matching points takes far less.
        may_wait = isinstance(self.verifier, ReadsPrompts)
        later = [group for group in groups if may_wait and group[0].further_view]
        pairs = verify([group for group in groups if not (may_wait and group[0].further_view)], [])
        answer = self._decide(pairs, found, request)
        worth_it = self._worth_verifying(later, pairs, answer)
        if worth_it:
            pairs = verify(worth_it, pairs)
            answer = self._decide(pairs, found, request)
        ranking = [pairs[index] for index in answer.order]
        seen = {image.image_id for pair in pairs for image in pair.shown}
        seen |= {image.image_id for group in later if group not in worth_it for image in group}
        return Verified(
            ranking=ranking,
            decision=answer.decision,
            contributions=answer.contributions,
            acceptance=answer.acceptance,
            rule_fitted=answer.rule_fitted,
            dropped=list(
                dict.fromkeys(candidate.image_id for candidate in request.candidates if candidate.image_id not in seen)
            ),
            explanation=_explanation(ranking, found, answer.decision) if request.explain else None,
        )

    def _verify_all(
        self,
        queries: Sequence[Photo],
        found: list[CandidatePhoto],
        request: VerifyRequest,
        timer: StageTimer,
        groups: Sequence[Group],
        before: list[Pair],
    ) -> list[Pair]:
        """Verify candidates of all photos, and append them to the pairs verified before.

        Raises:
            NoVerdict: there are candidates, and no pair got a verdict, now or before.
        """
        pairs = list(before)
        failure: NoVerdict | None = None
        with timer.stage("verify"), stage("verify"), self._watch():
            for number, query in enumerate(queries):
                of_photo = [group for group in groups if group[0].photo == number]
                if not of_photo:  # no candidate to compare it with
                    continue
                try:
                    pairs += verify_groups(
                        self.verifier, query, of_photo, found, request.prompt_style, self.readability
                    )
                except NoVerdict as exc:
                    failure = exc
        if failure is not None and not pairs:
            raise failure
        return pairs

    def _decide(self, pairs: Sequence[Pair], found: list[CandidatePhoto], request: VerifyRequest) -> Answer:
        return decide(
            [pair.evidence for pair in pairs],
            self._gallery,
            request.collection,
            models_in_use(
                self._gallery.encoder(), self.verifier.fingerprint, self.verifier.style(request.prompt_style)
            ),
            photos=len({candidate.photo for candidate in request.candidates}),
            location=_location(request, found),
            acceptance=self._acceptance,
            style_threshold=style_threshold(self.verifier, request.prompt_style),
        )

    def _worth_verifying(self, views: Sequence[Group], pairs: Sequence[Pair], answer: Answer) -> Sequence[Group]:
        """Return the further views that can change whether there is an answer.

        Without an answer, any can. With one, its place can only gain by more views; another place's views count against
        it where the rule says so.
        """
        if not answer.decision.matched:
            return views
        if not rule_for(self._gallery.encoder(), self.verifier.fingerprint).counts_rivals:
            return []
        answered = pairs[answer.order[0]].candidate.place_id
        return [group for group in views if group[0].place_id != answered]


def prove(verifier: Verifier) -> None:
    """Check with a real pair that a verification would succeed.

    Raises:
        NoVerdict: the reply cannot be read, or its confidence is not a number.
        BackendUnavailable: there is no reply.
    """
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    photo = Photo(load=lambda: Image.fromarray(noise))
    (verdict,) = verifier.verify(photo, [photo])
    if verdict is None or not math.isfinite(verdict.confidence):
        raise NoVerdict("the verifier gave no number for the pair that it was tried with")


def _explanation(ranking: Sequence[Pair], found: list[CandidatePhoto], decision: Decision) -> Explanation:
    names = {candidate.image.image_id: candidate.image.place.name for candidate in found}
    pairs = [
        ExplainedPair(pair.candidate.place_id, names[pair.candidate.image_id], pair.candidate.similarity, pair.verdict)
        for pair in ranking
    ]
    return explain(pairs, matched=decision.matched)


def _location(request: VerifyRequest, found: list[CandidatePhoto]) -> dict[str, float]:
    location = request.location
    if location is None:
        return {}
    whereabouts = Whereabouts(location.latitude, location.longitude, location.accuracy_m, location.area)
    return {candidate.image.place.place_id: location_odds(whereabouts, candidate.image.place) for candidate in found}
