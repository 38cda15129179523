"""Photos of a place are joined to one candidate."""

import pytest
from PIL import Image

from core.results import Photo
from core.verifiers.views import as_candidate, by_place


@pytest.mark.parametrize(
    ("most", "groups"),
    [
        (1, ["a1", "b1", "c1", "a2", "b2", "a3"]),
        (2, ["a1 a2", "b1 b2", "c1", "a3"]),
        (3, ["a1 a2 a3", "b1 b2", "c1"]),
        (8, ["a1 a2 a3", "b1 b2", "c1"]),
    ],
)
def test_images_of_a_place_stand_together(most: int, groups: list[str]):
    """In the order of the first ones, and no more than may be shown together; with one, nothing is joined."""
    images = ["a1", "b1", "c1", "a2", "b2", "a3"]

    assert [" ".join(group) for group in by_place(images, lambda name: name[0], most)] == groups


def test_the_first_photo_is_the_candidate():
    """The others are its views; the photos themselves stay as they are."""
    photos = [Photo(lambda: Image.new("RGB", (8, 8)), name) for name in ("front", "side", "back")]

    candidate = as_candidate(photos)

    assert candidate.content_hash == "front"
    assert candidate.views == tuple(photos[1:])
    assert photos[0].views == as_candidate(photos[:1]).views == ()
