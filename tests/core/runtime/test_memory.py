"""Memory that nobody uses goes back to the system."""

import os
import subprocess
import sys

import pytest

from core.runtime.memory import MALLOC_ENVIRONMENT

_SCRIPT = """
import ctypes
from core.runtime.memory import release_free_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1])

kept = [b"x" * (100_000 + number % 7) for number in range(4_000)]  # below the size that glibc maps apart
last = b"x" * 100_000  # above them, so that the heap cannot simply shrink
before = resident()
del kept
freed = resident()
release_free_memory()
print(before, freed, resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc and /proc are Linux's")
def test_free_memory_is_given_back():
    """400 MB that Python has freed and glibc has kept are gone from the process afterwards."""
    printed = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True).stdout
    before, _, after = map(int, printed.split())

    assert before > 90_000  # pages of 4 KB
    assert after < before / 3


_TENSORS = """
def resident():
    return int(open("/proc/self/statm").read().split()[1])

first = b"x" * 6_000_000
del first  # glibc takes the next ones of that size from what it shares and keeps
between = []
tensors = [(b"x" * (6_000_000 - number), between.append(b"x" * 100_000)) for number in range(10)]
del tensors
print(resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc and /proc are Linux's")
def test_large_tensors_go_back_as_soon_as_they_are_gone():
    """A process with the stated environment keeps none of them; nothing has to trim it."""
    printed = subprocess.run(
        [sys.executable, "-c", _TENSORS],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **MALLOC_ENVIRONMENT},
    ).stdout

    assert int(printed) < 6_000  # pages of 4 KB, of which Python takes 2,600; the ten tensors are 15,000
