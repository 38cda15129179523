from dataclasses import replace

import numpy as np
import pytest
from fakes.images import draw_place
from PIL import Image

from core.local_features.lighterglue import LighterGlue
from core.local_features.regions import Region, densest_region, place_view
from core.local_features.rotation import to_upright, turn
from core.local_features.xfeat import FIRST_LOOK, XFeatExtractor
from core.results import FeatureView


@pytest.fixture(scope="module")
def extractor():
    return XFeatExtractor()


def test_a_picture_on_an_empty_wall_is_where_most_is_to_be_seen(extractor):
    """The densest region holds the picture and little of the wall."""
    wall = Image.new("RGB", (1200, 900), (200, 190, 180))
    wall.paste(draw_place(1).resize((400, 300)), (700, 500))

    region = densest_region(extractor.extract(wall, FIRST_LOOK).views[0])

    assert region.overlap(Region(700 / 1200, 500 / 900, 1100 / 1200, 800 / 900)) > 0.6


def test_a_blank_photo_has_no_region():
    """Too few keypoints say nothing about where to look."""
    blank = FeatureView(np.zeros((0, 2), np.float32), np.zeros((0, 64), np.float16), np.zeros(0, np.float32), (64, 64))

    assert densest_region(blank) is None


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_look_at_a_part_agrees_with_the_whole_where_it_was_cut_out(extractor, rotation):
    """Matched with the whole photo, keypoints of a turned crop lie where the whole photo has them."""
    photo = draw_place(2, (800, 600))
    region = Region(0.25, 0.2, 0.75, 0.8)
    closer = extractor.extract(turn(region.crop(photo), rotation), FIRST_LOOK).views[0]
    view = place_view(replace(closer, rotation=rotation), region)
    whole = extractor.extract(photo, FIRST_LOOK).views[0]
    upright = place_view(extractor.extract(region.crop(photo), FIRST_LOOK).views[0], region)

    pairs, _ = LighterGlue().match(upright, whole)
    distances = np.linalg.norm(upright.keypoints[pairs[:, 0]] - whole.keypoints[pairs[:, 1]], axis=1)
    points = to_upright(view.keypoints, rotation)

    assert len(pairs) > 50
    assert np.median(distances) < 0.01
    assert (points[:, 0].min(), points[:, 0].max()) == pytest.approx((0.25, 0.75), abs=0.05)
    assert (points[:, 1].min(), points[:, 1].max()) == pytest.approx((0.2, 0.8), abs=0.05)
    assert view.rotation == rotation


def test_the_whole_is_its_own_part():
    """A look at the whole photo stays as it is."""
    view = FeatureView(
        np.array([[0.2, 0.4]], np.float32), np.ones((1, 1), np.float16), np.ones(1, np.float32), (64, 32)
    )

    placed = place_view(view, Region(0.0, 0.0, 1.0, 1.0))

    assert placed.size == (64, 32)
    np.testing.assert_allclose(placed.keypoints, view.keypoints)
