"""Disks that are full or read-only: a clear refusal, nothing acknowledged lost, never an empty gallery instead."""

import errno
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import GalleryUnavailable
from core.gallery import DATABASE_NAME, Gallery, ImageChange
from core.gallery.maintenance.backup import back_up
from core.gallery.photos import files as module
from core.gallery.photos.files import PhotoFiles


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or mount("-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)) != 0:
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def mount(*arguments: str) -> int:
    """Run the program of that name and return its exit status."""
    return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode


def test_a_disk_that_fills_up(small_disk, fingerprint, new_image):
    """Adds are refused with the cause once the disk is full; all before it stays, and there is a way on."""
    folder = small_disk / "gallery"
    added = []
    with Gallery.open(folder, fingerprint) as gallery:
        photos = (new_image(seed, data=os.urandom(30_000)) for seed in range(1000))
        results = (gallery.add([photo])[0] for photo in photos)
        with pytest.raises(GalleryUnavailable, match=r"(?i)disk is full|no space left"):
            added.extend(result.image.image_id for result in results)
        assert len(added) >= 10
        check_whole(gallery, added)

    with Gallery.open(folder, None, read_only=True) as reader:
        check_whole(reader, added)
    assert mount("-o", "remount,size=6m", str(small_disk)) == 0
    with Gallery.open(folder, fingerprint) as gallery:
        check_whole(gallery, added)
        assert gallery.add([new_image(2000)])[0].status == "added"
        gallery.delete(added[0])
        check_whole(gallery, [*added[1:], gallery.list_images(limit=500).images[-1].image_id])


@pytest.mark.parametrize("failing", ["a file", "a folder's name", "the commit"])
def test_a_failed_add_leaves_no_files(gallery, folder, new_image, monkeypatch, failing):
    """Photos that were not stored do not keep the disk full; those of other images stay."""
    kept = gallery.add([new_image(1)])[0].image.image_id
    photos = [new_image(seed) for seed in range(2, 10)]
    shared = new_image(1, collection="another")
    if failing == "the commit":
        gallery._database._writer.set_authorizer(
            lambda action, first, *_: (action, first) == (sqlite3.SQLITE_TRANSACTION, "COMMIT")
        )
    else:
        fail_once(monkeypatch, "_write" if failing == "a file" else "sync_folder")

    with pytest.raises(GalleryUnavailable):
        gallery.add([*photos, shared])

    assert len(list(folder.rglob("*.jpg"))) == 2
    check_whole(gallery, [kept])


def test_a_name_that_was_not_put_on_the_disk_is_put_there_later(tmp_path, monkeypatch):
    """A file whose folder could not be synced is on the disk when a second try returns, although it lies there."""
    files = PhotoFiles(tmp_path)
    path = Path(files.original_path("ab" * 32, "image/jpeg"))
    fail_once(monkeypatch, "sync_folder")
    with pytest.raises(OSError, match="No space"):
        files.store([(str(path), b"photo")])
    assert path.is_file()
    synced = []
    monkeypatch.setattr(module, "sync_folder", synced.append)

    files.store([(str(path), b"photo")])

    assert set(synced) >= {path.parent, path.parent.parent, tmp_path}


def fail_once(monkeypatch, name: str) -> None:
    """Let the disk be full for one call of a function of the photos' files."""
    function, failures = getattr(module, name), [OSError(errno.ENOSPC, "No space left on device", "photo")]

    def fail(*arguments):
        if failures:
            raise failures.pop()
        return function(*arguments)

    monkeypatch.setattr(module, name, fail)


def test_a_full_disk_stops_a_backup_with_the_cause(small_disk, gallery, folder, new_image):
    """A backup that does not fit says so, is no finished backup, and the gallery is untouched."""
    ids = [gallery.add([new_image(seed, data=os.urandom(1_000_000))])[0].image.image_id for seed in range(4)]

    with pytest.raises(GalleryUnavailable, match=r"(?i)disk is full|no space left"):
        back_up(folder, small_disk / "backup")

    assert not (small_disk / "backup" / "SHA256SUMS").exists()
    check_whole(gallery, ids)


def test_a_read_only_disk(small_disk, fingerprint, new_image):
    """A gallery on a read-only disk is read as before; opening it for changes is refused with the cause."""
    folder = small_disk / "gallery"
    with Gallery.open(folder, fingerprint) as gallery:
        image_id = gallery.add([new_image(1)])[0].image.image_id
    assert mount("-o", "remount,ro", str(small_disk)) == 0

    with pytest.raises(GalleryUnavailable, match="disk is not read-only"):
        Gallery.open(folder, fingerprint)
    with Gallery.open(folder, None, read_only=True) as reader:
        check_whole(reader, [image_id])

    assert mount("-o", "remount,rw", str(small_disk)) == 0
    with Gallery.open(folder, fingerprint) as gallery:
        check_whole(gallery, [image_id])


@pytest.mark.parametrize("change", ["add", "update", "delete"])
def test_a_database_without_the_right_to_write(gallery, folder, new_image, change):
    """Whatever change is refused, the message says that writing is not possible, and nothing has changed."""
    image_id = gallery.add([new_image(1)])[0].image.image_id
    gallery._database._writer.execute("PRAGMA query_only = ON")  # root is not stopped by permissions

    calls = {
        "add": lambda: gallery.add([new_image(2)]),
        "update": lambda: gallery.update(image_id, ImageChange(place_name="Gate")),
        "delete": lambda: gallery.delete(image_id),
    }

    with pytest.raises(
        GalleryUnavailable,
        match=f"cannot be written; this process runs as user {os.getuid()}: check that the folder is that user's",
    ):
        calls[change]()

    check_whole(gallery, [image_id])


def test_a_lost_wal_of_a_clean_stop_is_no_loss(folder, fingerprint, new_image):
    """After a clean stop the database is one file: WAL files that a copy left out are not needed."""
    with Gallery.open(folder, fingerprint) as gallery:
        image_id = gallery.add([new_image(1)])[0].image.image_id

    assert [path.name for path in folder.glob(f"{DATABASE_NAME}*")] == [DATABASE_NAME]
    with Gallery.open(folder, fingerprint) as gallery:
        check_whole(gallery, [image_id])


def check_whole(gallery: Gallery, image_ids: list[str]) -> None:
    """Exactly these images are there, with files, vectors and features."""
    stored, embeddings = gallery.embeddings()
    assert stored == image_ids
    for image_id, embedding in zip(stored, embeddings, strict=True):
        assert gallery.search(embedding)[0].image.image_id == image_id
        assert gallery.original_path(image_id).stat().st_size == gallery.get(image_id).byte_size
        assert gallery.preview_path(image_id).is_file()
        assert gallery.local_features([image_id])[0] is not None
