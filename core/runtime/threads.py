"""How many threads each numerical library of this process may use.

Two libraries that each spin on every core slow one another down many times over: with a second busy process on two
cores, the cheap local test of 50 candidates took 7.6 s with the libraries' defaults and 0.07 s with one thread each.
So every process entry calls ``limit_threads`` first, and work is spread over photos and pairs instead.

glibc gives its memory in arenas, up to eight for each core, and each keeps the most that its threads ever needed at
once. Threads that share one wait for its lock. On two cores, 60 photos from 16 clients took 71 s with one arena, 60 s
with four and 66 s with sixteen, and 890, 970 and 1,130 MB at most. A thread that had an arena before keeps it.

oneDNN, PyTorch's convolutions on the CPU, keeps what it prepared for each shape of tensor, 1,024 shapes of each layer
taken together. Photos come in any shape: after 120 of them the embedded encoder held 730 MB with all of that kept and
520 MB with 64, at 14 % more time per photo. 256 is between them. PyTorch itself keeps 1,024 descriptions of
convolutions beside those, and MKL its buffers for every thread: after 100 photos that 16 clients sent, the product held
50 MB less with 64 descriptions and no such buffers, and took no more time.
"""

import ctypes
import os
import sys

import faiss
import torch
from threadpoolctl import threadpool_limits

from core.runtime.cores import count_cores

_M_ARENA_MAX = -8
_ARENAS_PER_CORE = 2
_KEPT = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256", "LRU_CACHE_CAPACITY": "64", "MKL_DISABLE_FAST_MM": "1"}


def limit_threads(count: int = 1) -> None:
    """Let PyTorch, NumPy's BLAS, OpenMP and FAISS use ``count`` threads each, from now on, in this process.

    Also bounds what glibc, oneDNN, PyTorch and MKL keep; to be called before there are other threads, and before the
    first forward pass, when the libraries read their settings.
    """
    for name, value in _KEPT.items():
        os.environ.setdefault(name, value)
    torch.set_num_threads(count)
    threadpool_limits(limits=count)
    faiss.omp_set_num_threads(count)
    _limit_arenas()


def _limit_arenas() -> None:
    if sys.platform == "linux":
        # Other C libraries than glibc have no such function, nor such arenas.
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, _ARENAS_PER_CORE * count_cores())
