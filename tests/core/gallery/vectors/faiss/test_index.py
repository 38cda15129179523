"""Exact search by collection, and rows that move when others go."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gallery.vectors.faiss.index import VectorIndex


def unit_rows(seed: int, count: int, dim: int = 8) -> np.ndarray:
    """Random unit vectors: float32 [count, dim]."""
    rows = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_search_equals_brute_force():
    """Ids and cosines are those of a plain matrix product, in descending order."""
    vectors, query = unit_rows(1, 500), unit_rows(2, 1)[0]
    index = VectorIndex(8)
    index.add("a", np.arange(500) + 1000, vectors)

    ids, similarities = index.search("a", query, 20)

    order = np.argsort(-(vectors @ query))[:20]
    np.testing.assert_array_equal(ids, order + 1000)
    np.testing.assert_allclose(similarities, (vectors @ query)[order], atol=1e-6)


@pytest.mark.parametrize("top_k", [3, 100])
def test_fewer_vectors_than_asked_for(top_k):
    """As many as there are; none for an unknown collection."""
    index = VectorIndex(8)
    index.add("a", np.arange(3), unit_rows(1, 3))

    assert len(index.search("a", unit_rows(2, 1)[0], top_k)[0]) == 3
    assert len(index.search("b", unit_rows(2, 1)[0], top_k)[0]) == 0


def test_reserving_changes_no_answer():
    """Room for more vectors holds none."""
    index = VectorIndex(8)
    index.reserve("a", 1000, lambda: np.arange(1000))

    assert len(index) == 0
    assert len(index.search("a", unit_rows(2, 1)[0], 5)[0]) == 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(steps=st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 40), min_size=1, max_size=12)), max_size=12))
def test_any_history_leaves_the_vectors_that_should_be_left(steps):
    """Whatever is added and removed in which order, exactly the remaining ids are found, each by its vector."""
    vectors = unit_rows(3, 41)
    index, truth = VectorIndex(8), set[int]()
    for adds, numbers in steps:
        if adds:
            new = np.array(sorted(numbers - truth), np.int64)
            # Two collections, so that removing must find the right one.
            for collection, parity in (("even", 0), ("odd", 1)):
                chosen = new[new % 2 == parity]
                index.add(collection, chosen, vectors[chosen])
            truth |= numbers
        else:
            index.remove(np.array(sorted(numbers), np.int64))
            truth -= numbers

    assert sorted(seq for ids in index.ids().values() for seq in ids.tolist()) == sorted(truth)
    assert len(index) == len(truth)
    for number in truth:
        ids, similarities = index.search("odd" if number % 2 else "even", vectors[number], 1)
        assert ids[0] == number
        assert similarities[0] > 0.999
