"""Framed pictures are found on a wall, and seen from the front."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from fakes.images import HUNG_CORNERS, WALL, draw_place, hang
from PIL import Image

from core.local_features.lighterglue import LighterGlue
from core.local_features.quadrilaterals import Quadrilateral, find_quadrilaterals
from core.local_features.rotation import to_upright, turn
from core.local_features.xfeat import FIRST_LOOK, XFeatExtractor


@pytest.fixture(scope="module")
def extractor() -> XFeatExtractor:
    return XFeatExtractor()


def test_a_frame_on_a_wall_is_found_first():
    """Its corners are those of the frame, clockwise from the top left."""
    (found, *_) = find_quadrilaterals(hang(draw_place(1)), 2)

    assert np.abs(found.corners * WALL - HUNG_CORNERS).max() < 12  # pixels


@pytest.mark.parametrize("picture", [Image.new("RGB", (400, 300), "white"), Image.new("RGB", (1, 1))])
def test_nothing_is_found_where_nothing_stands_out(picture):
    """A blank photo has no outline, and is no error."""
    assert find_quadrilaterals(picture, 2) == []


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_inside_seen_from_the_front_agrees_with_the_picture(extractor, rotation):
    """Keypoints of the rectified inside match the picture, and lie where the whole photo has them."""
    picture = draw_place(1)
    photo = hang(picture)
    (found, *_) = find_quadrilaterals(photo, 1)
    view = extractor.extract(turn(found.rectify(photo), rotation), FIRST_LOOK).views[0]

    placed = found.place_view(replace(view, rotation=rotation), photo.size)
    points = to_upright(placed.keypoints, rotation) * WALL

    assert (
        cv2.pointPolygonTest(HUNG_CORNERS.astype(np.float32), tuple(map(float, np.median(points, axis=0))), False) > 0
    )
    assert points.min(axis=0) == pytest.approx(HUNG_CORNERS.min(axis=0), abs=40)
    assert points.max(axis=0) == pytest.approx(HUNG_CORNERS.max(axis=0), abs=40)
    if rotation == 0:
        pairs, _ = LighterGlue().match(placed, extractor.extract(picture, FIRST_LOOK).views[0])
        assert len(pairs) > 100


def test_area_is_a_share_of_the_photo():
    """A quarter of the photo is 0.25."""
    assert Quadrilateral(np.array([(0, 0), (0.5, 0), (0.5, 0.5), (0, 0.5)])).area == pytest.approx(0.25)
