from types import SimpleNamespace

from core.reranking import decide, decide_by_retrieval, rerank
from core.results import Verdict


def verdict(confidence: float) -> Verdict:
    return Verdict(confidence >= 0.5, confidence, f"said {confidence}")


def similar(similarity: float):
    return SimpleNamespace(similarity=similarity)


def test_verdicts_come_before_similarity():
    """A verified candidate comes before a more similar one that is not."""
    assert rerank([similar(0.9), similar(0.3)], [verdict(0.1), verdict(0.9)]) == [1, 0]


def test_similarity_orders_equal_verdicts():
    """Among equally confident verdicts the more similar candidate comes first."""
    assert rerank([similar(0.2), similar(0.8), similar(0.5)], [verdict(0.9)] * 3) == [1, 2, 0]


def test_the_answer_needs_a_match():
    """Without a verified candidate there is no answer, and the confidence of the nearest is still told."""
    decision = decide([verdict(0.2), verdict(0.4)], [1, 0])

    assert (decision.matched, decision.confidence) == (False, 0.4)


def test_the_operators_threshold_decides():
    """A threshold given by the operator replaces the verifier's own."""
    assert decide([verdict(0.4)], [0], accept_threshold=0.3).matched
    assert not decide([verdict(0.8)], [0], accept_threshold=0.9).matched


def test_no_candidates_no_answer():
    """With nothing to verify the answer is an honest no."""
    assert not decide([], []).matched
    assert not decide_by_retrieval([]).matched


def test_similarity_alone_is_no_proof():
    """Where no local features were compared, retrieval alone never answers."""
    candidate = SimpleNamespace(similarity=0.99, local_score=None)

    assert not decide_by_retrieval([candidate]).matched


def test_retrieval_alone_answers_only_beyond_doubt():
    """A local score far above chance is answered without verification; a middling one is not."""
    assert decide_by_retrieval([SimpleNamespace(similarity=0.5, local_score=150.0)]).matched
    assert not decide_by_retrieval([SimpleNamespace(similarity=0.5, local_score=30.0)]).matched


def test_a_verified_candidate_is_never_hidden_by_a_similar_one():
    """A candidate just above the threshold is the answer, however similar one just below it is."""
    verdicts = [verdict(0.47), verdict(0.51)]

    order = rerank([similar(0.9), similar(0.3)], verdicts)

    assert decide(verdicts, order).matched
    assert order == [1, 0]


def test_the_operators_threshold_ranks_as_well():
    """What the operator's threshold accepts comes first, whatever the verifier itself thought of it."""
    verdicts = [verdict(0.38), verdict(0.41)]

    order = rerank([similar(0.9), similar(0.2)], verdicts, accept_threshold=0.4)

    assert decide(verdicts, order, accept_threshold=0.4).matched
