"""The two scripts of the user's contract, and the doors they stand for, on one small real gallery."""

import csv
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from fakes.images import draw_place, encode, see_again

from core.errors import EncoderMismatch, GalleryUnavailable, InvalidImage, InvalidRequest
from core.gallery import Gallery
from core.m1_retrieval import M1GlobalRetrieval
from core.m3_verifier import LocalM3Verifier
from core.results import EncoderFingerprint
from scripts import build_database, test_matching

PLACES = 4


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Reference photos, one folder per place, and one file that is no photo."""
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(PLACES):
        (folder / f"place{seed}").mkdir()
        draw_place(seed).save(folder / f"place{seed}" / "front.jpg", quality=92)
    (folder / "place0" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a photo")
    return folder


@pytest.fixture(scope="module")
def queries(tmp_path_factory) -> Path:
    """Every place seen again, and two places that the gallery does not know."""
    folder = tmp_path_factory.mktemp("queries")
    for seed in [*range(PLACES), 100, 101]:
        (folder / f"place{seed}").mkdir()
        see_again(draw_place(seed), 7).image.save(folder / f"place{seed}" / "visitor.jpg", quality=88)
    return folder


@pytest.fixture(scope="module")
def database(photos, tmp_path_factory) -> Path:
    """The gallery that build_database makes of them."""
    folder = tmp_path_factory.mktemp("database") / "gallery"
    assert build_database.main(["--image-dir", str(photos), "--output-dir", str(folder)]) == 0
    return folder


def test_a_second_run_adds_nothing(photos, database, capsys):
    """What is there already is skipped, and the file that is no photo is reported again, not fatal."""
    assert build_database.main(["--image-dir", str(photos), "--output-dir", str(database)]) == 0

    printed = capsys.readouterr().out
    assert f"0 added, {PLACES} already there, 1 rejected" in printed
    assert "broken.jpg: damaged or truncated" in printed


def test_originals_can_be_kept_without_metadata(tmp_path):
    """A position that a camera wrote is not kept, and a second run knows the photo all the same."""
    (tmp_path / "photos").mkdir()
    data = encode(draw_place(1), gps=True)
    (tmp_path / "photos" / "a.jpg").write_bytes(data)
    command = ["--image-dir", str(tmp_path / "photos"), "--output-dir", str(tmp_path / "gallery"), "--strip-metadata"]
    command.append("--without-verifier-features")

    assert [build_database.main(command), build_database.main(command)] == [0, 0]

    (original,) = (tmp_path / "gallery" / "originals").glob("*/*")
    assert b"Exif" in data
    assert b"Exif" not in original.read_bytes()


def test_names_and_embeddings_are_exported(photos, database, tmp_path):
    """--export-h5 writes file names and unit vectors, row by row."""
    target = tmp_path / "embeddings.h5"

    build_database.main(["--image-dir", str(photos), "--output-dir", str(database), "--export-h5", str(target)])

    with h5py.File(target) as file:
        assert list(file["place_ids"].asstr()) == [f"place{seed}" for seed in range(PLACES)]
        np.testing.assert_allclose(np.linalg.norm(file["embeddings"][:], axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_no_photos_is_an_error(folder, tmp_path, capsys):
    """A folder that holds no photo, or is none, ends with a sentence and not with a gallery."""
    (tmp_path / "empty").mkdir()

    code = build_database.main(["--image-dir", str(tmp_path / folder), "--output-dir", str(tmp_path / "g")])

    assert code == 2
    assert "error: no" in capsys.readouterr().err
    assert not (tmp_path / "g").exists()


def test_matching_reports_right_and_wrong(queries, database, tmp_path, capsys):
    """Known places are answered, unknown ones refused, and files and report say the same as the summary."""
    code = test_matching.main(
        [
            "--query-dir",
            str(queries),
            "--db-dir",
            str(database),
            "--output-dir",
            str(tmp_path),
            "--verifier",
            "geometric",
        ]
    )

    report = json.loads((tmp_path / "results.json").read_text())
    rows = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert code == 0
    assert report["summary"]["right"] == report["summary"]["recall_at_5"] == 1.0
    assert report["summary"]["false_accepts"] == 0.0
    assert [row["verdict"] for row in rows] == ["right"] * 2 + ["rightly refused"] * 2 + ["right"] * 2
    assert "place100, place101" in capsys.readouterr().out
    page = (tmp_path / "report.html").read_text()
    assert page.count('class="chip"') == len(rows)
    assert "points agree in one plane." in page


def test_unlabelled_photos_are_answered_too(queries, database, tmp_path):
    """Photos in no folder have no truth: they are answered and counted nowhere."""
    folder = tmp_path / "loose"
    folder.mkdir()
    (folder / "a.jpg").write_bytes((queries / "place2" / "visitor.jpg").read_bytes())
    (folder / "b.jpg").write_bytes(b"no photo")

    code = test_matching.main(["--query-dir", str(folder), "--db-dir", str(database), "--output-dir", str(tmp_path)])

    first, second = json.loads((tmp_path / "results.json").read_text())["queries"]
    assert (first["verdict"], first["final_place"]) == ("unlabelled", "place2")
    assert (second["verdict"], code) == ("unreadable", 1)


def test_the_retrieval_door(queries, database):
    """M1GlobalRetrieval gives dicts with the path of a stored photo, best first."""
    with M1GlobalRetrieval(device="cuda") as retrieval:
        retrieval.load_index(database)
        found = retrieval.query(queries / "place3" / "visitor.jpg", top_k=np.int64(3))

    assert [candidate["rank"] for candidate in found] == [1, 2, 3]
    assert found[0]["place_id"] == "place3"
    assert Path(found[0]["path"]).read_bytes().startswith(b"\xff\xd8")


def test_the_verification_door(photos, queries):
    """LocalM3Verifier says yes to a place seen again and no to another."""
    verifier = LocalM3Verifier(prompt_style="simple", verifier="geometric")

    same = verifier.verify_pair(queries / "place1" / "visitor.jpg", photos / "place1" / "front.jpg")
    other = verifier.verify_pair(queries / "place1" / "visitor.jpg", photos / "place2" / "front.jpg")

    assert same[0] is True
    assert other[0] is False
    assert 0 <= other[2] < 0.5 < same[2] <= 1


def test_a_query_needs_an_index(tmp_path):
    """Asking before load_index, of no gallery, with no photo or for no candidates: each says what is missing."""
    retrieval = M1GlobalRetrieval(device="cpu")

    with pytest.raises(GalleryUnavailable):
        retrieval.load_index(tmp_path)
    with pytest.raises(InvalidImage, match="cannot be read"):
        retrieval.query(tmp_path / "nothing.jpg")
    draw_place(1).save(tmp_path / "photo.jpg")
    with pytest.raises(InvalidRequest, match="load_index"):
        retrieval.query(tmp_path / "photo.jpg")
    for top_k in (0, 1.5):
        with pytest.raises(InvalidRequest, match=f"top_k is {top_k}; accepted: a whole number from 1 on"):
            retrieval.query(tmp_path / "photo.jpg", top_k=top_k)


def test_a_gallery_of_another_encoder_is_refused(tmp_path):
    """A gallery whose vectors come from other weights is refused with the way to rebuild it."""
    Gallery.open(tmp_path, EncoderFingerprint("embedded", "older weights", "other size", 16)).close()

    with pytest.raises(EncoderMismatch, match="build_database"):
        M1GlobalRetrieval(device="cpu").load_index(tmp_path)


def test_a_row_that_cannot_be_stored_fails_alone(tmp_path, capsys):
    """Impossible positions in a manifest are reported; the other photos are stored."""
    for seed in range(4):
        draw_place(seed, (120, 90)).save(tmp_path / f"{seed}.jpg")
    (tmp_path / "manifest.csv").write_text(
        "file,place_id,latitude,longitude\n0.jpg,a,10,20\n1.jpg,b,95,20\n2.jpg,c,,\n3.jpg,d,20,\n"
    )

    code = build_database.main(["--image-dir", str(tmp_path), "--output-dir", str(tmp_path / "gallery")])

    printed = capsys.readouterr().out
    assert code == 0
    assert "2 added, 0 already there, 2 rejected" in printed
    assert "1.jpg: invalid latitude: 95" in printed
    assert "3.jpg: incomplete position: latitude without longitude" in printed
