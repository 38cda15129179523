"""Lets so many requests work at once and refuses the rest at once, instead of piling them up in memory."""

from collections.abc import Iterator
from contextlib import contextmanager

from serving.errors import Overloaded


class Gate:
    """Counts who is inside. Belongs to one event loop.

    Attributes:
        capacity: how many may be inside, waiting or working.
        inside: how many are.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.inside = 0

    def refuse_if_full(self) -> None:
        """Refuse now what would be refused once its body has arrived.

        Raises:
            Overloaded: ``capacity`` others are inside.
        """
        if self.inside >= self.capacity:
            raise Overloaded(f"{self.inside} requests are being worked on, which is the limit; try again shortly")

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Be inside for a while.

        Raises:
            Overloaded: ``capacity`` others are inside.
        """
        self.refuse_if_full()
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
