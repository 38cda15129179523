"""The middleware that identifies callers, and the dependency that authorizes them for a route.

A middleware that finds the route of a path by itself may decide differently from the router, and could be bypassed. So
the router finds the route, and ``authorize`` runs before the route that it has chosen.
"""

from collections.abc import Collection
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import ErrorCode
from serving.auth.browsers import is_addressed, is_cross_site
from serving.auth.identity import Authenticator, Identity, enter_identity, leave_identity
from serving.auth.limits import Allowance, RequestLimits
from serving.auth.restriction import heeds_restriction, refusal
from serving.errors import CHALLENGE, Forbidden, RateLimited, Unauthorized, error_response
from serving.roles import Role, required_role

_HEALTH = frozenset({"/health/live", "/health/ready"})


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a process, and how.

    Attributes:
        authenticator: identifies callers.
        allowed_hosts: accepted host names, besides loopback names; None accepts any.
        allowed_origins: web origins whose pages may send requests, besides its own.
        limits: of requests; None for no limits.
        strangers: whether callers without a key may call any route but the health checks.
    """

    authenticator: Authenticator
    allowed_hosts: Collection[str] | None = None
    allowed_origins: Collection[str] = ()
    limits: RequestLimits | None = None
    strangers: bool = True


class Guard:
    """Middleware: refuses requests of foreign web pages, and identifies the caller."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request."""
        if scope["type"] == "websocket":  # refused here, because no route handles it
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        access, headers = self._access, Headers(scope=scope)
        if access.allowed_hosts is not None and not is_addressed(headers, access.allowed_hosts):
            answer = error_response(
                403,
                ErrorCode.INVALID_REQUEST,
                "the request was sent to a host name that this server does not accept",
                accepted=", ".join(["localhost", "127.0.0.1", "[::1]", *sorted(access.allowed_hosts)]),
            )
            await answer(scope, receive, send)
            return
        if is_cross_site(scope["method"], headers, access.allowed_origins):
            message = "a web page of another site may not send this request, because its origin is not allowed"
            await error_response(403, ErrorCode.INVALID_REQUEST, message)(scope, receive, send)
            return
        identity = access.authenticator.identify(HTTPConnection(scope))
        if identity.role is Role.OPEN and not access.strangers and scope["path"] not in _HEALTH:
            refusal = error_response(401, ErrorCode.UNAUTHORIZED, _why(identity, Role.ADMIN), headers=CHALLENGE)
            await refusal(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["identity"], state["limits"] = identity, access.limits

        async def add_allowance(message: Message) -> None:
            allowance: Allowance | None = state.get("allowance")
            if message["type"] == "http.response.start" and allowance is not None:
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = f'"requests";q={allowance.per_minute};w=60'
                headers["RateLimit"] = f'"requests";r={allowance.remaining}'
            await send(message)

        token = enter_identity(identity)
        try:
            await self.app(scope, receive, add_allowance)
        finally:
            leave_identity(token)


async def authorize(request: Request) -> None:
    """Authorize the caller for the chosen route. A dependency of every route of every application.

    Raises:
        Unauthorized: the route needs a key, and no known key was sent.
        Forbidden: the key may not do this, or is restricted to some collections and the route heeds no restriction.
        RateLimited: the caller sends too many requests.
    """
    identity: Identity = request.state.identity
    limits: RequestLimits | None = request.state.limits
    role = required_role(request.scope["endpoint"])
    if role is Role.OPEN and identity.refused is None:
        return
    if limits is not None:
        request.state.allowance = limits.take(identity, request.method)
        _refuse_too_many(request.state.allowance)
    if role is Role.OPEN:
        return
    if identity.refused is not None or (identity.is_anonymous and identity.role < role):
        raise Unauthorized(_why(identity, role))
    if identity.role < role:
        raise Forbidden(f"the key {identity.name} has the role {identity.role.word}; this needs {role.word}")
    if identity.collections is not None and not heeds_restriction(request.scope["route"]):
        raise refusal(identity.collections)


def _refuse_too_many(allowance: Allowance | None) -> None:
    if allowance is not None and allowance.retry_after_s is not None:
        raise RateLimited(
            f"more than {allowance.per_minute} requests per minute; try again in {allowance.retry_after_s} s",
            retry_after_s=allowance.retry_after_s,
        )


def _why(identity: Identity, role: Role) -> str:
    return identity.refused or f"this needs a key with the role {role.word}"
