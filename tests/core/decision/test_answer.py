"""From what was compared to one answer."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from core.calibration.calibration import Models, calibrate
from core.calibration.samples import Sample
from core.decision.acceptance import Acceptance, at_confidence
from core.decision.answer import decide, decide_by_retrieval, rank
from core.decision.evidence import SIGNALS, VerifiedPair, gather
from core.decision.rule import DecisionRule, models_in_use, rule_for
from core.errors import InvalidRequest
from core.results import Verdict

MODELS = models_in_use("embedded (x)", "geometric (y)", None)
PLAIN = rule_for("any", "any")


def judged(place: str, confidence: float, similarity: float = 0.3, **more) -> VerifiedPair:
    return VerifiedPair(place, similarity, Verdict(confidence >= 0.5, confidence, f"said {confidence}"), **more)


def weigh(**weights: float) -> DecisionRule:
    return DecisionRule(0.0, tuple(weights.get(name, 0.0) for name in SIGNALS))


def test_verdicts_come_before_similarity():
    """A verified place comes before a more similar one that is not."""
    assert rank([judged("a", 0.1, 0.9), judged("b", 0.9, 0.3)], PLAIN, Acceptance()).order == (1, 0)


def test_similarity_orders_equal_verdicts():
    """Among equally confident verdicts the more similar place comes first."""
    pairs = [judged(place, 0.9, similarity) for place, similarity in (("a", 0.2), ("b", 0.8), ("c", 0.5))]

    assert rank(pairs, PLAIN, Acceptance()).order == (1, 2, 0)


def test_the_answer_needs_a_match():
    """Without a verified place there is no answer, and the confidence of the nearest is still told."""
    decision = rank([judged("a", 0.2), judged("b", 0.4)], weigh(verdict=1.0), Acceptance()).decision

    assert not decision.matched
    assert decision.confidence == pytest.approx(0.4)


@pytest.mark.parametrize(("threshold", "matched"), [(0.0, True), (0.3, True), (0.4, True), (0.41, False), (1.0, False)])
def test_the_operators_threshold_decides(threshold, matched):
    """A confidence given by the operator is the least that is answered; 1 answers nothing, 0 everything."""
    decision = rank([judged("a", 0.4)], weigh(verdict=1.0), at_confidence(threshold)).decision

    assert decision.matched == matched


def test_the_answer_is_always_the_first():
    """Whatever the signals say, the place that is answered is the one with the highest score."""
    pairs = [judged("a", 0.47, 0.95), judged("b", 0.51, 0.1), judged("a", 0.2, 0.2)]

    ranking = rank(pairs, rule_for("embedded (x)", "geometric (y)"), Acceptance())

    assert pairs[ranking.order[0]].place_id == max(ranking.scores, key=ranking.scores.get)
    assert ranking.decision.score == max(ranking.scores.values())


def test_several_views_of_a_place_vote_together():
    """Two photos that agree with a place outweigh one that agrees a little more with another."""
    pairs = [judged("one", 0.80), judged("two", 0.75), judged("two", 0.75)]

    assert rank(pairs, weigh(verdict=1.0, agreeing=1.0), Acceptance()).order[0] in (1, 2)
    assert rank(pairs, weigh(verdict=1.0), Acceptance()).order[0] == 0


def test_images_of_a_place_stay_together():
    """The candidates of the first place come before those of the second, whatever their own verdicts."""
    pairs = [judged("a", 0.9), judged("b", 0.8), judged("a", 0.1)]

    assert rank(pairs, PLAIN, Acceptance()).order == (0, 2, 1)


def test_evidence_is_said_beside_the_other_places():
    """Margin and rival compare with the best other place, never with another view of the same."""
    evidence = gather(
        [judged("a", 0.9, 0.6, local_score=50.0), judged("a", 0.8, 0.5), judged("b", 0.5, 0.4)], {"a": 1.5}
    )

    assert evidence["a"].margin == pytest.approx(0.2)
    assert evidence["a"].rival == pytest.approx(0.0)
    assert evidence["a"].agreeing == 1
    assert evidence["a"].location == 1.5
    assert evidence["a"].local == pytest.approx(3.93, abs=0.01)
    assert evidence["b"].margin == pytest.approx(-0.2)
    assert evidence["b"].location == 0


def test_a_location_orders_places_and_opens_no_threshold():
    """Standing beside a place brings it to the front; it is answered only if the photos agree without that."""
    pairs = [judged("far", 0.45), judged("near", 0.40)]

    ranking = rank(pairs, weigh(verdict=1.0, location=1.0), Acceptance(), {"near": 4.0})

    assert ranking.order[0] == 1
    assert not ranking.decision.matched
    assert ranking.decision.confidence == pytest.approx(0.4)


def test_a_small_collection_gets_no_bonus():
    """Where no other place comes near, the margin is taken over what one of a large collection would have reached."""
    alone = gather([judged("a", 0.5, 0.25)], margin_floor=0.3)["a"]
    among_strangers = gather([judged("a", 0.5, 0.25), judged("b", 0.1, -0.05)], margin_floor=0.3)["a"]

    assert alone.margin == among_strangers.margin == pytest.approx(-0.05)


def test_a_score_can_be_taken_apart():
    """Bias and contributions add up to the score, for every shipped rule."""
    evidence = gather([judged("a", 0.7, 0.6, local_score=20.0), judged("b", 0.5, 0.4)])["a"]

    for rule in (PLAIN, rule_for("embedded (x)", "geometric (y)")):
        assert rule.bias + sum(rule.contributions(evidence).values()) == pytest.approx(rule.score(evidence))


def test_no_candidates_no_answer():
    """With nothing to verify the answer is an honest no."""
    assert not rank([], PLAIN, Acceptance()).decision.matched
    assert not decide_by_retrieval([]).matched


def test_similarity_alone_is_no_proof():
    """Where no local features were compared, retrieval alone never answers."""
    candidate = SimpleNamespace(similarity=0.99, local_score=None)

    assert not decide_by_retrieval([candidate]).matched


def test_retrieval_alone_answers_only_beyond_doubt():
    """A local score far above chance is answered without verification; a middling one is not."""
    assert decide_by_retrieval([SimpleNamespace(similarity=0.5, local_score=150.0)]).matched
    assert not decide_by_retrieval([SimpleNamespace(similarity=0.5, local_score=30.0)]).matched


def test_another_rule_makes_other_models():
    """A calibration names the rule behind its scores, so that a release with other weights makes it stale."""
    first, second = (
        models_in_use("embedded (x)", "geometric (y)", None),
        models_in_use("other (x)", "geometric (y)", None),
    )

    assert len(first.rule) == 8
    assert first.rule != second.rule
    assert "rule" in first.difference(replace(first, rule="00000000"))


class CollectionsOnRecord:
    """A gallery with a calibration for one collection of forty places."""

    def __init__(self, models: Models) -> None:
        samples = [Sample(-5.0 + 0.1 * number, False, False, "labelled") for number in range(40)]
        samples += [Sample(2.0 + number, True, True, "labelled") for number in range(10)]
        self.stored = calibrate(samples, 0.05, models, places=40).to_json()

    def calibration(self, collection: str) -> str | None:
        return self.stored if collection == "museum" else None

    def count_places(self, collection: str) -> int:
        return 40


def test_a_decision_uses_the_collections_calibration():
    """The rule of the models ranks, the collection's calibration accepts, and an uncalibrated one uses 0.5."""
    pairs = [judged("a", 0.9), judged("b", 0.2)]

    answer = decide(pairs, CollectionsOnRecord(MODELS), "museum", MODELS)
    uncalibrated = decide(pairs, CollectionsOnRecord(MODELS), "park", MODELS)

    assert answer.acceptance.state == "valid"
    assert answer.decision == rank(pairs, rule_for(MODELS.encoder, MODELS.verifier), answer.acceptance).decision
    assert sum(answer.contributions.values()) == pytest.approx(answer.decision.score)
    assert (uncalibrated.acceptance.state, uncalibrated.decision.threshold) == ("none", 0.0)


@pytest.mark.parametrize(
    ("encoder", "verifier", "style", "is_fitted"),
    [
        ("embedded (x)", "geometric (y)", None, True),
        ("dinov3 (x)", "qwen3-vl (y; asked in simple 0123abcd)", None, False),
        ("dinov3 (x)", "qwen3-vl (y; asked in reranker 0123abcd)", None, False),
        ("another (x)", "geometric (y)", None, False),
    ],
)
def test_an_answer_says_whether_its_rule_was_fitted(encoder: str, verifier: str, style: str | None, is_fitted: bool):
    """Without weights nobody fitted a rule for the models of a GPU; until then the answer says so."""
    models = models_in_use(encoder, verifier, style)
    assert decide([judged("a", 0.9)], CollectionsOnRecord(MODELS), "museum", models).rule_fitted is is_fitted


def test_a_style_may_have_a_rule_of_its_own(monkeypatch: pytest.MonkeyPatch):
    """The style of the call goes before the verifier's own, and one without a rule has that of its models."""
    rules = {name: DecisionRule(float(number), ()) for number, name in enumerate(("default", "a b", "a b own"))}
    monkeypatch.setattr("core.decision.rule._shipped", lambda: rules)
    asked_in_own = "b (w; asked in own 0123abcd)"
    found = {
        "no style": rule_for("a (v)", "b (w)"),
        "the verifier's": rule_for("a (v)", asked_in_own),
        "the call's": rule_for("a (v)", "b (w; asked in simple 0123abcd)", "own 4567"),
        "another call's": rule_for("a (v)", asked_in_own, "simple 4567"),
        "other models": rule_for("c (v)", asked_in_own),
    }
    assert {name: rule.bias for name, rule in found.items()} == {
        "no style": 1.0,
        "the verifier's": 2.0,
        "the call's": 2.0,
        "another call's": 1.0,
        "other models": 0.0,
    }


def test_a_decision_takes_the_conditions_from_the_pairs():
    """Nothing is promised for more places than were measured with, nor for more photos than the samples suffice for."""
    many = [judged(f"place {number}", 0.9) for number in range(6)]
    photos = [judged("a", 0.9, photo=photo) for photo in range(3)]
    views = [judged("a", 0.9) for _ in range(6)]

    reasons = [
        decide(pairs, CollectionsOnRecord(MODELS), "museum", MODELS).acceptance.stale_because
        for pairs in (many, photos[:2], views)
    ]

    assert reasons == ["6 places are considered, not 5", None, None]
    assert "3 photos" in decide(photos, CollectionsOnRecord(MODELS), "museum", MODELS).acceptance.stale_because


def test_a_photo_without_a_usable_pair_counts_as_asked_about():
    """It had its chance to be wrong: the threshold is that of all photos of the question."""
    pairs = [judged("a", 0.9)]

    alone, one_of_two = (
        decide(pairs, CollectionsOnRecord(MODELS), "museum", MODELS, photos=photos).decision for photos in (1, 2)
    )

    assert one_of_two.threshold > alone.threshold


@pytest.mark.parametrize(
    ("confidence", "is_calibrated", "matched"),
    [
        (0.30, True, False),
        (0.30, False, True),
        (0.60, True, True),
    ],
)
def test_photos_that_agree_open_no_calibrated_threshold(confidence: float, is_calibrated: bool, matched: bool):
    """Together they are surer than alone; but what is promised holds only if one of them passes by itself."""
    rule = weigh(verdict=1.0, agreeing=1.0)
    pairs = [VerifiedPair("a", 0.3, Verdict(True, confidence, "agrees"), photo=photo) for photo in range(2)]
    calibration = calibrate([Sample(-1.0, False, False, "labelled")] * 40, 0.05, MODELS)
    acceptance = Acceptance(0.0, calibration if is_calibrated else None)

    decision, alone = rank(pairs, rule, acceptance).decision, rank(pairs[:1], rule, acceptance).decision

    assert decision.matched == matched
    assert decision.score > decision.photo_score == alone.score == alone.photo_score
    assert decision.confidence > alone.confidence


@pytest.mark.parametrize(("confidence", "reason"), [(0.95, "verified"), (0.6, "perhaps"), (0.1, "no candidate")])
def test_a_maybe_lies_between_two_thresholds(confidence: float, reason: str):
    """Above the second threshold and not above the first; it is no match, and its place comes first."""
    acceptance = Acceptance(2.0, maybe_threshold=-1.0)

    decision = rank([judged("a", confidence), judged("b", 0.05)], weigh(verdict=1.0), acceptance).decision

    assert (decision.matched, decision.is_maybe) == (reason == "verified", reason == "perhaps")
    assert decision.reason.startswith(reason)


def test_photos_that_disagree_do_not_pass_by_one_of_them():
    """A photo that clearly shows another place speaks against the answer, as it always did."""
    rule = weigh(verdict=1.0, rival=-1.0)
    acceptance = Acceptance(2.0, calibrate([Sample(-1.0, False, False, "labelled")] * 40, 0.05, MODELS))
    first, second = judged("a", 0.99, photo=0), judged("b", 0.98, photo=1)

    assert rank([first], rule, acceptance).decision.matched
    assert not rank([first, second], rule, acceptance).decision.matched


def test_the_operators_threshold_replaces_the_calibration():
    """A threshold set by the operator holds whatever was calibrated, and no calibration is read."""
    answer = decide([judged("a", 0.9)], None, "museum", MODELS, acceptance=at_confidence(0.9))

    assert answer.decision.threshold == pytest.approx(2.197, abs=0.001)


def test_without_candidates_there_is_a_reason_and_no_score():
    """Nothing to compare is an answer as well: none, with no signals."""
    answer = decide([], CollectionsOnRecord(MODELS), "museum", MODELS)

    assert (answer.order, answer.decision.matched, answer.contributions) == ((), False, {})


@pytest.mark.parametrize(
    ("encoder", "verifier"),
    [("embedded (x)", "qwen3-vl (x)"), ("dinov3 (x)", "openai-compatible (x)"), ("embedded (x)", "geometric (x)")],
)
@pytest.mark.parametrize(
    "broken",
    [
        {"confidence": float("nan")},
        {"confidence": 0.9, "similarity": float("nan")},
        {"confidence": 0.9, "local_score": float("inf")},
    ],
)
def test_what_is_no_number_is_no_answer(encoder: str, verifier: str, broken: dict[str, float]):
    """NaN compares with nothing and is never taken for a yes, by any rule; the pair counts as not compared."""
    ranking = rank([judged(f"p{i}", **broken) for i in range(5)], rule_for(encoder, verifier), Acceptance())
    assert (ranking.order, ranking.decision.matched) == ((), False)

    pairs = [judged("bad", **broken), judged("good", 0.99, 0.5, local_score=200.0)]
    decision = rank(pairs, rule_for(encoder, verifier), Acceptance()).decision
    assert 0 <= decision.confidence <= 1
    assert rank(pairs, rule_for(encoder, verifier), Acceptance()).order == (1,)


def test_a_threshold_that_is_no_number_is_refused():
    """An operator's, as well as a sample's score and a calibration's own."""
    with pytest.raises(InvalidRequest, match="nan"):
        at_confidence(float("nan"))
    with pytest.raises(InvalidRequest, match="nan"):
        Sample(float("nan"), True, True, "labelled")
