"""What a process's threads share."""

import os
import subprocess
import sys

import pytest

ALLOCATING_THREADS = """
import ctypes
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from core.runtime.threads import limit_threads

limit_threads()
together = Barrier(4)
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda _: (together.wait(), bytearray(100_000)), range(4)))
library = ctypes.CDLL(None)
library.fdopen.restype = ctypes.c_void_p
output = ctypes.c_void_p(library.fdopen(1, b"w"))
library.malloc_info(0, output)
library.fflush(output)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc")
def test_threads_allocate_from_one_arena():
    """However many threads allocate, glibc keeps one heap for all, so that what one has freed serves the next."""
    done = subprocess.run([sys.executable, "-c", ALLOCATING_THREADS], capture_output=True, text=True, check=True)
    assert done.stdout.count("<heap nr=") == 1


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
