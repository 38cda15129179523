"""A gallery photo as a visitor would have taken it."""

import io

import pytest
from fakes.images import draw_place, encode
from PIL import Image

from core.errors import InvalidImage
from core.evaluation.simulated_photo import simulate_visitor_photo
from core.imaging.decoding import decode_image
from core.local_features.matching import CLEAR_SCORE, local_evidence


def test_the_same_seed_gives_the_same_photo():
    """Calibrations can be repeated; another seed is another photo."""
    data = encode(draw_place(1), gps=True)

    assert simulate_visitor_photo(data, 5) == simulate_visitor_photo(data, 5) != simulate_visitor_photo(data, 6)


def test_it_is_a_jpeg_of_the_same_shape_without_metadata():
    """Nothing of the camera or its position is passed on, and large photos are made smaller."""
    again = Image.open(io.BytesIO(simulate_visitor_photo(encode(draw_place(1, (2000, 1000)), gps=True), 0)))

    assert again.format == "JPEG"
    assert again.size == (1280, 640)
    assert not again.getexif()


def test_it_shows_the_same_place_and_not_the_same_picture(embedded):
    """Most views agree clearly with their original; none is it."""
    place = draw_place(3, (800, 600))
    original = embedded.encode([place]).local_features[0]
    views = [decode_image(simulate_visitor_photo(encode(place), seed)).image for seed in range(6)]

    scores = [local_evidence(features, original).score for features in embedded.encode(views).local_features]

    assert sum(score >= CLEAR_SCORE for score in scores) >= 5
    assert all(view.tobytes() != place.tobytes() for view in views)


def test_a_damaged_photo_is_refused():
    """What cannot be read cannot be photographed again."""
    with pytest.raises(InvalidImage):
        simulate_visitor_photo(b"no photo", 0)
