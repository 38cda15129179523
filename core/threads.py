"""How many threads each numerical library of this process may use.

Two libraries that each spin on every core slow one another down many times over: with a second busy process on two
cores, the cheap local test of 50 candidates took 7.6 s with the libraries' defaults and 0.07 s with one thread each.
So every process entry calls ``limit_threads`` first, and work is spread over photos and pairs instead.
"""

import faiss
import torch
from threadpoolctl import threadpool_limits


def limit_threads(count: int = 1) -> None:
    """Let PyTorch, NumPy's BLAS, OpenMP and FAISS use ``count`` threads each, from now on, in this process."""
    torch.set_num_threads(count)
    threadpool_limits(limits=count)
    faiss.omp_set_num_threads(count)
