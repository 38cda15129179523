"""What is planted in a collection is found, and nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.images import draw_place, see_again
from fakes.verifiers import ScriptedVerifier
from PIL import ImageFilter

from core.errors import UnknownCollection
from core.gallery import ImageChange
from core.gallery_health import HealthCheck
from core.gallery_health.look_alikes import similar_pairs
from core.gallery_health.report import MOST_LISTED, Listing


def places_of(pair) -> set[str]:
    return {pair.first.place_id, pair.second.place_id}


def test_a_sound_collection_has_nothing_wrong(gallery, file_photo):
    """Two good photos of each of four places, named and described: nothing to say."""
    for seed in range(4):
        for view in range(2):
            photo = see_again(draw_place(seed), view, noise=0).image
            file_photo(photo, f"place-{seed}", f"Place {seed}", description="…")

    report = HealthCheck(gallery, None).run("default")

    assert (report.images, report.places, report.is_complete) == (8, 4, True)
    assert report.faulty_photos.total == report.pairs.total == report.one_view.total == report.advice.total == 0
    assert report.unnamed.total == report.undescribed.total == 0


@pytest.mark.parametrize("how", ["smaller", "cropped", "brighter"])
def test_one_picture_under_two_places_is_found(gallery, file_photo, how):
    """A copy is recognised after resizing, a slight crop or more light."""
    picture = draw_place(1)
    copy = {
        "smaller": picture.resize((360, 270)),
        "cropped": picture.crop((24, 18, 456, 342)),
        "brighter": picture.point(lambda level: min(255, level + 30)),
    }[how]
    file_photo(picture, "gate")
    file_photo(copy, "tower")
    file_photo(draw_place(2), "well")

    (pair,) = HealthCheck(gallery, None).run("default").pairs.entries

    assert (pair.kind, places_of(pair)) == ("same_picture", {"gate", "tower"})


def test_copies_of_one_place_are_no_fault(gallery, file_photo):
    """Only pictures under different places contradict each other."""
    file_photo(draw_place(1), "gate")
    file_photo(draw_place(1).resize((360, 270)), "gate")

    assert HealthCheck(gallery, None).run("default").pairs.total == 0


def test_places_that_look_alike_are_named_together(gallery, file_photo):
    """Two places that show one thing, among others, are reported with advice for both."""
    beside_it = draw_place(7)
    beside_it.paste(draw_place(1).resize((300, 225)), (90, 70))
    file_photo(draw_place(1), "gate")
    file_photo(beside_it, "tower")
    file_photo(draw_place(2), "well")

    report = HealthCheck(gallery, None).run("default")

    (pair,) = report.pairs.entries
    assert (pair.kind, places_of(pair)) == ("look_alike", {"gate", "tower"})
    assert [entry.place.place_id for entry in report.advice.entries] == ["gate", "tower", "well"]
    assert "looks like “The tower”" in report.advice.entries[0].en
    assert "与“The tower”相似" in report.advice.entries[0].zh


def test_hidden_places_need_nothing(gallery, file_photo):
    """They are neither counted nor compared; a collection of hidden places has nothing wrong."""
    file_photo(draw_place(1), "gate")
    file_photo(draw_place(1).resize((360, 270)), "tower")
    gallery.change_place("default", "tower", ImageChange(is_hidden=True))

    report = HealthCheck(gallery, None).run("default")
    gallery.change_place("default", "gate", ImageChange(is_hidden=True))
    nothing = HealthCheck(gallery, None).run("default")

    assert (report.images, report.places, report.pairs.total, report.is_complete) == (1, 1, 0, True)
    assert [entry.place.place_id for entry in report.advice.entries] == ["gate"]
    assert (nothing.images, nothing.advice.total, nothing.is_complete) == (0, 0, True)


def test_the_verifier_has_the_last_word(gallery, file_photo):
    """What the verifier takes for one place will be confused, and is ranked by its confidence."""
    file_photo(draw_place(1), "gate")
    believed = file_photo(draw_place(2), "tower")
    hashes = {
        gallery.get(image_id).content_hash: 0.9 for image_id in (believed, gallery.list_images().images[0].image_id)
    }

    (pair,) = HealthCheck(gallery, ScriptedVerifier(hashes)).run("default").pairs.entries

    assert (pair.kind, pair.confidence) == ("confused", 0.9)


def test_bad_photos_are_named_with_their_faults(gallery, file_photo):
    """Blurred, dark, burnt out, flat and small photos are told apart."""
    good = draw_place(1, (640, 480))
    file_photo(good, "good")
    file_photo(draw_place(2, (640, 480)).filter(ImageFilter.GaussianBlur(4)), "blurred")
    file_photo(draw_place(3, (640, 480)).point(lambda level: level // 8), "dark")
    file_photo(draw_place(4, (640, 480)).point(lambda level: min(255, level * 5 + 60)), "burnt")
    file_photo(draw_place(5, (640, 480)).point(lambda level: 120), "flat")
    file_photo(draw_place(6, (200, 150)), "small")

    report = HealthCheck(gallery, None).run("default")
    faults = {photo.place.place_id: photo.faults for photo in report.faulty_photos.entries}

    assert set(faults) == {"blurred", "dark", "burnt", "flat", "small"}
    assert faults["blurred"] == ("blurred",)
    assert "dark" in faults["dark"]
    assert "overexposed" in faults["burnt"]
    assert "flat" in faults["flat"]
    assert faults["small"] == ("small",)
    urgent = report.advice.entries[0]
    assert "no_usable_photo" in urgent.reasons
    assert urgent.en.startswith("Photograph “The ")
    assert urgent.zh.startswith("请重拍")


def test_names_that_are_none_are_listed(gallery, file_photo):
    """A place called by its id or by a camera's file name has no name yet."""
    file_photo(draw_place(1), "p1", "p1")
    file_photo(draw_place(2), "p2", "IMG_2041")
    file_photo(draw_place(3), "p3", "Photo gallery of the Ming dynasty", description="known")

    report = HealthCheck(gallery, None).run("default")

    assert [place.place_id for place in report.unnamed.entries] == ["p1", "p2"]
    assert [place.place_id for place in report.undescribed.entries] == ["p1", "p2"]
    assert report.one_view.total == 3


def test_a_check_without_time_says_what_it_left_out(gallery, file_photo):
    """No budget, no findings, and no pretence of completeness."""
    file_photo(draw_place(1), "gate")
    file_photo(draw_place(2), "tower")

    report = HealthCheck(gallery, None).run("default", budget_s=0)

    assert (report.is_complete, report.photos_compared, report.photos_measured) == (False, 0, 0)


def test_an_unknown_collection_is_said_to_be_unknown(gallery, file_photo):
    """The message lists those there are."""
    file_photo(draw_place(1), "gate")

    with pytest.raises(UnknownCollection, match="known: default"):
        HealthCheck(gallery, None).run("elsewhere")


def test_deleted_and_damaged_previews_do_not_stop_the_check(gallery, file_photo):
    """A photo of which nothing whole is left is passed over, and the report is not complete."""
    image_id = file_photo(draw_place(1), "gate")
    file_photo(draw_place(2), "tower")
    gallery.preview_path(image_id).write_bytes(b"no jpeg")
    Path(gallery.get(image_id).path).unlink()  # else the preview would be made again of it

    report = HealthCheck(gallery, None).run("default")

    assert (report.photos_measured, report.is_complete) == (1, False)


def test_similar_pairs_are_those_of_plain_arithmetic():
    """Blocks or not, the best pair of each pair of places is found, most similar first."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((1300, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    places = rng.integers(0, 900, 1300)
    cosines = np.triu(vectors @ vectors.T, 1)
    cosines[places[:, None] == places[None]] = 0

    pairs, compared = similar_pairs(vectors, places, 10, lambda: False)

    assert compared == 1300
    assert pairs[0].similarity == pytest.approx(float(cosines.max()), abs=1e-5)
    assert {pairs[0].first, pairs[0].second} == set(np.unravel_index(cosines.argmax(), cosines.shape))
    assert [pair.similarity for pair in pairs] == sorted((pair.similarity for pair in pairs), reverse=True)
    assert len({tuple(sorted((places[pair.first], places[pair.second]))) for pair in pairs}) == 10


def test_lists_are_bounded(gallery, file_photo):
    """A list shows its worst entries and counts them all."""
    listing = Listing.of(list(range(MOST_LISTED + 5)))

    assert (listing.total, len(listing.entries)) == (MOST_LISTED + 5, MOST_LISTED)
    assert replace(listing, total=3).total == 3
