import math
import time
from itertools import islice
from threading import Thread

import numpy as np
import pytest
from fakes.images import draw_place, see_again
from PIL import Image

from core.local_features.aliked import AlikedExtractor
from core.results import Candidate, GalleryImage, LocalFeatures, Look, Place
from core.retrieval import shortlist
from core.retrieval.looks import Looks
from core.retrieval.retriever import Retriever
from core.runtime.cancellation import cancelled_by


class ListGallery:
    """A gallery in a list: photos encoded by the real encoder."""

    def __init__(self, encoder, photos, places):
        encodings = encoder.encode(photos)
        self.embeddings, self.features = encodings.embeddings, encodings.local_features
        self.second: dict[str, LocalFeatures] = {}
        self.asked: list[str] = []
        self.images = [
            GalleryImage(
                str(i), "default", Place(place, place), f"{i}.jpg", str(i), "image/jpeg", 1, 1, 1, "", f"{i}.jpg"
            )
            for i, place in enumerate(places)
        ]

    def search(self, embedding, collection, top_k):
        similarities = self.embeddings @ embedding
        order = np.argsort(-similarities)[:top_k]
        return [Candidate(self.images[i], float(similarities[i]), rank) for rank, i in enumerate(order, 1)]

    def local_features(self, image_ids):
        self.asked += image_ids
        return [self.features[int(image_id)] for image_id in image_ids]

    def verifier_features(self, content_hashes, extractor):
        return [self.second.get(content_hash) for content_hash in content_hashes]


class Refusing:
    """A second extractor that must not be asked."""

    name = "refusing"

    def extract(self, image):
        raise AssertionError("described a photo that needs it not")


@pytest.fixture(scope="module")
def gallery(embedded):
    """Four places; the first is seen three times."""
    first = draw_place(0)
    photos = [first, see_again(first, 8).image, see_again(first, 9).image, *(draw_place(seed) for seed in (1, 2, 3))]
    return ListGallery(embedded, photos, ["p0", "p0", "p0", "p1", "p2", "p3"])


def retrieve(gallery, embedded, photo, top_k, look_again=None, **options):
    encodings = embedded.encode([photo])
    searching = Retriever(gallery, look_again, **({"time_budget_s": math.inf} | options))
    return searching.retrieve(photo, encodings.embeddings[0], encodings.local_features[0], "default", top_k)


def test_candidates_are_spread_over_places(gallery, embedded):
    """Several views of the right place take one rank, not all of them."""
    found = retrieve(gallery, embedded, see_again(draw_place(0), 4).image, 4).candidates

    assert found[0].image.place.place_id == "p0"
    assert sorted(candidate.image.place.place_id for candidate in found) == ["p0", "p1", "p2", "p3"]
    assert [candidate.rank for candidate in found] == [1, 2, 3, 4]


def test_further_views_follow_when_places_run_out(gallery, embedded):
    """Asked for more candidates than there are places, the remaining images come after the first of each place."""
    found = retrieve(gallery, embedded, draw_place(1), 6).candidates

    assert len({candidate.image.place.place_id for candidate in found[:4]}) == 4
    assert [candidate.image.place.place_id for candidate in found[4:]] == ["p0", "p0"]


def test_a_clear_first_look_needs_no_second(gallery, embedded):
    """The second look is not paid for by photos that are recognised at once."""

    def refuse(image, first):
        raise AssertionError("looked twice at a clear photo")
        yield

    assert retrieve(gallery, embedded, see_again(draw_place(2), 1).image, 3, refuse).looks == 1


def test_a_sideways_photo_is_looked_at_again(gallery, embedded):
    """A photo held sideways comes first after the second look, and its views are handed on."""
    sideways = see_again(draw_place(2), 1).image.rotate(90, expand=True)

    found = retrieve(gallery, embedded, sideways, 3, embedded.look_again)

    assert found.looks > 1
    assert found.candidates[0].image.place.place_id == "p2"
    assert {view.rotation for view in found.local_features.views} >= {0, 270}


@pytest.mark.parametrize("rotation", [0, 90])
def test_a_small_exhibit_is_found_by_looking_closer(gallery, embedded, rotation):
    """A picture small on a wide empty wall, even held sideways, is found by its own part of the photo."""
    wall = Image.new("RGB", (2400, 1800), (201, 196, 186))
    wall.paste(draw_place(2).resize((320, 240)), (300, 1300))
    photo = wall.rotate(rotation, expand=True)

    closer = retrieve(gallery, embedded, photo, 4, embedded.look_again)
    at_once = retrieve(gallery, embedded, photo, 4)

    assert closer.looks > 2
    assert closer.candidates[0].image.place.place_id == "p2"
    similarity = next(
        candidate.similarity for candidate in at_once.candidates if candidate.image.place.place_id == "p2"
    )
    assert closer.candidates[0].similarity > similarity + 0.1


def test_no_look_begins_after_the_budget(gallery, embedded):
    """Without time left, the first look is all that an unclear photo gets."""
    photo = Image.effect_noise((640, 480), 90).convert("RGB")

    hurried = retrieve(gallery, embedded, photo, 3, embedded.look_again, time_budget_s=0.0)
    assert (hurried.looks, hurried.out_of_time) == (1, True)

    patient = retrieve(gallery, embedded, photo, 3, embedded.look_again)
    assert patient.looks > 2
    assert not patient.out_of_time


def test_the_budget_counts_work_and_not_waiting(gallery, embedded):
    """While others have the processor, no budget is spent: on a busy machine, a photo gets as many looks."""
    photo = Image.effect_noise((640, 480), 90).convert("RGB")
    (look,) = islice(embedded.look_again(photo, embedded.encode([photo]).local_features[0]), 1)

    def work_of_others():
        began = time.thread_time()
        while time.thread_time() < began + 0.3:
            pass

    def waiting(image, first):
        for _ in range(5):
            other = Thread(target=work_of_others)
            other.start()
            other.join()
            yield look

    found = retrieve(gallery, embedded, photo, 3, waiting, time_budget_s=1.2)

    assert (found.looks, found.out_of_time) == (6, False)


def test_half_of_the_callers_time_is_left_to_the_verifier(gallery, embedded):
    """On a machine that is far too busy, a photo gets fewer looks, and the answer says so."""
    photo = Image.effect_noise((640, 480), 90).convert("RGB")
    left = iter([10.0, 8.0, 6.0, 4.0])

    with cancelled_by(lambda: None, lambda: next(left)):
        found = retrieve(gallery, embedded, photo, 3, embedded.look_again)

    assert (found.looks, found.out_of_time) == (3, True)


def test_second_features_take_none_of_the_verifiers_time(gallery, embedded):
    """Where the first look has taken half of the caller's time, nothing follows it."""
    photo = Image.effect_noise((640, 480), 90).convert("RGB")
    left = iter([10.0, 4.0, 4.0])

    with cancelled_by(lambda: None, lambda: next(left)):
        found = retrieve(gallery, embedded, photo, 3, embedded.look_again, second=Refusing())

    assert (found.looks, found.out_of_time, found.second_features) == (1, True, None)


def test_without_local_features_similarity_decides(gallery, embedded):
    """An encoder without local features is served by similarity alone."""
    photo = see_again(draw_place(3), 2).image
    embedding = embedded.encode([photo]).embeddings[0]

    found = Retriever(gallery).retrieve(photo, embedding, None, "default", 2)

    assert found.candidates[0].image.place.place_id == "p3"
    assert found.local_features is None
    assert found.candidates[0].local_score is None


def test_a_certain_candidate_ends_the_local_test(embedded):
    """Once one of the ten nearest agrees beyond doubt, the features of the others are not even read."""
    photos = [draw_place(seed, (240, 180)) for seed in range(14)]
    gallery = ListGallery(embedded, photos, [f"p{seed}" for seed in range(14)])

    known = retrieve(gallery, embedded, draw_place(3, (240, 180)), 14)
    read_for_known = len(gallery.asked)
    gallery.asked.clear()
    retrieve(gallery, embedded, draw_place(99, (240, 180)), 14)

    assert known.candidates[0].image.place.place_id == "p3"
    assert [candidate.local_score is None for candidate in known.candidates].count(True) == 4
    assert (read_for_known, len(gallery.asked)) == (10, 14)


def test_many_views_of_one_place_do_not_crowd_out_others(embedded):
    """Even when the fifty nearest images all show one place, the other places come before its second view."""
    photos = [draw_place(0, (160, 120))] * 60 + [draw_place(seed, (160, 120)) for seed in (1, 2, 3)]
    gallery = ListGallery(embedded, photos[:1] + photos[60:], ["p0", "p1", "p2", "p3"])
    gallery.embeddings = gallery.embeddings[[0] * 60 + [1, 2, 3]]
    gallery.features = [gallery.features[0]] * 60 + list(gallery.features[1:])
    gallery.images = [
        GalleryImage(str(i), "default", Place(p, p), "", "", "", 1, 1, 1, "", "")
        for i, p in enumerate(["p0"] * 60 + ["p1", "p2", "p3"])
    ]

    found = retrieve(gallery, embedded, draw_place(0, (160, 120)), 4).candidates

    assert found[0].image.place.place_id == "p0"
    assert {candidate.image.place.place_id for candidate in found} == {"p0", "p1", "p2", "p3"}


def test_further_views_of_the_first_places_go_along(gallery, embedded):
    """Beside one candidate per place come other images of the first places, for the verifier to see."""
    photo = see_again(draw_place(0), 4).image

    found = retrieve(gallery, embedded, photo, 3)
    all_places = retrieve(gallery, embedded, photo, 6)

    assert [view.image.place.place_id for view in found.further_views] == ["p0", "p0"]
    assert not {view.image.image_id for view in found.further_views} & {
        candidate.image.image_id for candidate in found.candidates
    }
    assert all_places.further_views == []


@pytest.fixture(scope="module")
def aliked():
    return AlikedExtractor()


@pytest.fixture
def unclear(embedded, aliked):
    """A gallery in which neither vectors nor the first features tell the four places apart; the second do."""
    places = [draw_place(seed, (320, 240)) for seed in range(4)]
    gallery = ListGallery(embedded, places, [f"p{seed}" for seed in range(4)])
    gallery.embeddings = gallery.embeddings[[0] * 4]
    gallery.features = [LocalFeatures((), embedded_features.extractor) for embedded_features in gallery.features]
    gallery.second = {str(seed): aliked.extract(place) for seed, place in enumerate(places)}
    return gallery


def test_what_the_first_features_leave_unclear_the_second_decide(unclear, embedded, aliked):
    """ALIKED's neighbours bring the right place to the front, and its features of the query are handed on."""
    photo = see_again(draw_place(3, (320, 240)), 2).image

    found = retrieve(unclear, embedded, photo, 4, second=aliked)

    assert found.candidates[0].image.place.place_id == "p3"
    assert found.second_features.extractor == aliked.name
    assert retrieve(unclear, embedded, photo, 4).candidates[0].image.place.place_id == "p0"


def test_a_photo_without_second_features_is_not_put_last(unclear, embedded, aliked):
    """Before they are made, a photo is taken to agree as the others do: its similarity still counts."""
    del unclear.second["1"]

    found = retrieve(unclear, embedded, see_again(draw_place(3, (320, 240)), 2).image, 4, second=aliked)

    order = [candidate.image.place.place_id for candidate in found.candidates]
    assert order[0] == "p3"
    assert order.index("p1") < 3


@pytest.mark.parametrize(("seen", "is_confirmed"), [(0, True), (3, False)])
def test_a_place_that_the_second_features_confirm_needs_no_further_look(unclear, embedded, aliked, seen, is_confirmed):
    """ALIKED costs less than the looks. Where it is for another place than the one that leads, they are taken."""
    photo = see_again(draw_place(seen, (320, 240)), 2).image

    found = retrieve(unclear, embedded, photo, 4, embedded.look_again, second=aliked)

    assert found.candidates[0].image.place.place_id == f"p{seen}"
    assert (found.looks == 1) == is_confirmed
    assert not found.out_of_time


def test_looks_taken_ahead_change_no_answer(monkeypatch, unclear, embedded, aliked):
    """While ALIKED works, a second thread takes the first looks; they come in their order, and each once."""
    photo = see_again(draw_place(3, (320, 240)), 2).image

    hasty = retrieve(unclear, embedded, photo, 4, embedded.look_again, second=aliked)
    monkeypatch.setattr(Looks, "take_during", lambda _looks, work, **_: work())
    patient = retrieve(unclear, embedded, photo, 4, embedded.look_again, second=aliked)

    described = [
        [(view.rotation, view.mirrored, len(view.keypoints)) for view in found.local_features.views]
        for found in (hasty, patient)
    ]
    assert described[0] == described[1]
    assert hasty.looks == patient.looks > 2
    assert hasty.candidates == patient.candidates


def test_candidates_that_a_look_brings_are_compared_by_the_second_features(monkeypatch, embedded, aliked):
    """Each candidate is compared once: the first of the first look, then those that further looks put before them."""
    monkeypatch.setattr(shortlist, "SECOND_TESTED", 2)
    monkeypatch.setattr(Looks, "take_during", lambda _looks, work, **_: work())
    places = [draw_place(seed, (320, 240)) for seed in range(4)]
    gallery = ListGallery(embedded, places, [f"p{seed}" for seed in range(4)])
    features = aliked.extract(places[0])
    gallery.second = {str(seed): features for seed in range(4)}
    noise = Image.effect_noise((640, 480), 90).convert("RGB")
    (seen,) = embedded.encode([noise]).local_features
    compared: list[list[str]] = []
    read = gallery.verifier_features
    gallery.verifier_features = lambda hashes, name: [compared.append(list(hashes)), read(hashes, name)][1]

    def look_again(_image, _first):
        (further, *_) = {"0", "1", "2", "3"} - set(compared[0])
        yield Look(seen, gallery.embeddings[int(further)])

    retrieve(gallery, embedded, noise, 4, look_again, second=aliked)

    first, then = compared
    assert len(first) == 2
    assert then
    assert not set(first) & set(then)


def test_features_that_are_still_being_made_confirm_nothing(unclear, embedded, aliked):
    """Of two places, one that has ALIKED's features is no better by them than one that has none yet."""
    photo = see_again(draw_place(0, (320, 240)), 2).image
    del unclear.second["2"]

    assert retrieve(unclear, embedded, photo, 4, embedded.look_again, second=aliked).looks > 1


def test_clear_photos_and_spent_budgets_need_no_second_features(gallery, embedded):
    """Where the first look is clear, or no work is left for it, the second extractor is not asked."""
    noise = Image.effect_noise((640, 480), 90).convert("RGB")

    clear = retrieve(gallery, embedded, see_again(draw_place(2), 1).image, 3, second=Refusing())
    hurried = retrieve(gallery, embedded, noise, 3, second=Refusing(), time_budget_s=0.5)

    assert clear.second_features is None
    assert hurried.second_features is None


def test_no_look_begins_that_would_exceed_the_budget(gallery, embedded):
    """A look is taken to cost what those before it did; to compare by the second features keeps its part."""
    photo = Image.effect_noise((640, 480), 90).convert("RGB")
    look = next(embedded.look_again(photo, embedded.encode([photo]).local_features[0]))

    begins = []

    def working(image, first):
        for _ in range(9):
            begins.append(time.thread_time())
            while time.thread_time() < begins[-1] + 0.3:
                pass
            yield look

    found = retrieve(gallery, embedded, photo, 3, working, time_budget_s=1.0)

    assert found.out_of_time
    assert 2 <= found.looks <= 4
    assert begins[-1] - begins[0] + 0.3 <= 1.0


def test_one_slow_look_is_no_reason_to_take_no_more(gallery, embedded):
    """Where a processor was slow for a moment, the looks that still fit are taken."""
    photo = Image.effect_noise((640, 480), 90).convert("RGB")
    look = next(embedded.look_again(photo, embedded.encode([photo]).local_features[0]))

    def hesitating(image, first):
        for cost_s in (0.01, 0.7, *[0.01] * 7):
            end = time.thread_time() + cost_s
            while time.thread_time() < end:
                pass
            yield look

    found = retrieve(gallery, embedded, photo, 3, hesitating, time_budget_s=1.4)

    assert not found.out_of_time
    assert found.looks == 10
