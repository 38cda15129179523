"""What the scripts make of folders as people have them."""

import os
import unicodedata
from pathlib import Path

import pytest
from fakes.images import draw_place, encode
from fakes.sounds import wav

from core.building.labels import read_folder, scan_folder, true_places
from core.errors import InvalidRequest
from core.gallery import Gallery
from scripts import build_database


def write(folder: Path, *files: str) -> None:
    for number, file in enumerate(files):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(draw_place(number, (64, 48))))


def ids(folder: Path, **options) -> list[str | None]:
    return [photo.place and photo.place.place_id for photo in scan_folder(folder, "reference", **options).photos]


def build(photos: Path, *options: str) -> int:
    folders = ["--image-dir", str(photos), "--output-dir", str(photos.parent / "gallery")]
    return build_database.main([*folders, "--without-verifier-features", *options])


def test_a_folder_means_what_an_archive_of_it_means(tmp_path):
    """Wrappers, thumbnails of a network disk and stray files change nothing."""
    write(tmp_path, "museum/hall1/a.jpg", "museum/hall2/b.jpg", "museum/hall1/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg")
    write(tmp_path, "#recycle/x.jpg", "lost+found/y.jpg")
    (tmp_path / "readme.txt").write_text("hello")

    assert ids(tmp_path) == ids(tmp_path / "museum") == ["hall1", "hall2"]


@pytest.mark.parametrize("name", ["Manifest.CSV", "manifest.csv.txt", "inner/manifest.csv"])
def test_a_manifest_is_found_in_any_spelling(tmp_path, name):
    """Its rows decide, and its files are found whatever the slash, case or composition."""
    around = tmp_path / Path(name).parent
    write(around, f"hall1/{unicodedata.normalize('NFD', 'Büste')}.JPG", "hall1/other.jpg")
    (tmp_path / name).write_bytes("file;place_id\r\nHall1\\Büste.jpg;h1\r\n;\r\n".encode("cp1252"))

    found = scan_folder(tmp_path, "reference")

    assert [(photo.place.place_id, photo.path.is_file()) for photo in found.photos] == [("h1", True)]
    assert [note.detail for note in found.notes] == ["Windows-1252"]
    assert [reason for _, reason in found.skipped] == ["not listed in the manifest"]


def test_what_is_left_out_is_said(tmp_path, capsys):
    """Links, files of no kind of photo, raw photos and a gallery inside are named before anything is added."""
    photos = tmp_path / "photos"
    write(photos, "hall1/a.jpg", "hall2/b.jpg")
    (photos / "hall2" / "c.CR3").write_bytes(b"\0\0\0\x18ftypcrx \0\0\0\1crx isom")
    (photos / "notes.docx").write_bytes(b"no photo")
    (photos / "linked").symlink_to(photos / "hall1", target_is_directory=True)
    assert build(photos) == 0
    (tmp_path / "gallery").rename(photos / "gallery")
    capsys.readouterr()

    assert build(photos, "--dry-run") == 0

    printed = capsys.readouterr().out
    assert "3 photos, a place for each folder: 2 places" in printed
    assert "left out, a link to a folder, which is not followed: 1" in printed
    assert "left out, no photo: 1" in printed
    assert "left out, a gallery, whose photos are there already: 1" in printed
    assert not (tmp_path / "gallery").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads every folder: NOT checked")
def test_a_folder_that_cannot_be_read_is_named(tmp_path):
    """What is missing is not missing silently."""
    write(tmp_path, "hall1/a.jpg", "hall2/b.jpg")
    (tmp_path / "hall2").chmod(0)

    found = scan_folder(tmp_path, "reference")
    (tmp_path / "hall2").chmod(0o700)

    assert [path.name for path, _ in found.skipped] == ["hall2"]


def test_names_of_another_system_are_read(tmp_path):
    """A disk from Chinese Windows, mounted without its encoding, has names of bytes that are no UTF-8."""
    folder = os.fsencode(tmp_path) + b"/" + "青花瓷瓶".encode("gbk")
    Path(os.fsdecode(folder)).mkdir()
    write(Path(os.fsdecode(folder)), "1.jpg")
    write(tmp_path, "gate/1.jpg")

    assert ids(tmp_path) == ["gate", "青花瓷瓶"]


def test_names_of_another_system_name_places_and_are_printed(tmp_path, capsys):
    """A title in such a name is the place's; what is left out is printed whatever its bytes are."""
    photos = tmp_path / "photos"
    write(photos, "gate.jpg")
    photo = os.fsencode(photos / "x")[:-1] + "五牛图.jpg".encode("gbk")
    Path(os.fsdecode(photo)).write_bytes(encode(draw_place(7)))
    Path(os.fsdecode(photo.replace(b".jpg", b".txt"))).write_text("no photo")

    assert build(photos) == 0

    assert "left out, no photo: 1" in capsys.readouterr().out
    with Gallery.open(tmp_path / "gallery", None, read_only=True) as gallery:
        assert {image.filename for image in gallery.list_images().images} == {"五牛图.jpg", "gate.jpg"}
        assert {place.place.name for place in gallery.places().places} == {"五牛图", "gate"}


def test_pipes_keep_nobody_waiting(tmp_path):
    """A pipe is left out and named, in a folder and in a manifest, whoever else may write to it."""
    photos = tmp_path / "photos"
    write(photos, "hall1/a.jpg", "hall2/b.jpg")
    os.mkfifo(photos / "hall2" / "pipe.jpg")
    os.mkfifo(photos / "hall2" / "pipe")

    assert [path.name for path, _ in scan_folder(photos, "reference").skipped] == ["pipe", "pipe.jpg"]

    (photos / "manifest.csv").write_text("file,place_id\nhall1/a.jpg,h1\nhall2/pipe.jpg,h2\n")
    assert build(photos) == 0


def test_grouping_decides_for_a_flat_folder(tmp_path, capsys):
    """Titles are a place each; --grouping folder makes them one; a dry run shows both and adds nothing."""
    photos = tmp_path / "flat"
    write(photos, "五牛图.jpg", "百骏图.jpg", "溪山行旅图.jpg")

    assert (ids(photos), ids(photos, grouping="folder")) == ([None] * 3, ["flat"] * 3)
    assert build(photos, "--dry-run") == build(photos, "--dry-run", "--grouping", "folder") == 0
    printed = capsys.readouterr().out
    assert "3 photos, a place for each photo: 3 places" in printed
    assert "  五牛图: 1 photo" in printed
    assert "3 photos, a place for each folder: 1 places\n  flat: 3 photos" in printed
    assert not (tmp_path / "gallery").exists()


def test_a_corrected_manifest_corrects_texts(tmp_path, capsys):
    """Built again, names and descriptions change and are counted; a photo listed under another place is named."""
    photos = tmp_path / "photos"
    write(photos, "a.jpg", "b.jpg")
    (photos / "manifest.csv").write_text("file,place_id,place_name\na.jpg,p1,Vse\nb.jpg,p2,Bell\n")
    assert build(photos) == 0
    (photos / "manifest.csv").write_text("file,place_id,place_name,description\na.jpg,p1,Vase,Blue\nb.jpg,p3,Bell\n")
    capsys.readouterr()

    assert build(photos) == 0

    printed = capsys.readouterr().out
    assert "0 added, 2 already there, 0 rejected" in printed
    assert "the texts of 1 places were corrected by the manifest" in printed
    assert "already there, as a photo of 'Bell':" in printed
    with Gallery.open(tmp_path / "gallery", None, read_only=True) as gallery:
        named = {place.place.place_id: (place.place.name, place.place.description) for place in gallery.places().places}
    assert named == {"p1": ("Vase", "Blue"), "p2": ("Bell", "")}


def test_recordings_of_a_manifest_are_stored(tmp_path, capsys):
    """Once; what cannot be stored is named with its row, and what is not there by a dry run too."""
    photos = tmp_path / "photos"
    write(photos, "a.jpg", "b.jpg")
    (photos / "audio").mkdir()
    (photos / "audio" / "a.wav").write_bytes(wav())
    (photos / "audio" / "b.wav").write_bytes(b"no sound")
    table = "file,place_id,audio.en,audio.fr\na.jpg,p1,audio/a.wav,{}\nb.jpg,p2,audio/b.wav,\n"
    (photos / "manifest.csv").write_text(table.format("audio/c.wav"))
    assert build(photos, "--dry-run") == 0
    planned = capsys.readouterr().out
    (photos / "manifest.csv").write_text(table.format(""))

    assert [build(photos), build(photos)] == [0, 0]

    assert "manifest.csv, line 2: audio.fr 'audio/c.wav' is not there" in planned
    printed = capsys.readouterr().out
    assert printed.count("1 recordings of the manifest were stored") == 1
    assert printed.count("not corrected: manifest.csv, line 3: audio.en 'audio/b.wav': this is no recording") == 2
    assert "left out" not in printed
    with Gallery.open(tmp_path / "gallery", None, read_only=True) as gallery:
        with gallery.recordings.open("default", "p1", "en")[1] as file:
            assert file.read() == wav()
        assert gallery.place("default", "p2").place.texts == {}


def test_two_compositions_of_a_folder_are_one_place(tmp_path):
    """Büste as Linux and as macOS write it."""
    for form in ("NFC", "NFD"):
        write(tmp_path, f"{unicodedata.normalize(form, 'Büste')}/{form}.jpg")
    write(tmp_path, "Vase/a.jpg")

    assert set(ids(tmp_path)) == {"Büste", "Vase"}


def test_queries_are_labelled_by_the_gallerys_ids_however_they_are_spelled(tmp_path):
    """Composed or not, with folders around, and by the ids that galleries had before 0.2.0."""
    decomposed = unicodedata.normalize("NFD", "Café Größe")
    write(
        tmp_path, f"q/{decomposed}/1.jpg", "q/Floor 1/01/2.jpg", "q/gate/winter/3.jpg", "q/elsewhere/4.jpg", "q/5.jpg"
    )

    photos = read_folder(tmp_path, "query")
    truths = true_places(photos, ["Café Größe", "Floor 1/01", "gate", "elsewhere else"])

    assert {path.name: place for path, place in truths.items()} == {
        "1.jpg": "Café Größe",
        "2.jpg": "Floor 1/01",
        "3.jpg": "gate",
    }
    assert [photo.path.name for photo in photos if not photo.labelled] == ["5.jpg"]


def test_an_old_gallery_in_the_other_composition_is_known_too(tmp_path):
    """Ids that were stored decomposed stay, and answers are compared with them."""
    stored = unicodedata.normalize("NFD", "Büste")
    write(tmp_path, "Büste/1.jpg", "Vase/2.jpg")

    assert set(true_places(read_folder(tmp_path, "query"), [stored, "Vase"]).values()) == {stored, "Vase"}


def test_a_manifest_that_cannot_be_read_is_named(tmp_path):
    """An Excel workbook with a manifest's name."""
    write(tmp_path, "a.jpg")
    (tmp_path / "manifest.csv").write_bytes(b"PK\3\4 workbook")

    with pytest.raises(InvalidRequest, match="Excel workbook"):
        read_folder(tmp_path, "reference")
