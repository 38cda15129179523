"""The schema from nothing, and from every earlier version, to now."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import GalleryUnavailable
from core.gallery import DATABASE_NAME, Gallery, ImageChange
from core.gallery.database.migrations import MIGRATIONS, apply_migrations
from core.gallery.database.sqlite import SqliteDatabase, SqliteDialect
from core.gallery.photos.files import PhotoFiles
from core.results import Place

ROOT = Path(__file__).parents[4]
SCHEMAS = Path(__file__).with_name("schemas")
VERSIONS = range(1, len(MIGRATIONS) + 1)

GATE = Place("gate", "Gate", "Red, of brick", {"floor": "1"}, 47.5, -8.25)


@pytest.fixture
def connection():
    """A blank database."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


@pytest.fixture
def stored(folder, new_image):
    """Make a gallery as the program of a version left it: three images, two of one place, the third deleted."""

    def make(version: int) -> Path:
        dump = (SCHEMAS / f"version_{version}.sql").read_text()
        folder.mkdir()
        with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
            connection.executescript(dump)
            contents = dict(connection.execute("SELECT filename, content_hash FROM images").fetchall())
        files = PhotoFiles(folder)
        for seed in (1, 2):
            new, content_hash = new_image(seed), contents[f"photo-{seed}.jpg"]
            files.store([(files.original_path(content_hash, new.media_type), new.data)])
            files.store([(files.preview_path(content_hash), new.preview)])
        return folder

    return make


def check_whole(gallery, new_image):
    """All that the dump of any version holds is found."""
    first, second = gallery.list_images().images
    for image, seed in ((first, 1), (second, 2)):
        new, found = new_image(seed), gallery.search(new_image(seed).embedding)[0]
        assert found.image == image
        assert found.similarity == pytest.approx(1, abs=1e-5)
        assert (image.filename, image.byte_size, image.width) == (new.filename, 500, 640)
        assert gallery.original_path(image.image_id).read_bytes() == new.data
        assert gallery.preview_path(image.image_id).read_bytes() == new.preview
        assert gallery.local_features([image.image_id])[0] is not None
    assert first.place == second.place == GATE
    assert [summary.place for summary in gallery.places().places] == [GATE]
    assert [(collection.name, collection.images) for collection in gallery.collections()] == [("default", 2)]
    assert gallery.generation == 3
    assert gallery.calibration() in (None, "{}")
    assert gallery.language() in ("", "zh-Hans")
    assert gallery.current_name("museum") in ("museum", "default")
    assert gallery.branding().title in ("", "Museum")


def tables(connection) -> set[str]:
    """Names of all tables of ours."""
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {name for (name,) in rows}


class TestFromNothing:
    def test_a_blank_file_gets_everything(self, connection):
        """From nothing, all migrations lead to the present schema."""
        apply_migrations(connection, SqliteDialect())

        assert SqliteDialect().schema_version(connection) == len(MIGRATIONS)
        assert tables(connection) >= {"manifest", "places", "images", "embeddings", "local_features"}

    def test_applying_again_changes_nothing(self, connection):
        """A database that is up to date is left alone."""
        apply_migrations(connection, SqliteDialect())
        before = list(connection.iterdump())

        apply_migrations(connection, SqliteDialect())

        assert list(connection.iterdump()) == before

    def test_migrations_are_numbered_in_order(self):
        """Names carry their numbers, without gaps, so that history is never reordered."""
        assert [migrate.__name__[:4] for migrate in MIGRATIONS] == [f"m{n:03}" for n in VERSIONS]


class TestFromEarlierVersions:
    def test_every_version_is_on_file(self, folder, fingerprint, new_image):
        """A schema that was ever published stays on file, with rows in it."""
        path = SCHEMAS / f"version_{len(MIGRATIONS)}.sql"
        if not path.exists():
            with Gallery.open(folder, fingerprint) as gallery:
                first, _, third = gallery.add([new_image(seed, place=Place("gate", "gate")) for seed in (1, 2, 3)])
                change = ImageChange(
                    place_name=GATE.name,
                    description=GATE.description,
                    metadata=dict(GATE.metadata),
                    latitude=GATE.latitude,
                    longitude=GATE.longitude,
                )
                gallery.update(first.image.image_id, change)
                gallery.delete(third.image.image_id)
            with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
                lines = [*connection.iterdump(), f"PRAGMA user_version = {len(MIGRATIONS)};"]
            path.write_text("\n".join(lines) + "\n")
            pytest.fail(f"{path.name} was missing and has been written: give its new tables rows, and commit it")

        assert [f"version_{n}.sql" for n in VERSIONS] == sorted(
            (path.name for path in SCHEMAS.iterdir()), key=lambda name: int(name[8:-4])
        )

    @pytest.mark.parametrize("version", VERSIONS)
    def test_todays_program_finds_everything(self, stored, fingerprint, new_image, version):
        """A gallery of any earlier version is brought up to date on opening, with nothing lost, and works."""
        folder = stored(version)

        with Gallery.open(folder, fingerprint) as gallery:
            check_whole(gallery, new_image)
            image_id = gallery.add([new_image(4)])[0].image.image_id
            assert gallery.update(image_id, ImageChange(place_id="gate")).place == GATE
            gallery.delete(image_id)

        with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
            assert SqliteDialect().schema_version(connection) == len(MIGRATIONS)
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []

    @pytest.mark.parametrize("version", VERSIONS)
    def test_it_ends_in_the_same_schema_as_a_new_gallery(self, stored, connection, version):
        """However old a gallery is, today's tables and indexes are the same as in a new one."""
        folder = stored(version)
        apply_migrations(connection, SqliteDialect())
        with closing(sqlite3.connect(folder / DATABASE_NAME, isolation_level=None)) as old:
            apply_migrations(old, SqliteDialect())

            query = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
            assert old.execute(query).fetchall() == connection.execute(query).fetchall()

    @pytest.mark.parametrize("version", [0, *VERSIONS[:-1]])
    def test_a_reader_waits_for_a_writer_to_bring_it_up_to_date(self, stored, fingerprint, new_image, version):
        """A reader refuses an older schema, says who will migrate it, and is served once that has happened."""
        folder = stored(version or len(MIGRATIONS))
        if version == 0:
            (folder / DATABASE_NAME).write_bytes(b"")

        with pytest.raises(GalleryUnavailable, match=rf"schema version {version}.*start the retrieval service once"):
            Gallery.open(folder, None, read_only=True)

        if version:
            Gallery.open(folder, fingerprint).close()
            with Gallery.open(folder, None, read_only=True) as reader:
                check_whole(reader, new_image)


class TestInterrupted:
    def test_a_failed_migration_leaves_the_former_version(self, stored, fingerprint, new_image):
        """When a migration fails, those before it are undone as well, and the next start finds everything."""
        folder = stored(len(MIGRATIONS))

        def good(connection, _dialect):
            connection.execute("CREATE TABLE future (id INTEGER)")
            connection.execute("DELETE FROM images")

        def bad(connection, _dialect):
            connection.execute("INSERT INTO future VALUES (1)")
            connection.execute("INSERT INTO no_such_table VALUES (1)")

        with (
            closing(SqliteDatabase(folder / DATABASE_NAME, read_only=False, lock_timeout_s=1)) as database,
            pytest.raises(GalleryUnavailable, match="no_such_table"),
            database.writing() as connection,
        ):
            apply_migrations(connection, SqliteDialect(), (*MIGRATIONS, good, bad))

        with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
            assert SqliteDialect().schema_version(connection) == len(MIGRATIONS)
            assert "future" not in tables(connection)
        with Gallery.open(folder, fingerprint) as gallery:
            check_whole(gallery, new_image)

    def test_kill_9_midway_leaves_the_former_version(self, stored, fingerprint, new_image):
        """A process killed between the steps of a migration has changed nothing; the next start does all of it."""
        folder = stored(len(MIGRATIONS))
        command = [sys.executable, Path(__file__).with_name("migrating_process.py"), folder / DATABASE_NAME]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout.readline() == "midway\n"
            written = (folder / f"{DATABASE_NAME}-wal").stat().st_size
            process.kill()

        assert written > 1_000_000
        with Gallery.open(folder, None, read_only=True) as reader:
            check_whole(reader, new_image)
        with Gallery.open(folder, fingerprint) as gallery:
            check_whole(gallery, new_image)
        with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
            assert "future" not in tables(connection)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_gallery_is_refused(folder, fingerprint, new_image, read_only):
    """A gallery of a future version is refused with the way out instead of being misread, and stays as it is."""
    with Gallery.open(folder, fingerprint) as gallery:
        image = gallery.add([new_image(1)])[0].image
    with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(GalleryUnavailable, match=r"schema version 99.*use a newer program"):
        Gallery.open(folder, fingerprint, read_only=read_only)

    assert Path(image.path).is_file()
