"""A collection is calibrated as operators do it, and answers by it from then on."""

import shutil
from pathlib import Path

import pytest
from fakes.images import draw_place, see_again

from core.calibration.calibration import Calibration
from core.evaluation.calibration_queries import gallery_photos
from core.gallery import Gallery
from core.m1_retrieval import M1GlobalRetrieval
from core.matching import match_photo
from core.verifiers.geometric import GeometricVerifier
from scripts import build_database, calibrate

PLACES = 10
FAST = ["--verifier", "geometric", "--verifier-options", '{"aliked": false}', "--time-budget", "0"]
FAST_BUILD = ["--without-verifier-features"]
"""Which only the second stage would use."""


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Path:
    """Ten places, the first of them seen twice."""
    photos, folder = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("database") / "gallery"
    for seed in range(PLACES):
        (photos / f"place{seed}").mkdir()
        draw_place(seed, (320, 240)).save(photos / f"place{seed}" / "front.jpg", quality=92)
    see_again(draw_place(0, (320, 240)), 3).image.save(photos / "place0" / "side.jpg", quality=92)
    assert build_database.main([*FAST_BUILD, "--image-dir", str(photos), "--output-dir", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def queries(tmp_path_factory) -> Path:
    """Five of the places seen again, and ten places that the collection does not hold."""
    folder = tmp_path_factory.mktemp("queries")
    for seed in [*range(5), *range(100, 110)]:
        (folder / f"place{seed}").mkdir()
        see_again(draw_place(seed, (320, 240)), 7).image.save(folder / f"place{seed}" / "visitor.jpg", quality=88)
    return folder


def stored(folder: Path) -> Calibration:
    with Gallery.open(folder, None, read_only=True) as gallery:
        return Calibration.from_json(gallery.calibration())


@pytest.fixture(scope="module")
def calibrated(database, queries) -> Calibration:
    """Calibrated from the labelled photos for one in ten."""
    command = ["--db-dir", str(database), "--query-dir", str(queries), "--target", "0.1", *FAST]
    assert calibrate.main(command) == 0
    return stored(database)


def test_labelled_photos_make_a_promise_that_later_answers_keep(database, queries, calibrated, capsys):
    """The threshold is kept with the collection, the report says what it rests on, and the next match goes by it."""
    assert calibrate.main(["--db-dir", str(database), "--target", "0.1", "--refit"]) == 0

    printed, calibration = capsys.readouterr().out, stored(database)
    assert "promised: 10 labelled unknown photos suffice" in printed
    assert "known photos: 5 labelled" in printed
    assert "simulated:" not in printed
    assert [line.endswith("(estimate)") for line in printed.splitlines() if line[:20].strip() in ("1", "2", "5")] == [
        False,
        True,  # two photos at 10 % take 19 unknown photos
        True,
    ]
    assert calibration.promised
    assert sum(sample.known and sample.right for sample in calibration.samples) == 5
    with M1GlobalRetrieval("cpu") as retrieval:
        retrieval.load_index(database)
        data = (queries / "place2" / "visitor.jpg").read_bytes()
        decision = match_photo(data, retrieval, GeometricVerifier(aliked=False)).decision
    assert decision.matched
    assert decision.threshold == calibration.threshold


def test_another_target_needs_no_photos(database, calibrated, capsys):
    """What was measured once serves every target; one that it cannot prove is said to be an estimate."""
    assert calibrate.main(["--db-dir", str(database), "--target", "0.01", "--refit"]) == 0

    assert "NOT promised: 10 labelled, 5 left out unknown photos, 99 needed" in capsys.readouterr().out
    assert stored(database).samples == calibrated.samples
    assert stored(database).threshold > calibrated.threshold


def test_without_labels_the_collection_asks_itself(database, capsys):
    """The collection's own photos, seen anew, with their places left out and not, are enough to begin with."""
    command = ["--db-dir", str(database), "--target", "0.1", "--photos", "9", "--dry-run", *FAST]

    assert calibrate.main(command) == 0

    printed = capsys.readouterr().out
    assert "promised: 9 left out unknown photos suffice" in printed
    assert "known photos: 9 simulated" in printed
    assert "simulated: the collection's own photos" in printed


def test_a_photo_with_a_sibling_is_asked_without_itself(database):
    """Where another photo shows the same place, a photo is never asked about while it is in the gallery itself."""
    with Gallery.open(database, None, read_only=True) as gallery:
        questions = [question for photo in gallery_photos(gallery, "default", 100) for question in photo.questions]

    simulated = [question for question in questions if question.origin == "simulated"]
    assert len(questions) == 2 * (PLACES + 1)
    assert (
        sum(question.exclusion is not None and question.exclusion.image_id is not None for question in simulated) == 2
    )
    assert all(question.exclusion.place_id == question.truth for question in questions if question.origin == "left out")


def test_photos_of_other_collections_are_strangers(database, tmp_path):
    """Half as many photos of other collections are asked about as photos of nothing here, but none that is here too."""
    folder = tmp_path / "gallery"
    shutil.copytree(database, folder)
    (tmp_path / "others").mkdir()
    for seed in (200, 201, 202):
        draw_place(seed, (320, 240)).save(tmp_path / "others" / f"{seed}.jpg")
    with Gallery.open(folder, None, read_only=True) as gallery:
        shared = next(gallery.all_images("default")).path
    shutil.copy(shared, tmp_path / "others" / "shared.jpg")
    command = ["--image-dir", str(tmp_path / "others"), "--output-dir", str(folder), "--collection", "elsewhere"]
    build_database.main([*FAST_BUILD, *command])

    with Gallery.open(folder, None, read_only=True) as gallery:
        questions = [question for photo in gallery_photos(gallery, "default", 100) for question in photo.questions]

    strangers = [question for question in questions if question.origin == "other collection"]
    assert len(strangers) == 3
    assert all(question.truth is None and question.exclusion is None for question in strangers)


def test_what_cannot_be_calibrated_says_why(database, tmp_path, capsys):
    """No gallery, an impossible target, or nothing to refit end with one line and status 2."""
    assert calibrate.main(["--db-dir", str(tmp_path / "none"), *FAST]) == 2
    assert calibrate.main(["--db-dir", str(database), "--target", "0", "--dry-run", *FAST]) == 2
    printed = capsys.readouterr().err
    assert "no gallery" in printed
    assert "accepted: a share from 0.0001 to 0.5" in printed
