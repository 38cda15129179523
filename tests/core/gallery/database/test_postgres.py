"""What only PostgreSQL can do: be away, refuse, stand by, be killed and come back, and serve several replicas."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier

import psycopg
import pytest
from servers.postgres import PostgresServer

from core.errors import GalleryUnavailable, InvalidRequest
from core.gallery import Gallery, Storage
from core.gallery.storage import open_database

ROOT = Path(__file__).parents[4]


@pytest.fixture
def storage(postgres) -> Storage:
    """A blank database; whoever waits for another process gives up soon."""
    return Storage(database_url=postgres.create_database(), lock_timeout_s=0.2)


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that a test may stop and kill."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def own_storage(own_server) -> Storage:
    """A blank database on that server."""
    return Storage(database_url=own_server.create_database())


class TestReplicas:
    def test_each_finds_what_the_other_added(self, folder, storage, fingerprint, new_image):
        """What one replica has acknowledged, the other's next search finds; what one deleted, neither ever does."""
        with (
            Gallery.open(folder, fingerprint, storage=storage) as one,
            Gallery.open(folder, fingerprint, storage=storage) as other,
        ):
            one.add([new_image(99)])
            for seed in range(10):
                adding, asking = (one, other) if seed % 2 else (other, one)
                image = adding.add([new_image(seed)])[0].image
                assert asking.search(new_image(seed).embedding)[0].image == image
                if seed % 3 == 0:
                    asking.delete(image.image_id)
                    assert image not in [
                        candidate.image for candidate in adding.search(new_image(1).embedding, top_k=50)
                    ]

            assert one.list_images().images == other.list_images().images
            assert one.count() == 1 + 6

    def test_starting_together_makes_one_gallery(self, folder, storage, fingerprint):
        """Replicas that find a blank database at the same moment agree on who makes the tables."""
        program = Path(__file__).parents[1] / "adding_process.py"
        processes = [
            subprocess.Popen(
                [sys.executable, program, folder, str(1000 * number), "3", storage.database_url],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
            )
            for number in range(3)
        ]

        added = [process.communicate()[0].split() for process in processes]

        assert [len(results) for results in added] == [3, 3, 3]
        with Gallery.open(folder, fingerprint, storage=storage) as gallery:
            assert gallery.count() == 9
            assert gallery.generation == 9

    def test_a_writer_waits_for_the_lock_only_so_long(self, folder, storage, fingerprint, new_image):
        """While another replica is writing, changes are refused after the timeout with the reason; reading goes on."""
        with (
            Gallery.open(folder, fingerprint, storage=storage) as gallery,
            Gallery.open(folder, fingerprint, storage=storage) as other,
        ):
            gallery.add([new_image(1)])
            with other._database.writing():
                with pytest.raises(GalleryUnavailable, match="lock; try again"):
                    gallery.add([new_image(2)])
                assert len(gallery.search(new_image(1).embedding)) == 1

            assert gallery.add([new_image(2)])[0].status == "added"

    def test_a_first_write_that_waited_in_vain_hinders_no_later_one(self, folder, storage, fingerprint):
        """A replica whose new connection meets a lock that is held writes as soon as that is free."""
        with (
            Gallery.open(folder, fingerprint, storage=storage) as gallery,
            closing(open_database(folder, storage, read_only=False)) as late,
        ):
            with gallery._database.writing(), pytest.raises(GalleryUnavailable, match="lock; try again"):
                late.writing().__enter__()

            with late.writing() as connection:
                connection.execute("UPDATE manifest SET generation = 7")
                connection.execute("COMMIT")
            assert gallery.generation == 7


class TestAway:
    def test_the_server_stops_and_comes_back(self, own_server, own_storage, folder, fingerprint, new_image):
        """Without the server every call says so; with it the next one works, on the connections of before."""
        with Gallery.open(folder, fingerprint, storage=own_storage) as gallery:
            gallery.add([new_image(1)])
            own_server.stop()
            with pytest.raises(GalleryUnavailable, match="does not answer"):
                gallery.search(new_image(1).embedding)
            with pytest.raises(GalleryUnavailable, match="does not answer"):
                gallery.add([new_image(2)])

            own_server.start()

            assert len(gallery.search(new_image(1).embedding)) == 1
            assert gallery.add([new_image(2)])[0].status == "added"
            assert len(gallery.search(new_image(1).embedding)) == 2

    def test_a_restart_between_two_calls_is_not_noticed(self, own_server, own_storage, folder, fingerprint, new_image):
        """Connections that a restart has cut are replaced without a call failing."""
        with Gallery.open(folder, fingerprint, storage=own_storage) as gallery:
            for seed in range(3):
                gallery.add([new_image(seed)])
                own_server.stop()
                own_server.start()
                assert len(gallery.search(new_image(0).embedding)) == seed + 1
                assert gallery.generation == seed + 1

    def test_nothing_acknowledged_is_lost_when_the_server_is_killed(
        self, own_server, own_storage, folder, fingerprint, new_image
    ):
        """The server is killed with SIGKILL while a process adds; what had been acknowledged is there afterwards."""
        acknowledged: list[str] = []
        Gallery.open(folder, fingerprint, storage=own_storage).close()
        program = Path(__file__).parents[1] / "adding_process.py"
        for round_number in range(3):
            command = [sys.executable, program, folder, str(1000 * round_number), "1000", own_storage.database_url]
            with subprocess.Popen(
                command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            ) as process:
                acknowledged += [process.stdout.readline().decode().strip() for _ in range(5 + 3 * round_number)]
                own_server.kill()
                acknowledged += process.stdout.read().decode().split()
                assert b"GalleryUnavailable" in process.stderr.read()
            own_server.start()

        assert len(acknowledged) >= 24
        with Gallery.open(folder, fingerprint, storage=own_storage) as gallery:
            image_ids, embeddings = gallery.embeddings()
            assert set(acknowledged) <= set(image_ids)
            for image_id, embedding in zip(image_ids, embeddings, strict=True):
                assert gallery.search(embedding)[0].image.image_id == image_id
                assert gallery.original_path(image_id).is_file()
                assert gallery.preview_path(image_id).is_file()

    def test_a_standby_is_refused(self, own_server, own_storage, folder, fingerprint):
        """A server that only follows another is refused: what it does not know yet would be missing."""
        Gallery.open(folder, fingerprint, storage=own_storage).close()
        with own_server.standing_by(), pytest.raises(GalleryUnavailable, match="address of the primary"):
            Gallery.open(folder, None, read_only=True, storage=own_storage)


class TestBounds:
    def test_many_requests_share_a_few_connections(self, folder, storage, fingerprint):
        """However many ask at once, a process has no more connections than its pool, and all of them are answered."""
        with Gallery.open(folder, fingerprint, storage=storage) as gallery:
            start = Barrier(20)

            def ask(_: int) -> int:
                start.wait()
                return gallery.count()

            with ThreadPoolExecutor(20) as threads:
                answers = list(threads.map(ask, range(20)))

            with psycopg.connect(storage.database_url) as outside:
                ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                (connections,) = outside.execute(f"{ours} AND pid <> pg_backend_pid()").fetchone()
        assert answers == [0] * 20
        assert connections <= 8 + 1

    def test_who_waits_in_vain_for_a_connection_is_told(self, folder, storage, fingerprint):
        """While all connections are in use, a reader is refused after the timeout; it is served when one is free."""
        with Gallery.open(folder, fingerprint, storage=storage) as gallery:
            with ExitStack() as held:
                for _ in range(8):
                    held.enter_context(gallery._database.reading())
                with pytest.raises(GalleryUnavailable, match=r"all 8 connections to postgresql://.* are in use"):
                    gallery.count()

            assert gallery.count() == 0


class TestRefused:
    def test_a_wrong_password(self, postgres, folder, storage, fingerprint):
        """A refused password is named as the reason, and never shown."""
        postgres.execute("CREATE ROLE guarded LOGIN PASSWORD 'the-right-one'")
        name = storage.database_url.rpartition("/")[2]

        with pytest.raises(GalleryUnavailable, match="user or the password") as refusal:
            Gallery.open(folder, fingerprint, storage=Storage(postgres.url(name, "guarded", "the-wrong-one")))

        assert "the-wrong-one" not in f"{refusal.value} {refusal.value.__cause__}"

    def test_a_database_that_does_not_exist(self, postgres, folder, fingerprint):
        """A missing database is named, with what to do."""
        with pytest.raises(GalleryUnavailable, match=r"postgresql://127.*/nowhere .*createdb"):
            Gallery.open(folder, fingerprint, storage=Storage(postgres.url("nowhere")))

    @pytest.mark.parametrize(
        "url",
        ["mysql://user:secret@host/db", "postgresql://user:secret@host/db?nonsense=1", "postgresql://user:secret@host"],
    )
    def test_an_url_of_something_else(self, folder, fingerprint, url):
        """What is no such URL is refused without showing what is in it."""
        with pytest.raises(InvalidRequest, match="invalid database URL; give postgresql://") as refusal:
            Gallery.open(folder, fingerprint, storage=Storage(url))

        assert "secret" not in str(refusal.value)
        assert "secret" not in repr(Storage(url))

    def test_a_user_without_rights(self, postgres, folder, storage, fingerprint):
        """A user who may not make the schema is told what is missing."""
        postgres.execute("CREATE ROLE poor LOGIN")
        name = storage.database_url.rpartition("/")[2]

        with pytest.raises(GalleryUnavailable, match="lacks the right"):
            Gallery.open(folder, fingerprint, storage=Storage(postgres.url(name, "poor")))

    def test_another_programs_tables(self, postgres, folder, storage, fingerprint):
        """Somebody else's tables in the gallery's schema are not made a gallery; those beside it do not matter."""
        name = storage.database_url.rpartition("/")[2]
        postgres.execute("CREATE TABLE public.images (url TEXT)", name)
        Gallery.open(folder, fingerprint, storage=storage).close()
        postgres.execute("DROP SCHEMA gallery CASCADE; CREATE SCHEMA gallery CREATE TABLE bookmarks (url TEXT)", name)

        with pytest.raises(GalleryUnavailable, match="not a gallery"):
            Gallery.open(folder, fingerprint, storage=storage)

    def test_a_newer_gallery(self, postgres, folder, storage, fingerprint):
        """A gallery of a future version is refused with the way out."""
        Gallery.open(folder, fingerprint, storage=storage).close()
        postgres.execute("UPDATE gallery.schema_version SET version = 99", storage.database_url.rpartition("/")[2])

        with pytest.raises(GalleryUnavailable, match=r"schema version 99.*use a newer program"):
            Gallery.open(folder, fingerprint, storage=storage)

    def test_a_blank_database_is_no_gallery_to_read(self, folder, storage):
        """A reader of a database that was never filled is told so."""
        with pytest.raises(GalleryUnavailable, match=r"no gallery in postgresql://"):
            Gallery.open(folder, None, read_only=True, storage=storage)


class TestPromises:
    def test_commits_wait_for_the_disk_whatever_the_server_prefers(self, postgres, folder, storage, fingerprint):
        """A server told to acknowledge before it has written is told otherwise by the gallery."""
        name = storage.database_url.rpartition("/")[2]
        postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = off", name)

        with (
            Gallery.open(folder, fingerprint, storage=storage) as gallery,
            gallery._database.writing() as connection,
        ):
            assert connection.execute("SHOW synchronous_commit").fetchone()[0] == "on"

    def test_a_reader_cannot_write(self, folder, storage, fingerprint):
        """The database itself refuses what a reading connection would change."""
        with (
            Gallery.open(folder, fingerprint, storage=storage) as gallery,
            pytest.raises(GalleryUnavailable, match="cannot be written"),
            gallery._database.reading() as connection,
        ):
            connection.execute("DELETE FROM images")

    def test_texts_compare_as_with_sqlite_whatever_the_servers_locale(self, postgres, folder, fingerprint, new_image):
        """Listings are ordered and searched as with SQLite where the server would fold the case of all letters."""
        postgres.execute(
            "CREATE DATABASE folding TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
        )
        with Gallery.open(folder, fingerprint, storage=Storage(postgres.url("folding"))) as gallery:
            for seed, name in enumerate(("b.jpg", "A.jpg", "ä.jpg", "Z.jpg", "É.jpg")):
                gallery.add([new_image(seed, filename=name)])

            assert [place.place.name for place in gallery.places().places] == ["A", "Z", "b", "É", "ä"]
            assert [image.filename for image in gallery.list_images(text="É.JPG").images] == ["É.jpg"]

    def test_leaving_a_transaction_open_undoes_it(self, folder, storage, fingerprint):
        """What was not committed is undone, for reading connections as for the writing one."""
        with Gallery.open(folder, fingerprint, storage=storage) as gallery:
            with gallery._database.writing() as connection:
                connection.execute("UPDATE manifest SET generation = 7")
            with gallery._database.reading() as connection:
                connection.execute("BEGIN")

            assert gallery.generation == 0
            with psycopg.connect(storage.database_url) as outside:
                busy = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
                assert outside.execute(f"{busy} AND datname = current_database()").fetchone() == (0,)
