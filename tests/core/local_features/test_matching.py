import numpy as np
import pytest
from fakes.images import draw_place, see_again
from PIL import Image

from core.local_features.matching import local_evidence, mutual_neighbours
from core.local_features.xfeat import ENLARGED, FIRST_LOOK, TURNED, XFeatExtractor
from core.results import LocalFeatures


def test_mutual_neighbours_are_each_others_nearest():
    """Only pairs that choose each other are returned, with their cosines."""
    first = np.eye(4, dtype=np.float32)[[0, 1, 2]]
    second = np.eye(4, dtype=np.float32)[[2, 0]]

    indices, partners, cosines = mutual_neighbours(first, second)

    assert (indices.tolist(), partners.tolist(), cosines.tolist()) == ([0, 2], [1, 0], [1.0, 1.0])


def test_a_photo_without_keypoints_agrees_with_nothing(embedded):
    """A blank photo gives no evidence and no error, on either side."""
    blank = embedded.encode([Image.new("RGB", (64, 64))]).local_features[0]
    place = embedded.encode([draw_place(1)]).local_features[0]

    assert local_evidence(blank, place).score == local_evidence(place, blank).score == 0


def test_the_same_place_agrees_more_than_another(embedded):
    """Seen again, a place scores several times as much as any other place."""
    photos = [draw_place(1), see_again(draw_place(1), 3).image, draw_place(2), draw_place(3)]
    query, same, *others = embedded.encode(photos).local_features

    assert local_evidence(query, same).score > 3 * max(local_evidence(query, other).score for other in others)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_view_finds_a_photo_held_sideways(embedded, rotation):
    """Among turned views, the one that turns the photo upright agrees best."""
    place = draw_place(1)
    reference = embedded.encode([place]).local_features[0]
    sideways = place.rotate(-rotation, expand=True)
    first = embedded.encode([sideways]).local_features[0]
    query = LocalFeatures(first.views + XFeatExtractor().extract(sideways, TURNED).views, first.extractor)

    best = local_evidence(query, reference)

    assert query.views[best.query_view].rotation == rotation
    assert best.score > 3 * local_evidence(first, reference).score


def test_the_small_view_finds_a_place_small_in_the_frame(embedded):
    """A place that fills a fifth of the query's frame agrees through the views at other scales."""
    place = draw_place(1)
    frame = Image.new("RGB", (1200, 900), "gray")
    frame.paste(place.resize((520, 390)), (400, 300))
    reference = embedded.encode([place]).local_features[0]
    first = embedded.encode([frame]).local_features[0]
    query = LocalFeatures(first.views + XFeatExtractor().extract(frame, ENLARGED).views, first.extractor)

    full_size = LocalFeatures(first.views[:1], first.extractor), LocalFeatures(reference.views[:1], first.extractor)

    assert local_evidence(query, reference).score > 2 * local_evidence(*full_size).score


def test_features_of_another_extractor_are_never_compared(embedded):
    """Descriptors of two extractors live in different spaces: no evidence, whatever the numbers say."""
    mine = embedded.encode([draw_place(1)]).local_features[0]

    assert local_evidence(mine, LocalFeatures(mine.views, "another")).score == 0


def test_looks_have_the_sizes_asked_for(embedded):
    """Views come in the order of their specs, none larger or richer than asked for."""
    specs = FIRST_LOOK + TURNED + ENLARGED
    views = XFeatExtractor().extract(draw_place(1, (900, 600)), specs).views

    assert [view.rotation for view in views] == [spec.rotation for spec in specs]
    assert [max(view.size) for view in views] == [spec.long_side for spec in specs]
    assert all(len(view.keypoints) <= spec.max_keypoints for view, spec in zip(views, specs, strict=True))
    assert all(view.keypoints.min() >= 0 and view.keypoints.max() <= 1 for view in views)
