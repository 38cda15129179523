"""How the gallery and Milvus keep together, with a Milvus in memory that fails at chosen moments."""

import shutil
import time
from collections.abc import Callable
from threading import Event

import numpy as np
import pytest
from fakes.milvus import FakeMilvus, FakeServer

from core.errors import GalleryUnavailable
from core.gallery import Gallery
from core.gallery.vectors.milvus import outbox, reconciliation
from core.gallery.vectors.milvus import pending as pending
from core.gallery.vectors.milvus import store as milvus_store
from core.gallery.vectors.milvus.reconciliation import new_epoch
from core.gallery.vectors.port import Lag


@pytest.fixture
def server() -> FakeServer:
    """The Milvus of this test."""
    return FakeServer()


@pytest.fixture
def opened(folder, fingerprint, server, monkeypatch):
    """Open galleries, closed in the end."""
    galleries = []

    def open_gallery(**options) -> Gallery:
        galleries.append(Gallery.open(folder, fingerprint, storage=server.install(monkeypatch, **options)))
        return galleries[-1]

    yield open_gallery
    for gallery in galleries:
        gallery.close()


def wait_until(holds: Callable[[], object]) -> None:
    """Return as soon as something holds."""
    pause = Event()
    for _ in range(1000):
        if holds():
            return
        pause.wait(0.02)
    raise TimeoutError("it does not come true")


def waiting(gallery: Gallery) -> list[int]:
    """The seqs in the outbox."""
    with gallery._database.reading() as connection:
        return [row[0] for row in connection.execute("SELECT seq FROM outbox")]


def settle_and_count(gallery: Gallery) -> list[int]:
    """Do what is due, counting included; return the seqs in the outbox then."""
    gallery._vectors._sync._counted_at = -1e9
    gallery._vectors._sync.run_once()
    return sorted(waiting(gallery))


def is_being_compared(gallery: Gallery) -> bool:
    """Whether it tells operators why no search is answered."""
    return "being compared" in gallery.vector_lag.trouble


def filenames(gallery: Gallery, query) -> set[str]:
    """Which images are found."""
    return {candidate.image.filename for candidate in gallery.search(query, top_k=1000)}


class TestSlowSearches:
    """Each takes longer than one look at the marker is good for."""

    @pytest.fixture(autouse=True)
    def no_trust(self, monkeypatch) -> None:
        """Any search is too long."""
        monkeypatch.setattr(milvus_store, "TRUST_S", 0.0)

    def test_however_long_it_takes_it_is_answered(self, opened, new_image):
        """The marker is there before and after: the answer is whole, and given at once."""
        gallery = opened()
        gallery.add([new_image(seed) for seed in range(3)])
        wait_until(lambda: not waiting(gallery))

        assert filenames(gallery, new_image(1).embedding) == {f"photo-{seed}.jpg" for seed in range(3)}

    def test_what_was_lost_meanwhile_is_noticed(self, opened, new_image, server):
        """Milvus is put back to its first day while it searches: there is no answer, rather than a part of one."""
        gallery = opened()
        gallery.add([new_image(seed) for seed in range(3)])
        wait_until(lambda: not waiting(gallery))
        server.before["search"] = server.lose_everything

        with pytest.raises(GalleryUnavailable, match="is being repaired"):
            gallery.search(new_image(1).embedding)

    def test_what_waits_is_read_once(self, opened, new_image, server, monkeypatch):
        """An epoch that ends meanwhile has Milvus asked again, and not the whole outbox read again."""
        gallery = opened(rows_in_memory=0, staleness_s=1000.0)
        gallery.add([new_image(seed) for seed in range(3)])
        wait_until(lambda: len(server.rows) == 3)
        reads, search_pages = [], pending._search_pages

        def count_reads(*arguments):
            reads.append(arguments)
            return search_pages(*arguments)

        def end_epoch() -> None:
            server.before.clear()
            epoch = new_epoch()
            server.epochs.add(epoch)
            with gallery._database.writing() as connection:
                outbox.write_epoch(connection, epoch)
                connection.execute("COMMIT")

        monkeypatch.setattr(pending, "_search_pages", count_reads)
        server.before["search"] = end_epoch

        assert filenames(gallery, new_image(1).embedding) == {f"photo-{seed}.jpg" for seed in range(3)}
        assert len(reads) == 1


class TestCounting:
    def test_what_is_lost_is_noticed_while_others_wait(self, opened, new_image, server):
        """Photos come all the time, and some always wait to be seen: what Milvus has lost is missed all the same."""
        gallery = opened()
        gallery.add([new_image(seed) for seed in range(3)])
        wait_until(lambda: not waiting(gallery))
        settled = sorted(server.rows)
        gallery.close()
        gallery = opened(staleness_s=1000.0)
        gallery.add([new_image(3)])
        wait_until(lambda: len(server.rows) == 4)
        assert settle_and_count(gallery) == waiting(gallery)

        server.rows.pop(settled[0])

        wait_until(lambda: settle_and_count(gallery) == [settled[0], settled[-1] + 1])
        assert filenames(gallery, new_image(1).embedding) == {f"photo-{seed}.jpg" for seed in range(4)}

    def test_what_has_yet_to_be_brought_there_is_not_counted(self, opened, new_image, server):
        """Nothing can be said of a number that is about to change; nor is anything repaired for it."""
        gallery = opened()
        server.before["replace"] = _unavailable
        gallery.add([new_image(1)])

        assert reconciliation.counts_agree(gallery._database, gallery._vectors._milvus) is None


class TestWithoutMilvus:
    """The gallery is used with FAISS for a while."""

    def test_what_was_deleted_there_waits_no_longer(self, folder, fingerprint, opened, new_image, server):
        """A photo that waited for Milvus is deleted with FAISS: the outbox becomes empty all the same."""
        server.before["replace"] = _unavailable
        gallery = opened()
        _kept, gone = gallery.add([new_image(1), new_image(2)])
        gallery.close()
        with Gallery.open(folder, fingerprint) as other:
            other.delete(gone.image.image_id)
        server.before.clear()

        gallery = opened()
        wait_until(lambda: not waiting(gallery))

        assert filenames(gallery, new_image(1).embedding) == {"photo-1.jpg"}
        assert len(server.rows) == 1

    def test_another_image_of_the_same_number_is_noticed(self, folder, fingerprint, opened, new_image, tmp_path):
        """A backup is restored and other photos imported with FAISS, which get the seqs and places of those that Milvus
        still holds: these are never taken for the new ones.
        """
        gallery = opened()
        gallery.add([new_image(1)])
        wait_until(lambda: not waiting(gallery))
        gallery.close()
        shutil.copytree(folder, tmp_path / "backup")
        gallery = opened()
        gallery.add([new_image(2)])
        wait_until(lambda: not waiting(gallery))
        gallery.close()
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "backup", folder)
        with Gallery.open(folder, fingerprint) as other:
            other.add([new_image(3)])

        gallery = opened()

        for wait in (lambda: None, lambda: wait_until(lambda: not waiting(gallery))):
            wait()
            best = gallery.search(new_image(3).embedding)[0]
            assert (best.image.filename, best.similarity) == ("photo-3.jpg", pytest.approx(1, abs=1e-5))

    def test_a_marker_is_written_for_what_is_shown_alone(self, opened, new_image, server, monkeypatch):
        """A Milvus that never shows what it is sent is sent it again, and no marker follows what it does not show."""
        gallery = opened()
        monkeypatch.setattr(FakeMilvus, "shown", lambda *_, **__: np.empty(0, np.int64))
        before, sent = server.written, []
        server.before["replace"] = lambda: sent.append(1)
        gallery.add([new_image(1)])
        wait_until(lambda: len(sent) > 3)

        assert server.written == before


class TestComparing:
    """Milvus has lost the marker, and several replicas notice."""

    def test_one_replica_compares_and_all_believe_it(self, opened, new_image, server, monkeypatch):
        """However long it takes, the others wait, say so, and leave Milvus alone; then all of them answer."""
        monkeypatch.setattr(reconciliation, "_LEASE_S", 0.4)
        monkeypatch.setattr(reconciliation, "_RENEWED_EVERY_S", 0.05)
        query, asked, go_on = new_image(1).embedding, [], Event()
        replicas = [opened(), opened()]
        replicas[0].add([new_image(1)])
        wait_until(lambda: not waiting(replicas[0]) and not waiting(replicas[1]))

        def compare_slowly() -> None:
            asked.append("entities")
            go_on.wait(20)

        server.before["entities"] = compare_slowly
        server.epochs.clear()
        refuse_both(replicas, query, until=lambda: asked and all(map(is_being_compared, replicas)))
        server.before["exists"] = server.before["shows_marker"] = lambda: asked.append("anything")
        until = time.time() + 1  # longer than the first lease
        refuse_both(replicas, query, until=lambda: time.time() > until)

        assert all(map(is_being_compared, replicas))
        assert asked == ["entities"]
        server.before.clear()
        go_on.set()
        for replica in replicas:
            wait_until(lambda replica=replica: replica.vector_lag == Lag())
            assert filenames(replica, query) == {"photo-1.jpg"}
        assert asked == ["entities"]

    def test_a_clock_that_was_set_back_keeps_nobody_waiting(self, opened, new_image):
        """A replica was killed while it compared, and by now it is an hour earlier: another one compares at once."""
        gallery = opened()
        gallery.add([new_image(1)])
        wait_until(lambda: not waiting(gallery))
        let_another_compare(gallery, time.time() + 3600)

        wait_until(lambda: gallery._vectors._sync.run_once() and gallery.vector_lag == Lag())

        assert filenames(gallery, new_image(1).embedding) == {"photo-1.jpg"}

    def test_a_killed_replica_is_not_waited_for(self, opened, new_image, server):
        """A replica dies while it compares: once it has not said so for some seconds, another one does."""
        gallery = opened()
        gallery.add([new_image(1)])
        wait_until(lambda: not waiting(gallery))
        let_another_compare(gallery, time.time() + 0.5)
        gallery._vectors._sync.wake()

        wait_until(lambda: is_being_compared(gallery))
        wait_until(lambda: gallery.vector_lag == Lag())
        assert filenames(gallery, new_image(1).embedding) == {"photo-1.jpg"}

    def test_a_judgement_of_another_epoch_begins_nothing(self, opened, new_image, server):
        """A replica that found Milvus wanting before another one repaired it does not begin once more."""
        gallery = opened()
        with gallery._database.reading() as connection:
            engine = outbox.read_engine(connection)
        assert gallery._vectors._sync.reconcile(engine)

        assert not gallery._vectors._sync.reconcile(engine)


def let_another_compare(gallery: Gallery, until: float) -> None:
    """Leave on record what a replica leaves that was killed while it compared."""
    with gallery._database.writing() as connection:
        outbox.write_epoch(connection, 1)
        outbox.write_comparison(connection, 1, until)
        connection.execute("COMMIT")


def refuse_both(replicas: list[Gallery], query, until: Callable[[], object]) -> None:
    """Visitors come to all replicas, and none is answered."""
    pause = Event()
    while not until():
        for replica in replicas:
            with pytest.raises(GalleryUnavailable, match="is being repaired"):
                filenames(replica, query)
        pause.wait(0.01)


def _unavailable() -> None:
    raise GalleryUnavailable("away")
