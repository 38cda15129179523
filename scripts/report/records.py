"""What the report is made from; whoever has asked the questions fills these."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.decision.explanations import Explanation
from core.evaluation.outcomes import QueryOutcome
from core.results import Verdict


@dataclass(frozen=True, slots=True, eq=False)
class ReportedCandidate:
    """A gallery photo that was considered.

    Attributes:
        place_id: of the place it shows.
        photo: the stored original.
        similarity: cosine, [-1, 1].
        retrieval_rank: 1 for retrieval's first.
        verdict: None where nothing was verified.
    """

    place_id: str
    photo: Path
    similarity: float
    retrieval_rank: int
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, eq=False)
class ReportedQuery:
    """One question and its answer.

    Attributes:
        outcome: what is counted.
        photo: the query.
        candidates: in final order.
        reason: the decision's own.
        explanation: of the candidates and the decision; None where nothing was verified.
        true_photo: a gallery photo of the place that it shows, where there is one.
    """

    outcome: QueryOutcome
    photo: Path
    candidates: tuple[ReportedCandidate, ...] = ()
    reason: str = ""
    explanation: Explanation | None = None
    true_photo: Path | None = None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What was asked.

    Attributes:
        query_folder: name of the folder of queries.
        collection: of the gallery.
        encoder: its fingerprint.
        verifier: its fingerprint; None without verification.
        accept_threshold: None is the verifier's own.
        top_k: candidates per query.
        place_names: of the gallery, by id.
    """

    query_folder: str
    collection: str
    encoder: str
    verifier: str | None
    accept_threshold: float | None
    top_k: int
    place_names: Mapping[str, str]
