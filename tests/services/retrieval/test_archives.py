"""ZIP archives: what is taken from them, and what is refused."""

import hashlib
import io
import stat
import struct
import tracemalloc
import unicodedata
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from in_process import AppClient

from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings

PHOTOS = {seed: encode(draw_place(seed)) for seed in range(1, 4)}


def pack(entries: Mapping[str | zipfile.ZipInfo, bytes | str], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Make an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def upload(retrieval: AppClient, archive: bytes, **fields: str) -> list[tuple[str, str, str | None]]:
    """Send an archive: (file name, status, place id or reason) of each result."""
    answer = retrieval.post("/index/images", files={"file": ("photos.zip", archive)}, data=fields)
    assert answer.status_code == 200, answer.text
    return [
        (result["filename"], result["status"], result["image"]["place"]["id"] if result["image"] else result["reason"])
        for result in answer.json()["results"]
    ]


@pytest.mark.parametrize("around", ["", "photos/"])
def test_folders_name_the_places(retrieval: AppClient, around: str):
    """A photo shows the place its first folder is named after; a single folder around everything means nothing."""
    entries = {f"{around}瓷瓶/a.jpg": PHOTOS[1], f"{around}瓷瓶/detail/b.jpg": PHOTOS[2], f"{around}c.jpg": PHOTOS[3]}

    results = upload(retrieval, pack(entries))

    assert results[:2] == [("a.jpg", "added", "瓷瓶"), ("b.jpg", "added", "瓷瓶")]
    assert results[2][:2] == ("c.jpg", "added")
    assert results[2][2] not in ("瓷瓶", "photos")


def test_one_folder_of_photos_is_one_place(retrieval: AppClient):
    """A folder that holds nothing but photos names the place."""
    assert upload(retrieval, pack({"Vase/a.jpg": PHOTOS[1], "Vase/b.jpg": PHOTOS[2]})) == [
        ("a.jpg", "added", "Vase"),
        ("b.jpg", "added", "Vase"),
    ]


@pytest.mark.parametrize("around", ["", "photos/"])
def test_a_manifest_says_what_is_shown(retrieval: AppClient, around: str):
    """Rows of manifest.csv give places and what is known of them; a row may be wrong alone; queries are not kept."""
    manifest = (
        "\ufeffrole,file,place_id,place_name,latitude,longitude,metadata\n"
        'db,img/a.jpg,p1,Vase,30.1,120.2,"{""artist"": ""Unknown""}"\n'
        "db,img/b.jpg,p2,Statue,200,0,\n"
        "db,img/missing.jpg,p3,Bell,,,\n"
        "query,img/q.jpg,p1,,,,\n"
    )
    archive = pack(
        {
            f"{around}manifest.csv": manifest,
            f"{around}img/a.jpg": PHOTOS[1],
            f"{around}img/b.jpg": PHOTOS[2],
            f"{around}img/q.jpg": PHOTOS[3],
        }
    )

    results = upload(retrieval, archive)

    assert results[0] == ("a.jpg", "added", "p1")
    assert results[1][:2] == ("b.jpg", "rejected")
    assert "latitude" in str(results[1][2])
    assert results[2][:2] == ("missing.jpg", "rejected")
    assert len(results) == 3
    place = retrieval.get("/index/places").json()["places"][0]
    assert (place["name"], place["latitude"], place["metadata"]) == ("Vase", 30.1, {"artist": "Unknown"})


def test_files_beside_the_manifest_are_not_taken_silently(retrieval: AppClient):
    """A photo the manifest forgot is reported."""
    results = upload(retrieval, pack({"manifest.csv": "file\na.jpg\n", "a.jpg": PHOTOS[1], "b.jpg": PHOTOS[2]}))

    assert [result[:2] for result in results] == [("a.jpg", "added"), ("b.jpg", "rejected")]
    assert "manifest.csv" in str(results[1][2])


@pytest.mark.parametrize("manifest", ["place_id\np1\n", b"\xff\xfe\x00", ""])
def test_an_unusable_manifest_refuses_the_archive(retrieval: AppClient, manifest: str | bytes):
    """A manifest without a file column, or one that is no text, is said to be the problem."""
    results = upload(retrieval, pack({"manifest.csv": manifest, "a.jpg": PHOTOS[1]}))

    assert [result[:2] for result in results] == [("photos.zip", "rejected")]
    assert "manifest.csv" in str(results[0][2])


def test_a_manifest_nested_too_deeply_refuses_the_archive(retrieval: AppClient):
    """Metadata that would exhaust the parser's stack is a fault of its line."""
    manifest = f"file,place_id,metadata\na.jpg,p,{'[' * 5000}\n"

    ((name, status, reason),) = upload(retrieval, pack({"manifest.csv": manifest, "a.jpg": PHOTOS[1]}))

    assert (name, status) == ("photos.zip", "rejected")
    assert "manifest.csv, line 2: metadata" in str(reason)


def test_a_manifest_has_no_more_rows_than_an_archive_entries(folder: Path):
    """A manifest that names more photos than an archive may hold is refused as a whole, in one short reply."""
    settings = RetrievalSettings(data_dir=folder, max_archive_entries=100)
    rows = [f"{number}.jpg\n" for number in range(101)]
    with AppClient(create_app(settings, encoder=ThumbnailEncoder())) as retrieval:
        refused = upload(retrieval, pack({"manifest.csv": "file\n" + "".join(rows)}))
        accepted = upload(retrieval, pack({"manifest.csv": "file\n" + "".join(rows[:100])}))

    assert refused == [("photos.zip", "rejected", "manifest.csv has too many rows; at most 100 are accepted")]
    assert len(accepted) == 100


@pytest.mark.parametrize(
    ("compression", "hint"),
    [
        (zipfile.ZIP_DEFLATED, "no photo or manifest shrinks that much"),
        (zipfile.ZIP_STORED, "too many bytes in 'manifest.csv'"),
    ],
)
def test_a_manifest_that_is_a_bomb_is_not_read(retrieval: AppClient, compression: int, hint: str):
    """A manifest is held to the ratio of every entry, and to a size."""
    manifest = b"file\n" + b"a.jpg\n" * 3_000_000

    ((name, status, reason),) = upload(retrieval, pack({"manifest.csv": manifest}, compression))

    assert (name, status) == ("photos.zip", "rejected")
    assert hint in str(reason)


def test_fields_of_the_form_fill_what_the_manifest_leaves_open(retrieval: AppClient):
    """What a row says goes before what the form says, and that before nothing."""
    manifest = "file,place_id\na.jpg,Vase\nb.jpg,\n"

    upload(retrieval, pack({"manifest.csv": manifest, "a.jpg": PHOTOS[1], "b.jpg": PHOTOS[2]}), place_name="Hall 3")

    assert [place["name"] for place in retrieval.get("/index/places").json()["places"]] == ["Hall 3", "Vase"]


@pytest.mark.parametrize("name", ["../evil.jpg", "/etc/evil.jpg", "a/../../evil.jpg", "..\\evil.jpg", "C:/evil.jpg"])
def test_names_that_point_outside_are_refused(retrieval: AppClient, folder: Path, name: str):
    """An entry whose name climbs out is refused by itself, and nothing is written outside the gallery."""
    results = upload(retrieval, pack({name: PHOTOS[1], "place/good.jpg": PHOTOS[2]}))

    assert results[0][:2] == ("evil.jpg", "rejected")
    assert "outside" in str(results[0][2])
    assert results[1] == ("good.jpg", "added", "place")
    assert not list(folder.parent.rglob("evil*"))


def test_links_are_refused(retrieval: AppClient):
    """A symbolic link in an archive is not followed."""
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16

    results = upload(retrieval, pack({link: "/etc/passwd"}))

    assert results == [("link.jpg", "rejected", "'link.jpg' is a symbolic link")]


def test_encrypted_entries_are_refused(retrieval: AppClient):
    """An encrypted photo is reported as such."""
    archive = bytearray(pack({"a.jpg": PHOTOS[1]}))
    directory = archive.rindex(b"PK\1\2")
    struct.pack_into("<H", archive, directory + 8, 1)

    results = upload(retrieval, bytes(archive))

    assert results == [("a.jpg", "rejected", "'a.jpg' is encrypted")]


def test_bombs_are_refused_by_their_ratio(retrieval: AppClient):
    """An entry that unpacks to thousands of times its size is refused without unpacking it."""
    results = upload(retrieval, pack({"bomb.jpg": bytes(30_000_000)}, zipfile.ZIP_DEFLATED))

    assert results[0][:2] == ("bomb.jpg", "rejected")
    assert "no photo or manifest shrinks that much" in str(results[0][2])


def test_nested_archives_are_not_opened(retrieval: AppClient):
    """An archive inside an archive is a file that is no photo."""
    results = upload(retrieval, pack({"inner.zip": pack({"a.jpg": PHOTOS[1]})}))

    assert results[0][:2] == ("inner.zip", "rejected")
    assert "a ZIP archive" in str(results[0][2])


def test_system_files_are_ignored(retrieval: AppClient):
    """What operating systems add to archives is not reported as somebody's photo."""
    clutter = {"__MACOSX/p/._a.jpg": b"x", "p/.DS_Store": b"x", "p/Thumbs.db": b"x", ".git/config": b"x"}

    assert upload(retrieval, pack({**clutter, "p/a.jpg": PHOTOS[1]})) == [("a.jpg", "added", "p")]


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"PK\3\4" + bytes(100)])
def test_a_damaged_archive_is_one_rejection(retrieval: AppClient, damage):
    """An archive that cannot be read is reported as a whole."""
    results = upload(retrieval, damage(pack({"a.jpg": PHOTOS[1]})))

    assert [result[:2] for result in results] == [("photos.zip", "rejected")]


def test_a_damaged_entry_fails_alone(retrieval: AppClient):
    """One entry whose bytes do not match their checksum leaves the others alone."""
    archive = bytearray(pack({"p/a.jpg": PHOTOS[1], "p/b.jpg": PHOTOS[2]}))
    archive[archive.index(PHOTOS[1][-200:]) + 20] ^= 0xFF

    results = upload(retrieval, bytes(archive))

    assert results[0][:2] == ("a.jpg", "rejected")
    assert results[1] == ("b.jpg", "added", "p")


@pytest.mark.parametrize(
    ("offset", "value"),
    [(6, b"\x63\x00"), (8, b"\x00\x08"), (0, b"XX")],
    ids=["version", "name that is no UTF-8", "signature"],
)
def test_a_damaged_directory_is_one_rejection(retrieval: AppClient, offset: int, value: bytes):
    """A directory that cannot be read, whatever is wrong with it, refuses the archive as damaged."""
    archive = bytearray(pack({"p/a.jpg": PHOTOS[1], "p/b.jpg": PHOTOS[2]}))
    directory = archive.rindex(b"PK\1\2")
    archive[directory + offset : directory + offset + 2] = value
    archive[directory + 46] = 0xFF  # of the name

    results = upload(retrieval, bytes(archive))

    assert [result[:2] for result in results] == [("photos.zip", "rejected")]
    assert "the ZIP archive is damaged" in str(results[0][2])


def test_a_name_damaged_before_the_photo_fails_alone(retrieval: AppClient):
    """An entry whose own header holds a name that is no UTF-8 leaves the others alone."""
    archive = bytearray(pack({"p/a.jpg": PHOTOS[1], "p/b.jpg": PHOTOS[2]}))
    struct.pack_into("<H", archive, 6, 0x800)
    archive[30] = 0xFF

    results = upload(retrieval, bytes(archive))

    assert results[0] == ("a.jpg", "rejected", "'p/a.jpg' cannot be unpacked: UnicodeDecodeError")
    assert results[1] == ("b.jpg", "added", "p")


@pytest.mark.parametrize("name", ["NAMELESS", "."])
def test_an_entry_without_a_name_fails_alone(retrieval: AppClient, name: str):
    """An entry without a name is refused by itself; the folders of the others mean what they meant."""
    archive = pack({name: PHOTOS[1], "all/p/b.jpg": PHOTOS[2]})

    results = upload(retrieval, archive.replace(b"NAMELESS", b"\0AMELESS"))

    assert results == [
        ("photo", "rejected", "an entry of the archive has no name"),
        ("b.jpg", "added", "p"),
    ]


def test_an_empty_archive_is_said_to_be_empty(retrieval: AppClient):
    """Nothing to take is worth a word."""
    assert upload(retrieval, pack({})) == [("photos.zip", "rejected", "the archive holds no files")]


@pytest.mark.parametrize(
    ("limits", "hint"),
    [({"max_archive_entries": 1}, "too many entries"), ({"max_archive_bytes": 1000}, "unpacks to")],
)
def test_archives_beyond_the_limits_are_refused_whole(folder: Path, limits: dict[str, int], hint: str):
    """More entries, or more bytes unpacked, than is accepted refuse the archive before any entry is read."""
    app = create_app(RetrievalSettings(data_dir=folder, **limits), encoder=ThumbnailEncoder())
    with AppClient(app) as retrieval:
        results = upload(retrieval, pack({"p/a.jpg": PHOTOS[1], "p/b.jpg": PHOTOS[2]}))

    assert [result[:2] for result in results] == [("photos.zip", "rejected")]
    assert hint in str(results[0][2])


@pytest.mark.parametrize("lie", [False, True])
def test_a_directory_of_a_million_entries_is_not_read(retrieval: AppClient, lie: bool):
    """An archive's directory is held to the limit before it is taken apart, whatever number of entries it claims."""
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * (30_000 if lie else 1_000_000)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(directory), 4, 0)
    tracemalloc.start()

    ((name, status, reason),) = upload(retrieval, b"PK\3\4" + directory + end)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (name, status) == ("photos.zip", "rejected")
    assert "too many entries" in str(reason)
    assert peak < 4 * len(directory) + 10_000_000


def test_photos_and_archives_may_come_together(retrieval: AppClient):
    """One upload may hold both."""
    answer = retrieval.post(
        "/index/images",
        files=[("file", ("a.jpg", PHOTOS[1])), ("file", ("b.zip", pack({"p/b.jpg": PHOTOS[2]})))],
    )

    assert [result["filename"] for result in answer.json()["results"]] == ["a.jpg", "b.jpg"]
    assert answer.json()["added"] == 2


@pytest.mark.parametrize("manifest", [{}, {"manifest.csv": "file,place_id\nBüste/a.jpg,Büste\n"}])
@pytest.mark.parametrize("other", [unicodedata.normalize("NFD", "Büste/a.jpg"), "Büste\\a.jpg", "Büste/a.jpg"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_entries_of_one_name_are_all_added(retrieval: AppClient, other: str, manifest: dict[str, str]):
    """Names that are the same but for composition or slashes, or twice the same, hide no photo."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in [*manifest.items(), ("Büste/a.jpg", PHOTOS[1]), (other, PHOTOS[2])]:
            archive.writestr(name, data)

    assert upload(retrieval, buffer.getvalue()) == [("a.jpg", "added", "Büste"), ("a.jpg", "added", "Büste")]
    hashes = {image["content_hash"] for image in retrieval.get("/index/images").json()["images"]}
    assert hashes == {hashlib.sha256(PHOTOS[seed]).hexdigest() for seed in (1, 2)}


@pytest.mark.parametrize("name", ["hall1/vase no. 5", "hall1/IMG_1.JPG.bak", "hall1/photo"])
def test_a_photo_by_its_bytes_belongs_to_its_folder(retrieval: AppClient, name: str):
    """Whatever stands behind the last dot of its name."""
    assert upload(retrieval, pack({name: PHOTOS[1], "hall2/b.jpg": PHOTOS[2]}))[0][1:] == ("added", "hall1")
