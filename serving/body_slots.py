"""Limits on request bodies while they arrive: their number, their bytes and how slow they may be.

Slow clients must not block others. So a body that is still arriving takes no place of the gate that admits work; and
when slots run out, the body that has been silent longest is evicted for the next one.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from serving.errors import Overloaded, UploadTooSlow

# A body that is silent for this long may be evicted; a working connection pauses for fractions of it.
_SILENCE_S = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How slowly a body may arrive.

    Attributes:
        stall_s: the longest silence, seconds.
        min_rate: bytes per second on average; the first ``stall_s`` seconds are free.
    """

    stall_s: float
    min_rate: int


class IncomingBody:
    """One body; made by ``BodySlots.admit``.

    Attributes:
        received: bytes so far.
        last_byte_at: in the event loop's time.
    """

    def __init__(self, body_slots: "BodySlots", pace: Pace) -> None:
        self._body_slots = body_slots
        self._pace = pace
        self._timeout: asyncio.Timeout | None = None
        self._started_at = self.last_byte_at = asyncio.get_running_loop().time()
        self.received = 0

    @property
    def is_arriving(self) -> bool:
        """Whether the body is still arriving."""
        return self._timeout is not None

    @asynccontextmanager
    async def arriving(self) -> AsyncIterator[None]:
        """Receive the body inside this block; ``receive`` must be called for every piece.

        Raises:
            UploadTooSlow: the body stalled, was too slow, or was silent while another needed its slot.
        """
        try:
            async with asyncio.timeout(self._pace.stall_s) as self._timeout:
                yield
        except TimeoutError as exc:
            silent_s = asyncio.get_running_loop().time() - self.last_byte_at
            raise UploadTooSlow(
                f"the upload was too slow: {self.received:,} bytes, the last {silent_s:.0f} s ago",
                accepted=f"at least {self._pace.min_rate:,} bytes per second, and no pause of {self._pace.stall_s:g} s",
            ) from exc
        finally:
            self._timeout = None

    def receive(self, byte_size: int) -> None:
        """Count a piece that has arrived.

        Raises:
            Overloaded: all bodies together have too many bytes.
        """
        # First, or a body that had paused could be evicted for its own piece.
        self.last_byte_at = asyncio.get_running_loop().time()
        self._body_slots.account(self, byte_size)
        if self._timeout is not None:
            earned_s = self.received / self._pace.min_rate
            patience = self._started_at + self._pace.stall_s + earned_s
            self._timeout.reschedule(min(patience, self.last_byte_at + self._pace.stall_s))

    def evict(self) -> None:
        """End the body: ``arriving`` raises as soon as its task runs, even if more pieces arrive before."""
        timeout, self._timeout = self._timeout, None
        # A timeout that has expired cannot be rescheduled, even if its task has not run yet.
        if timeout is not None and not timeout.expired():
            timeout.reschedule(asyncio.get_running_loop().time())


class BodySlots:
    """Admits bodies. Belongs to one event loop.

    Attributes:
        capacity: how many bodies may be held, whether they still arrive or wait for work.
        max_bytes: of all of them together.
        held_bytes: of all bodies now.
    """

    def __init__(self, capacity: int, max_bytes: int, pace: Pace) -> None:
        self.capacity = capacity
        self.max_bytes = max_bytes
        self.held_bytes = 0
        self._pace = pace
        self._bodies: set[IncomingBody] = set()

    @property
    def inside(self) -> int:
        """How many bodies are held."""
        return len(self._bodies)

    @contextmanager
    def admit(self) -> Iterator[IncomingBody]:
        """Hold one body, until the block ends.

        Raises:
            Overloaded: ``capacity`` others are held, and none is silent.
        """
        if len(self._bodies) >= self.capacity and not self._dismiss_silent():
            raise Overloaded(f"{len(self._bodies)} uploads are being received, which is the limit; try again shortly")
        incoming = IncomingBody(self, self._pace)
        self._bodies.add(incoming)
        try:
            yield incoming
        finally:
            self._release(incoming)

    def account(self, incoming: IncomingBody, byte_size: int) -> None:
        """Count bytes of a body; see ``IncomingBody.receive``."""
        incoming.received += byte_size
        if incoming not in self._bodies:
            return  # evicted; its task is about to raise
        self.held_bytes += byte_size
        while self.held_bytes > self.max_bytes:
            if not self._dismiss_silent():
                raise Overloaded(
                    f"uploads of {self.held_bytes:,} bytes are held, which is the limit; try again shortly"
                )

    def _dismiss_silent(self) -> bool:
        arriving = [body for body in self._bodies if body.is_arriving]
        silent = min(arriving, key=lambda body: body.last_byte_at, default=None)
        if silent is None or asyncio.get_running_loop().time() - silent.last_byte_at < _SILENCE_S:
            return False
        silent.evict()
        self._release(silent)
        return True

    def _release(self, incoming: IncomingBody) -> None:
        if incoming in self._bodies:
            self._bodies.remove(incoming)
            self.held_bytes -= incoming.received
