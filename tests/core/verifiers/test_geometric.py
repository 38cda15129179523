import numpy as np
import pytest
import skimage
from fakes.images import draw_place, see_again
from PIL import Image

from core.results import Photo
from core.verifiers.base import queries_at_once
from core.verifiers.geometric import GeometricVerifier


def photo(image: Image.Image, features=None) -> Photo:
    return Photo(lambda: image, None, features)


def no_pixels() -> Image.Image:
    raise AssertionError("the pixels were asked for although the features were given")


def test_the_same_place_is_a_match_and_another_is_not(geometric):
    """One place seen twice is confirmed; ten others are not."""
    query = photo(see_again(draw_place(1), 5).image)

    same, *others = geometric.verify(query, [photo(draw_place(seed)) for seed in range(1, 11)])

    assert same.is_match
    assert same.confidence > 0.9
    assert not any(other.is_match for other in others)


def test_beside_a_settled_pair_what_agrees_by_chance_is_not_matched(geometric):
    """The best pair comes first wherever it stands; others are matched only where the cheap local test found more."""
    place = Image.fromarray(skimage.data.coffee())
    others = [photo(Image.fromarray(picture())) for picture in (skimage.data.chelsea, skimage.data.rocket)]
    again = [photo(picture) for picture in (see_again(place, 8).image, place)]

    verdicts = geometric.verify(photo(see_again(place, 5).image), [*others, *again])

    assert [verdict.stage for verdict in verdicts] == ["local", "local", "xfeat", "xfeat"]
    assert [verdict.is_match for verdict in verdicts] == [False, False, True, True]
    assert max(verdict.confidence for verdict in verdicts[:2]) < 0.01
    assert len(verdicts[0].correspondences.query_points) == 0


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_photo_held_sideways_matches(geometric, rotation):
    """However the phone was held, the place is confirmed, and the answer says how the photo was turned."""
    place = draw_place(4)
    query = photo(see_again(place, 2).image.rotate(-rotation, expand=True))

    (verdict,) = geometric.verify(query, [photo(place)])

    assert verdict.is_match
    assert verdict.correspondences.rotation == rotation


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_correspondences_lie_on_the_true_geometry(geometric, rotation):
    """The points returned are the same spots of the scene, in the coordinates of both upright photos."""
    place = draw_place(4)
    view = see_again(place, 2)
    width, height = place.size

    (verdict,) = geometric.verify(photo(view.image.rotate(-rotation, expand=True)), [photo(place)])

    spots = verdict.correspondences.candidate_points * (width, height)
    seen = np.c_[spots, np.ones(len(spots))] @ view.homography.T
    seen = seen[:, :2] / seen[:, 2:] / (width, height)
    x, y = seen[:, 0], seen[:, 1]
    # Turning by -rotation takes (x, y) of the upright view to these coordinates of the photo as it was held.
    held = {0: (x, y), 90: (1 - y, x), 180: (1 - x, 1 - y), 270: (y, 1 - x)}[rotation]
    errors = np.linalg.norm(verdict.correspondences.query_points - np.stack(held, axis=1), axis=1)
    assert len(spots) >= 30
    assert np.median(errors) < 0.01  # of the photo's sides


def test_stored_features_are_not_computed_again(embedded, geometric):
    """A pair whose features are known on both sides is verified without touching a pixel."""
    place = draw_place(1)
    mine, theirs = embedded.encode([see_again(place, 1).image, place]).local_features

    (verdict,) = geometric.verify(Photo(no_pixels, None, mine), [Photo(no_pixels, None, theirs)])

    assert verdict.is_match


@pytest.mark.parametrize("blank", [Image.new("RGB", (200, 100), "white"), Image.new("RGB", (1, 1))])
def test_blank_photos_match_nothing(geometric, blank):
    """A photo without structure is no match, on either side, and no error."""
    verdicts = geometric.verify(photo(blank), [photo(draw_place(1)), photo(blank)])
    verdicts += geometric.verify(photo(draw_place(1)), [photo(blank)])

    assert not any(verdict.is_match for verdict in verdicts)
    assert all(0 <= verdict.confidence < 0.5 for verdict in verdicts)


@pytest.mark.parametrize(("threads", "at_once"), [(1, 1), (2, 2), (4, 2)])
def test_a_second_query_keeps_all_threads_busy(threads, at_once):
    """While the last pair of one query is compared, the other threads have the next query's."""
    assert queries_at_once(GeometricVerifier(threads=threads, aliked=False)) == at_once
