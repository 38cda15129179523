"""One answer from all verified pairs. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.calibration.calibration import Models
from core.decision.acceptance import Acceptance, CalibratedCollections, find_acceptance, of_style
from core.decision.evidence import PlaceEvidence, VerifiedPair, gather, is_number
from core.decision.rule import DecisionRule, rule_for
from core.results import Candidate

# Retrieval alone answers only on a local score that no photo of something else reached: 57 was the highest of 65.
RETRIEVAL_ONLY_SCORE = 60.0


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a query.

    Attributes:
        matched: the first candidate shows the query's place.
        confidence: that it does, [0, 1].
        reason: for people.
        score: log-odds of the first place, before any calibration and without what is known of the visitor's location,
            which orders places and opens no threshold; None where nothing was verified.
        threshold: score above which an answer is given; None likewise.
        photo_score: the highest score that one photo alone gives the first place, which is the score if there is only
            one; None likewise. With a calibration it must be above the threshold too: photos that agree raise the
            score and the confidence, but open no threshold.
        evidence: what the score was drawn from; None likewise.
        is_maybe: not matched, but the first candidate is worth comparing with the photo; see
            ``Acceptance.maybe_threshold``.
    """

    matched: bool
    confidence: float
    reason: str
    score: float | None = None
    threshold: float | None = None
    photo_score: float | None = None
    evidence: PlaceEvidence | None = None
    is_maybe: bool = False


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates in final order.

    Attributes:
        order: indices of the pairs, best first: by their place's score, and within a place by their own verdict. Pairs
            of which something said is no number are left out.
        scores: log-odds per place id, location included.
        decision: the answer.
    """

    order: tuple[int, ...]
    scores: Mapping[str, float]
    decision: Decision


@dataclass(frozen=True, slots=True)
class Answer:
    """The decision, the order of the pairs, and where they come from.

    Attributes:
        order: see ``Ranking.order``.
        decision: the answer.
        contributions: what each signal added to the decision's score; empty where nothing was verified.
        acceptance: the threshold that was used.
        rule_fitted: whether the rule was fitted to answers of these models.
    """

    order: tuple[int, ...]
    decision: Decision
    contributions: dict[str, float]
    acceptance: Acceptance
    rule_fitted: bool


def decide(
    pairs: Sequence[VerifiedPair],
    gallery: CalibratedCollections,
    collection: str,
    models: Models,
    *,
    photos: int | None = None,
    location: Mapping[str, float] | None = None,
    acceptance: Acceptance | None = None,
    style_threshold: float | None = None,
) -> Answer:
    """Answer from verified pairs, with the rule of the models and the calibration of the collection.

    Args:
        pairs: K pairs of a query photo and a gallery image of the collection.
        gallery: holds the calibration.
        collection: that is searched.
        models: that made the pairs; see ``core.decision.rule.models_in_use``.
        photos: how many different photos were asked about, also those without a usable pair; None counts the pairs'.
        location: by place id, see ``PlaceEvidence.location``.
        acceptance: the threshold of an answer; None uses the collection's calibration.
        style_threshold: used without one, see ``core.verifiers.base.style_threshold``.
    """
    if acceptance is None:
        places_by_photo: dict[int, set[str]] = {}
        for pair in pairs:
            places_by_photo.setdefault(pair.photo, set()).add(pair.place_id)
        considered = max((len(places) for places in places_by_photo.values()), default=0)
        acceptance = find_acceptance(
            gallery,
            collection,
            models,
            considered=considered,
            photos=max(photos or 0, len(places_by_photo), 1),
            default=of_style(style_threshold),
        )
    rule = rule_for(models.encoder, models.verifier, models.prompt_style)
    ranking = rank(pairs, rule, acceptance, location)
    evidence = ranking.decision.evidence
    contributions = {} if evidence is None else rule.contributions(evidence) | {"bias": rule.bias}
    return Answer(ranking.order, ranking.decision, contributions, acceptance, rule.fitted)


def rank(
    pairs: Sequence[VerifiedPair],
    rule: DecisionRule,
    acceptance: Acceptance,
    location: Mapping[str, float] | None = None,
) -> Ranking:
    """Order the pairs by place, and answer with the first place or with none.

    Args:
        pairs: K pairs of a photo and a gallery image.
        rule: from evidence to score.
        acceptance: the threshold of an answer.
        location: by place id, see ``PlaceEvidence.location``.
    """
    usable = [index for index, pair in enumerate(pairs) if is_number(pair)]
    evidence = gather([pairs[index] for index in usable], location, rule.margin_floor, rule.rival_floor)
    scores = {place: rule.score(signals) for place, signals in evidence.items()}

    def key(index: int) -> tuple[float, float, float]:
        pair = pairs[index]
        return -scores[pair.place_id], -pair.verdict.confidence, -pair.similarity

    order = tuple(sorted(usable, key=key))
    if not order:
        return Ranking((), {}, Decision(False, 0.0, "there was no candidate to verify"))
    best = pairs[order[0]]
    score = scores[best.place_id] - rule.contributions(evidence[best.place_id]).get("location", 0.0)
    photo_score = _score_alone([pairs[index] for index in usable], best.place_id, rule, score)
    deciding = min(score, photo_score) if acceptance.alone else score
    matched = deciding > acceptance.threshold
    is_maybe = not matched and acceptance.maybe_threshold is not None and deciding > acceptance.maybe_threshold
    words = "verified" if matched else "perhaps" if is_maybe else "no candidate was verified; the nearest"
    decision = Decision(
        matched=matched,
        confidence=acceptance.confidence(score),
        reason=f"{words}: {best.verdict.response}",
        score=score,
        threshold=acceptance.threshold,
        photo_score=photo_score,
        evidence=evidence[best.place_id],
        is_maybe=is_maybe,
    )
    return Ranking(order, scores, decision)


def _score_alone(pairs: Sequence[VerifiedPair], place: str, rule: DecisionRule, together: float) -> float:
    """Return the highest score of a place by the pairs of one photo; ``together`` is that of all pairs."""
    by_photo: dict[int, list[VerifiedPair]] = {}
    for pair in pairs:
        by_photo.setdefault(pair.photo, []).append(pair)
    if len(by_photo) == 1:
        return together
    gathered = (gather(of_photo, None, rule.margin_floor, rule.rival_floor) for of_photo in by_photo.values())
    return max(rule.score(evidence[place]) for evidence in gathered if place in evidence)


def decide_by_retrieval(candidates: Sequence[Candidate]) -> Decision:
    """Answer without verification: stricter, and only where local features were compared."""
    if not candidates:
        return Decision(False, 0.0, "the collection has no candidate")
    score = candidates[0].local_score
    if score is None:
        return Decision(False, 0.0, "not verified; with this encoder, similarity alone does not decide")
    confidence = min(1.0, score / (2 * RETRIEVAL_ONLY_SCORE))
    if score >= RETRIEVAL_ONLY_SCORE:
        return Decision(True, confidence, f"not verified; local agreement {score:.0f} is certain")
    return Decision(False, confidence, f"not verified, and local agreement {score:.0f} is not enough")
