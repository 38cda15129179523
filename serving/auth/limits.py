"""Rate limits: a token bucket for every key and address."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from serving.auth.identity import Identity

READING = 0.1
"""Cost of a request that only reads, in requests; a page loads dozens of previews at once."""

_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """The result of taking from a bucket.

    Attributes:
        per_minute: its size.
        remaining: whole requests left.
        retry_after_s: seconds until a refused request would pass; None if it was not refused.
    """

    per_minute: int
    remaining: int
    retry_after_s: int | None


class TokenBuckets:
    """One bucket for each name, refilled steadily; a minute's worth may be taken at once. Belongs to one event loop."""

    def __init__(self, per_minute: int, *, capacity: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        """Set the limit; all buckets are full.

        Args:
            per_minute: requests, 0 for no limit.
            capacity: most buckets; beyond it, the one unused for longest is dropped: it is full, or nearly.
            clock: monotonic, in seconds.
        """
        self._per_minute = per_minute
        self._capacity = capacity
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, cost: float) -> Allowance | None:
        """Take ``cost`` requests from a bucket, or nothing if it holds less; None without a limit."""
        if self._per_minute == 0:
            return None
        size, now = float(self._per_minute), self._clock()
        held, since = self._buckets.pop(name, (size, now))
        per_s = size / _MINUTE_S
        held = min(size, held + (now - since) * per_s)
        refused = held < cost
        if not refused:
            held -= cost
        self._buckets[name] = (held, now)
        if len(self._buckets) > self._capacity:
            self._buckets.popitem(last=False)
        wait_s = math.ceil((cost - held) / per_s) if refused else None
        return Allowance(self._per_minute, int(held), wait_s)


class RequestLimits:
    """A bucket for every key, and one for every address of callers without a key."""

    def __init__(self, keyed: TokenBuckets, anonymous: TokenBuckets) -> None:
        self._keyed = keyed
        self._anonymous = anonymous

    def take(self, identity: Identity, method: str) -> Allowance | None:
        """Count a request."""
        cost = READING if method in {"GET", "HEAD", "OPTIONS"} else 1.0
        if identity.is_anonymous:
            return self._anonymous.take(_network_of(identity.address), cost)
        return self._keyed.take(identity.name, cost)


def _network_of(address: str) -> str:
    """Return the network that shares a bucket: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return address
