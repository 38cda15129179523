"""Names of files, as people's systems write them."""

import struct
import unicodedata
import zlib

import pytest
from name_tables import CASES, decoded

from core.building.file_names import RawName, decode_names, is_clutter, is_manifest, is_photo_name, match_key
from core.building.text_encodings import ENCODING_NAMES


def unicode_path(name: str, raw: bytes) -> bytes:
    return struct.pack("<HHBL", 0x7075, 5 + len(name.encode()), 1, zlib.crc32(raw)) + name.encode()


@pytest.mark.parametrize("comment", CASES)
def test_names_are_read_as_people_read_them(comment: str):
    """Whatever program wrote an archive, its names are text; where that was a guess, the encoding is named."""
    case = CASES[comment]
    raw = []
    for name in case["names"]:
        data = name.encode(case["codec"])
        extra = unicode_path(name, data) if case.get("unicode_path") else b""
        raw.append(RawName(data, 0x800 if case.get("flag") else 0, extra))

    read = decode_names(raw)

    assert list(read.names) == decoded(case)
    assert (read.guessed and ENCODING_NAMES[read.guessed]) == case["guessed"]


def test_the_unicode_path_field_of_another_name_is_passed_over():
    """A program that renames an entry without knowing the field leaves a field of the old name."""
    read = decode_names([RawName(b"new.jpg", 0, unicode_path("旧.jpg", b"old.jpg"))])

    assert read.names == ("new.jpg",)


def test_one_encoding_holds_for_all_names():
    """A name that alone would be read otherwise is read as its neighbours are."""
    names = ["첨성대.jpg", "경복궁 근정전.jpg", "불국사 다보탑.jpg"]

    assert list(decode_names([RawName(name.encode("cp949")) for name in names]).names) == names


def test_bytes_of_no_encoding_are_still_shown():
    """Names that nothing decodes do not stop an archive."""
    assert len(decode_names([RawName(b"\xff\xff\xfe\xff.jpg"), RawName(b"a.jpg")]).names) == 2


@pytest.mark.parametrize(
    "path",
    [
        "hall1/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg",
        "#recycle/a.jpg",
        "$RECYCLE.BIN/S-1-5/a.jpg",
        "System Volume Information/a.jpg",
        "lost+found/a.jpg",
        "@Recycle/a.jpg",
        "hall1/.@__thumb/a.jpg",
        "__MACOSX/hall1/._a.jpg",
        "hall1/Thumbs.db",
        "hall1/desktop.ini",
        ".git/a.jpg",
        "a/.DS_Store",
    ],
)
def test_what_systems_write_is_clutter(path: str):
    """Thumbnails, recycle bins and hidden files are nobody's photos."""
    assert is_clutter(path)


@pytest.mark.parametrize("path", ["hall.1/a.jpg", "recycle/a.jpg", "#1/a.jpg", "@home/a.jpg", "$5 coin/a.jpg", "../a"])
def test_peoples_folders_are_not_clutter(path: str):
    """Names that only look similar stay."""
    assert not is_clutter(path)


@pytest.mark.parametrize("name", ["a.jfif", "a.HIF", "a.heif", "a.JPE", "a.cr3", "a.rw2", "a.raf", "a.psd", "a.dng"])
def test_photos_are_known_by_name(name: str):
    """Kinds that are not accepted are listed too, so that they are reported."""
    assert is_photo_name(name)


def test_a_manifest_is_known_in_any_case():
    """As Windows writes it, also with its extension shown twice."""
    assert all(map(is_manifest, ["Manifest.CSV", "x/manifest.csv", "manifest.csv.txt", "MANIFEST.TSV"]))
    assert not is_manifest("manifest.csv/a.jpg")


def test_spellings_of_a_path_have_one_key():
    """Either slash, any case, composed or not."""
    spellings = ["Büste/IMG_1.JPG", "büste\\img_1.jpg", unicodedata.normalize("NFD", "./Büste/IMG_1.jpg")]

    assert len(set(map(match_key, spellings))) == 1
