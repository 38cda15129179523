"""The evidence for every considered place, as a few numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

from core.results import Verdict

# A verdict's log-odds beyond this say nothing more.
_MOST_LOG_ODDS = 12.0
_MOST_AGREEING = 3


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedPair:
    """One gallery image compared with one query photo.

    Attributes:
        place_id: what the gallery image shows.
        similarity: cosine of the embeddings, [-1, 1].
        verdict: the verifier's.
        local_score: of the cheap local test, >= 0; None where it did not run.
        photo: which of the query's photos, 0 for the first.
    """

    place_id: str
    similarity: float
    verdict: Verdict
    local_score: float | None = None
    photo: int = 0


class FoundImage(Protocol):
    """What retrieval says of a gallery image; see ``VerifiedPair``."""

    @property
    def similarity(self) -> float:
        """Cosine of the embeddings."""
        ...

    @property
    def local_score(self) -> float | None:
        """Of the cheap local test."""
        ...


def pair_of(place_id: str, images: Sequence[FoundImage], verdict: Verdict, photo: int = 0) -> VerifiedPair:
    """Make one pair of the images of a place, >= 1, that were shown in one question: the best that was found counts."""
    scores = [image.local_score for image in images if image.local_score is not None]
    similarity = max(image.similarity for image in images)
    return VerifiedPair(place_id, similarity, verdict, max(scores, default=None), photo)


@dataclass(frozen=True, slots=True)
class PlaceEvidence:
    """The signals of a decision: one place compared with the others.

    Attributes:
        verdict: log-odds of its best verdict, [-12, 12].
        rival: log-odds of the best verdict of any other place, and at least the floor: a collection of one place has no
            other, whatever is asked.
        similarity: the largest cosine of its images with the query.
        margin: by how much that is larger than any other place's, and than the floor: a collection of three places has
            no other that comes near, whatever is asked.
        local: ln(1 + the largest local score); 0 where none was counted.
        agreeing: further pairs of a photo and an image of it that match, 0 to 3.
        location: log-odds that the visitor stands there, rather than anywhere in the collection; 0 if unknown.
    """

    verdict: float
    rival: float
    similarity: float
    margin: float
    local: float
    agreeing: float = 0.0
    location: float = 0.0


SIGNALS = tuple(field.name for field in fields(PlaceEvidence))


def gather(
    pairs: Sequence[VerifiedPair],
    location: Mapping[str, float] | None = None,
    margin_floor: float = 0.0,
    rival_floor: float = -_MOST_LOG_ODDS,
) -> dict[str, PlaceEvidence]:
    """Gather the evidence by place.

    Args:
        pairs: pairs, any number of one place.
        location: by place id, see ``PlaceEvidence.location``.
        margin_floor: similarity that some other place is taken to reach at least.
        rival_floor: log-odds that some other place is taken to reach at least.
    """
    by_place: dict[str, list[VerifiedPair]] = {}
    for pair in pairs:
        by_place.setdefault(pair.place_id, []).append(pair)
    verdicts = {place: max(log_odds(pair.verdict.confidence) for pair in pairs) for place, pairs in by_place.items()}
    similarities = {place: max(pair.similarity for pair in pairs) for place, pairs in by_place.items()}
    return {
        place: PlaceEvidence(
            verdict=verdicts[place],
            rival=max([rival_floor, *(value for other, value in verdicts.items() if other != place)]),
            similarity=similarities[place],
            margin=similarities[place]
            - max([margin_floor, *(value for other, value in similarities.items() if other != place)]),
            local=math.log1p(max(pair.local_score or 0.0 for pair in pairs)),
            agreeing=float(min(max(sum(map(_agrees, pairs)) - 1, 0), _MOST_AGREEING)),
            location=(location or {}).get(place, 0.0),
        )
        for place, pairs in by_place.items()
    }


def is_number(pair: VerifiedPair) -> bool:
    """Whether all that is said of a pair are numbers; NaN compares with nothing, and would pass for anything."""
    said = (pair.verdict.confidence, pair.similarity, pair.local_score or 0.0)
    return all(map(math.isfinite, said))


def log_odds(probability: float) -> float:
    """ln(p / (1 - p)), held to [-12, 12]; what is no number is no yes."""
    if math.isnan(probability):
        return -_MOST_LOG_ODDS
    if not 0 < probability < 1:
        return math.copysign(_MOST_LOG_ODDS, probability - 0.5)
    return max(-_MOST_LOG_ODDS, min(_MOST_LOG_ODDS, math.log(probability / (1 - probability))))


def _agrees(pair: VerifiedPair) -> bool:
    return pair.verdict.is_match
