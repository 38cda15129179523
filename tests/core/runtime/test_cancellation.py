"""Long work stops between its steps when nobody waits for it any more."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from fakes.images import draw_place, see_again

from core.local_features.lighterglue import LighterGlue
from core.results import Candidate, GalleryImage, Photo, Place
from core.retrieval.retriever import Retriever
from core.runtime.cancellation import cancellable, cancelled_by, raise_if_cancelled
from core.verifiers.geometric import GeometricVerifier


class Left(Exception):
    """What the checks of these tests raise."""


class Patience:
    """Wanted for so many checks, then no more."""

    def __init__(self, checks: int) -> None:
        self.left = checks

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Left


def test_work_without_a_check_goes_on():
    """Scripts and notebooks need say nothing."""
    raise_if_cancelled()

    assert cancellable(len)("four") == 4


def test_the_check_holds_inside_only():
    """It raises inside, and is forgotten afterwards."""
    with cancelled_by(Patience(0)), pytest.raises(Left):
        raise_if_cancelled()
    raise_if_cancelled()


def test_the_threads_of_a_pool_are_told():
    """Calls in other threads begin with the check of the thread that sent them."""
    done = []
    with ThreadPoolExecutor(1) as pool, cancelled_by(Patience(2)), pytest.raises(Left):
        list(pool.map(cancellable(done.append), range(5)))

    assert done == [0, 1]


def test_verification_stops_between_candidates(geometric: GeometricVerifier, monkeypatch: pytest.MonkeyPatch):
    """Of eight candidates only those are matched that come before the caller leaves."""
    matched = []
    match = LighterGlue.match
    monkeypatch.setattr(LighterGlue, "match", lambda *views: (matched.append(1), match(*views))[1])
    place = draw_place(1)
    query = Photo(lambda: see_again(place, 5).image)
    candidates = [Photo(lambda seed=seed: see_again(place, seed).image) for seed in range(1, 9)]

    with cancelled_by(Patience(3)), pytest.raises(Left):
        geometric.verify(query, candidates)

    assert len(matched) == 3


def test_retrieval_stops_before_the_second_look(embedded):
    """The costly second look is not taken for somebody who has left."""
    looked = []

    class Nothing:
        def search(self, embedding, collection, top_k):
            place = Place("p", "P")
            return [Candidate(GalleryImage("i", "default", place, "", "", "image/jpeg", 1, 1, 1, "", ""), 0.1, 1)]

        def local_features(self, image_ids):
            return [None] * len(image_ids)

    photo = draw_place(1)
    encodings = embedded.encode([photo])
    retriever = Retriever(Nothing(), lambda *photo: looked.append(photo) or iter(()))
    with cancelled_by(Patience(1)), pytest.raises(Left):
        retriever.retrieve(photo, encodings.embeddings[0], encodings.local_features[0], "default", 5)

    assert looked == []
