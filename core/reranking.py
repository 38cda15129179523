"""The rule that turns candidates and verdicts into one answer. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.results import Candidate, Verdict

# A confident verdict outweighs any similarity; among equally confident ones the more similar comes first.
SIMILARITY_SHARE = 0.1
# Retrieval alone answers only on a local score that different places were not seen to reach.
RETRIEVAL_ONLY_SCORE = 60.0


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a query.

    Attributes:
        matched: the first candidate shows the query's place.
        confidence: that it does, [0, 1].
        reason: for people.
    """

    matched: bool
    confidence: float
    reason: str


class Ranked(Protocol):
    """What ranking needs to know of a candidate."""

    @property
    def similarity(self) -> float:
        """Cosine of the embeddings, [-1, 1]."""
        ...


def rerank(candidates: Sequence[Ranked], verdicts: Sequence[Verdict]) -> list[int]:
    """Final order of the candidates: by verdict, then by similarity.

    Returns:
        Indices into ``candidates``, best first.
    """
    scores = [
        verdict.confidence + SIMILARITY_SHARE * candidate.similarity
        for candidate, verdict in zip(candidates, verdicts, strict=True)
    ]
    return sorted(range(len(candidates)), key=lambda index: -scores[index])


def decide(verdicts: Sequence[Verdict], order: Sequence[int], accept_threshold: float | None = None) -> Decision:
    """Answer with the first candidate of ``order``, or with none.

    Args:
        verdicts: one per candidate.
        order: from ``rerank``.
        accept_threshold: confidence from which to answer; None trusts each verdict's own ``is_match``.
    """
    if not order:
        return Decision(False, 0.0, "there was no candidate to verify")
    best = verdicts[order[0]]
    matched = best.is_match if accept_threshold is None else best.confidence >= accept_threshold
    if matched:
        return Decision(True, best.confidence, f"verified: {best.response}")
    return Decision(False, best.confidence, f"no candidate was verified; the nearest: {best.response}")


def decide_by_retrieval(candidates: Sequence[Candidate]) -> Decision:
    """Answer without verification: stricter, and only where local features were compared."""
    if not candidates:
        return Decision(False, 0.0, "the collection has no candidate")
    score = candidates[0].local_score
    if score is None:
        return Decision(False, 0.0, "not verified, and similarity alone is no proof with this encoder")
    confidence = min(1.0, score / (2 * RETRIEVAL_ONLY_SCORE))
    if score >= RETRIEVAL_ONLY_SCORE:
        return Decision(True, confidence, f"not verified; local agreement {score:.0f} is beyond doubt")
    return Decision(False, confidence, f"not verified, and local agreement {score:.0f} is no proof")
