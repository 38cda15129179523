from pathlib import Path

import pytest
from fakes.images import draw_place

from core.building.labels import read_folder
from core.building.manifests import parse_manifest
from core.errors import InvalidRequest
from core.results import Place


def write_photo(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_place(seed, (64, 48)).save(path)


def test_folders_name_places(tmp_path):
    """A photo shows the place of its folder's whole path; one in no folder belongs to no place and is unlabelled."""
    write_photo(tmp_path / "gate" / "winter" / "a.jpg")
    write_photo(tmp_path / "b.jpg")

    loose, gate = read_folder(tmp_path, "reference")

    assert (gate.place, gate.labelled) == (Place("gate/winter", "winter"), True)
    assert (loose.place, loose.labelled) == (None, False)


def test_photos_are_listed_in_a_stable_order(tmp_path):
    """Photos come by name or by content, sorted, without hidden files and other kinds."""
    for name in ["b/2.JPG", "b/10.jpeg", "a/x.heic", "a.png", "c/damaged.webp", "c/old.gif", "Z/é.avif"]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    write_photo(tmp_path / "c" / "photo.png")
    (tmp_path / "c" / "photo.png").rename(tmp_path / "c" / "nameless")
    for name in [".hidden.jpg", "c/notes.txt", ".cache/x.jpg", "__MACOSX/x.jpg"]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"text")

    listed = [photo.path.relative_to(tmp_path).as_posix() for photo in read_folder(tmp_path, "reference")]

    assert listed == [
        "Z/é.avif", "a/x.heic", "a.png", "b/10.jpeg", "b/2.JPG", "c/damaged.webp", "c/nameless", "c/old.gif",
    ]  # fmt: skip


def test_a_manifest_comes_before_folders(tmp_path):
    """With a manifest.csv, its rows alone are listed, each with all that it says of the place."""
    (tmp_path / "manifest.csv").write_text(
        "file,place_id,place_name,description,latitude,longitude,metadata\n"
        'x/a.jpg,p1,长廊,Long corridor,39.99,116.27,"{""room"": 3}"\n',
        encoding="utf-8-sig",
    )
    write_photo(tmp_path / "other" / "b.jpg")

    (photo,) = read_folder(tmp_path, "reference")

    assert photo.path == tmp_path / "x" / "a.jpg"
    assert photo.place == Place("p1", "长廊", "Long corridor", {"room": 3}, 39.99, 116.27)


def test_roles_separate_queries_from_references(tmp_path):
    """Rows marked query are asked with, all others are references; unmarked rows serve as both."""
    (tmp_path / "manifest.csv").write_text("role,file,place_id\nquery,q.jpg,\ndb,r.jpg,p\n,both.jpg,p\n")

    assert [photo.path.name for photo in read_folder(tmp_path, "query")] == ["q.jpg", "both.jpg"]
    assert [photo.path.name for photo in read_folder(tmp_path, "reference")] == ["r.jpg", "both.jpg"]


def test_an_empty_place_means_nothing_of_the_gallery():
    """A manifest row without place_id is labelled: its right answer is no answer."""
    (row,) = parse_manifest(b"file,place_id\na.jpg,\n").rows

    assert row.place() is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name,place\na.jpg,x\n", "no column 'file'"),
        ("", "no column 'file'"),
        ("file\n../../etc/passwd\n", "line 2: file '../../etc/passwd' is not a path inside"),
        ("file\n/etc/passwd\n", "is not a path inside"),
        ("file,audio.en\na.jpg,../b.mp3\n", "line 2: audio.en '../b.mp3' is not a path inside"),
        ("file,录音.zh-hans\na.jpg,C:\\b.mp3\n", "line 2: audio.zh-Hans 'C:.*' is not a path inside"),
        ("file,place_id,latitude\na.jpg,p,north\n", "line 2: latitude 'north' is not a number"),
        ("file,place_id,metadata\na.jpg,p,[1]\n", r"line 2: metadata '\[1\]' is not a JSON object"),
        (f"file,place_id,metadata\na.jpg,p,{'[' * 100_000}\n", "line 2: metadata .* nested too deeply"),
        ("file" + ",x" * 320 + "\n", "321 columns; at most 320 are accepted"),
        ('file\n"a.jpg\n', "manifest.csv, line"),
        (b"file\na.jpg\n\xff\x00\x81", "no text in UTF-8, .*; in Excel, save as 'CSV UTF-8'"),
        (b"PK\3\4 a workbook", "an Excel workbook, not CSV"),
    ],
)
def test_a_damaged_manifest_is_refused_with_its_line(text, complaint):
    """The message names the line and what is wrong with it."""
    with pytest.raises(InvalidRequest, match=complaint):
        parse_manifest(text if isinstance(text, bytes) else text.encode())


def test_a_manifest_may_be_held_to_a_number_of_rows():
    """As many rows as were accepted are read; one more is refused."""
    assert len(parse_manifest(b"file\na.jpg\nb.jpg\n", max_rows=2).rows) == 2
    with pytest.raises(InvalidRequest, match=r"manifest.csv has too many rows; at most 1 are accepted"):
        parse_manifest(b"file\na.jpg\nb.jpg\n", max_rows=1)


def test_a_missing_folder_is_an_error(tmp_path):
    """A mistyped folder is not an empty one."""
    with pytest.raises(InvalidRequest, match="no such folder"):
        read_folder(tmp_path / "nowhere", "query")
