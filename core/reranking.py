"""The rule that turns candidates and verdicts into one answer. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.results import Candidate, Verdict

# Verifiers' confidences crowd near 0 and 1; there a tenth of the similarity says which of two is likelier.
SIMILARITY_SHARE = 0.1
# Retrieval alone answers only on a local score that no photo of something else reached: 57 was the highest of 65.
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


def rerank(
    candidates: Sequence[Ranked], verdicts: Sequence[Verdict], accept_threshold: float | None = None
) -> list[int]:
    """Final order of the candidates: accepted ones first, then by confidence with a little of the similarity.

    Args:
        candidates: K of them.
        verdicts: one per candidate.
        accept_threshold: confidence from which a candidate is accepted; None trusts each verdict's own ``is_match``.

    Returns:
        Indices into ``candidates``, best first.
    """

    def rank(index: int) -> tuple[bool, float]:
        verdict = verdicts[index]
        return _accepted(verdict, accept_threshold), verdict.confidence + SIMILARITY_SHARE * candidates[
            index
        ].similarity

    return sorted(range(len(candidates)), key=rank, reverse=True)


def decide(verdicts: Sequence[Verdict], order: Sequence[int], accept_threshold: float | None = None) -> Decision:
    """Answer with the first candidate of ``order``, or with none.

    Args:
        verdicts: one per candidate.
        order: from ``rerank`` with the same threshold.
        accept_threshold: confidence from which to answer; None trusts each verdict's own ``is_match``.
    """
    if not order:
        return Decision(False, 0.0, "there was no candidate to verify")
    best = verdicts[order[0]]
    if _accepted(best, accept_threshold):
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


def _accepted(verdict: Verdict, accept_threshold: float | None) -> bool:
    return verdict.is_match if accept_threshold is None else verdict.confidence >= accept_threshold
