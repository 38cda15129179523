"""FAISS in memory with float16 and with lists: what is saved, and what still holds."""

import logging

import faiss
import numpy as np
import pytest

from core.errors import InvalidRequest
from core.gallery.vectors.faiss.flat import Rows
from core.gallery.vectors.faiss.index import FaissOptions, VectorIndex, read_faiss_options
from core.gallery.vectors.faiss.ivf import PartitionCache

DIM = 24


def unit_rows(count: int, seed: int) -> np.ndarray:
    """Float32 [N, D] around forty centres, each row of L2 norm 1."""
    rng = np.random.default_rng(seed)
    rows = np.random.default_rng(0).standard_normal((40, DIM))[rng.integers(40, size=count)]
    rows = rows + 0.3 * rng.standard_normal((count, DIM))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def learned(index: VectorIndex) -> VectorIndex:
    """Wait until the work in the background is done."""
    index.improve()
    if index._learning is not None:
        index._learning.join()
    return index


def recall(index: VectorIndex, vectors: np.ndarray) -> float:
    """What share of the ten best of vectors 0, 1... searches of the museum find."""
    hits = 0
    for query in unit_rows(50, 2):
        hits += len(set(index.search("museum", query, 10)[0]) & set(np.argsort(-(vectors @ query))[:10]))
    return hits / 500


@pytest.fixture
def vectors() -> np.ndarray:
    """Enough for lists."""
    return unit_rows(3000, 1)


@pytest.fixture
def cache(tmp_path) -> PartitionCache:
    """In a folder that is not there yet."""
    return PartitionCache(tmp_path / "cache", "the encoder")


@pytest.fixture
def make_index(cache):
    """Make an index that deserves lists from 1,000 vectors on."""
    made = []

    def make(**options) -> VectorIndex:
        options = {"approximate": "ivf", "approximate_from": 1000, "probes": 12, **options}
        made.append(VectorIndex(DIM, options=FaissOptions(**options), cache=cache))
        return made[-1]

    yield make
    for index in made:
        index.close()


class TestFloat16:
    def test_similarities_are_exact_to_three_digits(self, vectors):
        """In float16 the same vectors are found in the same order, but for ties within a thousandth."""
        half, full = VectorIndex(DIM, options=FaissOptions(precision="float16")), VectorIndex(DIM)
        for index in (half, full):
            index.add("museum", np.arange(len(vectors)), vectors)

        for query in unit_rows(20, 2):
            ids, similarities = half.search("museum", query, 10)
            expected_ids, expected = full.search("museum", query, 10)
            assert np.abs(similarities - expected).max() < 1e-3
            assert len(set(ids) & set(expected_ids)) >= 9

    def test_any_course_of_changes_leads_to_the_same_vectors(self):
        """Rows that fill gaps, and room that grows, keep every vector with its id."""
        rng, index = np.random.default_rng(3), VectorIndex(DIM, options=FaissOptions(precision="float16"))
        held: dict[int, np.ndarray] = {}
        for step in range(40):
            ids, rows = np.arange(step * 100, step * 100 + 30), unit_rows(30, step)
            index.add("museum", ids, rows)
            held |= dict(zip(ids.tolist(), rows, strict=True))
            gone = rng.choice(list(held), 12, replace=False)
            index.remove(gone)
            for seq in gone.tolist():
                del held[seq]

        assert sorted(index.ids()["museum"].tolist()) == sorted(held)
        for seq in list(held)[:50]:
            ids, similarities = index.search("museum", held[seq], 1)
            assert (ids[0], similarities[0]) == (seq, pytest.approx(1, abs=2e-3))


class TestLists:
    @pytest.mark.parametrize("precision", ["float32", "float16"])
    def test_nearly_all_of_the_best_are_found(self, make_index, vectors, precision):
        """Reading some of the lists finds 98 of 100 of the ten best, with their exact similarities."""
        index, exact = make_index(precision=precision), VectorIndex(DIM)
        for either in (index, exact):
            either.add("museum", np.arange(len(vectors)), vectors)
        learned(index)
        assert not isinstance(index._shards["museum"], Rows)

        hits = 0
        for query in unit_rows(50, 2):
            ids, similarities = index.search("museum", query, 10)
            hits += len(set(ids) & set(exact.search("museum", query, 10)[0]))
            assert np.abs(similarities - vectors[ids] @ query).max() < 1e-3
        assert hits >= 0.98 * 500

    def test_changes_are_seen_at_once(self, make_index, vectors):
        """A vector added to the lists is found by the next search, a removed one is not."""
        index = make_index()
        index.add("museum", np.arange(len(vectors)), vectors)
        learned(index)
        new = unit_rows(1, 9)

        index.add("museum", np.array([5000]), new)
        assert index.search("museum", new[0], 1)[0].tolist() == [5000]
        index.remove(np.array([5000]))

        assert 5000 not in index.search("museum", new[0], 50)[0]
        assert len(index) == len(vectors)

    def test_changes_while_it_is_learned_are_kept(self, make_index, vectors):
        """Whatever is added, removed or renamed while lists are being made is in them afterwards."""
        index = make_index()
        index.add("museum", np.arange(len(vectors)), vectors)
        index.improve()
        more = unit_rows(200, 4)
        for number, vector in enumerate(more):
            index.add("museum" if number < 100 else "castle", np.array([10_000 + number]), vector[None])
            index.remove(np.array([number]))
            if number == 99:
                index.rename("museum", "castle")
        learned(index)

        assert sorted(index.ids()["castle"].tolist()) == [*range(200, 3000), *range(10_000, 10_200)]
        for number in (0, 150, 199):
            assert index.search("castle", more[number], 1)[0].tolist() == [10_000 + number]

    def test_more_than_the_lists_hold_is_found_all_the_same(self, make_index, vectors):
        """Asked for more than the nearest lists hold, a search reads all."""
        index = make_index(probes=1)
        index.add("museum", np.arange(len(vectors)), vectors)
        learned(index)

        assert len(index.search("museum", vectors[0], 2500)[0]) == 2500


class TestCache:
    def test_the_next_start_learns_nothing(self, make_index, vectors, monkeypatch):
        """What was learned is kept: the next process has the lists before its first search."""
        first = make_index()
        first.add("museum", np.arange(len(vectors)), vectors)
        learned(first)
        first.add("museum", np.array([7000]), unit_rows(1, 8))
        first.close()
        monkeypatch.setattr(faiss, "Kmeans", None)

        index = make_index()
        index.reserve("museum", len(vectors) + 1, lambda: np.arange(len(vectors)))
        index.add("museum", np.arange(len(vectors)), vectors)
        index.add("museum", np.array([7000]), unit_rows(1, 8))

        assert not isinstance(index._shards["museum"], Rows)
        assert not index._shards["museum"].has_changed
        assert index.search("museum", unit_rows(1, 8)[0], 1)[0].tolist() == [7000]

    @pytest.mark.parametrize("content", [b"", b"no archive at all"], ids=["empty", "torn"])
    def test_a_damaged_file_is_made_again(self, make_index, tmp_path, vectors, caplog, content):
        """A cache that cannot be read costs time, and nothing else."""
        first = make_index()
        first.add("museum", np.arange(len(vectors)), vectors)
        learned(first)
        next((tmp_path / "cache").iterdir()).write_bytes(content)

        with caplog.at_level(logging.WARNING):
            index = make_index()
            index.add("museum", np.arange(len(vectors)), vectors)
            learned(index)

        assert "made again" in caplog.text
        assert not isinstance(index._shards["museum"], Rows)

    def test_another_encoders_lists_are_not_taken(self, make_index, tmp_path, vectors):
        """Lists that another encoder's vectors were spread over are of no use, and not taken."""
        first = make_index()
        first.add("museum", np.arange(len(vectors)), vectors)
        learned(first)

        assert PartitionCache(tmp_path / "cache", "another encoder").read("museum") is None
        assert PartitionCache(tmp_path / "cache", "the encoder").read("museum") is not None

    def test_another_collection_of_the_name_learns_lists_of_its_own(self, make_index, tmp_path, vectors):
        """A collection made again under its name, or renamed into it, is not spread over the former one's lists."""
        first = make_index()
        first.add("museum", np.arange(len(vectors)), vectors)
        learned(first).close()

        index = make_index()
        again = np.arange(10_000, 10_000 + len(vectors))
        index.reserve("museum", len(again), lambda: again)
        index.add("museum", again, vectors)

        assert isinstance(index._shards["museum"], Rows)

    @pytest.mark.parametrize("precision", ["float32", "float16"])
    @pytest.mark.parametrize("restored", [2000, 0], ids=["restored", "rebuilt"])
    def test_numbers_used_again_for_other_photos_go_into_lists_of_their_own(
        self, make_index, vectors, restored, precision
    ):
        """After a restore, or a rebuild beside the former lists, all is found, at once and at the next start."""
        first = make_index()
        first.add("museum", np.arange(len(vectors)), vectors)
        learned(first).close()
        vectors = np.concatenate([vectors[:restored], unit_rows(len(vectors) - restored, 5)])

        for _ in range(2):
            index = make_index(precision=precision)
            index.reserve("museum", len(vectors), lambda: np.arange(len(vectors)))
            index.add("museum", np.arange(len(vectors)), vectors)
            assert not isinstance(index._shards["museum"], Rows)
            assert recall(index, vectors) >= 0.98
            index.close()
        assert not index._shards["museum"].has_changed

    def test_lists_made_of_other_vectors_are_learned_again(self, make_index, cache, vectors):
        """Where most of what was learned proves to be of other vectors, centres are learned of these, in time."""
        first = make_index()
        first.add("museum", np.arange(len(vectors)), vectors)
        former = learned(first)._shards["museum"].partition().centroids

        index = make_index()
        others = np.ascontiguousarray(-vectors)
        index.add("museum", np.arange(len(vectors)), others)
        learned(index)

        assert np.abs(cache.read("museum").centroids - former).max() > 0.1
        assert recall(index, others) >= 0.98

    def test_what_was_learned_goes_with_a_collection_and_follows_its_name(self, make_index, cache, vectors):
        """No file stays of a collection that is removed or has another name; under the new name there is one."""
        index = make_index()
        index.add("museum", np.arange(len(vectors)), vectors)
        learned(index)
        index.rename("museum", "castle")
        assert cache.read("museum") is None
        index.close()
        assert len(cache.read("castle").ids) == len(vectors)

        other = make_index()
        other.add("castle", np.arange(len(vectors)), vectors)
        other.remove(np.arange(len(vectors)))
        assert cache.read("castle") is None

    def test_lists_survive_a_load_that_stops_before_its_first_vector(self, make_index, cache, vectors):
        """A removal from other collections leaves the lists of one that room was made for only."""
        first = make_index()
        first.add("museum", np.arange(len(vectors)), vectors)
        learned(first).close()

        index = make_index()
        index.reserve("museum", len(vectors), lambda: np.arange(len(vectors)))
        index.remove(np.array([70_000]))

        assert cache.read("museum") is not None

    def test_closing_ends_the_work(self, make_index, vectors):
        """Closed while it learns, an index lets go within a moment, and searching goes on till then."""
        index = make_index()
        index.add("museum", np.arange(len(vectors)), vectors)
        index.improve()
        assert index.search("museum", vectors[3], 1)[0].tolist() == [3]

        index.close()

        assert not index._learning.is_alive()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precison": "float16"}, "unknown options of the FAISS index: precison; known: precision, approximate"),
        ({"precision": "int8"}, "give float32 or float16"),
        ({"approximate": "hnsw"}, "known: ivf"),
        ({"probes": 0}, "invalid option probes"),
        ({"approximate_from": "many"}, "invalid option approximate_from"),
    ],
)
def test_unknown_options_are_named(options, message):
    """What cannot be meant is refused."""
    with pytest.raises(InvalidRequest, match=message):
        read_faiss_options(options)
