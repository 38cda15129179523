"""Sessions of browsers that have signed in with a key. The cookie is a signed token that scripts cannot read.

The token holds the hash of the key and the end of the session, so every gateway with the same secret accepts it, also
one that started later. Signed-out tokens are remembered by the gateway where that happened.
"""

import hmac
import secrets
import struct
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NoBase64
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256

COOKIE = "matcher_session"

HOURS_S = 12 * 3600.0
"""Length of a session until the browser is closed: a working day at most."""

REMEMBERED_S = 30 * 86400.0

_NONCE_BYTES = 15  # the token is then 87 bytes, which base64 writes without padding
_CLAIM = struct.Struct(f">32sd{_NONCE_BYTES}s")  # the key's hash, the end in seconds since 1970 UTC, chance
_PURPOSE = b"semantic-image-matcher: sessions of browsers"


class Sessions:
    """Creates and checks tokens. Belongs to one event loop."""

    def __init__(
        self, secret: str | None = None, *, capacity: int = 10_000, clock: Callable[[], float] = time.time
    ) -> None:
        """Set the secret and the length of sessions.

        Args:
            secret: shared by all gateways that a browser may reach, 20 characters or more. None creates a random one;
                then a restart signs out all browsers.
            capacity: most signed-out sessions remembered; beyond it, the oldest are forgotten.
            clock: seconds since 1970 UTC.
        """
        self._signing_key = hmac.digest((secret or secrets.token_urlsafe(32)).encode(), _PURPOSE, sha256)
        self._capacity = capacity
        self._clock = clock
        self._ended: OrderedDict[bytes, None] = OrderedDict()

    def begin(self, key_digest: str, *, lasting_s: float) -> str:
        """Create a token for a key.

        Args:
            key_digest: SHA-256 of the key that was shown, hex; the session ends with the key.
            lasting_s: seconds until it ends by itself.

        Returns:
            The token for the cookie.
        """
        ends_at = self._clock() + lasting_s
        claim = _CLAIM.pack(bytes.fromhex(key_digest), ends_at, secrets.token_bytes(_NONCE_BYTES))
        return urlsafe_b64encode(claim + self._sign(claim)).decode()

    def key_digest(self, token: str) -> str | None:
        """Return the key hash of a token; None if it is forged, expired or signed out."""
        claim = self._claim(token)
        if claim is None or claim in self._ended:
            return None
        digest, ends_at, _ = _CLAIM.unpack(claim)
        return digest.hex() if self._clock() < ends_at else None

    def end(self, token: str) -> None:
        """Sign a token out."""
        claim = self._claim(token)
        if claim is None:
            return
        self._ended[claim] = None
        while len(self._ended) > self._capacity:
            self._ended.popitem(last=False)

    def _claim(self, token: str) -> bytes | None:
        try:
            signed = urlsafe_b64decode(token.encode())
        except (NoBase64, UnicodeEncodeError):
            return None
        claim, signature = signed[: _CLAIM.size], signed[_CLAIM.size :]
        return claim if hmac.compare_digest(signature, self._sign(claim)) else None

    def _sign(self, claim: bytes) -> bytes:
        return hmac.digest(self._signing_key, claim, sha256)
