"""A limit on the pixels that all threads decode at a time."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class DecodingBudget:
    """A limit on memory for decoding. Threads that find it used up wait, first come, first served.

    One photo of 100 million pixels takes hundreds of megabytes while it is decoded, and many threads decode.
    """

    def __init__(self, pixels: int) -> None:
        """Set the limit.

        Args:
            pixels: width times height of all photos being decoded; a larger photo is decoded alone.
        """
        self._pixels = pixels
        self._used = 0
        self._changed = Condition()
        self._waiting: deque[object] = deque()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for a photo, and hold it during the block."""
        share = min(pixels, self._pixels)
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is ticket and self._used + share <= self._pixels)
                self._used += share
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._used -= share
                self._changed.notify_all()
