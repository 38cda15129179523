"""The details of an evaluation: curves over k and over the threshold, reliability, confusions, places.

Every curve over the threshold asks "what if an answer were given from this confidence on?" of the first candidate after
verification; the answers actually given are in ``core.evaluation.outcomes``.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.calibration.reliability import Reliability, reliability
from core.evaluation.outcomes import QueryOutcome

THRESHOLDS = tuple(step / 100 for step in range(101))


@dataclass(frozen=True, slots=True)
class ThresholdPoint:
    """Shares if answers were given from ``threshold`` on; each NaN where there is nothing to count.

    Attributes:
        threshold: confidence, [0, 1].
        right: of the queries of gallery places, answered rightly (the recall).
        wrong_place: of the same, answered with another place.
        false_accepts: of the queries of nothing in the gallery, answered.
        precision: of all answers to labelled queries, right ones.
    """

    threshold: float
    right: float
    wrong_place: float
    false_accepts: float
    precision: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """Queries of one place whose first candidate showed another.

    Attributes:
        true_place: None for queries of nothing in the gallery, which are counted only when they were answered.
        taken_for: the other place.
        count: of queries.
        answered: of them, given as the answer.
    """

    true_place: str | None
    taken_for: str
    count: int
    answered: int


@dataclass(frozen=True, slots=True)
class PlaceFigures:
    """How the queries of one place were answered: counts.

    Attributes:
        place_id: of the place.
        queries: of it.
        right: answered with it.
        wrong_place: answered with another.
        missed: not answered, though in the gallery.
        retrieved: had it among the candidates.
    """

    place_id: str
    queries: int
    right: int
    wrong_place: int
    missed: int
    retrieved: int


def recall_curve(outcomes: Sequence[QueryOutcome], top_k: int) -> list[float]:
    """Recall@k of retrieval for k = 1 ... top_k; empty without queries of gallery places."""
    known = _known(outcomes)
    if not known:
        return []
    return [
        sum(outcome.true_place in outcome.retrieved_places[:k] for outcome in known) / len(known)
        for k in range(1, top_k + 1)
    ]


def threshold_curve(outcomes: Sequence[QueryOutcome]) -> list[ThresholdPoint]:
    """One point per hundredth of confidence."""
    known, unknown = _known(outcomes), [outcome for outcome in _asked(outcomes) if outcome.true_place is None]

    def at(threshold: float) -> ThresholdPoint:
        answered = [outcome for outcome in known if _would_answer(outcome, threshold)]
        right = sum(outcome.final_place == outcome.true_place for outcome in answered)
        false = sum(_would_answer(outcome, threshold) for outcome in unknown)
        return ThresholdPoint(
            threshold=threshold,
            right=_share(right, len(known)),
            wrong_place=_share(len(answered) - right, len(known)),
            false_accepts=_share(false, len(unknown)),
            precision=_share(right, len(answered) + false),
        )

    return [at(threshold) for threshold in THRESHOLDS]


def reliability_of(outcomes: Sequence[QueryOutcome]) -> Reliability:
    """Confidence against how often the first candidate was right."""
    asked = [outcome for outcome in _asked(outcomes) if outcome.final_place is not None]
    return reliability(
        [outcome.confidence for outcome in asked], [outcome.final_place == outcome.true_place for outcome in asked]
    )


def confusions(outcomes: Sequence[QueryOutcome]) -> list[Confusion]:
    """Places taken for others: most answered first, then most frequent."""
    counts: Counter[tuple[str | None, str]] = Counter()
    answered: Counter[tuple[str | None, str]] = Counter()
    for outcome in _asked(outcomes):
        if outcome.final_place in (None, outcome.true_place) or (outcome.true_place is None and not outcome.matched):
            continue
        pair = (outcome.true_place, str(outcome.final_place))
        counts[pair] += 1
        answered[pair] += outcome.matched
    found = [Confusion(true, taken, count, answered[true, taken]) for (true, taken), count in counts.items()]
    return sorted(
        found,
        key=lambda confusion: (-confusion.answered, -confusion.count, confusion.true_place or "", confusion.taken_for),
    )


def by_place(outcomes: Sequence[QueryOutcome]) -> list[PlaceFigures]:
    """Figures of each gallery place that was asked for, the worst first."""
    groups: dict[str, list[QueryOutcome]] = {}
    for outcome in outcomes:
        if outcome.labelled and outcome.true_place is not None:
            groups.setdefault(outcome.true_place, []).append(outcome)
    figures = []
    for place_id, group in groups.items():
        verdicts = Counter(query.verdict for query in group)
        right, wrong = verdicts["right"], verdicts["wrong place"]
        found = sum(place_id in query.retrieved_places for query in group)
        figures.append(PlaceFigures(place_id, len(group), right, wrong, len(group) - right - wrong, found))
    return sorted(figures, key=lambda figure: (figure.right / figure.queries, -figure.wrong_place, figure.place_id))


def _asked(outcomes: Sequence[QueryOutcome]) -> list[QueryOutcome]:
    return [outcome for outcome in outcomes if outcome.labelled and not outcome.error]


def _known(outcomes: Sequence[QueryOutcome]) -> list[QueryOutcome]:
    """Unreadable ones count as missed, as in ``core.evaluation.outcomes.summarise``."""
    return [outcome for outcome in outcomes if outcome.labelled and outcome.true_place is not None]


def _would_answer(outcome: QueryOutcome, threshold: float) -> bool:
    return outcome.final_place is not None and outcome.confidence >= threshold


def _share(part: float, whole: int) -> float:
    return part / whole if whole else math.nan
