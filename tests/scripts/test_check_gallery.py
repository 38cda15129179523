"""The check as operators run it."""

import json

import pytest
from fakes.images import draw_place

from scripts import build_database, check_gallery


@pytest.fixture
def gallery(tmp_path):
    """A gallery of three places, two of which show one picture."""
    for place, picture in {
        "gate": draw_place(1), "tower": draw_place(1).resize((400, 300)), "well": draw_place(2)
    }.items():  # fmt: skip
        folder = tmp_path / "photos" / place
        folder.mkdir(parents=True)
        picture.save(folder / "front.jpg", quality=95)
    build_database.main(["--image-dir", str(tmp_path / "photos"), "--output-dir", str(tmp_path / "gallery")])
    return tmp_path / "gallery"


def test_findings_are_printed_and_written(gallery, tmp_path, capsys):
    """What was found is printed in the language asked for, written as JSON, and told by the exit status."""
    written = tmp_path / "health.json"
    command = ["--db-dir", str(gallery), "--json", str(written), "--language", "zh", "--verifier", "none"]

    assert check_gallery.main(command) == 1

    printed = capsys.readouterr().out
    assert "same_picture gate | tower" in printed or "same_picture tower | gate" in printed
    assert "“well”只有一张照片" in printed
    (report,) = json.loads(written.read_text())
    assert report["pairs"]["total"] == 1
    assert report["pairs"]["entries"][0]["kind"] == "same_picture"


def test_no_gallery_is_an_error(tmp_path, capsys):
    """A folder without a gallery is said to be one, in one line."""
    assert check_gallery.main(["--db-dir", str(tmp_path), "--verifier", "none"]) == 2
    assert "no gallery in" in capsys.readouterr().err
