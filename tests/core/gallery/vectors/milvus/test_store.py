"""What the gallery promises while Milvus fails it: the real server, killed, emptied, and put back to an earlier day."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient
from servers.milvus import GRACEFUL_S
from servers.ports import free_port

from core.errors import EncoderMismatch, GalleryUnavailable, InvalidRequest
from core.gallery import Gallery, ImageChange, Storage
from core.gallery.database import embeddings as vector_rows
from core.gallery.database import manifest
from core.gallery.vectors.milvus import collection as milvus_collection
from core.gallery.vectors.milvus import outbox
from core.gallery.vectors.milvus.collection import MilvusCollection
from core.gallery.vectors.milvus.connection import read_options
from core.gallery.vectors.port import Lag
from core.results import EncoderFingerprint

DIM = 16
FINGERPRINT = EncoderFingerprint("drawn", "seeded", "none", DIM)
NUMBERS = count(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of the gallery that all tests share, for a collection of Milvus takes seconds to be made."""
    return tmp_path_factory.mktemp("gallery")


@pytest.fixture(scope="module")
def storage(milvus) -> Storage:
    """A collection of its own on the server."""
    return milvus_storage(milvus, collection="store")


@pytest.fixture(scope="module")
def gallery(folder, storage):
    """A gallery whose vectors are in Milvus."""
    with Gallery.open(folder, FINGERPRINT, storage=storage) as opened:
        yield opened


@pytest.fixture
def museum(gallery) -> str:
    """A collection of the gallery that no other test uses, nor leaves behind."""
    name = f"museum-{next(NUMBERS)}"
    yield name
    if any(collection.name == name for collection in gallery.collections()):
        gallery.delete_collection(name)


@pytest.fixture
def client(milvus):
    """An operator's hand on the server."""
    with opened_client(milvus) as opened:
        yield opened


@contextmanager
def opened_client(milvus):
    """Connect for as long as the block runs."""
    client = MilvusClient(milvus.uri, timeout=30, dedicated=True)
    try:
        yield client
    finally:
        client.close()


def milvus_storage(milvus, **options) -> Storage:
    """Milvus as fast as it can be told to be."""
    options = {"uri": milvus.uri, "staleness_s": GRACEFUL_S + 0.1, "timeout_s": 2.0, **options}
    return Storage(vector_index="milvus", vector_index_options=options)


def wait_until(holds, seconds=60):
    """Return as soon as something holds."""
    pause = Event()
    for _ in range(seconds * 20):
        if holds():
            return
        pause.wait(0.05)
    raise TimeoutError("it does not come true")


def is_settled(gallery) -> bool:
    """Whether nothing waits for Milvus any more."""
    with gallery._database.reading() as connection:
        return outbox.next_due(connection) is None


def compare(gallery) -> bool:
    """Compare everything with Milvus now; False where an epoch ended just then."""
    with gallery._database.reading() as connection:
        engine = outbox.read_engine(connection)
    return gallery._vectors._sync.reconcile(engine)


def filenames(gallery, query, collection) -> set[str]:
    """Which images are found."""
    return {candidate.image.filename for candidate in gallery.search(query, collection, top_k=10_000)}


def photos(*seeds) -> set[str]:
    """The names of drawn images."""
    return {f"photo-{seed}.jpg" for seed in seeds}


def count_in(client, name="store") -> int:
    """How many entities Milvus holds, markers apart."""
    rows = client.query(name, filter="seq > 0", output_fields=["count(*)"], consistency_level="Strong")
    return rows[0]["count(*)"]


def wait_for_whole_answers(gallery, query, collection, expected):
    """Search until there are answers, every one of which must be whole."""

    def answers() -> bool:
        try:
            found = filenames(gallery, query, collection)
        except GalleryUnavailable:
            return False
        assert found == expected
        return True

    wait_until(answers)


class TestSettling:
    def test_what_is_settled_is_in_milvus_alone(self, gallery, museum, client, new_image):
        """After a while Milvus holds each image once, and nothing of it is kept in memory."""
        added = gallery.add([new_image(seed, collection=museum) for seed in range(30)])
        gallery.delete(added[0].image.image_id)
        wait_until(lambda: is_settled(gallery))

        assert filenames(gallery, new_image(3).embedding, museum) == photos(*range(1, 30))
        assert len(gallery._vectors._pending) == 0
        assert count_in(client) == gallery.count()
        wait_until(lambda: gallery.vector_lag == Lag())

    def test_a_writer_that_loaded_nothing_follows_from_its_first_search(self, tmp_path, milvus, client, new_image):
        """Opened without vectors, as scripts do, a gallery whose Milvus is blank begins to lead it when it is asked."""
        storage = milvus_storage(milvus, collection="late")
        with Gallery.open(tmp_path, FINGERPRINT, storage=storage, load_vectors=False) as gallery:
            gallery.add([new_image(seed) for seed in range(5)])
            wait_for_whole_answers(gallery, new_image(1).embedding, "default", photos(*range(5)))
            wait_until(lambda: is_settled(gallery))

            assert client.has_collection("late")
        client.drop_collection("late")

    @pytest.mark.slow
    @pytest.mark.parametrize("index", ["IVF_FLAT", "FLAT"])
    def test_other_indexes_answer_alike(self, tmp_path, milvus, client, new_image, index):
        """Milvus' other indexes can be chosen."""
        storage = milvus_storage(milvus, collection=f"index_{index}", index=index)
        with Gallery.open(tmp_path, FINGERPRINT, storage=storage) as gallery:
            gallery.add([new_image(seed) for seed in range(20)])
            wait_until(lambda: is_settled(gallery))

            best = gallery.search(new_image(7).embedding, top_k=3)[0]

        assert (best.image.filename, best.similarity) == ("photo-7.jpg", pytest.approx(1, abs=1e-5))
        client.drop_collection(f"index_{index}")

    def test_more_than_fits_into_memory_is_searched_all_the_same(self, tmp_path, new_image):
        """However many vectors wait for Milvus, a search finds them, and memory holds a bounded number."""
        nowhere = {"uri": f"http://127.0.0.1:{free_port()}", "timeout_s": 0.2, "rows_in_memory": 5}
        storage = Storage(vector_index="milvus", vector_index_options=nowhere)
        with Gallery.open(tmp_path, FINGERPRINT, storage=storage) as gallery:
            gallery.add([new_image(seed) for seed in range(12)])

            found = [candidate.image.filename for candidate in gallery.search(new_image(3).embedding, top_k=20)]

            assert (found[0], set(found)) == ("photo-3.jpg", photos(*range(12)))
            assert len(gallery._vectors._pending._index) == 0

    def test_one_marker_is_left(self, gallery, museum, client, new_image):
        """Markers that races and failures left behind go with the next settlement, and with the next comparison."""
        collection = gallery._vectors._milvus
        wait_until(lambda: is_settled(gallery))
        for number in (3, 4):
            collection.write_marker(number)
        gallery.add([new_image(1, collection=museum)])
        wait_until(lambda: is_settled(gallery) and len(collection.markers()) == 1)
        with gallery._database.reading() as connection:
            assert collection.markers().tolist() == [outbox.read_engine(connection).epoch]

        collection.write_marker(5)
        wait_until(lambda: compare(gallery))

        assert len(collection.markers()) == 1

    def test_an_unforeseen_error_does_not_end_it(self, gallery, museum, new_image, monkeypatch, caplog):
        """Something fails in a way that nobody thought of: it is logged in full, and settling goes on."""
        failing = iter([TypeError("unforeseen")])
        replace = MilvusCollection.replace

        def fail_once(collection, entities) -> None:
            for error in failing:
                raise error
            replace(collection, entities)

        monkeypatch.setattr(MilvusCollection, "replace", fail_once)
        gallery.add([new_image(1, collection=museum)])
        wait_until(lambda: is_settled(gallery))

        assert filenames(gallery, new_image(1).embedding, museum) == photos(1)
        assert [type(record.exc_info[1]) for record in caplog.records if record.exc_info] == [TypeError]


class TestLosing:
    def test_an_emptied_milvus_heals(self, gallery, museum, client, new_image):
        """Someone drops the collection: from then on every answer is whole or none, and soon they are whole again."""
        expected = photos(*range(25))
        gallery.add([new_image(seed, collection=museum) for seed in range(25)])
        wait_until(lambda: is_settled(gallery))
        assert filenames(gallery, new_image(1).embedding, museum) == expected

        client.drop_collection("store")

        wait_for_whole_answers(gallery, new_image(1).embedding, museum, expected)
        wait_until(lambda: is_settled(gallery))
        assert filenames(gallery, new_image(1).embedding, museum) == expected
        assert count_in(client) == gallery.count()

    def test_lost_and_doubled_entities_are_repaired(self, gallery, museum, client, new_image):
        """A comparison finds what Milvus lacks, what it should not hold, and what it holds twice or wrongly."""
        gallery.add([new_image(seed, collection=museum) for seed in range(20)])
        wait_until(lambda: is_settled(gallery))
        with gallery._database.reading() as connection:
            seqs = vector_rows.seqs_of(connection, museum).tolist()
            key = outbox.key_of(connection, museum)
        row = {"image": 1, "vector": new_image(99).embedding}
        client.delete("store", ids=[seqs[3], seqs[4], seqs[5], seqs[9]])
        client.insert(
            "store",
            [
                row | {"seq": seqs[5], "collection": key},
                row | {"seq": seqs[7], "collection": key},
                row | {"seq": seqs[9], "collection": key + 1},
                row | {"seq": 90_000, "collection": key},
            ],
        )

        wait_until(lambda: compare(gallery))

        assert filenames(gallery, new_image(1).embedding, museum) == photos(*range(20))
        wait_until(lambda: is_settled(gallery))
        assert count_in(client) == gallery.count()
        for seed in range(20):
            best = gallery.search(new_image(seed).embedding, museum, top_k=1)[0]
            assert (best.image.filename, best.similarity) == (f"photo-{seed}.jpg", pytest.approx(1, abs=1e-5))

    def test_a_wrong_count_is_repaired_while_searches_are_answered(self, gallery, museum, client, new_image):
        """Milvus holds too little and shows its marker: what it lacks is found again, and no search is refused."""
        gallery.add([new_image(seed, collection=museum) for seed in range(10)])
        wait_until(lambda: is_settled(gallery))
        with gallery._database.reading() as connection:
            seqs = vector_rows.seqs_of(connection, museum).tolist()
        client.delete("store", ids=seqs[:3])
        wait_until(lambda: count_in(client) < gallery.count())

        gallery._vectors._sync._counted_at = -1e9
        gallery._vectors._sync.wake()

        wait_until(lambda: filenames(gallery, new_image(1).embedding, museum) == photos(*range(10)))
        wait_until(lambda: is_settled(gallery))
        assert count_in(client) == gallery.count()

    def test_what_was_written_without_milvus_is_noticed(self, folder, gallery, museum, new_image):
        """A gallery that was used with FAISS in between finds everything when Milvus is chosen again."""
        added = gallery.add([new_image(seed, collection=museum) for seed in (1, 2)])
        wait_until(lambda: is_settled(gallery))
        with Gallery.open(folder, FINGERPRINT) as other:
            other.delete(added[0].image.image_id)
            other.add([new_image(3, collection=museum)])

        wait_for_whole_answers(gallery, new_image(1).embedding, museum, photos(2, 3))


def test_a_collection_made_before_0_2_0_is_used_as_it_is(tmp_path, milvus, client, new_image):
    """A collection that has the field ``place`` as well is followed, searched and repaired, now and after a restart."""
    storage = milvus_storage(milvus, collection="former")
    with Gallery.open(tmp_path, FINGERPRINT) as gallery, gallery._database.reading() as connection:
        gallery_id = manifest.read_gallery_id(connection)
    fields = ["seq", "collection", "place", "image", "vector"]
    description = json.dumps({"gallery": gallery_id, "encoder": str(FINGERPRINT), "fields": fields})
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False, description=description)
    schema.add_field("seq", DataType.INT64, is_primary=True)
    schema.add_field("collection", DataType.INT64, is_partition_key=True)
    schema.add_field("place", DataType.INT64)
    schema.add_field("image", DataType.INT64)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIM)
    index = MilvusClient.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="COSINE")
    client.create_collection("former", schema=schema, index_params=index, num_shards=1)

    for opened in range(2):
        with Gallery.open(tmp_path, FINGERPRINT, storage=storage) as gallery:
            added = gallery.add([new_image(2 * opened), new_image(2 * opened + 1)])
            gallery.update(added[0].image.image_id, ImageChange(place_id="hall"))
            wait_until(lambda gallery=gallery: is_settled(gallery))

            assert filenames(gallery, new_image(1).embedding, "default") == photos(*range(2 * opened + 2))
            assert count_in(client, "former") == gallery.count()
            wait_until(lambda gallery=gallery: compare(gallery))
            wait_until(lambda gallery=gallery: is_settled(gallery))
            assert count_in(client, "former") == gallery.count()


class TestRefusing:
    def test_a_collection_of_another_gallery_is_left_alone(self, gallery, museum, tmp_path, storage, new_image):
        """Two galleries that are given the same collection by mistake: the second is refused, the first works on."""
        gallery.add([new_image(1, collection=museum)])

        with pytest.raises(InvalidRequest, match=r"is not this gallery's; give another name"):
            Gallery.open(tmp_path, FINGERPRINT, storage=storage)

        assert filenames(gallery, new_image(1).embedding, museum) == photos(1)

    def test_vectors_of_another_encoder_are_refused(self, gallery, storage):
        """Milvus holds what another encoder made: it is said of which, and what to do."""
        with gallery._database.reading() as connection:
            engine = outbox.read_engine(connection)
        other = EncoderFingerprint("other", "seeded", "none", DIM)
        collection = MilvusCollection(read_options(storage.vector_index_options), other)

        with pytest.raises(EncoderMismatch, match=r"'store'.*drawn.*other.*give another name"):
            collection.load(engine.gallery)
        collection.close()

    def test_a_collection_of_an_earlier_version_is_refused(self, gallery, storage, monkeypatch):
        """What does not say which images it holds is not taken for the gallery's; it is said how to have it remade."""
        with gallery._database.reading() as connection:
            engine = outbox.read_engine(connection)
        collection = MilvusCollection(read_options(storage.vector_index_options), FINGERPRINT)
        monkeypatch.setattr(milvus_collection, "_FIELDS", ["seq", "vector", "more"])

        with pytest.raises(InvalidRequest, match=r"'store'.*earlier version; drop it there"):
            collection.load(engine.gallery)
        collection.close()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, 'needs the option "uri"'),
            ({"uri": "http://127.0.0.1:1", "colection": "x"}, "unknown options of the Milvus index: colection"),
            ({"uri": "http://127.0.0.1:1", "index": "ANNOY"}, "known: HNSW, IVF_FLAT, FLAT"),
            ({"uri": "http://127.0.0.1:1", "timeout_s": "5"}, "invalid option timeout_s"),
            ({"uri": "http://127.0.0.1:1", "timeout_s": 0}, "timeout_s.*must be > 0"),
            ({"uri": "http://127.0.0.1:1", "timeout_s": float("nan")}, "timeout_s.*must be > 0, and finite"),
            ({"uri": "http://127.0.0.1:1", "staleness_s": float("inf")}, "staleness_s.*must be > 0, and finite"),
            ({"uri": "http://host:abc"}, "invalid option uri.*such as http"),
            ({"uri": "http://host:99999"}, "invalid option uri.*port up to 65535"),
            ({"uri": "http://[host"}, "invalid option uri"),
        ],
    )
    def test_unknown_options_are_named(self, tmp_path, options, message):
        """What cannot be meant is refused when the gallery is opened."""
        with pytest.raises(InvalidRequest, match=message):
            Gallery.open(tmp_path, FINGERPRINT, storage=Storage(vector_index="milvus", vector_index_options=options))

    def test_no_message_shows_a_secret(self):
        """A token or an address of the wrong type is refused without being shown, and no repr shows them."""
        secret = "root:hidden"
        for options in ({"uri": "http://host", "token": [secret]}, {"uri": [f"http://{secret}@host"]}):
            with pytest.raises(InvalidRequest, match="a list; give one of the type str") as refusal:
                read_options(options)
            assert "hidden" not in str(refusal.value)

        with pytest.raises(InvalidRequest, match="invalid option uri") as refusal:
            read_options({"uri": f"http://{secret}@host:{secret}"})
        assert "hidden" not in str(refusal.value)
        assert "hidden" not in repr(read_options({"uri": f"http://{secret}@host", "token": secret}))

    def test_an_unknown_store_is_refused(self, tmp_path):
        """The known stores are named."""
        with pytest.raises(InvalidRequest, match="known: faiss, milvus"):
            Gallery.open(tmp_path, FINGERPRINT, storage=Storage(vector_index="annoy"))


class TestReplicas:
    def test_what_a_killed_replica_acknowledged_is_found(self, folder, gallery, storage):
        """A replica is killed while it adds: the others deliver what it has left in the outbox."""
        command = [sys.executable, Path(__file__).parents[2] / "adding_process.py", folder, "100", "1000", ""]
        # A short timeout, for what a replica has taken up is its own for ten times as long.
        options = json.dumps({**storage.vector_index_options, "timeout_s": 0.3})
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[5])}
        acknowledged = []
        with subprocess.Popen([*command, options], env=environment, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                acknowledged.append(line.strip())
                if len(acknowledged) == 30:
                    process.kill()

        query = np.eye(1, DIM, dtype=np.float32)[0]
        assert {candidate.image.image_id for candidate in gallery.search(query, top_k=1000)} >= set(acknowledged)
        wait_until(lambda: is_settled(gallery))
        assert {candidate.image.image_id for candidate in gallery.search(query, top_k=1000)} >= set(acknowledged)


class TestDying:
    """Last, for they kill the server; each leaves it running."""

    def test_killed_during_writes_it_loses_nothing(self, folder, gallery, museum, storage, milvus, new_image):
        """Milvus is killed while one thread adds and deletes. Adding and deleting go on; a collection that Milvus never
        had is searched as ever, for any other it is said that Milvus is away. Once it is back, all that was
        acknowledged is found, and nothing that was deleted.
        """
        held, stop = set[str](), Event()

        def write() -> None:
            for seed in count():
                if stop.is_set():
                    return
                image = gallery.add([new_image(seed, collection=museum)])[0].image
                if seed % 3 == 0:
                    gallery.delete(image.image_id)
                else:
                    held.add(image.filename)
                stop.wait(0.02)

        gallery.add([new_image(1, collection="old")])
        wait_until(lambda: is_settled(gallery))
        query = new_image(1).embedding
        writer = Thread(target=write)
        writer.start()
        try:
            wait_until(lambda: len(held) > 40)
            milvus.kill()
            before = len(held)
            wait_until(lambda: len(held) > before + 20)
            gallery.add([new_image(7, collection="new")])
            assert filenames(gallery, new_image(7).embedding, "new") == photos(7)
            with pytest.raises(GalleryUnavailable, match=r"vector engine at 127\.0\.0\.1"):
                gallery.search(query, "old")
            wait_until(lambda: gallery.vector_lag.trouble and gallery.vector_lag.waiting > 20)
            milvus.start()
            before = len(held)
            wait_until(lambda: len(held) > before + 20)
        finally:
            stop.set()
            writer.join()

        wait_for_whole_answers(gallery, query, museum, held)
        wait_until(lambda: is_settled(gallery))
        assert filenames(gallery, query, museum) == held
        assert filenames(gallery, query, "old") == photos(1)
        with Gallery.open(folder, FINGERPRINT, storage=storage) as another:
            assert filenames(another, query, museum) == held

    @pytest.mark.slow
    def test_put_back_to_an_earlier_day_it_heals(self, gallery, museum, milvus, client, new_image):
        """Milvus is restored from an old backup behind the gallery's back: every answer is whole or none, and soon
        they are whole; what was deleted since stays unfound.
        """
        query = new_image(1).embedding
        added = gallery.add([new_image(seed, collection=museum) for seed in range(10)])
        wait_until(lambda: is_settled(gallery))
        client.flush("store")  # such as is loaded from files, and not replayed, after a restart
        milvus.kill()
        backup = milvus.save()
        milvus.start()
        wait_for_whole_answers(gallery, query, museum, photos(*range(10)))
        gallery.delete(added[0].image.image_id)
        gallery.add([new_image(seed, collection=museum) for seed in range(10, 20)])
        wait_until(lambda: is_settled(gallery))
        assert filenames(gallery, query, museum) == photos(*range(1, 20))

        milvus.kill()
        milvus.restore(backup)
        milvus.start()

        wait_for_whole_answers(gallery, query, museum, photos(*range(1, 20)))
        wait_until(lambda: is_settled(gallery))
        assert filenames(gallery, query, museum) == photos(*range(1, 20))
