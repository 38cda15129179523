"""A path prefix under which the product is published, such as ``/shitu``: removed from requests, added to links."""

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
    """Tell whether a text is a valid prefix: empty, or one or several times ``/`` and a name."""
    return _PREFIX.fullmatch(text) is not None and not {".", ".."} & set(text.split("/"))


def current_prefix() -> str:
    """Return the prefix of the current request; empty without one."""
    return _prefix.get()


def link(path: str) -> str:
    """Return a path of this product with the prefix, for links in replies."""
    return f"{current_prefix()}{path}"


def prefix_headers() -> dict[str, str]:
    """Return the header that passes the prefix to the next process."""
    return {PREFIX_HEADER: current_prefix()} if current_prefix() else {}


class PathPrefix:
    """Middleware of the gateway. A proxy may remove the prefix from the path, or leave it."""

    def __init__(self, app: ASGIApp, *, prefix: str = "", trusted: Collection[str] = ()) -> None:
        """Wrap an application.

        Args:
            app: gets paths without the prefix.
            prefix: of every request.
            trusted: addresses or networks of proxies; their ``X-Forwarded-Prefix`` replaces ``prefix``.
        """
        self.app = app
        self._prefix = prefix
        self._trusted = [ip_network(network) for network in trusted]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request."""
        prefix = self._prefix_of(scope) if scope["type"] == "http" else ""
        if not prefix:
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path == prefix:  # relative links of the page need the final slash
            await RedirectResponse(f"{prefix}/", status_code=308)(scope, receive, send)
            return
        if path.startswith(f"{prefix}/"):
            scope = {**scope, "path": path[len(prefix) :]}
        await _with_prefix(prefix, self.app, scope, receive, send)

    def _prefix_of(self, scope: Scope) -> str:
        if self._is_trusted(scope):
            header = Headers(scope=scope).get(PREFIX_HEADER, "").rstrip("/")
            if header and is_prefix(header):
                return header
        return self._prefix

    def _is_trusted(self, scope: Scope) -> bool:
        try:
            address = ip_address(scope["client"][0])
        except (ValueError, TypeError, KeyError):  # a Unix socket has no address
            return False
        return any(address in network for network in self._trusted)


class LinkPrefix:
    """Middleware of a service behind the gateway: links in replies get the prefix of the gateway's request."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request."""
        header = Headers(scope=scope).get(PREFIX_HEADER, "") if scope["type"] == "http" else ""
        if header and is_prefix(header):
            await _with_prefix(header, self.app, scope, receive, send)
        else:
            await self.app(scope, receive, send)


async def _with_prefix(prefix: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    token = _prefix.set(prefix)
    try:
        await app(scope, receive, send)
    finally:
        _prefix.reset(token)
