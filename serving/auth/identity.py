"""Who a request comes from, in this process and handed on to the next."""

import hmac
from collections.abc import Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from serving.auth.keys import ANONYMOUS
from serving.roles import Role

IDENTITY_HEADER = "X-Asked-By"
"""Name and address of whoever asked the gateway; believed only together with the service key."""

UNKNOWN_ADDRESS = "-"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks.

    Attributes:
        name: of their key; ``anonymous`` without one.
        address: they come from, ``-`` where that is unknown.
        role: what they may do.
        refused: why what they sent as a key is none; None where it is one, or where they sent nothing.
    """

    name: str
    address: str
    role: Role
    refused: str | None = None

    @property
    def is_anonymous(self) -> bool:
        """Whether they came without a key."""
        return self.name == ANONYMOUS


class Authenticator(Protocol):
    """Finds out who a request comes from."""

    def identify(self, request: HTTPConnection) -> Identity:
        """Name the caller; never raises for what a stranger may have sent."""


class Everybody:
    """Whoever reaches this process may do everything: it listens on loopback, or its network is trusted."""

    def identify(self, request: HTTPConnection) -> Identity:
        """Somebody without a name."""
        return Identity(ANONYMOUS, address_of(request), Role.ADMIN)


class ServiceKeyHolders:
    """The gateway alone, known by the key both share, and trusted to say whom it asks for."""

    def __init__(self, service_key: str) -> None:
        self._digest = sha256(service_key.encode()).digest()

    def identify(self, request: HTTPConnection) -> Identity:
        """The caller the gateway names, or nobody."""
        token = bearer_token(request.headers)
        address = address_of(request)
        if token is None:
            return Identity(ANONYMOUS, address, Role.OPEN)
        if not hmac.compare_digest(sha256(token.encode()).digest(), self._digest):
            return Identity(ANONYMOUS, address, Role.OPEN, refused="this is not the service key")
        name, _, origin = request.headers.get(IDENTITY_HEADER, "").partition(" ")
        return Identity(name or "service", origin or address, Role.ADMIN)


_current: ContextVar[Identity | None] = ContextVar("identity", default=None)


def current_identity() -> Identity:
    """Who asked for what is being done; nobody outside of a request."""
    return _current.get() or Identity(ANONYMOUS, UNKNOWN_ADDRESS, Role.OPEN)


def enter_identity(identity: Identity) -> Token[Identity | None]:
    """Make ``identity`` the current one."""
    return _current.set(identity)


def leave_identity(token: Token[Identity | None]) -> None:
    """Undo ``enter_identity``."""
    _current.reset(token)


def identity_headers() -> Mapping[str, str]:
    """What tells the next process who asked."""
    identity = current_identity()
    return {IDENTITY_HEADER: f"{identity.name} {identity.address}"}


def bearer_token(headers: Headers) -> str | None:
    """The key of an ``Authorization: Bearer`` header. Another scheme is a proxy's business, and no key.

    Two headers are a contradiction that no key solves: an empty token, which is nobody's.
    """
    sent = [value.strip() for value in headers.getlist("authorization")]
    tokens = [value[7:].strip() for value in sent if value[:7].lower() == "bearer "]
    if not tokens:
        return None
    return tokens[0] if len(sent) == 1 else ""


def address_of(request: HTTPConnection) -> str:
    """The caller's IP address."""
    try:
        return str(ip_address(request.client.host if request.client else ""))
    except ValueError:
        return UNKNOWN_ADDRESS
