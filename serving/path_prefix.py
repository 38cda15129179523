"""A path below which the product is reached, such as ``/shitu``: requests lose it, links in replies get it."""

import re
from collections.abc import Collection
from contextvars import ContextVar
from ipaddress import ip_address, ip_network

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX_HEADER = "X-Forwarded-Prefix"

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_prefix: ContextVar[str] = ContextVar("path_prefix", default="")


def is_prefix(text: str) -> bool:
    """Whether a text can stand before every path: empty, or ``/`` and a name once or several times."""
    return _PREFIX.fullmatch(text) is not None and not {".", ".."} & set(text.split("/"))


def current_prefix() -> str:
    """The prefix of the request being answered; empty without one."""
    return _prefix.get()


def link(path: str) -> str:
    """Write an address of this product, given by its path, as its callers can follow it."""
    return f"{current_prefix()}{path}"


def prefix_headers() -> dict[str, str]:
    """What tells the next hop of it."""
    return {PREFIX_HEADER: current_prefix()} if current_prefix() else {}


class PathPrefix:
    """Middleware of the public door. A proxy may take the prefix off the path or leave it there."""

    def __init__(self, app: ASGIApp, *, prefix: str = "", trusted: Collection[str] = ()) -> None:
        """Wrap an application.

        Args:
            app: sees paths without the prefix.
            prefix: of every request.
            trusted: addresses or networks of proxies whose ``X-Forwarded-Prefix`` is believed instead.
        """
        self.app = app
        self._prefix = prefix
        self._trusted = [ip_network(each) for each in trusted]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request."""
        prefix = self._prefix_of(scope) if scope["type"] == "http" else ""
        if not prefix:
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path == prefix:  # relative addresses on the page begin after the slash
            await RedirectResponse(f"{prefix}/", status_code=308)(scope, receive, send)
            return
        if path.startswith(f"{prefix}/"):
            scope = {**scope, "path": path[len(prefix) :]}
        await _with_prefix(prefix, self.app, scope, receive, send)

    def _prefix_of(self, scope: Scope) -> str:
        if self._is_trusted(scope):
            told = Headers(scope=scope).get(PREFIX_HEADER, "").rstrip("/")
            if told and is_prefix(told):
                return told
        return self._prefix

    def _is_trusted(self, scope: Scope) -> bool:
        try:
            address = ip_address(scope["client"][0])
        except (ValueError, TypeError, KeyError):  # a socket file has none
            return False
        return any(address in network for network in self._trusted)


class LinkPrefix:
    """Middleware of a service behind that door: replies have the links that its caller's callers can follow."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request."""
        told = Headers(scope=scope).get(PREFIX_HEADER, "") if scope["type"] == "http" else ""
        if told and is_prefix(told):
            await _with_prefix(told, self.app, scope, receive, send)
        else:
            await self.app(scope, receive, send)


async def _with_prefix(prefix: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    token = _prefix.set(prefix)
    try:
        await app(scope, receive, send)
    finally:
        _prefix.reset(token)
