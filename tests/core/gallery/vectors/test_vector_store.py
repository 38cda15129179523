"""What every vector store promises, whichever engine does it."""

from itertools import count
from threading import Event

import numpy as np
import pytest
from servers.milvus import GRACEFUL_S

from core.errors import UnknownCollection
from core.gallery import Gallery, ImageChange, Storage
from core.gallery.vectors.milvus import outbox
from core.gallery.vectors.port import VectorStore
from core.results import EncoderFingerprint, Place

STORES = {
    "faiss": {},
    "faiss in float16": {"precision": "float16"},
    "faiss in lists": {"approximate": "ivf", "approximate_from": 10, "probes": 1000},
    "milvus": {"collection": "contract", "staleness_s": GRACEFUL_S + 0.1},
}
DIM = 16
FINGERPRINT = EncoderFingerprint("drawn", "seeded", "none", DIM)
NUMBERS = count(1)


@pytest.fixture(scope="module", params=STORES)
def replicas(request, tmp_path_factory):
    """Two processes' views of one gallery: each has the folder open for itself."""
    options = dict(STORES[request.param])
    if request.param == "milvus":
        options["uri"] = request.getfixturevalue("milvus").uri
    storage = Storage(vector_index=request.param.split()[0], vector_index_options=options)
    folder = tmp_path_factory.mktemp("gallery")
    with (
        Gallery.open(folder, FINGERPRINT, storage=storage) as one,
        Gallery.open(folder, FINGERPRINT, storage=storage) as other,
    ):
        yield one, other


@pytest.fixture
def tolerance(request) -> float:
    """How far similarities may be off."""
    return 1e-3 if "float16" in request.node.callspec.params["replicas"] else 1e-5


@pytest.fixture
def gallery(replicas) -> Gallery:
    """One of the two."""
    return replicas[0]


@pytest.fixture
def collection() -> str:
    """A name that no other test uses."""
    return f"museum-{next(NUMBERS)}"


def wait_until_settled(gallery):
    """Return when nothing waits for an engine any more, so that it alone answers."""
    pause = Event()
    for _ in range(600):
        with gallery._database.reading() as connection:
            if outbox.next_due(connection) is None:
                return
        pause.wait(0.05)
    raise TimeoutError("the outbox does not become empty")


def ids(candidates) -> list[str]:
    """Which images were found, in order."""
    return [candidate.image.image_id for candidate in candidates]


class TestSearching:
    def test_the_similarities_are_the_cosines(self, gallery, collection, new_image, tolerance):
        """The most similar images come first, with their exact cosine similarities."""
        images = [new_image(seed, collection=collection) for seed in range(40)]
        stored = [result.image.image_id for result in gallery.add(images)]
        query = new_image(1000).embedding
        cosines = np.stack([image.embedding for image in images]) @ query
        best = np.argsort(-cosines)[:7]

        for wait in (lambda _: None, wait_until_settled):
            wait(gallery)
            found = gallery.search(query, collection, top_k=7)
            assert ids(found) == [stored[row] for row in best]
            assert [candidate.similarity for candidate in found] == pytest.approx(cosines[best].tolist(), abs=tolerance)

    def test_a_small_collection_is_found_whole(self, gallery, collection, new_image):
        """Asked for more than there is, a search answers with all there is."""
        gallery.add([new_image(seed, collection=collection) for seed in range(3)])

        assert len(gallery.search(new_image(0).embedding, collection, top_k=50)) == 3

    def test_collections_know_nothing_of_each_other(self, gallery, collection, new_image):
        """A search finds images of its collection alone, however similar those of another are."""
        gallery.add([new_image(1, collection=f"{collection}-other")])
        gallery.add([new_image(2, collection=collection)])

        assert [candidate.image.filename for candidate in gallery.search(new_image(1).embedding, collection)] == [
            "photo-2.jpg"
        ]

    def test_hidden_places_are_passed_over(self, gallery, collection, new_image):
        """As many other images are found as were asked for, however many of hidden places are nearer."""
        hidden = [new_image(seed, collection=collection, place=Place("gate", "Gate")) for seed in range(20)]
        far = [new_image(seed, collection=collection, embedding=-hidden[0].embedding) for seed in (20, 21)]
        stored = [result.image.image_id for result in gallery.add([*hidden, *far])]

        gallery.change_place(collection, "gate", ImageChange(is_hidden=True))

        for wait in (lambda _: None, wait_until_settled):
            wait(gallery)
            assert set(ids(gallery.search(hidden[0].embedding, collection, top_k=2))) == set(stored[-2:])

    def test_an_unknown_collection_is_named(self, gallery, collection, new_image):
        """A collection that holds nothing is said to be unknown."""
        gallery.add([new_image(1, collection=collection)])

        with pytest.raises(UnknownCollection, match="nowhere"):
            gallery.search(new_image(1).embedding, "nowhere")


class TestChanging:
    def test_an_added_image_is_found_at_once_by_every_replica(self, replicas, collection, new_image, tolerance):
        """As soon as ``add`` returns, the image is the best answer to its own photo, wherever it is asked."""
        one, _other = replicas
        for seed in range(5):
            added = one.add([new_image(seed, collection=collection)])[0].image.image_id
            for replica in replicas:
                best = replica.search(new_image(seed).embedding, collection, top_k=1)[0]
                assert (best.image.image_id, best.similarity) == (added, pytest.approx(1, abs=tolerance))

    @pytest.mark.parametrize("what", ["image", "place", "collection"])
    def test_the_trash_is_searched_by_no_replica_until_it_is_taken_back(
        self, replicas, collection, new_image, what, tolerance
    ):
        """Deleted by one replica and taken back by another, an image is gone and then found, everywhere and at once."""
        one, other = replicas
        gate = Place("gate", "Gate")
        one.add([new_image(seed, collection=collection) for seed in range(2, 6)])
        gone = one.add([new_image(1, collection=collection, place=gate)])[0].image.image_id
        wait_until_settled(one)
        deletion = {
            "image": lambda: one.trash.put_image(gone),
            "place": lambda: one.trash.put_place(collection, "gate"),
            "collection": lambda: one.trash.put_collection(collection),
        }[what]()

        for wait in (lambda _: None, wait_until_settled):
            wait(one)
            for replica in replicas:
                if what == "collection":
                    with pytest.raises(UnknownCollection):
                        replica.search(new_image(1).embedding, collection)
                else:
                    assert gone not in ids(replica.search(new_image(1).embedding, collection, top_k=9))
        other.trash.restore(deletion.deletion_id)

        for wait in (lambda _: None, wait_until_settled):
            wait(other)
            for replica in replicas:
                found = replica.search(new_image(1).embedding, collection, top_k=9)
                assert (found[0].image.image_id, found[0].similarity) == (gone, pytest.approx(1, abs=tolerance))
                assert len(found) == 5

    def test_a_deleted_image_is_found_by_no_replica(self, replicas, collection, new_image):
        """As soon as ``delete`` returns, the image is no answer any more; the next best takes its place."""
        one, _other = replicas
        stored = [added.image.image_id for added in one.add([new_image(s, collection=collection) for s in range(8)])]
        wait_until_settled(one)

        for seed in (3, 5):
            one.delete(stored[seed])

            for replica in replicas:
                found = ids(replica.search(new_image(seed).embedding, collection, top_k=6))
                assert stored[seed] not in found
                assert len(found) == 6

    def test_a_renamed_collection_is_found_under_its_new_name(self, replicas, collection, new_image):
        """Its vectors follow a collection's name at once, and new images join them."""
        one, other = replicas
        one.add([new_image(1, collection=collection)])
        wait_until_settled(one)
        one.rename_collection(collection, f"{collection}-renamed")
        other.add([new_image(2, collection=f"{collection}-renamed")])

        for replica in replicas:
            assert len(replica.search(new_image(1).embedding, f"{collection}-renamed")) == 2
            with pytest.raises(UnknownCollection):
                replica.search(new_image(1).embedding, collection)

    def test_the_name_of_a_deleted_collection_can_be_used_again(self, replicas, collection, new_image):
        """Of a collection that was deleted nothing is found under its name, whatever it holds next."""
        one, other = replicas
        one.add([new_image(seed, collection=collection) for seed in range(4)])
        one.delete_collection(collection)
        other.add([new_image(9, collection=collection)])

        for replica in replicas:
            found = replica.search(new_image(0).embedding, collection, top_k=4)
            assert [candidate.image.filename for candidate in found] == ["photo-9.jpg"]

    def test_any_course_of_changes_leads_to_what_the_database_holds(self, replicas, collection, new_image):
        """After any changes by either replica, both answer as if all had been compared one by one."""
        rng = np.random.default_rng(5)
        held: dict[str, np.ndarray] = {}
        for step in range(60):
            writer = replicas[rng.integers(2)]
            if held and rng.random() < 0.4:
                image_id = list(held)[rng.integers(len(held))]
                writer.delete(image_id)
                del held[image_id]
            else:
                image = new_image(2000 + step, collection=collection)
                held[writer.add([image])[0].image.image_id] = image.embedding
            if not held:
                continue
            query = new_image(5000 + step).embedding
            cosines = {image_id: float(vector @ query) for image_id, vector in held.items()}
            expected = sorted(cosines, key=lambda each: -cosines[each])[:5]
            assert ids(replicas[step % 2].search(query, collection, top_k=5)) == expected


def test_every_store_is_a_vector_store(gallery):
    """A store offers all that the port asks for."""
    asked = {name for name in vars(VectorStore) if not name.startswith("_")}

    assert asked <= set(dir(gallery._vectors))
