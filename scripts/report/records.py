"""The data of the report, filled by the evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.decision.explanations import Explanation
from core.evaluation.outcomes import QueryOutcome
from core.results import Verdict


@dataclass(frozen=True, slots=True, eq=False)
class ReportedCandidate:
    """A candidate of a query.

    Attributes:
        place_id: of the place it shows.
        photo: the stored original.
        similarity: cosine, [-1, 1].
        retrieval_rank: rank in retrieval's result, from 1.
        verdict: None without verification.
    """

    place_id: str
    photo: Path
    similarity: float
    retrieval_rank: int
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, eq=False)
class ReportedQuery:
    """One query and its answer.

    Attributes:
        outcome: the counted result.
        photo: the query.
        candidates: in final order.
        reason: of the decision.
        explanation: of the candidates and the decision; None without verification.
        true_photo: a gallery photo of the query's place; None if the gallery has none.
    """

    outcome: QueryOutcome
    photo: Path
    candidates: tuple[ReportedCandidate, ...] = ()
    reason: str = ""
    explanation: Explanation | None = None
    true_photo: Path | None = None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Facts of an evaluation.

    Attributes:
        query_folder: name of the folder of queries.
        collection: of the gallery.
        encoder: its fingerprint.
        verifier: its fingerprint; None without verification.
        accept_threshold: None is the verifier's default.
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
