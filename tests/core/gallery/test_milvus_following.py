"""How the gallery and Milvus keep together, with a Milvus in memory that fails at chosen moments."""

from collections.abc import Callable
from threading import Event

import numpy as np
import pytest
from fakes.milvus import FakeMilvus, FakeServer

from core.errors import GalleryUnavailable
from core.gallery import Gallery, milvus_store, outbox, unsettled
from core.gallery.reconciliation import new_epoch


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
    for each in galleries:
        each.close()


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


def filenames(gallery: Gallery, query) -> set[str]:
    """Which images are found."""
    return {each.image.filename for each in gallery.search(query, top_k=1000)}


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
        reads, search_pages = [], unsettled._search_pages

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

        monkeypatch.setattr(unsettled, "_search_pages", count_reads)
        server.before["search"] = end_epoch

        assert filenames(gallery, new_image(1).embedding) == {f"photo-{seed}.jpg" for seed in range(3)}
        assert len(reads) == 1


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

    def test_a_marker_is_written_for_what_is_shown_alone(self, opened, new_image, server, monkeypatch):
        """A Milvus that never shows what it is sent is sent it again, and no marker follows what it does not show."""
        gallery = opened()
        monkeypatch.setattr(FakeMilvus, "shown", lambda *_, **__: np.empty(0, np.int64))
        before, sent = server.written, []
        server.before["replace"] = lambda: sent.append(1)
        gallery.add([new_image(1)])
        wait_until(lambda: len(sent) > 3)

        assert server.written == before


def _unavailable() -> None:
    raise GalleryUnavailable("away")
