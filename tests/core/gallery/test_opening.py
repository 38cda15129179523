"""Opening: what is accepted, what is refused and in which words."""

import os
import resource
import sqlite3
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from databases import on_both_databases

from core.errors import EncoderMismatch, GalleryUnavailable
from core.gallery import DATABASE_NAME, Gallery, Storage


@on_both_databases
def test_reopened_gallery_is_the_same(folder, storage, fingerprint, new_image):
    """Closing and opening loses nothing; the vectors are rebuilt from the rows."""
    with Gallery.open(folder, fingerprint, storage=storage) as gallery:
        images = [result.image for result in gallery.add([new_image(seed) for seed in range(5)])]
        gallery.delete(images[0].image_id)
        before = gallery.search(new_image(9).embedding, top_k=10)

    with Gallery.open(folder, None, storage=storage) as gallery:
        assert gallery.fingerprint == fingerprint
        assert gallery.list_images().images == tuple(images[1:])
        assert gallery.search(new_image(9).embedding, top_k=10) == before
        assert gallery.local_features([images[1].image_id])[0] is not None


class TestEncoder:
    @on_both_databases
    @pytest.mark.parametrize("read_only", [False, True])
    @pytest.mark.parametrize("field", ["name", "weights", "preprocessing", "dim"])
    def test_another_encoder_is_refused(self, folder, storage, fingerprint, read_only, field):
        """Any difference in the fingerprint is refused, naming both encoders and the way out."""
        Gallery.open(folder, fingerprint, storage=storage).close()
        other = replace(fingerprint, **{field: 99 if field == "dim" else "another"})

        with pytest.raises(EncoderMismatch, match=r"scripts/build_database\.py") as refusal:
            Gallery.open(folder, other, read_only=read_only, storage=storage)

        assert str(fingerprint) in str(refusal.value)
        assert str(other) in str(refusal.value)

    @on_both_databases
    def test_a_refused_gallery_is_left_alone(self, folder, storage, fingerprint, new_image):
        """Being refused costs the gallery nothing."""
        with Gallery.open(folder, fingerprint, storage=storage) as gallery:
            image = gallery.add([new_image(1)])[0].image
        with pytest.raises(EncoderMismatch):
            Gallery.open(folder, replace(fingerprint, name="another"), storage=storage)

        with Gallery.open(folder, fingerprint, storage=storage) as gallery:
            assert gallery.original_path(image.image_id).is_file()


class TestMissing:
    @pytest.mark.parametrize("read_only", [False, True])
    def test_no_gallery_and_no_encoder(self, folder, read_only):
        """Without an encoder nothing is created, not even the folder."""
        with pytest.raises(GalleryUnavailable, match=r"no gallery in .*build_database"):
            Gallery.open(folder, None, read_only=read_only)

        assert not folder.exists()

    def test_a_reader_creates_nothing(self, folder, fingerprint):
        """A reader of a missing folder is told so instead of being shown an empty gallery."""
        with pytest.raises(GalleryUnavailable, match="no gallery"):
            Gallery.open(folder, fingerprint, read_only=True)

        assert not folder.exists()

    @pytest.mark.parametrize("blank", [False, True])
    def test_photos_without_their_database_are_never_taken_for_a_new_gallery(
        self, folder, fingerprint, new_image, blank
    ):
        """When the database is missing or blank but photos are there, opening refuses and deletes nothing."""
        with Gallery.open(folder, fingerprint) as gallery:
            image = gallery.add([new_image(1)])[0].image
            original = gallery.original_path(image.image_id)
        (folder / DATABASE_NAME).unlink()
        if blank:
            (folder / DATABASE_NAME).touch()

        with pytest.raises(GalleryUnavailable, match="missing or blank"):
            Gallery.open(folder, fingerprint)

        assert original.is_file()

    def test_a_blank_database_is_no_gallery_to_read(self, folder, fingerprint):
        """A file that was never filled is not shown as an empty gallery."""
        folder.mkdir()
        (folder / DATABASE_NAME).touch()

        with pytest.raises(GalleryUnavailable, match="schema version 0"):
            Gallery.open(folder, fingerprint, read_only=True)

    def test_a_file_in_the_way_is_named(self, tmp_path, fingerprint):
        """A folder that cannot be made is reported with its path."""
        (tmp_path / "file").touch()

        with pytest.raises(GalleryUnavailable, match="file"):
            Gallery.open(tmp_path / "file" / "gallery", fingerprint)


class TestDamaged:
    @pytest.mark.parametrize("read_only", [False, True])
    def test_overwritten_database(self, folder, fingerprint, read_only):
        """A database overwritten with nonsense is reported as damaged, with what to do."""
        Gallery.open(folder, fingerprint).close()
        (folder / DATABASE_NAME).write_bytes(b"nonsense" * 5000)

        with pytest.raises(GalleryUnavailable, match="damaged; restore a copy"):
            Gallery.open(folder, fingerprint, read_only=read_only)

    @pytest.mark.parametrize("read_only", [False, True])
    def test_cut_database(self, folder, fingerprint, new_image, read_only):
        """A database that lost its end is reported as damaged, not opened without the lost images."""
        with Gallery.open(folder, fingerprint) as gallery:
            gallery.add([new_image(seed) for seed in range(100)])
        path = folder / DATABASE_NAME
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

        with (
            pytest.raises(GalleryUnavailable, match="damaged"),
            Gallery.open(folder, fingerprint, read_only=read_only) as gallery,
        ):
            gallery.search(new_image(1).embedding)

    def test_damaged_vector(self, folder, fingerprint, new_image):
        """A vector of the wrong length is reported as damage."""
        with Gallery.open(folder, fingerprint) as gallery:
            gallery.add([new_image(1)])
        with closing_connection(folder) as connection:
            connection.execute("UPDATE embeddings SET vector = x'0011'")

        with pytest.raises(GalleryUnavailable, match="has not 16 numbers"):
            Gallery.open(folder, fingerprint)

    def test_damaged_features(self, folder, fingerprint, new_image):
        """Features that cannot be read are reported as damage."""
        with Gallery.open(folder, fingerprint) as gallery:
            image = gallery.add([new_image(1)])[0].image
            with closing_connection(folder) as connection:
                connection.execute("UPDATE local_features SET packed = x'0011'")

            with pytest.raises(GalleryUnavailable, match="damaged"):
                gallery.local_features([image.image_id])

    def test_another_programs_database(self, folder, fingerprint):
        """Somebody else's SQLite file is not turned into a gallery."""
        folder.mkdir()
        with closing_connection(folder) as connection:
            connection.execute("CREATE TABLE bookmarks (url TEXT)")

        with pytest.raises(GalleryUnavailable, match="not a gallery"):
            Gallery.open(folder, fingerprint)


class TestLocked:
    def test_a_locked_database_is_reported(self, folder, fingerprint, new_image):
        """While another process holds the write lock, changes are refused with the reason; reading goes on."""
        with Gallery.open(folder, fingerprint, storage=Storage(lock_timeout_s=0.05)) as gallery:
            gallery.add([new_image(1)])
            with closing_connection(folder) as connection:
                connection.execute("BEGIN IMMEDIATE")

                with pytest.raises(GalleryUnavailable, match="lock; try again"):
                    gallery.add([new_image(2)])
                with pytest.raises(GalleryUnavailable, match="lock; try again"):
                    Gallery.open(folder, fingerprint, storage=Storage(lock_timeout_s=0.05))
                assert len(gallery.search(new_image(1).embedding)) == 1

            assert gallery.add([new_image(2)])[0].status == "added"

    @on_both_databases
    def test_writers_of_one_process_wait_only_so_long(self, folder, storage, fingerprint):
        """A writer that another thread of this process keeps waiting is refused after the same timeout."""
        with (
            Gallery.open(folder, fingerprint, storage=replace(storage, lock_timeout_s=0.05)) as gallery,
            gallery._database.writing(),
            pytest.raises(GalleryUnavailable, match="still writing something else"),
        ):
            gallery._database.writing().__enter__()

    def test_a_full_disk_is_reported_and_harms_nothing(self, folder, fingerprint, new_image):
        """When a file cannot be written, the batch is refused as a whole and the gallery goes on."""
        with Gallery.open(folder, fingerprint) as gallery:
            gallery.add([new_image(1)])

            with file_size_limit(1_000_000), pytest.raises(GalleryUnavailable, match="cannot be used"):
                gallery.add([new_image(2), new_image(3, data=bytes(2_000_000))])

            assert gallery.count() == 1
            assert gallery.add([new_image(2)])[0].status == "added"
            assert len(gallery.search(new_image(2).embedding)) == 2


class TestReadOnly:
    @on_both_databases
    def test_changes_are_refused(self, gallery, folder, storage, new_image):
        """A reader cannot change anything."""
        image = gallery.add([new_image(1)])[0].image

        with Gallery.open(folder, None, read_only=True, storage=storage) as reader:
            with pytest.raises(GalleryUnavailable, match="read-only"):
                reader.add([new_image(2)])
            with pytest.raises(GalleryUnavailable, match="read-only"):
                reader.delete(image.image_id)

    @on_both_databases
    def test_a_reader_sees_changes_at_once(self, gallery, folder, storage, new_image):
        """What the writer has added or deleted is there or gone for the reader's next call."""
        with Gallery.open(folder, None, read_only=True, storage=storage) as reader:
            first, second = (result.image for result in gallery.add([new_image(1), new_image(2)]))
            assert reader.get(first.image_id) == first
            assert reader.local_features([first.image_id])[0] is not None
            assert reader.original_path(first.image_id).is_file()
            assert reader.search(new_image(1).embedding)[0].image == first

            gallery.delete(first.image_id)

            assert [candidate.image for candidate in reader.search(new_image(1).embedding)] == [second]

    def test_a_folder_mounted_read_only_can_be_read(self, folder_for_all, fingerprint, new_image):
        """A reader that may write nothing sees the gallery while a writer runs, and when none does."""
        with Gallery.open(folder_for_all, fingerprint) as gallery:
            gallery.add([new_image(1)])
            with (
                without_the_right_to_write(folder_for_all),
                Gallery.open(folder_for_all, None, read_only=True) as reader,
            ):
                assert reader.count() == 1
            gallery.add([new_image(2)])

        with without_the_right_to_write(folder_for_all), Gallery.open(folder_for_all, None, read_only=True) as reader:
            assert reader.count() == 2
            assert len(reader.search(new_image(1).embedding)) == 2


@on_both_databases
def test_closed_gallery_says_so(folder, storage, fingerprint, new_image):
    """After close every call is refused; closing again is fine."""
    gallery = Gallery.open(folder, fingerprint, storage=storage)
    gallery.close()
    gallery.close()

    with pytest.raises(GalleryUnavailable, match="closed"):
        gallery.count()
    with pytest.raises(GalleryUnavailable, match="closed"):
        gallery.add([new_image(1)])


class TestLeftovers:
    def test_opening_sweeps_what_a_crash_left(self, folder, fingerprint, new_image):
        """Photos without a row and unfinished files are deleted; those with a row stay."""
        with Gallery.open(folder, fingerprint) as gallery:
            image = gallery.add([new_image(1)])[0].image
        orphan = folder / "originals" / "ab" / f"{'ab' * 32}.jpg"
        unfinished = folder / "previews" / image.content_hash[:2] / ".unfinished-1"
        orphan.parent.mkdir(exist_ok=True)
        for path in (orphan, unfinished):
            path.write_bytes(b"left behind")

        with Gallery.open(folder, fingerprint) as gallery:
            assert gallery.original_path(image.image_id).is_file()
            assert gallery.preview_path(image.image_id).is_file()
        assert not orphan.exists()
        assert not unfinished.exists()

    def test_a_reader_sweeps_nothing(self, folder, fingerprint):
        """A reader leaves every file alone: a writer may be about to commit its row."""
        Gallery.open(folder, fingerprint).close()
        pending = folder / "originals" / "ab" / f"{'ab' * 32}.jpg"
        pending.parent.mkdir(parents=True)
        pending.touch()

        Gallery.open(folder, None, read_only=True).close()

        assert pending.exists()


@contextmanager
def closing_connection(folder):
    """A foreign connection to the gallery's database."""
    connection = sqlite3.connect(folder / DATABASE_NAME, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture
def folder_for_all():
    """Like ``folder``, where other users may look."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name) / "gallery"


@contextmanager
def without_the_right_to_write(folder):
    """Act as somebody who may only read; root, whom permissions do not bind, becomes nobody for a while."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(0o755)


@contextmanager
def file_size_limit(max_bytes):
    """Let writes beyond ``max_bytes`` fail, as they would on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
