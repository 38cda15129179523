"""Backup and restore: of a gallery at rest, in use, and damaged."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import GalleryUnavailable, InvalidRequest
from core.gallery import DATABASE_NAME, Gallery
from core.gallery.maintenance.backup import CHECKSUMS_NAME, back_up, check_backup, restore
from core.results import Place
from scripts import backup_gallery

ROOT = Path(__file__).parents[4]


@pytest.fixture
def backup(tmp_path) -> Path:
    """Where a backup may be made; nothing is there yet."""
    return tmp_path / "backups" / "monday"


def test_a_restored_gallery_is_the_same(gallery, folder, fingerprint, new_image, backup, tmp_path):
    """Rows, places, vectors, features and photos come back as they were, without stopping the writer."""
    place = Place("gate", "Gate", "old", {"room": 3}, 1.0, 2.0)
    gallery.add([new_image(seed, place=place if seed < 2 else None) for seed in range(5)])
    gallery.add([new_image(1, collection="park")])
    before = gallery.list_images(limit=100).images

    assert back_up(folder, backup).images == 6
    gallery.add([new_image(9)])
    restored_folder = tmp_path / "restored"
    restore(backup, restored_folder)

    with Gallery.open(restored_folder, fingerprint) as restored:
        after = restored.list_images(limit=100).images
        assert [(image.image_id, image.place, image.added_at) for image in after] == [
            (image.image_id, image.place, image.added_at) for image in before
        ]
        for image in before:
            assert restored.original_path(image.image_id).read_bytes() == Path(image.path).read_bytes()
            assert (
                restored.preview_path(image.image_id).read_bytes() == gallery.preview_path(image.image_id).read_bytes()
            )
            assert restored.local_features([image.image_id])[0] is not None
        assert restored.search(new_image(3).embedding)[0].similarity == pytest.approx(1)
        assert restored.add([new_image(9)])[0].status == "added"


def test_the_trash_is_part_of_a_backup(gallery, folder, fingerprint, new_image, backup, tmp_path):
    """What was deleted a moment before the backup can be taken back in the restored gallery, with its photo."""
    image = gallery.add([new_image(1), new_image(2)])[0].image
    deletion = gallery.trash.put_image(image.image_id)

    back_up(folder, backup)
    restore(backup, tmp_path / "restored")

    with Gallery.open(tmp_path / "restored", fingerprint) as restored:
        assert restored.trash.restore(deletion.deletion_id) == 1
        assert restored.get(image.image_id).place == image.place
        assert restored.original_path(image.image_id).read_bytes() == new_image(1).data


def test_a_verifier_may_open_a_restored_gallery_first(gallery, folder, fingerprint, new_image, backup, tmp_path):
    """A reader that was there before the first writer follows that writer's changes."""
    gallery.add([new_image(1)])
    back_up(folder, backup)
    restore(backup, tmp_path / "restored")

    with Gallery.open(tmp_path / "restored", None, read_only=True) as reader:
        assert len(reader.search(new_image(1).embedding)) == 1
        with Gallery.open(tmp_path / "restored", fingerprint) as writer:
            image = writer.add([new_image(2)])[0].image
            assert reader.search(new_image(2).embedding)[0].image == image
        assert reader.count() == 2


def test_backups_of_a_gallery_in_use_are_whole(folder, backup):
    """While another process adds, edits and deletes, every backup shows what it had acknowledged, with its files."""
    command = [sys.executable, Path(__file__).parents[1] / "changing_process.py", folder, "0"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    added, gone, ever_deleted = set[str](), set[str](), set[str]()
    backups = list[tuple[set[str], set[str]]]()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            for number in range(6):
                said = [process.stdout.readline().split() for _ in range(24)]
                added |= {image_id for word, image_id, *_ in said if word == "added"}
                ever_deleted |= {image_id for word, image_id, *_ in said if word == "deleting"}
                gone |= {image_id for word, image_id, *_ in said if word == "deleted"}
                back_up(folder, backup / str(number))
                with Gallery.open(backup / str(number), None, read_only=True) as copied:
                    backups.append((set(added), set(copied.embeddings()[0])))
                assert not gone & backups[-1][1]
        finally:
            process.kill()
            ever_deleted |= {line.split()[1] for line in process.stdout if line.startswith("deleting")}

    for acknowledged, image_ids in backups:
        assert len(acknowledged & image_ids) >= 2
        assert acknowledged - ever_deleted <= image_ids


def test_an_image_deleted_before_its_photos_were_copied_is_left_out(gallery, folder, new_image, backup, monkeypatch):
    """A row whose photos vanish between the copy of the rows and theirs is not in the backup, nor is its place."""
    lasting, fleeting = (result.image for result in gallery.add([new_image(1), new_image(2)]))
    copy_to = gallery._database.copy_to

    def copy_then_delete(self, path):
        copy_to(path)
        gallery.delete(fleeting.image_id)

    monkeypatch.setattr("core.gallery.database.sqlite.SqliteDatabase.copy_to", copy_then_delete)

    assert back_up(folder, backup).images == 1
    with Gallery.open(backup, None, read_only=True) as copied:
        assert [image.image_id for image in copied.list_images().images] == [lasting.image_id]
        assert [summary.place.place_id for summary in copied.places().places] == [lasting.place.place_id]


class TestNothingIsOverwritten:
    @pytest.mark.parametrize("kind", ["backup", "restore"])
    def test_an_occupied_folder_is_refused(self, gallery, folder, new_image, backup, tmp_path, kind):
        """A folder that holds anything is left as it is, and the message says what to give."""
        gallery.add([new_image(1)])
        back_up(folder, backup)
        occupied = tmp_path / "occupied"
        occupied.mkdir()
        (occupied / "letter.txt").write_text("mine")

        with pytest.raises(InvalidRequest, match="not empty; nothing is overwritten"):
            back_up(folder, occupied) if kind == "backup" else restore(backup, occupied)

        assert [path.name for path in occupied.iterdir()] == ["letter.txt"]


class TestDamage:
    @pytest.mark.parametrize("kind", ["originals", "previews"])
    def test_a_lost_photo_of_the_gallery_is_named(self, gallery, folder, new_image, backup, kind):
        """A gallery that lacks a photo gives no finished backup; the message names the file."""
        gallery.add([new_image(1), new_image(2)])
        (lost, _) = (path for path in (folder / kind).rglob("*") if path.is_file())
        lost.unlink()

        with pytest.raises(GalleryUnavailable, match=f"the gallery is damaged.*{lost.name}"):
            back_up(folder, backup)

        with pytest.raises(GalleryUnavailable, match="no finished backup"):
            check_backup(backup)

    def test_a_torn_photo_of_the_gallery_is_named(self, gallery, folder, new_image, backup):
        """An original that is not what its name says is not copied as if it were."""
        image = gallery.add([new_image(1)])[0].image
        torn = Path(image.path)
        torn.write_bytes(torn.read_bytes()[:100])

        with pytest.raises(GalleryUnavailable, match=f"the gallery is damaged.*{torn.name}"):
            back_up(folder, backup)

    @pytest.mark.parametrize("part", ["original", "preview", "database", "missing", "checksums"])
    def test_a_changed_backup_is_not_restored(self, gallery, folder, new_image, backup, tmp_path, part):
        """A backup that has changed since is refused before anything is written."""
        image = gallery.add([new_image(1)])[0].image
        back_up(folder, backup)
        path = {
            "original": Path(image.path),
            "preview": gallery.preview_path(image.image_id),
            "database": folder / DATABASE_NAME,
            "missing": Path(image.path),
            "checksums": folder / CHECKSUMS_NAME,
        }[part]
        damaged = backup / path.relative_to(folder)
        if part in ("missing", "checksums"):
            damaged.unlink()
        else:
            content = bytearray(damaged.read_bytes())
            content[len(content) // 2] ^= 1
            damaged.write_bytes(content)

        with pytest.raises(GalleryUnavailable, match=path.name):
            restore(backup, tmp_path / "restored")

        assert not (tmp_path / "restored").exists()

    def test_a_row_without_its_file_is_found(self, gallery, folder, new_image, backup):
        """Checksums that match are not enough: the files of every row must be among them."""
        image = gallery.add([new_image(1), new_image(2)])[0].image
        back_up(folder, backup)
        sums = backup / CHECKSUMS_NAME
        lines = [line for line in sums.read_text().splitlines(True) if image.content_hash not in line]
        sums.write_text("".join(lines))

        with pytest.raises(GalleryUnavailable, match=image.content_hash):
            check_backup(backup)

    def test_an_interrupted_restore_is_no_gallery(self, gallery, folder, fingerprint, new_image, backup, tmp_path):
        """Photos that arrived before their database are not opened as an empty gallery, and not deleted."""
        gallery.add([new_image(1)])
        back_up(folder, backup)
        restored = tmp_path / "restored"
        restore(backup, restored)
        (restored / DATABASE_NAME).rename(restored / f".unfinished-{DATABASE_NAME}")

        with pytest.raises(GalleryUnavailable, match="missing or blank"):
            Gallery.open(restored, fingerprint)

        assert sum(1 for path in (restored / "originals").rglob("*") if path.is_file()) == 1


class TestScript:
    def test_there_and_back(self, gallery, folder, new_image, backup, tmp_path, capsys):
        """The two commands of the documentation copy a gallery and bring it back."""
        gallery.add([new_image(1), new_image(2)])

        assert backup_gallery.main(["--gallery", str(folder), "--output", str(backup)]) == 0
        assert backup_gallery.main(["--restore", str(backup), "--gallery", str(tmp_path / "restored")]) == 0

        assert capsys.readouterr().out.count("2 images, 5 files") == 2

    def test_refusals_are_sentences(self, tmp_path, capsys):
        """A folder without a gallery is said to be one, and the exit status tells."""
        assert backup_gallery.main(["--gallery", str(tmp_path), "--output", str(tmp_path / "out")]) == 2

        assert "no gallery in" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    @pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum here")
    def test_the_checksums_are_those_of_sha256sum(self, gallery, folder, new_image, backup):
        """Any machine can check a backup without this program."""
        gallery.add([new_image(1)])
        back_up(folder, backup)

        checked = subprocess.run(["sha256sum", "--check", "--quiet", CHECKSUMS_NAME], cwd=backup, check=False)

        assert checked.returncode == 0
