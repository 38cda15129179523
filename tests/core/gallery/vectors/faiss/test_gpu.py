"""The GPU's way of searching, tried with FAISS's CPU index in the GPU's place: the two have one interface."""

import logging

import faiss
import numpy as np
import pytest

from core.errors import BackendUnavailable, InvalidRequest
from core.gallery.vectors.faiss.gpu import GpuSearch, find_gpu_search
from core.gallery.vectors.faiss.index import VectorIndex

needs_no_gpu = pytest.mark.skipif(faiss.get_num_gpus() > 0, reason="FAISS sees a GPU: its absence cannot be tried")


class CountingIndex(faiss.IndexFlatIP):
    """Counts the vectors that were sent to the device."""

    sent = 0

    def add(self, vectors: np.ndarray) -> None:
        """Add, and count."""
        type(self).sent += len(vectors)
        super().add(vectors)


@pytest.fixture
def device() -> type[CountingIndex]:
    """A device of this test alone."""
    return type("Device", (CountingIndex,), {"sent": 0})


def unit_rows(seed: int, count: int, dim: int = 8) -> np.ndarray:
    """Random unit vectors: float32 [count, dim]."""
    rows = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_answers_are_the_cpus_through_any_history(device: type[CountingIndex]):
    """Whatever is added and removed in between, both devices name the same ids."""
    rng = np.random.default_rng(0)
    on_cpu, on_gpu = VectorIndex(8), VectorIndex(8, GpuSearch(device), gpu_from=1)
    present: list[int] = []
    for step in range(20):
        added = np.arange(step * 10, step * 10 + rng.integers(1, 10))
        removed = rng.choice(present, size=min(len(present), 4), replace=False) if step % 3 else np.empty(0, np.int64)
        for index in (on_cpu, on_gpu):
            index.add("a", added, unit_rows(step, len(added)))
            index.remove(removed)
        present = sorted(set(present) | set(added.tolist()))
        present = [number for number in present if number not in set(removed.tolist())]
        expected, found = (index.search("a", unit_rows(100 + step, 1)[0], 5) for index in (on_cpu, on_gpu))
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1], atol=1e-6)


def test_only_what_is_new_goes_to_the_device(device: type[CountingIndex]):
    """Adding one photo to many does not send the many again; removing one does, at the next search."""
    index = VectorIndex(8, GpuSearch(device), gpu_from=1)
    query = unit_rows(9, 1)[0]
    index.add("a", np.arange(100), unit_rows(1, 100))
    index.search("a", query, 5)
    index.add("a", np.array([100]), unit_rows(2, 1))
    index.search("a", query, 5)
    index.search("a", query, 5)
    assert device.sent == 101
    index.remove(np.array([3]))
    index.search("a", query, 5)
    assert device.sent == 201


def test_small_collections_and_long_lists_stay_on_the_cpu(device: type[CountingIndex]):
    """The device is asked for what it is good at only."""
    index = VectorIndex(8, GpuSearch(device), gpu_from=3000)
    index.add("small", np.arange(2999), unit_rows(1, 2999))
    index.add("large", np.arange(3000, 6000), unit_rows(2, 3000))
    assert len(index.search("small", unit_rows(9, 1)[0], 5)[0]) == 5
    assert len(index.search("large", unit_rows(9, 1)[0], 2500)[0]) == 2500
    assert device.sent == 0
    index.search("large", unit_rows(9, 1)[0], 5)
    assert device.sent == 3000


def test_a_device_that_fails_is_given_up(caplog: pytest.LogCaptureFixture):
    """Out of GPU memory the answer comes from the CPU, and the operator is told once."""
    asked = []

    def full(dim: int) -> None:
        asked.append(dim)
        raise RuntimeError("Error: cudaMalloc error out of memory [2]")

    index = VectorIndex(8, GpuSearch(full), gpu_from=1)
    index.add("a", np.arange(50), unit_rows(1, 50))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert len(index.search("a", unit_rows(9, 1)[0], 5)[0]) == 5
    assert asked == [8]
    assert caplog.text.count("searching on the GPU failed") == 1


@needs_no_gpu
@pytest.mark.parametrize("device_name", ["auto", "cpu"])
def test_without_a_gpu_the_cpu_searches(device_name: str):
    """No GPU is no error unless one was asked for by name."""
    assert find_gpu_search(device_name) is None


@needs_no_gpu
@pytest.mark.parametrize("device_name", ["cuda", "cuda:1"])
def test_a_gpu_asked_for_by_name_must_be_there(device_name: str):
    """The refusal names the package that can."""
    with pytest.raises(BackendUnavailable, match="FAISS sees 0 GPUs; install faiss-gpu"):
        find_gpu_search(device_name)


@pytest.mark.parametrize("device_name", ["gpu", "cpu:0", "cuda:x", "auto:1"])
def test_an_unknown_device_is_refused(device_name: str):
    """The refusal lists what is accepted."""
    with pytest.raises(InvalidRequest, match="accepted: auto, cpu, cuda, cuda:N"):
        find_gpu_search(device_name)


@pytest.mark.gpu
@pytest.mark.skipif(faiss.get_num_gpus() == 0, reason="FAISS sees no GPU: its kernels cannot be tried")
def test_a_real_gpu_gives_the_cpus_answers():
    """The same ids and cosines as on the CPU."""
    vectors, query = unit_rows(1, 20_000, 64), unit_rows(2, 1, 64)[0]
    found = []
    for gpu in (None, find_gpu_search("cuda")):
        index = VectorIndex(64, gpu)
        index.add("a", np.arange(20_000), vectors)
        found.append(index.search("a", query, 50))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-5)
