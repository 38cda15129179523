"""Sends signed events to an address of the operator's choice, after Standard Webhooks."""

import base64
import hmac
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpx
from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, TCPConnector

SECRET_PREFIX = "whsec_"
"""Before the base64 of a secret."""

TIMEOUT_S = 10.0

_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # outside of it are also ::a.b.c.d and fec0::/10, both deprecated


class NotDelivered(Exception):
    """The receiver did not acknowledge an event; the message holds neither its address nor its answer."""


class NotPublic(OSError):
    """The receiver's address is not one of the public internet."""


class WebhookClient:
    """Sends to one receiver; made by ``open_webhook``."""

    def __init__(self, session: ClientSession, url: str, secret: bytes) -> None:
        """Set the receiver's URL and the secret that both know."""
        self._session = session
        self._url = url
        self._secret = secret

    async def send(self, event_id: str, body: str) -> None:
        """Send an event; any status of 200 to 299 acknowledges it. Redirects are not followed.

        Raises:
            NotDelivered: it was not acknowledged.
        """
        timestamp = str(int(time.time()))
        headers = {
            "content-type": "application/json",
            "user-agent": "semantic-image-matcher",
            "webhook-id": event_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": sign(self._secret, event_id, timestamp, body),
        }
        request = self._session.post(self._url, data=body.encode(), headers=headers, allow_redirects=False)
        try:
            async with request as response:
                status = response.status
        except (ClientError, OSError, ValueError) as exc:
            cause = exc.os_error if isinstance(exc, ClientConnectorError) else exc
            raise NotDelivered(str(cause) if isinstance(cause, NotPublic) else type(exc).__name__) from None
        if not 200 <= status < 300:
            raise NotDelivered(f"the receiver answered {status}")


@asynccontextmanager
async def open_webhook(url: str, secret: bytes, *, to_private: bool) -> AsyncIterator[WebhookClient]:
    """Open a client.

    Args:
        url: of the receiver.
        secret: signs the events.
        to_private: whether its address may be one of a private network. It is checked at every connection, after the
            name was resolved, so that a name cannot lead elsewhere later.
    """
    connector = TCPConnector(
        limit=1,
        ssl=httpx.create_ssl_context(),
        socket_factory=_any_socket if to_private else _public_socket,
    )
    async with ClientSession(connector=connector, timeout=ClientTimeout(total=TIMEOUT_S)) as session:
        yield WebhookClient(session, url, secret)


def sign(secret: bytes, event_id: str, timestamp: str, body: str) -> str:
    """Return the signature, HMAC-SHA256 of id, time and body.

    >>> sign(b"secret", "msg_1", "1700000000", "{}")
    'v1,A5oIrJxXPB/PkULSoVu0e4khvPiqpF9vljmhkSKg0FI='
    """
    digest = hmac.digest(secret, f"{event_id}.{timestamp}.{body}".encode(), "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def read_secret(text: str) -> bytes:
    """Read a secret: ``whsec_`` and the base64 of 24 to 64 bytes.

    Raises:
        ValueError: it is none; the message does not contain it.
    """
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        secret = b""
    if not text.startswith(SECRET_PREFIX) or not 24 <= len(secret) <= 64:
        raise ValueError("no secret of a webhook; accepted: whsec_ and the base64 of 24 to 64 random bytes")
    return secret


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet, also where an IPv6 address holds an IPv4 address.

    >>> [is_public(address) for address in ("8.8.8.8", "10.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1")]
    [True, False, False, False]
    """
    parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if parsed in _NAT64:
            inner = IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is None and parsed not in _GLOBAL_UNICAST:
            return False
        parsed = inner or parsed
    return parsed.is_global and not parsed.is_multicast


def _any_socket(address: tuple[Any, ...]) -> socket.socket:
    return socket.socket(*address[:3])


def _public_socket(address: tuple[Any, ...]) -> socket.socket:
    """Make a socket for an address of ``socket.getaddrinfo``, if it is public."""
    if not is_public(address[4][0]):
        raise NotPublic("the receiver's address is not public; M1_WEBHOOK_PRIVATE=true allows that")
    return _any_socket(address)
