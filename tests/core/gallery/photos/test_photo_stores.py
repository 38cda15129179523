"""Where photos are kept: what a folder and a bucket both promise, and what only a bucket can do."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from threading import Thread

import obstore
import pytest
from fakes.sounds import wav
from servers.bucket import CREDENTIALS, BucketServer

from core.errors import GalleryUnavailable, InvalidRequest
from core.gallery import Gallery, Storage
from core.gallery.orphans import sweep
from core.gallery.photos.bucket import PhotoBucket
from core.gallery.photos.cache import PhotoCache
from core.gallery.photos.port import Claim, LostPhoto
from core.gallery.storage import open_photos
from core.results import Place
from scripts.sweep_photos import main as sweep_photos

PHOTO = b"\xff\xd8 a photo \xff\xd9"
HASH = hashlib.sha256(PHOTO).hexdigest()


@pytest.fixture
def credentials(monkeypatch) -> None:
    """What Amazon's own tools read."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(credentials, bucket_server) -> BucketServer:
    """A blank bucket."""
    bucket_server.empty()
    return bucket_server


@pytest.fixture
def in_bucket(bucket) -> Storage:
    """Photos there, rows in the folder."""
    return Storage(photo_store="s3://photos/some/gallery", s3_endpoint=bucket.endpoint)


@pytest.fixture(params=["folder", "bucket"])
def kept(request) -> Storage:
    """Where photos are kept."""
    return request.getfixturevalue("in_bucket") if request.param == "bucket" else Storage()


@pytest.fixture
def store(folder, kept):
    """A photo store in which nothing is."""
    return open_photos(folder, kept)


def put(store) -> None:
    """Store the one photo."""
    store.store([(store.original_path(HASH, "image/jpeg"), PHOTO), (store.preview_path(HASH), PHOTO)])


@contextmanager
def refusing_bucket() -> Iterator[tuple[str, list[str]]]:
    """An endpoint that refuses every photo, and the paths it has refused so far."""
    refused: list[str] = []

    class Refusal(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            refused.append(self.path)
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", refused
        finally:
            server.shutdown()
            serving.join()


@contextmanager
def silent_listener() -> Iterator[str]:
    """An endpoint that takes every connection and says nothing."""
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


class TestBothStores:
    def test_what_was_stored_is_fetched(self, store):
        """An original and its preview come back byte by byte, as files of this machine."""
        assert not store.has_originals()

        put(store)

        assert store.has_originals()
        original = store.fetch_original(HASH, "image/jpeg", len(PHOTO))
        assert str(original) == store.original_path(HASH, "image/jpeg")
        assert original.read_bytes() == store.fetch_preview(HASH).read_bytes() == PHOTO

    def test_storing_again_is_fine_and_replacing_replaces(self, store):
        """The same photo may be stored twice; a preview that was made again takes the former one's place."""
        put(store)
        put(store)
        assert store.fetch_preview(HASH).read_bytes() == PHOTO

        again = b"\xff\xd8 made again \xff\xd9"
        store.replace([(store.preview_path(HASH), again)])

        assert store.fetch_preview(HASH).read_bytes() == again

    def test_what_was_never_stored_or_is_removed_is_missing(self, store):
        """A photo that is not there is answered with None, also after it was fetched; removing it twice is fine."""
        assert store.fetch_original(HASH, "image/jpeg", len(PHOTO)) is None
        assert store.fetch_preview(HASH) is None
        put(store)
        store.fetch_original(HASH, "image/jpeg", len(PHOTO))

        store.remove([(HASH, "image/jpeg")])
        store.remove([(HASH, "image/jpeg")])

        assert store.fetch_original(HASH, "image/jpeg", len(PHOTO)) is None
        assert store.fetch_preview(HASH) is None
        assert list(store.names()) == []

    def test_it_holds_the_photos_of_one_gallery(self, store):
        """The first gallery owns it, however often it comes; another one is refused, and told what to do."""
        store.claim(Claim("a" * 32))
        store.claim(Claim("a" * 32, ((HASH, "image/jpeg"),)))

        with pytest.raises(InvalidRequest, match=r"\(aaaaaaaa, this one is bbbbbbbb\).*delete .*/gallery-id"):
            store.claim(Claim("b" * 32))

    def test_a_gallery_with_images_wants_their_photos(self, folder, kept):
        """Told of the wrong store a gallery that has images refuses it; where one of their photos is, it moves in."""
        lost = ("0" * 64, "image/png")
        claim = Claim("a" * 32, (lost, (HASH, "image/jpeg")))
        with pytest.raises(InvalidRequest, match=r"photos are not in .*--photo-store"):
            open_photos(folder, kept).claim(claim)
        put(open_photos(folder, kept))

        open_photos(folder, kept).claim(claim)

        with pytest.raises(InvalidRequest, match="those of another gallery"):
            open_photos(folder, kept).claim(Claim("b" * 32))

    def test_names_are_listed_and_removed(self, store):
        """Everything stored is listed by its name, and can be removed by it."""
        put(store)

        assert sorted(store.names()) == [
            f"originals/{HASH[:2]}/{HASH}.jpg",
            f"previews/{HASH[:2]}/{HASH}.jpg",
        ]

        store.remove_names(list(store.names()))

        assert not store.has_originals()


class TestBucket:
    def test_a_gallery_keeps_its_photos_there(self, bucket, in_bucket, folder, fingerprint, new_image):
        """Photos are added to the bucket, served from it, and deleted with the last image that shows them."""
        with Gallery.open(folder, fingerprint, storage=in_bucket) as gallery:
            first, second = (result.image for result in gallery.add([new_image(1), new_image(2)]))
            shared = gallery.add([new_image(1, collection="other")])[0].image

            assert len(bucket.objects()) == 4
            assert all(key.startswith("some/gallery/") for key in bucket.objects())
            for image, seed in ((first, 1), (second, 2)):
                assert gallery.fetch_original(image).read_bytes() == new_image(seed).data
                assert gallery.preview_path(image.image_id).read_bytes() == new_image(seed).preview

            gallery.delete(first.image_id)
            assert gallery.fetch_original(shared).read_bytes() == new_image(1).data
            gallery.delete_collection("default")
            gallery.delete(shared.image_id)

        assert bucket.objects() == []
        assert not list((folder / "photo-cache").rglob("*.jpg"))

    def test_a_recording_is_kept_beside_them(self, bucket, in_bucket, folder, fingerprint, new_image):
        """It is served from the bucket, fetched again where the copy is torn, spared by a sweep, and deleted."""
        with Gallery.open(folder, fingerprint, storage=in_bucket) as gallery:
            gallery.add([new_image(1, place=Place("vase", "Vase"))])
            gallery.recordings.put("default", "vase", "en", wav())
            photos = 2

            with gallery.recordings.open("default", "vase", "en")[1] as copy:
                Path(copy.name).write_bytes(b"torn")
            with gallery.recordings.open("default", "vase", "en")[1] as copy:
                assert copy.read() == wav()
            assert sweep(gallery._database, gallery._files) == 0
            assert len(bucket.objects()) == photos + 1

            gallery.recordings.remove("default", "vase", "en")
            assert len(bucket.objects()) == photos

    def test_a_collection_goes_in_few_requests(self, bucket, in_bucket, folder, fingerprint, new_image, monkeypatch):
        """The photos of a whole collection are deleted together, while others that write wait."""
        requests, delete = [], obstore.delete

        def count(store, paths) -> None:
            requests.append(len(paths))
            delete(store, paths)

        monkeypatch.setattr(obstore, "delete", count)
        with Gallery.open(folder, fingerprint, storage=in_bucket) as gallery:
            gallery.add([new_image(seed) for seed in range(20)])
            kept = gallery.add([new_image(3, collection="other")])[0].image

            gallery.delete_collection("default")

            assert requests == [2 * 19]
            assert len(bucket.objects()) == 2
            assert gallery.fetch_original(kept).read_bytes() == new_image(3).data

    def test_replicas_on_machines_of_their_own(self, postgres, bucket, in_bucket, tmp_path, fingerprint, new_image):
        """Two replicas that share the rows and the bucket, and no folder, serve each other's photos."""
        storage = Storage(postgres.create_database(), in_bucket.photo_store, in_bucket.s3_endpoint)
        with (
            Gallery.open(tmp_path / "one", fingerprint, storage=storage) as one,
            Gallery.open(tmp_path / "other", fingerprint, storage=storage) as other,
            Gallery.open(tmp_path / "verifier", None, read_only=True, storage=storage) as reader,
        ):
            image = one.add([new_image(1)])[0].image

            for gallery in (other, reader):
                found = gallery.search(new_image(1).embedding)[0].image
                assert found.image_id == image.image_id
                assert gallery.fetch_original(found).read_bytes() == new_image(1).data

            other.delete(image.image_id)
            assert one.count() == 0
            assert bucket.objects() == []

    def test_damage_is_noticed(self, bucket, in_bucket, folder, fingerprint, new_image):
        """A torn or exchanged original is refused; a torn preview is made again, or refused where it cannot be."""
        with Gallery.open(folder, fingerprint, storage=in_bucket) as gallery:
            image = gallery.add([new_image(1)])[0].image
            key = next(key for key in bucket.objects() if "originals" in key)
            for damaged in (new_image(1).data[:-1], bytes(500)):
                bucket.put(key, damaged)
                with pytest.raises(LostPhoto, match="missing or damaged"):
                    gallery.fetch_original(image)
            bucket.put(key, new_image(1).data)
            assert gallery.fetch_original(image).is_file()

            bucket.put(next(key for key in bucket.objects() if "previews" in key), b"\xff\xd8 half of")
            with pytest.raises(GalleryUnavailable, match="damaged"):  # the drawn original is no picture
                gallery.preview_path(image.image_id)

    def test_a_copy_that_lost_its_end_is_fetched_again(self, in_bucket, folder, fingerprint, new_image):
        """What a power cut has left of a copy is replaced by what the bucket holds."""
        with Gallery.open(folder, fingerprint, storage=in_bucket) as gallery:
            image = gallery.add([new_image(1)])[0].image
            gallery.fetch_original(image).write_bytes(b"")
            gallery.preview_path(image.image_id).write_bytes(b"")

            assert gallery.fetch_original(image).read_bytes() == new_image(1).data
            assert gallery.preview_path(image.image_id).read_bytes() == new_image(1).preview

    def test_away_and_back(self, bucket, in_bucket, folder, fingerprint, new_image):
        """Without the bucket adding and serving say so, nothing is half added, and searching goes on; then it works."""
        with Gallery.open(folder, fingerprint, storage=in_bucket) as gallery:
            image = gallery.add([new_image(1)])[0].image
            bucket.kill()

            with pytest.raises(GalleryUnavailable, match="store does not answer") as refusal:
                gallery.add([new_image(2)])
            with pytest.raises(GalleryUnavailable, match="store does not answer"):
                gallery.fetch_original(image)
            assert not isinstance(refusal.value, LostPhoto)
            assert gallery.search(new_image(1).embedding)[0].image == image
            assert gallery.count() == 1

            bucket.start()

            added = gallery.add([new_image(2)])[0].image
            assert gallery.fetch_original(added).read_bytes() == new_image(2).data

    def test_opened_while_it_is_away_its_owner_is_asked_before_the_first_change(
        self, bucket, in_bucket, folder, fingerprint, new_image
    ):
        """A gallery opens and searches without its bucket; the first change makes sure that the bucket is its own."""
        with Gallery.open(folder, fingerprint, storage=in_bucket) as gallery:
            gallery.add([new_image(1)])
        bucket.kill()
        with Gallery.open(folder, fingerprint, storage=in_bucket) as gallery:
            assert gallery.count() == len(gallery.search(new_image(1).embedding)) == 1
            bucket.start()
            bucket.put("some/gallery/gallery-id", b"b" * 32)

            with pytest.raises(InvalidRequest, match="those of another gallery"):
                gallery.add([new_image(2)])

            assert gallery.count() == 1
            assert bucket.objects() == []

    def test_one_that_fails_spares_the_others(self, credentials, folder):
        """When a photo cannot be sent, those that wait behind it are not tried, for all who write would wait too."""
        with refusing_bucket() as (endpoint, refused):
            store = open_photos(folder, Storage(photo_store="s3://photos", s3_endpoint=endpoint))
            with pytest.raises(GalleryUnavailable, match="access is refused"):
                store.store([(store.preview_path(f"{number:064x}"), PHOTO) for number in range(1000)])

        assert 1 <= len(refused) < 500

    def test_one_that_hangs_is_given_up(self, credentials, folder):
        """A store that takes a request and never answers it keeps no one waiting for long."""
        with silent_listener() as endpoint:
            cache = PhotoCache(folder, 1_000_000)
            store = PhotoBucket("s3://photos", endpoint=endpoint, cache=cache, answer_s=0.1, send_s=0.1)

            with pytest.raises(GalleryUnavailable, match="store does not answer"):
                store.fetch_preview(HASH)
            with pytest.raises(GalleryUnavailable, match=r"1000 photos could not be sent .* within 0\.1 s"):
                store.store([(store.preview_path(f"{number:064x}"), PHOTO) for number in range(1000)])

    def test_leftovers_go_when_told(self, postgres, bucket, in_bucket, folder, fingerprint, new_image):
        """Photos of no image stay at a start, where several machines share them, and go with a sweep."""
        storage = Storage(postgres.create_database(), in_bucket.photo_store, in_bucket.s3_endpoint)
        with Gallery.open(folder, fingerprint, storage=storage) as gallery:
            gallery.add([new_image(1)])
        for kind in ("originals", "previews"):
            bucket.put(f"some/gallery/{kind}/{HASH[:2]}/{HASH}.jpg", PHOTO)

        with Gallery.open(folder, fingerprint, storage=storage) as gallery:
            assert len(bucket.objects()) == 4

            assert sweep(gallery._database, gallery._files) == 2

            assert len(bucket.objects()) == 2
            assert gallery.preview_path(gallery.list_images().images[0].image_id).is_file()

    def test_what_is_in_the_trash_is_no_leftover(self, postgres, bucket, in_bucket, folder, fingerprint, new_image):
        """A sweep spares it, taking back needs no photo sent again, and emptying removes it from the bucket."""
        storage = replace(in_bucket, database_url=postgres.create_database())
        options = [
            "--db-dir",
            str(folder),
            "--database-url",
            storage.database_url,
            "--photo-store",
            storage.photo_store,
        ]
        options += ["--s3-endpoint", storage.s3_endpoint]
        with Gallery.open(folder, fingerprint, storage=storage) as gallery:
            images = [added.image for added in gallery.add([new_image(1), new_image(2)])]
            deletion = gallery.trash.put_image(images[0].image_id)
            gallery.trash.put_image(images[1].image_id)
            assert sweep_photos(options) == 0

            gallery.trash.restore(deletion.deletion_id)
            assert gallery.original_path(images[0].image_id).read_bytes() == new_image(1).data
            gallery.trash.empty()
            stored = {key.rpartition("/")[2].partition(".")[0] for key in gallery._files.names()}

        assert stored == {images[0].content_hash}

    def test_photos_without_their_database_are_never_taken_for_a_new_gallery(
        self, bucket, in_bucket, tmp_path, fingerprint, new_image
    ):
        """A bucket that holds photos is not begun anew with a blank database."""
        with Gallery.open(tmp_path / "one", fingerprint, storage=in_bucket) as gallery:
            gallery.add([new_image(1)])

        with pytest.raises(GalleryUnavailable, match="missing or blank"):
            Gallery.open(tmp_path / "other", fingerprint, storage=in_bucket)

    def test_two_galleries_cannot_share_it(self, postgres, in_bucket, tmp_path, fingerprint, new_image):
        """Two galleries that were begun with the same blank bucket: the second is refused, and neither can delete the
        other's photos; a sweep with the wrong database is refused too.
        """
        first, second = (replace(in_bucket, database_url=postgres.create_database()) for _ in range(2))
        with Gallery.open(tmp_path / "one", fingerprint, storage=first) as gallery:
            with pytest.raises(InvalidRequest, match="those of another gallery"):
                Gallery.open(tmp_path / "other", fingerprint, storage=second)
            image = gallery.add([new_image(1)])[0].image

            options = ["--database-url", second.database_url, "--photo-store", second.photo_store]
            options += ["--s3-endpoint", second.s3_endpoint, "--db-dir", str(tmp_path / "other"), "--yes-delete", "9"]
            assert sweep_photos(options) == 2
            assert gallery.fetch_original(image).read_bytes() == new_image(1).data

    def test_a_forgotten_address_is_not_the_folder(self, postgres, in_bucket, tmp_path, fingerprint, new_image):
        """Whoever shares the rows, and forgets to say where photos are, cannot add images that nobody else can show."""
        storage = replace(in_bucket, database_url=postgres.create_database())
        with Gallery.open(tmp_path / "one", fingerprint, storage=storage) as gallery:
            gallery.add([new_image(1)])

        with pytest.raises(InvalidRequest, match=r"photos are not in .*/other; give the photo store"):
            Gallery.open(tmp_path / "other", fingerprint, storage=replace(storage, photo_store=""))

    def test_a_bucket_that_does_not_exist(self, in_bucket, folder, fingerprint):
        """A wrong name is told from a server that is away."""
        with pytest.raises(GalleryUnavailable, match="no such bucket"):
            Gallery.open(folder, fingerprint, storage=Storage("", "s3://nowhere", in_bucket.s3_endpoint))

    def test_without_a_key(self, in_bucket, folder, fingerprint, monkeypatch):
        """A key that nobody gave is told from a server that is away."""
        for name in CREDENTIALS:
            monkeypatch.delenv(name)

        with pytest.raises(GalleryUnavailable, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
            Gallery.open(folder, fingerprint, storage=in_bucket)

    @pytest.mark.parametrize("url", ["/srv/photos", "http://host/bucket", "s3://", "s3://bucket/a?b=c"])
    def test_an_address_of_something_else(self, folder, fingerprint, url):
        """What is no bucket's address is refused, with what would be accepted."""
        with pytest.raises(InvalidRequest, match="accepted: s3://BUCKET"):
            Gallery.open(folder, fingerprint, storage=Storage(photo_store=url))


class TestCopies:
    def test_they_stay_within_their_limit(self, in_bucket, folder):
        """What was used longest ago makes room for what is fetched; the newest copy stays in any case."""
        photos = {hashlib.sha256(data).hexdigest(): data for data in (os.urandom(1000) for _ in range(8))}
        storage = Storage(photo_store=in_bucket.photo_store, s3_endpoint=in_bucket.s3_endpoint, photo_cache_bytes=5000)
        store = open_photos(folder, storage)
        store.store([(store.original_path(name, "image/png"), data) for name, data in photos.items()])

        for minutes, name in enumerate(photos):
            copy = store.fetch_original(name, "image/png", 1000)
            assert copy.read_bytes() == photos[name]
            os.utime(copy, (1e9 + 60 * minutes,) * 2)

        kept = {path.stem for path in (folder / "photo-cache").rglob("*.png")}
        assert len(kept) <= 5
        assert kept == set(list(photos)[-len(kept) :])

    def test_one_that_goes_while_it_is_looked_at_is_fetched_again(self, in_bucket, folder):
        """A copy that another process discards right after it was found is fetched once more."""

        class Vanishing(PhotoCache):
            def touch(self, path) -> bool:
                is_there = super().touch(path)
                path.unlink(missing_ok=True)
                return is_there

        cache = Vanishing(folder, 1_000_000)
        store = PhotoBucket(in_bucket.photo_store, endpoint=in_bucket.s3_endpoint, cache=cache)
        put(store)
        for _ in range(2):
            assert store.fetch_original(HASH, "image/jpeg", len(PHOTO)).read_bytes() == PHOTO

    def test_a_folder_that_cannot_be_written_is_named(self, in_bucket, folder):
        """Where copies cannot be kept, the message says where that was tried."""
        store = open_photos(folder, in_bucket)
        put(store)
        folder.mkdir()
        (folder / "photo-cache").touch()

        with pytest.raises(GalleryUnavailable, match=r"photo-cache, cannot be used"):
            store.fetch_original(HASH, "image/jpeg", len(PHOTO))
