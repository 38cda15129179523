"""The candidates of one query, and what the local tests say of them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Protocol

from core.local_features.matching import ALIKED, CLEAR_SCORE, XFEAT, NeighbourTest, local_evidence
from core.results import Candidate, LocalFeatures
from core.runtime.cancellation import raise_if_cancelled
from core.runtime.second_thread import SecondThread
from core.runtime.stage_times import stage

SHORTLIST = 50
# So many are tested first; the rest only if none is certain. Different places never reached CERTAIN_SCORE.
FIRST_TESTED = 10
CERTAIN_SCORE = 80.0
# So many are compared by the second features; with 50, no more places are found. Beside those, the best of many looks
# by the first is mostly chance: a quarter to 0.6 of it finds the most scenes and objects.
SECOND_TESTED, FIRST_SHARE = 20, 0.5
# One hundredth of cosine weighs as much as 1.2 agreeing keypoints: where nothing agrees clearly, one of many looks does
# so by chance with some image or other. 2 % more scenes and objects are found than with 40; flat from 80 to 300.
SIMILARITY_WEIGHT = 120.0

_TESTING = SecondThread("local test")


class StoredFeatures(Protocol):
    """What the local tests need of a gallery."""

    def local_features(self, image_ids: Sequence[str]) -> list[LocalFeatures | None]:
        """Return the stored local features of the images."""
        ...

    def verifier_features(self, content_hashes: Sequence[str], extractor: str) -> list[LocalFeatures | None]:
        """Return what an extractor, given by name, made of photos; None where nothing is stored."""
        ...


class Shortlist:
    """The candidates of one query: their similarities, and the scores of those that were tested locally."""

    def __init__(self, gallery: StoredFeatures, found: Sequence[Candidate]) -> None:
        self._gallery = gallery
        self._candidates = {candidate.image.image_id: candidate for candidate in found}
        self._references: dict[str, LocalFeatures | None] = {}
        self._second_scores: dict[str, float] = {}
        self._best = 0.0
        self._is_confirmed = False

    @property
    def is_clear(self) -> bool:
        """Whether a candidate agrees so well that no further look is needed."""
        return self._best >= CLEAR_SCORE or self._is_confirmed

    def first_look(self, query: LocalFeatures) -> None:
        """Test the most similar candidates, and the rest of the shortlist unless one of those is certain."""
        image_ids = list(self._candidates)
        # The smaller view of a query that fills its frame finds nothing that the larger one does not.
        larger = LocalFeatures(query.views[:1], query.extractor)
        for part in (image_ids[:FIRST_TESTED], image_ids[FIRST_TESTED:SHORTLIST]):
            self.test(larger, part)
            if self._best >= CERTAIN_SCORE:
                return

    def add(self, found: Sequence[Candidate]) -> None:
        """Add the candidates of another vector of the query; the larger similarity of an image counts."""
        for candidate in found:
            known = self._candidates.get(candidate.image.image_id)
            if known is None:
                self._candidates[candidate.image.image_id] = candidate
            elif known.similarity < candidate.similarity:
                self._candidates[candidate.image.image_id] = replace(known, similarity=candidate.similarity)

    @stage("local_test")
    def test(self, query: LocalFeatures, image_ids: Sequence[str]) -> None:
        """Compare views of the query with candidates; the best score of each counts."""
        raise_if_cancelled()
        unread = [image_id for image_id in image_ids if image_id not in self._references]
        self._references |= dict(zip(unread, self._gallery.local_features(unread), strict=True))
        scores = _scores(query, [self._references[image_id] for image_id in image_ids])
        for image_id, score in zip(image_ids, scores, strict=True):
            known = self._candidates[image_id]
            self._candidates[image_id] = replace(known, local_score=max(known.local_score or 0.0, score or 0.0))
        self._best = max([self._best, *filter(None, scores)])

    def confirm(self, query: LocalFeatures) -> None:
        """Compare by the features of a second extractor; clear if they confirm the place that leads.

        They confirm none where one of the best candidates has no such features.
        """
        compared = self.test_second(query)
        scores = self._second_scores
        if all(candidate.image.image_id in scores for candidate in compared):
            best = max(compared, key=lambda candidate: scores[candidate.image.image_id]).image
            is_leading = best.place.place_id == compared[0].image.place.place_id
            self._is_confirmed = is_leading and scores[best.image_id] >= CLEAR_SCORE

    def test_second(self, query: LocalFeatures) -> list[Candidate]:
        """Compare the best candidates so far by the features of a second extractor, unless they were already.

        Returns:
            Those best candidates, the first of them leading.
        """
        candidates, order = self.ranked()
        best = sorted(range(len(candidates)), key=lambda number: -order[number])[:SECOND_TESTED]
        images = [candidates[number].image for number in best]
        images = [image for image in images if image.image_id not in self._second_scores]
        references = self._gallery.verifier_features([image.content_hash for image in images], query.extractor)
        scores = _scores(query, references, ALIKED)
        self._second_scores |= {
            image.image_id: score for image, score in zip(images, scores, strict=True) if score is not None
        }
        return [candidates[number] for number in best]

    def ranked(self) -> tuple[list[Candidate], list[float]]:
        """Return all candidates, and how well each agrees.

        The second features count where the first are unclear; a candidate without any counts as usual.
        """
        candidates = list(self._candidates.values())
        second = self._second_scores if self._best < CLEAR_SCORE else {}
        usual, share = (median(second.values()), FIRST_SHARE) if second else (0.0, 1.0)
        return candidates, [
            share * (candidate.local_score or 0.0)
            + second.get(candidate.image.image_id, usual)
            + SIMILARITY_WEIGHT * candidate.similarity
            for candidate in candidates
        ]


def _scores(
    query: LocalFeatures, references: Sequence[LocalFeatures | None], test: NeighbourTest = XFEAT
) -> list[float | None]:
    """Compare a query with references; None where there is none."""

    def score(reference: LocalFeatures | None) -> float | None:
        return None if reference is None else local_evidence(query, reference, test=test).score

    scores, _ = _TESTING.share([partial(score, reference) for reference in references], [])
    return scores
