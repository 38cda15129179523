"""What stands behind the exhibits answers for none of them."""

import numpy as np
import pytest
import skimage
from fakes.images import see_again
from PIL import Image

from core.results import Photo
from core.verifiers.geometric import GeometricVerifier

WALL = Image.fromarray(skimage.data.brick()).convert("RGB").resize((900, 900)).crop((0, 0, 900, 675))
OBJECTS = ("coffee", "chelsea", "rocket", "astronaut")


def before_the_wall(name: str) -> Image.Image:
    """An object that covers a sixth of the photo."""
    picture = Image.fromarray(getattr(skimage.data, name)())
    picture.thumbnail((340, 300))
    scene = WALL.copy()
    scene.paste(picture, (280, 190))
    return scene


def photo(image: Image.Image, shows: str | None = None) -> Photo:
    return Photo(lambda: image, shows=shows)


@pytest.fixture(scope="module")
def verifier():
    verifier = GeometricVerifier(threads=1)
    yield verifier
    verifier.close()


def test_an_unknown_object_is_not_answered_by_the_wall_behind_it(verifier):
    """Two places that share the wall with a query of a third are both refused; without the rule both were accepted."""
    query = photo(see_again(before_the_wall("astronaut"), 3).image)
    candidates = [before_the_wall(name) for name in ("coffee", "chelsea")]

    nameless = verifier.verify(query, [photo(image) for image in candidates])
    named = verifier.verify(query, [photo(image, str(number)) for number, image in enumerate(candidates)])

    assert [verdict.is_match for verdict in nameless] == [True, True]
    assert [verdict.is_match for verdict in named] == [False, False]


def test_a_known_object_is_found_before_the_same_wall(verifier):
    """What the object itself agrees on stays its own; points are drawn on the object alone."""
    query = photo(before_the_wall("coffee"))
    candidates = [photo(before_the_wall(name), name) for name in OBJECTS]

    same, *others = verifier.verify(query, candidates)

    assert same.is_match
    assert not any(other.is_match for other in others)
    inside = np.all(
        (same.correspondences.query_points > (0.28, 0.25)) & (same.correspondences.query_points < (0.72, 0.75)), axis=1
    )
    assert inside.mean() > 0.9


def test_views_of_one_place_take_nothing_from_each_other(verifier):
    """Two photos of one place both keep what they agree on."""
    place = Image.fromarray(skimage.data.coffee())
    query = photo(see_again(place, 5).image)

    verdicts = verifier.verify(query, [photo(place, "cup"), photo(see_again(place, 8).image, "cup")])

    assert all(verdict.is_match for verdict in verdicts)
