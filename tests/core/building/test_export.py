"""A collection as an archive: what is in it, and under which names."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from fakes.sounds import mp3, wav

from core.building.export import export_archive
from core.building.indexing import prepare_photo
from core.building.manifests import parse_manifest
from core.building.upload_plan import find_manifests, plan_upload
from core.errors import UnknownCollection
from core.gallery import Gallery
from core.gallery.photos.port import LostPhoto
from core.results import Place

ENCODER = ThumbnailEncoder()
Add = Callable[[int, str, str], str]


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """An empty gallery."""
    with Gallery.open(tmp_path / "gallery", ENCODER.fingerprint) as opened:
        yield opened


@pytest.fixture
def add(gallery: Gallery) -> Add:
    """Add the photo number ``seed`` of a place under a name; return its id."""

    def one(seed: int, place_id: str, filename: str) -> str:
        data = encode(draw_place(seed, (64, 48)))
        photo = prepare_photo(gallery, "default", data, filename, Place(place_id, place_id))
        encodings = ENCODER.encode([photo.decoded.image])
        (added,) = gallery.add([photo.entry("default", [(encodings.embeddings[0], None)])])
        return added.image.image_id

    return one


def unpacked(parts: Iterator[bytes]) -> dict[str, bytes]:
    """The entries of an archive, in order."""
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(
    ("filename", "written"),
    [
        ("a.jpg", "a.jpg"),
        ("../../etc/a.jpg", "_.._etc_a.jpg"),
        ("C:\\photos\\a?.jpg", "C__photos_a_.jpg"),
        ("/", "_"),
        ("manifest.csv", "photo-manifest.csv"),
        (".hidden.jpg", "hidden.jpg"),
        ("Thumbs.db", "photo-Thumbs.db"),
        (" ", "photo"),
        ("a.\u3000", "a"),
        ("馆" * 100 + ".jpg", "馆" * 78 + ".jpg"),
    ],
)
def test_names_are_safe_and_are_found_by_the_manifest(gallery: Gallery, add: Add, filename: str, written: str):
    """On every file system, whatever a photo was called: no path leads out, and no entry counts as something else."""
    image_id = add(1, "vase", filename)

    entries = unpacked(export_archive(gallery, "default", "en"))

    assert list(entries) == [f"photos/{image_id}/{written}", "manifest.csv"]
    paths = list(entries)
    plan = plan_upload(paths, photos=(), manifests={at: entries[paths[at]] for at in find_manifests(paths)})
    assert ([file.kind for file in plan.files], plan.missing) == (["photo", "manifest"], ())


def test_a_recording_of_several_places_is_packed_once(gallery: Gallery, add: Add):
    """By its content, with the ending of its kind; every place names it."""
    for seed, place_id in enumerate(("bell", "vase")):
        add(seed, place_id, "a.jpg")
        gallery.recordings.put("default", place_id, "en", wav())
    gallery.recordings.put("default", "vase", "zh-Hans", mp3())

    entries = unpacked(export_archive(gallery, "default", "en"))

    sounds = {path: data for path, data in entries.items() if path.startswith("audio/")}
    assert sorted(sounds.values()) == sorted([wav(), mp3()])
    assert {path.rpartition(".")[2] for path in sounds} == {"wav", "mp3"}
    rows = {row.place_id: row.recordings for row in parse_manifest(entries["manifest.csv"]).rows}
    assert {place_id: {tag: sounds[path] for tag, path in named.items()} for place_id, named in rows.items()} == {
        "bell": {"en": wav()},
        "vase": {"en": wav(), "zh-Hans": mp3()},
    }


def test_what_is_deleted_meanwhile_is_left_out(gallery: Gallery, add: Add):
    """A photo, a recording, and the place that had no other photo; the rest is complete."""
    kept, _, gone = (add(seed, place_id, "a.jpg") for seed, place_id in enumerate(("a", "a", "b")))
    for place_id in ("a", "b"):
        gallery.recordings.put("default", place_id, "en", wav())

    parts = export_archive(gallery, "default", "en")
    first = next(parts)
    gallery.delete(gone)
    gallery.recordings.remove("default", "a", "en")
    entries = unpacked(iter([first, *parts]))

    rows = parse_manifest(entries["manifest.csv"]).rows
    assert [(row.place_id, dict(row.recordings)) for row in rows] == [("a", {}), ("a", {})]
    assert [row.file for row in rows] == [path for path in entries if path != "manifest.csv"]
    assert rows[0].file == f"photos/{kept}/a.jpg"


def test_a_lost_photo_ends_the_archive(gallery: Gallery, add: Add):
    """It is never an archive that looks whole."""
    add(1, "a", "a.jpg")
    gallery.original_path(add(2, "b", "b.jpg")).unlink()

    parts = export_archive(gallery, "default", "en")
    with pytest.raises(LostPhoto):
        list(parts)


def test_an_unknown_collection_is_an_error_at_once(gallery: Gallery):
    """Before the first part is asked for."""
    with pytest.raises(UnknownCollection):
        export_archive(gallery, "none", "en")
