"""Exact search on a GPU through FAISS, over copies of vectors that stay in main memory.

Only faiss-gpu can; without it, or without a GPU, everything stays on the CPU and nothing here is used.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import faiss
import numpy as np
from numpy.typing import NDArray

from core.errors import BackendUnavailable, InvalidRequest

MAX_TOP_K = 2048
"""The most neighbours that FAISS's GPU kernels give."""

# FAISS would set 1.5 GB aside, which the encoder can use better; one query needs next to nothing.
_SCRATCH_BYTES = 64 * 1024 * 1024

MakeIndex = Callable[[int], Any]


class Rows(Protocol):
    """Rows that are appended to; every other change increments ``rearrangements``."""

    vectors: NDArray[np.float32]
    count: int
    rearrangements: int


class GpuSearch:
    """Searches rows on a device, where it keeps a copy that follows them at the next search. One search at a time."""

    def __init__(self, make_index: MakeIndex) -> None:
        """Take ``make_index``, which creates an empty index for vectors of a width."""
        self._make_index = make_index
        self._copies: WeakKeyDictionary[Rows, tuple[int, Any]] = WeakKeyDictionary()
        self._lock = Lock()  # FAISS's GPU resources serve one thread

    def search(
        self, rows: Rows, query: NDArray[np.float32], top_k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Find the rows most similar to ``query``.

        Args:
            rows: N vectors, unchanged while this runs.
            query: float32 [D].
            top_k: 1 to min(N, ``MAX_TOP_K``).

        Returns:
            similarities float32 [1, K], descending, and row numbers int64 [1, K].

        Raises:
            RuntimeError: FAISS's own, such as when the device's memory is full.
        """
        with self._lock:
            arrangement, index = self._copies.get(rows, (-1, None))
            if arrangement != rows.rearrangements:
                self._copies.pop(rows, None)  # before the new copy takes its memory
                index = self._make_index(rows.vectors.shape[1])
                self._copies[rows] = (rows.rearrangements, index)
            if index.ntotal < rows.count:
                index.add(rows.vectors[index.ntotal : rows.count])
            similarities, numbers = index.search(query[None], top_k)
        return similarities, numbers


def find_gpu_search(device: str) -> GpuSearch | None:
    """Turn a setting into a GPU's search, or None for the CPU.

    Args:
        device: ``auto`` (the first GPU that FAISS sees, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InvalidRequest: none of these.
        BackendUnavailable: FAISS sees no such GPU.
    """
    kind, _, number = device.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (number and (kind != "cuda" or not number.isdigit())):
        raise InvalidRequest(f"unknown search device: {device!r}; accepted: auto, cpu, cuda, cuda:N")
    gpus = faiss.get_num_gpus() if kind != "cpu" else 0
    if kind == "cpu" or (kind == "auto" and gpus == 0):
        return None
    if int(number or 0) >= gpus:
        raise BackendUnavailable(
            f"vectors are to be searched on {device}, but FAISS sees {gpus} GPUs; install faiss-gpu in place of "
            "faiss-cpu, or set the search device to auto or cpu"
        )
    return GpuSearch(_exact_index_on(int(number or 0)))


def _exact_index_on(gpu: int) -> MakeIndex:
    resources = faiss.StandardGpuResources()
    resources.setTempMemory(_SCRATCH_BYTES)
    config = faiss.GpuIndexFlatConfig()
    config.device = gpu
    return lambda dim: faiss.GpuIndexFlatIP(resources, dim, config)
