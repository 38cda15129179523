"""How good the answers were: labelled queries and their answers, summed up in comparable figures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True)
class QueryOutcome:
    """One query, the truth and the answer.

    Attributes:
        file: the query photo.
        labelled: whether the truth is known.
        true_place: id of the place it shows; None means that it shows nothing of the gallery.
        source: where the photo comes from.
        retrieved_places: place ids of the candidates in retrieval's order.
        final_place: place id of the first candidate after verification, before any threshold; None without candidates.
        matched: whether ``final_place`` was given as the answer.
        confidence: of that answer, [0, 1].
        similarity: cosine of the first candidate after verification.
        timings_ms: per stage.
        error: why the photo could not be asked about; empty if it could.
        cpu_s: seconds of work, all threads together.
        stage: of the verifier, that gave the first candidate's verdict; empty where it has but one.
    """

    file: str
    labelled: bool
    true_place: str | None
    source: str
    retrieved_places: tuple[str, ...]
    final_place: str | None
    matched: bool
    confidence: float
    similarity: float
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    cpu_s: float = 0.0
    stage: str = ""

    @property
    def verdict(self) -> str:
        """In one word or two: right, wrong place, missed, false accept, rightly refused, unlabelled or unreadable."""
        if self.error:
            return "unreadable"
        if not self.labelled:
            return "unlabelled"
        if self.true_place is None:
            return "false accept" if self.matched else "rightly refused"
        if not self.matched:
            return "missed"
        return "right" if self.final_place == self.true_place else "wrong place"


@dataclass(frozen=True, slots=True)
class Summary:
    """Shares over a set of queries; each NaN where there is nothing to count.

    Attributes:
        in_gallery: labelled queries of a gallery place.
        out_of_gallery: labelled queries of nothing in the gallery.
        recall_at_1: share of ``in_gallery`` whose place is retrieval's first candidate.
        recall_at_5: the same among the first five places.
        final_top1: share whose place is first after verification, whatever the threshold.
        right: share of ``in_gallery`` answered with the right place.
        wrong_place: share of ``in_gallery`` answered with another place.
        false_accepts: share of ``out_of_gallery`` that got an answer.
        median_ms: per stage.
        mean_cpu_s: seconds of work per query.
        settled_by: right answers by the verifier's stage that gave the verdict, as shares of ``in_gallery``.
    """

    in_gallery: int
    out_of_gallery: int
    recall_at_1: float
    recall_at_5: float
    final_top1: float
    right: float
    wrong_place: float
    false_accepts: float
    median_ms: Mapping[str, float]
    mean_cpu_s: float
    settled_by: Mapping[str, float]


def summarise(outcomes: Sequence[QueryOutcome]) -> Summary:
    """Count. Photos that could not be read count as missed when their place is in the gallery."""
    known = [outcome for outcome in outcomes if outcome.labelled and outcome.true_place is not None]
    unknown = [outcome for outcome in outcomes if outcome.labelled and outcome.true_place is None]
    stages = list(dict.fromkeys(stage for outcome in outcomes for stage in outcome.timings_ms))
    return Summary(
        in_gallery=len(known),
        out_of_gallery=len(unknown),
        recall_at_1=_share([outcome.true_place in outcome.retrieved_places[:1] for outcome in known]),
        recall_at_5=_share([outcome.true_place in outcome.retrieved_places[:5] for outcome in known]),
        final_top1=_share([outcome.final_place == outcome.true_place for outcome in known]),
        right=_share([outcome.verdict == "right" for outcome in known]),
        wrong_place=_share([outcome.verdict == "wrong place" for outcome in known]),
        false_accepts=_share([outcome.matched for outcome in unknown]),
        median_ms={
            stage: float(np.median([o.timings_ms[stage] for o in outcomes if stage in o.timings_ms]))
            for stage in stages
        },
        mean_cpu_s=float(np.mean([o.cpu_s for o in outcomes if not o.error] or [math.nan])),
        settled_by={
            stage: _share([outcome.verdict == "right" and outcome.stage == stage for outcome in known])
            for stage in sorted({outcome.stage for outcome in known if outcome.stage})
        },
    )


def by_source(outcomes: Sequence[QueryOutcome]) -> dict[str, Summary]:
    """One summary per source, most queries first."""
    groups: dict[str, list[QueryOutcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.source or "(no source)", []).append(outcome)
    return {
        source: summarise(group) for source, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    }


def _share(claims: Sequence[bool]) -> float:
    return sum(claims) / len(claims) if claims else math.nan
