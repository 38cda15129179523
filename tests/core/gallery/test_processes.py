"""Several threads, several processes, and processes that die."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from databases import on_both_databases

from core.gallery import Gallery, Storage
from core.gallery.orphans import sweep
from core.results import Place

pytestmark = on_both_databases

ROOT = Path(__file__).parents[3]


def start_adding(folder: Path, storage: Storage, first_seed: int, count: int) -> subprocess.Popen[str]:
    """Start a process that adds images and prints each acknowledged id."""
    return subprocess.Popen(
        [
            sys.executable,
            Path(__file__).with_name("adding_process.py"),
            folder,
            str(first_seed),
            str(count),
            storage.database_url,
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


class TestKilled:
    def test_acknowledged_images_survive_kill_9(self, folder, storage, fingerprint):
        """Whenever the writing process is killed, every image it had acknowledged is there, whole."""
        acknowledged: list[str] = []
        for round_number in range(6):
            with start_adding(folder, storage, first_seed=1000 * round_number, count=1000) as process:
                for _ in range(1 + 3 * round_number % 7):
                    acknowledged.append(process.stdout.readline().strip())
                process.kill()
                acknowledged += process.stdout.read().split()

        assert len(acknowledged) >= 18
        with Gallery.open(folder, fingerprint, storage=storage) as gallery:
            for image_id in acknowledged:
                image = gallery.get(image_id)
                assert hashlib.sha256(Path(image.path).read_bytes()).hexdigest() == image.content_hash
                assert gallery.preview_path(image_id).stat().st_size == 2_000
            assert all(features is not None for features in gallery.local_features(acknowledged))
            image_ids, embeddings = gallery.embeddings()
            assert set(acknowledged) <= set(image_ids)
            for image_id, embedding in zip(image_ids, embeddings, strict=True):
                assert gallery.search(embedding)[0].image.image_id == image_id
            # Nothing half-written is left either: as many files as rows.
            sweep(gallery._database, gallery._files)
            assert sum(1 for path in (folder / "originals").rglob("*") if path.is_file()) == gallery.count()

    def test_a_reader_is_served_after_the_writer_was_killed(self, folder, storage):
        """A reader can open what a killed process left, without a writer repairing it first."""
        with start_adding(folder, storage, first_seed=0, count=1000) as process:
            image_id = process.stdout.readline().strip()
            process.kill()

        with Gallery.open(folder, None, read_only=True, storage=storage) as reader:
            assert reader.get(image_id).image_id == image_id


class TestOtherProcesses:
    def test_a_reader_follows_another_process(self, folder, storage, fingerprint):
        """What another process has just acknowledged is readable here: row, features, files and vector."""
        Gallery.open(folder, fingerprint, storage=storage).close()
        with (
            Gallery.open(folder, None, read_only=True, storage=storage) as reader,
            start_adding(folder, storage, 0, 8) as process,
        ):
            seen = 0
            for line in process.stdout:
                image_id = line.strip()
                assert reader.original_path(image_id).stat().st_size == 20_000
                assert reader.preview_path(image_id).is_file()
                assert reader.local_features([image_id])[0] is not None
                seen += 1
                assert reader.embeddings()[0].index(image_id) == seen - 1
                newest = reader.embeddings()[1][seen - 1]
                assert reader.search(newest)[0].image.image_id == image_id

        assert seen == 8
        assert process.returncode == 0

    def test_two_writers_share_a_gallery(self, gallery, folder, storage, fingerprint, new_image):
        """Two writers on one folder find each other's images and forget what the other has deleted."""

        def found_by(one: Gallery) -> list[str]:
            return sorted(candidate.image.image_id for candidate in one.search(new_image(1).embedding))

        with Gallery.open(folder, fingerprint, storage=storage) as other:
            first = gallery.add([new_image(1)])[0].image.image_id
            second = other.add([new_image(2)])[0].image.image_id
            third = gallery.add([new_image(3)])[0].image.image_id
            assert other.add([new_image(3)])[0].status == "duplicate"
            for one in (gallery, other):
                assert found_by(one) == sorted([first, second, third])

            other.delete(first)
            fourth = gallery.add([new_image(4)])[0].image.image_id

            for one in (gallery, other):
                assert found_by(one) == sorted([second, third, fourth])


class TestThreads:
    def test_adding_deleting_and_searching_together(self, gallery, new_image):
        """Searches running beside changes never fail and always find what was there throughout."""
        lasting = new_image(0, place=Place("lasting", "Lasting"))
        gallery.add([lasting])
        finished = Event()

        def search() -> int:
            searches = 0
            while not finished.is_set() or not searches:
                candidates = gallery.search(lasting.embedding, top_k=50)
                assert candidates[0].image.place.place_id == "lasting"
                assert [candidate.rank for candidate in candidates] == list(range(1, len(candidates) + 1))
                gallery.local_features([candidate.image.image_id for candidate in candidates])
                searches += 1
            return searches

        def change(first_seed: int) -> None:
            for seed in range(first_seed, first_seed + 8):
                added = [result.image for result in gallery.add([new_image(2 * seed), new_image(2 * seed + 1)])]
                gallery.delete(added[0].image_id)

        with ThreadPoolExecutor(4) as pool:
            searchers = [pool.submit(search) for _ in range(2)]
            changers = [pool.submit(change, first_seed) for first_seed in (100, 200)]
            try:
                for changer in changers:
                    changer.result()
            finally:
                finished.set()
            assert all(searcher.result() >= 1 for searcher in searchers)

        assert gallery.count() == 17
        assert len(gallery.search(lasting.embedding, top_k=100)) == 17

    def test_the_same_bytes_from_many_threads_are_stored_once(self, gallery, new_image):
        """Of simultaneous adds of one file exactly one is new."""
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: gallery.add([new_image(1)])[0], range(8)))

        assert sorted(result.status for result in results) == ["added"] + ["duplicate"] * 7
        assert len({result.image.image_id for result in results}) == 1


@pytest.mark.parametrize("seed", range(3))
def test_any_history_ends_in_agreement(folder, storage, fingerprint, new_image, seed):
    """After a random history, across reopenings, rows, vectors and files tell the same story as a plain dict."""
    import random

    choose = random.Random(seed)
    truth: dict[int, str] = {}
    gallery = Gallery.open(folder, fingerprint, storage=storage)
    for _ in range(40):
        action = choose.choice(["add", "add", "add", "delete", "reopen"])
        if action == "add":
            number = choose.randrange(20)
            result = gallery.add([new_image(number)])[0]
            assert result.status == ("duplicate" if number in truth else "added")
            truth[number] = result.image.image_id
        elif action == "delete" and truth:
            gallery.delete(truth.pop(choose.choice(sorted(truth))))
        elif action == "reopen":
            gallery.close()
            gallery = Gallery.open(folder, fingerprint, storage=storage)

    with gallery:
        assert {image.image_id for image in gallery.list_images(limit=100).images} == set(truth.values())
        for number, image_id in truth.items():
            assert gallery.search(new_image(number).embedding)[0].image.image_id == image_id
            assert gallery.original_path(image_id).read_bytes() == new_image(number).data
        if truth:
            assert len(gallery.search(new_image(0).embedding, top_k=100)) == len(truth)
        assert sum(1 for path in (folder / "previews").rglob("*") if path.is_file()) == len(truth)
