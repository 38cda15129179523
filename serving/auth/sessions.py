"""Browsers that have shown a key. Their cookie holds a random token, not the key, and no script can read it."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256

COOKIE = "matcher_session"

HOURS_S = 12 * 3600.0
"""A working day: how long a browser is known that was not told to remember."""

REMEMBERED_S = 30 * 86400.0


class Sessions:
    """Which token stands for which key. Kept in memory: after a restart browsers show their key again.

    Belongs to one event loop.
    """

    def __init__(self, *, capacity: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty.

        Args:
            capacity: sessions kept; the oldest give way.
            clock: seconds, never going back.
        """
        self._capacity = capacity
        self._clock = clock
        self._open: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def begin(self, key_digest: str, *, lasting_s: float) -> str:
        """Begin a session.

        Args:
            key_digest: of the key that was shown; the session ends with the key.
            lasting_s: seconds until it ends by itself.

        Returns:
            The token for the cookie.
        """
        token = secrets.token_urlsafe(32)
        self._open[_digest(token)] = (key_digest, self._clock() + lasting_s)
        while len(self._open) > self._capacity:
            self._open.popitem(last=False)
        return token

    def key_digest(self, token: str) -> str | None:
        """The digest of the key that a token stands for, None for one that is unknown or over."""
        # Looked up by its hash, so the time this takes tells nothing of the token.
        known = self._open.get(_digest(token))
        if known is None or known[1] <= self._clock():
            return None
        return known[0]

    def end(self, token: str) -> None:
        """Forget a token."""
        self._open.pop(_digest(token), None)


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="replace")).digest()
