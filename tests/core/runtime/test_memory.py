"""Memory that nobody uses goes back to the system."""

import subprocess
import sys

import pytest

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
