"""Admits a limited number of requests and refuses the others at once, instead of piling them up."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from serving.errors import Overloaded

_AT_LEAST = 2  # one may be received or sent while the other is processed, however slow processing is
_FIRST_GUESS_S = 1.0  # until the first answer
_LEAST_WEIGHT = 0.1  # least weight of the latest answer in the running average


@dataclass(slots=True)
class Admission:
    """One admitted request.

    Attributes:
        is_whole: whether its answer took all the work that it asked for. One that was cut short says nothing about the
            pace: counted, it would let in more requests than can be answered in full.
    """

    is_whole: bool = True


class Gate:
    """Counts admitted requests, and how quickly they finish. Belongs to one event loop.

    By Little's law, a request that arrives when ``n`` others are inside finishes after ``n + 1`` times the seconds
    between two answers. If that is too long, it is refused: it would be too late, and delay those behind it.

    Attributes:
        capacity: how many requests may be inside, waiting or being processed, at any pace.
        inside: how many are inside.
    """

    def __init__(
        self, capacity: int, *, longest_s: float = math.inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Set the limits.

        Args:
            capacity: at least 1.
            longest_s: a request that is expected to take longer is refused, unless fewer than two are inside; seconds.
            clock: monotonic, in seconds.
        """
        self.capacity = capacity
        self.inside = 0
        self._longest_s = longest_s
        self._clock = clock
        self._between_answers_s = _FIRST_GUESS_S
        self._answers = 0
        self._busy_since_s = 0.0

    @property
    def room(self) -> int:
        """How many requests may be inside at the current pace, at most ``capacity``."""
        in_time = min(self.capacity, self._longest_s / self._between_answers_s)
        return min(self.capacity, max(_AT_LEAST, int(in_time)))

    def refuse_if_full(self) -> None:
        """Refuse a request before its body arrives, if it would be refused afterwards.

        Raises:
            Overloaded: ``room`` others are inside.
        """
        if self.inside >= self.room:
            raise Overloaded(f"{self.inside} requests are being processed, which is the limit; try again shortly")

    @contextmanager
    def admit(self, *, in_background: bool = False) -> Iterator[Admission]:
        """Admit a request for the length of the block. Failures do not count for the pace: they may be quick or slow.

        Args:
            in_background: only if no other request is inside.

        Raises:
            Overloaded: ``room`` others are inside; in the background, any other.
        """
        if in_background and self.inside:
            raise Overloaded(f"{self.inside} requests are being processed, which go before work in the background")
        self.refuse_if_full()
        if self.inside == 0:
            self._busy_since_s = self._clock()
        self.inside += 1
        admission = Admission()
        try:
            yield admission
            if admission.is_whole:
                self._note_answer()
        finally:
            self.inside -= 1

    def _note_answer(self) -> None:
        now_s = self._clock()
        self._answers += 1
        # Not 0, because room divides by it; and no longer than the patience, however long no answer was whole.
        taken_s = min(max(now_s - self._busy_since_s, 1e-6), self._longest_s)
        self._between_answers_s += max(_LEAST_WEIGHT, 1 / self._answers) * (taken_s - self._between_answers_s)
        self._busy_since_s = now_s
