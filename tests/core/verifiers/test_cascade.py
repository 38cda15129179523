"""Two verifiers in a row: who is asked about what, and whose word counts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from fakes.verifiers import FailingVerifier, ScriptedVerifier
from PIL import Image

from core.errors import BackendUnavailable, InvalidRequest, NoVerdict, UnknownBackend
from core.results import Correspondences, Photo, Verdict
from core.runtime.bounded_cache import BoundedCache
from core.verifiers.cascade import CascadeVerifier

QUERY = Photo(lambda: Image.new("RGB", (8, 8)), "query")
FIRST = {"sure": 0.99, "open": 0.6, "doubtful": 0.1, "hopeless": 0.001}
SECOND = {"sure": 0.2, "open": 0.3, "doubtful": 0.9, "hopeless": 0.7}


def candidates(*names: str) -> list[Photo]:
    """Photos known to the scripts by name."""
    return [Photo(lambda: Image.new("RGB", (8, 8)), name) for name in names]


def scripted(name: str, confidences: dict[str, float]) -> ScriptedVerifier:
    """One of the two."""
    return ScriptedVerifier(confidences, name=name)


def test_what_is_settled_is_not_asked_again():
    """The second verifier sees the open pairs alone, and its word counts for them."""
    first, second = scripted("quick", FIRST), scripted("slow", SECOND)
    cascade = CascadeVerifier(first, second, accept_from=0.98, reject_below=0.01)

    verdicts = cascade.verify(QUERY, candidates("open", "sure", "hopeless", "doubtful"))

    assert second.asked == [["open", "doubtful"]]
    assert [verdict.confidence for verdict in verdicts] == [0.3, 0.99, 0.001, 0.9]
    assert [verdict.is_match for verdict in verdicts] == [False, True, False, True]


def test_by_default_no_pair_is_rejected_unseen():
    """Geometry finding nothing proves nothing: unless told otherwise, only matches are settled early."""
    second = scripted("slow", SECOND)
    CascadeVerifier(scripted("quick", FIRST), second).verify(QUERY, candidates(*FIRST))
    assert second.asked == [["open", "doubtful", "hopeless"]]


def test_both_voices_are_heard():
    """A verdict holds what the first said, and what the second said where it was asked."""
    cascade = CascadeVerifier(scripted("quick", FIRST), scripted("slow", SECOND))
    sure, doubtful = cascade.verify(QUERY, candidates("sure", "doubtful"))
    assert sure.response == "quick 0.99: yes"
    assert doubtful.response == "quick 0.10: no\nslow 0.90: yes"


def test_the_evidence_stays_whoever_decides():
    """The points on which the photos agree stay in the verdict when the second verifier decides."""
    points = np.full((3, 2), 0.5, dtype=np.float32)
    shown = Correspondences(points, points)

    class Drawing(ScriptedVerifier):
        def verify(self, query: Photo, candidates: Any, **asked: Any) -> list[Verdict]:
            return [replace(verdict, correspondences=shown) for verdict in super().verify(query, candidates, **asked)]

    cascade = CascadeVerifier(Drawing(FIRST), scripted("slow", SECOND))
    assert [verdict.correspondences for verdict in cascade.verify(QUERY, candidates("sure", "open"))] == [shown, shown]


def test_a_failing_second_look_fails_the_call():
    """Without the second verifier there is no verdict on open pairs; a cascade never pretends otherwise."""
    cascade = CascadeVerifier(scripted("quick", FIRST), FailingVerifier(BackendUnavailable("server down")))
    with pytest.raises(BackendUnavailable, match="server down"):
        cascade.verify(QUERY, candidates("open"))


def test_a_refused_pair_costs_no_other_its_verdict():
    """A pair that the second verifier says nothing about has no verdict, and never the first one's leaning."""

    class RefusesOne(ScriptedVerifier):
        def verify(self, query: Photo, candidates: Sequence[Photo], **asked: Any) -> list[Verdict | None]:
            verdicts = super().verify(query, candidates, **asked)
            return [
                None if candidate.content_hash == "open" else verdict
                for candidate, verdict in zip(candidates, verdicts, strict=True)
            ]

    cascade = CascadeVerifier(scripted("quick", FIRST), RefusesOne(SECOND, name="slow"))

    verdicts = cascade.verify(QUERY, candidates("sure", "open", "doubtful"))

    assert [verdict and verdict.confidence for verdict in verdicts] == [0.99, None, 0.9]


def test_where_every_open_pair_is_refused_the_settled_ones_stay():
    """What the first verifier has settled needs no second; without any settled pair there is no verdict at all."""
    cascade = CascadeVerifier(scripted("quick", FIRST), FailingVerifier(NoVerdict("the reply cannot be read")))

    verdicts = cascade.verify(QUERY, candidates("open", "sure", "doubtful"))

    assert [verdict and verdict.confidence for verdict in verdicts] == [None, 0.99, None]
    with pytest.raises(NoVerdict, match="cannot be read"):
        cascade.verify(QUERY, candidates("open", "doubtful"))


def test_the_fingerprint_names_both_and_the_thresholds():
    """Other thresholds between the same two verifiers are another fingerprint."""
    made = [
        CascadeVerifier(scripted("quick", {}), scripted("slow", {}), accept_from=threshold).fingerprint
        for threshold in (0.9, 0.98)
    ]
    assert made[0] != made[1]
    assert made[0] == "cascade (quick (fake), settled below 0 and from 0.9; slow (fake))"


def test_closing_closes_what_can_be_closed():
    """Whoever closes a cascade closes both its verifiers, if they have anything to close."""
    closed = []

    class Closable(ScriptedVerifier):
        def close(self) -> None:
            closed.append(self.fingerprint)

    CascadeVerifier(Closable(name="quick"), Closable(name="slow")).close()
    CascadeVerifier(Closable(name="quick"), ScriptedVerifier(name="slow")).close()
    assert closed == ["quick (fake)", "slow (fake)", "quick (fake)"]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: CascadeVerifier(scripted("a", {}), scripted("b", {}), accept_from=1.2), InvalidRequest, "from 1.2"),
        (
            lambda: CascadeVerifier(scripted("a", {}), scripted("b", {}), accept_from=0.3, reject_below=0.4),
            InvalidRequest,
            "accepted: 0 <= reject_below <= accept_from <= 1",
        ),
        (lambda: CascadeVerifier(scripted("a", {}), scripted("b", {}), model="x"), InvalidRequest, "instance: model"),
        (lambda: CascadeVerifier(scripted("a", {}), "oracle"), UnknownBackend, "unknown verifier: 'oracle'"),
        (lambda: CascadeVerifier(views_together=3), InvalidRequest, "views_together is 3; accepted by cascade: 1"),
        (lambda: CascadeVerifier(scripted("a", {}), "openai-compatible", model="x"), InvalidRequest, "'url'"),
    ],
)
def test_a_cascade_of_nonsense_is_refused(make: Callable[[], object], error: type[Exception], message: str):
    """Thresholds in the wrong order, options for nobody and unknown names are refused."""
    with pytest.raises(error, match=message):
        make()


def test_operators_see_the_caches_of_both():
    """What either verifier remembers of gallery photos is told; one that remembers nothing tells nothing."""

    class Remembering(ScriptedVerifier):
        caches: ClassVar = {"visual_tokens": BoundedCache[str, bytes](10, len)}

    cascade = CascadeVerifier(scripted("quick", FIRST), Remembering())

    assert cascade.caches == Remembering.caches
