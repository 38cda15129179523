"""Verifies one photo's candidates: several photos of a place in one question where the verifier takes them."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.verification import CandidateRef, VerifyRequest
from core.decision.evidence import VerifiedPair, pair_of
from core.errors import NoVerdict
from core.results import Photo, Verdict
from core.runtime.cancellation import raise_if_cancelled
from core.verifiers.base import Verifier, views_together
from core.verifiers.views import as_candidate, by_place
from services.verifier.gallery_access import CandidatePhoto, UnusableCandidate
from services.verifier.readability import Readability

logger = logging.getLogger(__name__)

Group = Sequence[CandidateRef]
"""Images of one place for one photo: the candidate, and those that are shown in the same question."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A candidate with its verdict.

    Attributes:
        candidate: that was verified.
        verdict: about the candidate and the views.
        views: further images of its place that were shown in the same question.
    """

    candidate: CandidateRef
    verdict: Verdict
    views: tuple[CandidateRef, ...] = ()

    @property
    def shown(self) -> tuple[CandidateRef, ...]:
        """The images that the verdict is about, the candidate first."""
        return (self.candidate, *self.views)

    @property
    def evidence(self) -> VerifiedPair:
        """The pair for a decision."""
        return pair_of(self.candidate.place_id, self.shown, self.verdict, self.candidate.photo)


def group_candidates(verifier: Verifier, request: VerifyRequest) -> list[list[CandidateRef]]:
    """Divide the candidates into those that the verifier is shown in one question.

    Raises:
        InvalidRequest: unknown prompt style.
    """
    most = views_together(verifier, request.prompt_style)
    return by_place(request.candidates, lambda candidate: (candidate.photo, candidate.place_id), most)


def verify_groups(
    verifier: Verifier,
    query: Photo,
    groups: Sequence[Group],
    found: Sequence[CandidatePhoto],
    prompt_style: str | None,
    readability: Readability,
) -> list[Pair]:
    """Verify the candidates of one photo, without deleted ones and those with an unusable photo.

    Args:
        verifier: that is asked.
        query: the photo.
        groups: its candidates.
        found: the images that are in the gallery.
        prompt_style: of the request.
        readability: notes whether the replies can be read.

    Raises:
        NoVerdict: there are candidates, and no pair got a verdict.
    """
    photos = {candidate.image.image_id: candidate.photo for candidate in found}
    groups = [[image for image in group if image.image_id in photos] for group in groups]
    while True:
        groups = [group for group in groups if group]
        raise_if_cancelled()
        try:
            verdicts = verifier.verify(
                query,
                [as_candidate([photos[image.image_id] for image in group]) for group in groups],
                prompt_style=prompt_style,
            )
        except UnusableCandidate as exc:
            logger.warning("verifying without a candidate: %s", exc)
            groups = [[image for image in group if image.image_id != exc.image_id] for group in groups]
        except NoVerdict as failure:
            readability.note(len(groups), failure)
            raise
        else:
            return _readable(groups, verdicts, readability)


def _readable(groups: Sequence[Group], verdicts: Sequence[Verdict | None], readability: Readability) -> list[Pair]:
    """Return the pairs that have a verdict with a finite confidence.

    Raises:
        NoVerdict: there are candidates, and none has such a verdict.
    """
    pairs = [
        Pair(candidate, verdict, tuple(views))
        for (candidate, *views), verdict in zip(groups, verdicts, strict=True)
        if verdict is not None and math.isfinite(verdict.confidence)
    ]
    failure = NoVerdict("the verifier gave no number for any pair") if groups and not pairs else None
    readability.note(len(groups) - len(pairs), failure)
    if failure is not None:
        raise failure
    return pairs
