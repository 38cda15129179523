"""Explanations of an answer: short sentences in English and Chinese from its evidence. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from core.decision.matched_region import MatchedRegion, matched_region
from core.results import Verdict

Language = Literal["en", "zh"]

# Another place is called alike when it is accepted too, or gathers this share of the first one's points.
ALIKE_SHARE = 0.5
_ALIKE_POINTS = 20

# Key: the English sentence for one, for several, and the Chinese one.
_SENTENCES: Mapping[str, tuple[str, str, str]] = {
    "plane": (
        "{count} point agrees in one plane.",
        "{count} points agree in one plane.",
        "{count} 个点在同一平面上吻合。",
    ),
    "scene": (
        "{count} point agrees in one scene.",
        "{count} points agree in one scene.",
        "{count} 个点在同一场景中吻合。",
    ),
    "few": ("Only {count} point agrees.", "Only {count} points agree.", "只有 {count} 个点吻合。"),
    "none": ("No points agree.",) * 2 + ("没有吻合的点。",),
    "too_little": ("That is too little to be sure.",) * 2 + ("这还不足以确认。",),
    "coverage": ("What agrees covers {percent} % of the collection's photo.",) * 2
    + ("吻合区域占图库照片的 {percent}%。",),
    "turned": ("The photo was turned by {degrees} degrees to compare.",) * 2 + ("比对时将照片旋转了 {degrees} 度。",),
    "next": ("The next place, {place}, has {count}.",) * 2 + ("其次是“{place}”，有 {count} 个吻合点。",),
    "alike": ("This place looks like {place} as well.",) * 2 + ("它与“{place}”也很相似。",),
    "other_look": ("By its overall look alone, {place} would come first.",) * 2
    + ("若只看整体外观，“{place}”会排在最前。",),
    "nearest": ("The nearest is {place}.",) * 2 + ("最接近的是“{place}”。",),
    "nothing": ("There was nothing to compare with.",) * 2 + ("没有可以比对的照片。",),
    "response": ("{response}",) * 3,
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence, before it is put into a language.

    Attributes:
        key: which sentence.
        values: of its placeholders.
    """

    key: str
    values: Mapping[str, str | int] = field(default_factory=dict)

    def say(self, language: Language) -> str:
        """The sentence. A verifier's own words stay in the language it chose."""
        one, several, chinese = _SENTENCES[self.key]
        english = one if self.values.get("count") == 1 else several
        return (chinese if language == "zh" else english).format_map(self.values)


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedPair:
    """A candidate with its verdict.

    Attributes:
        place_id: of the place it shows.
        place_name: for people.
        similarity: cosine, [-1, 1].
        verdict: the verifier's.
    """

    place_id: str
    place_name: str
    similarity: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """The evidence for people.

    Attributes:
        regions: per candidate, where it and the photo agree; None where no points are known.
        pair_reasons: per candidate, what was seen when it was compared with the photo.
        reasons: for the answer as a whole.
    """

    regions: tuple[MatchedRegion | None, ...]
    pair_reasons: tuple[tuple[Reason, ...], ...]
    reasons: tuple[Reason, ...]


def explain(judged: Sequence[ExplainedPair], *, matched: bool) -> Explanation:
    """Say why.

    Args:
        judged: in final order.
        matched: whether the first one was given as the answer.
    """
    regions = tuple(_region(pair.verdict) for pair in judged)
    pairs = tuple(
        _pair_reasons(pair.verdict, region, accepted=pair.verdict.is_match or (matched and index == 0))
        for index, (pair, region) in enumerate(zip(judged, regions, strict=True))
    )
    return Explanation(regions, pairs, tuple(_answer_reasons(judged, pairs, matched)))


def _region(verdict: Verdict) -> MatchedRegion | None:
    return None if verdict.correspondences is None else matched_region(verdict.correspondences)


def _pair_reasons(verdict: Verdict, region: MatchedRegion | None, *, accepted: bool) -> tuple[Reason, ...]:
    points = verdict.correspondences
    if points is None:
        return (Reason("response", {"response": verdict.response}),) if verdict.response else ()
    count = _points(verdict)
    if count == 0:
        return (Reason("none"),)
    if not accepted:
        return (Reason("few", {"count": count}),)
    reasons = [Reason("plane" if region is not None and region.is_planar else "scene", {"count": count})]
    if region is not None:
        reasons.append(Reason("coverage", {"percent": round(100 * region.coverage)}))
    if points.rotation:
        reasons.append(Reason("turned", {"degrees": points.rotation}))
    return tuple(reasons)


def _answer_reasons(
    judged: Sequence[ExplainedPair], pairs: Sequence[tuple[Reason, ...]], matched: bool
) -> list[Reason]:
    if not judged:
        return [Reason("nothing")]
    first = judged[0]
    if not matched:
        too_little = [] if first.verdict.correspondences is None else [Reason("too_little")]
        return [Reason("nearest", {"place": first.place_name}), *pairs[0], *too_little]
    reasons = list(pairs[0])
    others = [pair for pair in judged[1:] if pair.place_id != first.place_id]
    if others and first.verdict.correspondences is not None:
        following = max(others, key=lambda other: _points(other.verdict))
        reasons.insert(1, Reason("next", {"place": following.place_name, "count": _points(following.verdict)}))
    alike = next((other for other in others if _is_alike(first.verdict, other.verdict)), None)
    if alike is not None:
        reasons.append(Reason("alike", {"place": alike.place_name}))
    by_look = max(judged, key=lambda pair: pair.similarity)
    if by_look.place_id != first.place_id:
        reasons.append(Reason("other_look", {"place": by_look.place_name}))
    return reasons


def _is_alike(first: Verdict, other: Verdict) -> bool:
    return other.is_match or _points(other) >= max(_ALIKE_POINTS, ALIKE_SHARE * _points(first))


def _points(verdict: Verdict) -> int:
    return 0 if verdict.correspondences is None else len(verdict.correspondences.query_points)
