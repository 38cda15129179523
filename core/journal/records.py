"""A stored match, and the feedback on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FeedbackVerdict = Literal["right", "wrong", "other_place", "not_in_collection"]
"""Of the answer: it was right; it was wrong; the photo shows another place, which is named; it shows none of them."""


@dataclass(frozen=True, slots=True)
class MatchRecord:
    """One answered photo, without the photo.

    Attributes:
        request_id: of the match; callers may choose it, so two matches may share one.
        at: when it was answered, seconds since 1970 UTC.
        collection: asked about.
        matched: whether a place was given as the answer.
        place_id: of the first candidate, which is the answer if ``matched``; None without candidates.
        place_name: as it was called then.
        confidence: of the answer, [0, 1].
        score: what the decision was drawn from; equals ``confidence`` unless the decision says otherwise.
        verification: done, skipped or unavailable.
        encoder: its fingerprint.
        verifier: its fingerprint; None where nothing was verified.
        evidence: further numbers by name.
    """

    request_id: str
    at: float
    collection: str
    matched: bool
    place_id: str | None
    place_name: str | None
    confidence: float
    score: float
    verification: str
    encoder: str
    verifier: str | None
    evidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GivenFeedback:
    """Feedback on an answer.

    Attributes:
        verdict: right, wrong, or which other place.
        place_id: the true place, with ``other_place`` alone.
        at: when, seconds since 1970 UTC.
        has_features: the query's embedding is kept with it, for now.
    """

    verdict: FeedbackVerdict
    place_id: str | None
    at: float
    has_features: bool


@dataclass(frozen=True, slots=True)
class StoredMatch:
    """A stored match.

    Attributes:
        number: grows with every match.
        feedback: the latest, if any.
    """

    number: int
    match: MatchRecord
    feedback: GivenFeedback | None


@dataclass(frozen=True, slots=True, eq=False)
class QueryFeatures:
    """Embedding and local features of a query photo.

    Attributes:
        embedding: float32 [D].
        packed: its local features as ``core.local_features.codec`` writes them, or None.
    """

    embedding: NDArray[np.float32]
    packed: bytes | None

    @property
    def byte_size(self) -> int:
        """Memory held, in bytes."""
        return self.embedding.nbytes + len(self.packed or b"")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long matches and query features are kept.

    Attributes:
        match_days: for matches and their feedback; 0 keeps nothing at all.
        feature_days: for embedding and local features of queries with feedback; 0 keeps none.
        inbox_days: for photos that visitors have sent to the inbox; 0 keeps none. Without a match none is kept either.
    """

    match_days: float = 180
    feature_days: float = 0
    inbox_days: float = 0
