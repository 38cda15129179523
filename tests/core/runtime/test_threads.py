"""What a process's threads share."""

import os
import subprocess
import sys

import pytest

from core.runtime.cores import count_cores

ALLOCATING_THREADS = """
import ctypes
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from core.runtime.cores import count_cores
from core.runtime.threads import limit_threads

limit_threads()
count = 4 * count_cores()
together = Barrier(count)
with ThreadPoolExecutor(count) as pool:
    list(pool.map(lambda _: (together.wait(), bytearray(100_000)), range(count)))
library = ctypes.CDLL(None)
library.fdopen.restype = ctypes.c_void_p
output = ctypes.c_void_p(library.fdopen(1, b"w"))
library.malloc_info(0, output)
library.fflush(output)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc")
def test_threads_share_two_arenas_for_each_core():
    """However many threads allocate, glibc keeps few heaps, so that what one has freed serves the next."""
    done = subprocess.run([sys.executable, "-c", ALLOCATING_THREADS], capture_output=True, text=True, check=True)
    assert done.stdout.count("<heap nr=") == 2 * count_cores()


KEPT = """
import os
from core.runtime.threads import limit_threads

limit_threads()
print(os.environ["LRU_CACHE_CAPACITY"], os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"])
"""


def test_an_operator_may_let_libraries_keep_more():
    """What the environment says counts; the rest is bounded."""
    environment = os.environ | {"LRU_CACHE_CAPACITY": "1024"}
    environment.pop("ONEDNN_PRIMITIVE_CACHE_CAPACITY", None)
    done = subprocess.run([sys.executable, "-c", KEPT], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1024", "256"]
