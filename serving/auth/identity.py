"""The identity of a caller, in this process and passed on to the next."""

import hmac
import json
from collections.abc import Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from typing import Protocol

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from serving.auth.keys import ANONYMOUS
from serving.roles import Role

IDENTITY_HEADER = "X-Asked-By"
"""Header with the name and address of the gateway's caller; trusted only together with the service key."""

RESTRICTION_HEADER = "X-Only-Collections"
"""Header with the collections to which the caller's key is restricted, as JSON. It can only take rights away, so it is
read from every caller."""

UNKNOWN_ADDRESS = "-"


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller of a request.

    Attributes:
        name: of the key; ``anonymous`` without one.
        address: of the caller; ``-`` if unknown.
        role: what the caller may do.
        refused: why the key that was sent is invalid; None if it is valid, or none was sent.
        collections: to which the key is restricted; None for all.
    """

    name: str
    address: str
    role: Role
    refused: str | None = None
    collections: tuple[str, ...] | None = None

    @property
    def is_anonymous(self) -> bool:
        """True if the caller has no key."""
        return self.name == ANONYMOUS


class Authenticator(Protocol):
    """Identifies the caller of a request."""

    def identify(self, request: HTTPConnection) -> Identity:
        """Identify the caller; never raises, whatever was sent."""


class Everybody:
    """Every caller may do everything: the process listens on loopback, or its network is trusted."""

    def identify(self, request: HTTPConnection) -> Identity:
        """Return an anonymous caller with all rights, within the restriction that a gateway passes on."""
        return Identity(ANONYMOUS, address_of(request), Role.ADMIN, collections=_restriction_in(request.headers))


class ServiceKeyHolders:
    """Only the gateway, identified by the shared service key; it is trusted to name the caller it works for."""

    def __init__(self, service_key: str) -> None:
        self._digest = sha256(service_key.encode()).digest()

    def identify(self, request: HTTPConnection) -> Identity:
        """Return the caller that the gateway names, or an anonymous one without rights."""
        token = bearer_token(request.headers)
        address = address_of(request)
        if token is None:
            return Identity(ANONYMOUS, address, Role.OPEN)
        if not hmac.compare_digest(sha256(token.encode()).digest(), self._digest):
            return Identity(ANONYMOUS, address, Role.OPEN, refused="this is not the service key")
        name, _, origin = request.headers.get(IDENTITY_HEADER, "").partition(" ")
        restriction = _restriction_in(request.headers)
        return Identity(name or "service", origin or address, Role.ADMIN, collections=restriction)


_NAMES = TypeAdapter(tuple[str, ...])

_current: ContextVar[Identity | None] = ContextVar("identity", default=None)


def current_identity() -> Identity:
    """Return the caller of the current request; an anonymous one outside of a request."""
    return _current.get() or Identity(ANONYMOUS, UNKNOWN_ADDRESS, Role.OPEN)


def enter_identity(identity: Identity) -> Token[Identity | None]:
    """Make ``identity`` the current one."""
    return _current.set(identity)


def leave_identity(token: Token[Identity | None]) -> None:
    """Undo ``enter_identity``."""
    _current.reset(token)


def identity_headers() -> Mapping[str, str]:
    """Return the headers that pass the identity to the next process."""
    identity = current_identity()
    headers = {IDENTITY_HEADER: f"{identity.name} {identity.address}"}
    if identity.collections is not None:
        headers[RESTRICTION_HEADER] = json.dumps(identity.collections)
    return headers


def _restriction_in(headers: Headers) -> tuple[str, ...] | None:
    """Read the restriction that another process passes on; one that cannot be read leaves no collection."""
    sent = headers.get(RESTRICTION_HEADER)
    if sent is None:
        return None
    try:
        return _NAMES.validate_json(sent)
    except ValidationError:
        return ()


def bearer_token(headers: Headers) -> str | None:
    """Return the key of an ``Authorization: Bearer`` header; other schemes are left to proxies.

    Two such headers contradict each other: the result is the empty token, which is invalid.
    """
    sent = [value.strip() for value in headers.getlist("authorization")]
    tokens = [value[7:].strip() for value in sent if value[:7].lower() == "bearer "]
    if not tokens:
        return None
    return tokens[0] if len(sent) == 1 else ""


def address_of(request: HTTPConnection) -> str:
    """Return the caller's IP address."""
    try:
        return str(ip_address(request.client.host if request.client else ""))
    except ValueError:
        return UNKNOWN_ADDRESS
