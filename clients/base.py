"""The common part of both clients: typed calls over httpx, by sockets or in-process to an app.

Timeouts are enforced here and not in httpx, because its in-process transport has none.
"""

import asyncio
import math
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, ClassVar, TypeVar

import httpx
from aiohttp import ClientSession, TCPConnector
from httpx_aiohttp import AiohttpTransport
from pydantic import BaseModel, SecretStr, ValidationError

from clients.errors import DeadlineExceeded, OutOfTime, ServiceError, ServiceRefused, UnusableReply
from contracts.errors import ErrorBody, ErrorCode
from contracts.health import ReadyBody, ReadyCode, VersionBody
from serving.auth.identity import identity_headers
from serving.deadlines import TIMEOUT_HEADER, current_deadline
from serving.observability import REQUEST_ID_HEADER, current_request_id
from serving.path_prefix import prefix_headers
from serving.tracing import span, trace_headers

Reply = TypeVar("Reply", bound=BaseModel)

_PROBE_TIMEOUT_S = 2.0
_OF_BALANCERS = frozenset({502, 503})
"""Statuses of a load balancer whose chosen replica is gone."""

_CONNECT_TIMEOUT_S = 1.0
SILENCE_S = 2.0
"""A connection ends after so many seconds without a packet from the other machine's kernel. A service may take any time
to answer. A machine or cable that is gone sends nothing; the kernel of a killed process resets the connection."""

_UPLOAD_SILENCE_S = 60.0
"""The same for a request with a streamed body. A kernel without buffer space counts as silent, and a service that
writes an upload to a slow disk may leave its kernel without space for seconds."""

STREAMED = "streamed"
"""The httpx extension that marks such a request."""


@asynccontextmanager
async def open_http(
    url: str, service_key: SecretStr | None, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Open an HTTP client to a service. A vanished service is detected after ``SILENCE_S`` and one new attempt.

    Args:
        url: of the service.
        service_key: the secret of the installation's processes; None without one.
        transport: to a service in this process; None uses sockets.
    """
    if transport is None:
        transport = _OverSockets()
    else:
        url = "http://localhost"  # which every service answers to, whatever the setting says
    headers = {"Authorization": f"Bearer {service_key.get_secret_value()}"} if service_key else {}
    timeout = httpx.Timeout(None, connect=_CONNECT_TIMEOUT_S)  # a full pool is not a service that is gone
    async with httpx.AsyncClient(base_url=url, transport=transport, timeout=timeout, headers=headers) as http:
        yield http


class _OverSockets(httpx.AsyncBaseTransport):
    """A transport over aiohttp: with eight callers, httpx's own pool has several times its tail latency."""

    def __init__(self) -> None:
        self._questions = AiohttpTransport(client=partial(_open_session, SILENCE_S))
        self._uploads = AiohttpTransport(client=partial(_open_session, _UPLOAD_SILENCE_S))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        pool = self._uploads if request.extensions.get(STREAMED) else self._questions
        return await pool.handle_async_request(request)

    async def aclose(self) -> None:
        await self._questions.aclose()
        await self._uploads.aclose()


def _open_session(unsent_s: float) -> ClientSession:
    return ClientSession(
        connector=TCPConnector(
            limit=200,
            keepalive_timeout=30,
            ssl=httpx.create_ssl_context(),
            socket_factory=partial(_make_socket, unsent_s),
        )
    )


def _make_socket(unsent_s: float, address: tuple[Any, ...]) -> socket.socket:
    """Make a socket with TCP keep-alive and a timeout for unacknowledged data.

    Args:
        unsent_s: how long sent or buffered data may stay unacknowledged, seconds.
        address: from ``socket.getaddrinfo``.
    """
    made = socket.socket(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {
        "TCP_KEEPIDLE": 1,
        "TCP_KEEPINTVL": 1,
        "TCP_KEEPCNT": math.ceil(SILENCE_S) - 1,
        "TCP_USER_TIMEOUT": round(1000 * unsent_s),
    }
    for name, value in options.items():
        if hasattr(socket, name):  # not every system has all of them
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


@contextmanager
def map_transport_errors(
    service: str, unavailable: type[ServiceError], late: type[ServiceError] = DeadlineExceeded
) -> Iterator[None]:
    """Translate transport errors to the clients' errors.

    Args:
        service: for the message.
        unavailable: raised if the service cannot be reached.
        late: raised if the call's timeout has passed.

    Raises:
        ServiceError: one of the two.
    """
    try:
        yield
    except TimeoutError as exc:
        raise late(f"the {service} service took too long") from exc
    except httpx.HTTPError as exc:
        raise unavailable(f"the {service} service cannot be reached ({type(exc).__name__})") from exc


class ServiceClient:
    """Base of the clients of both services."""

    service: ClassVar[str]
    unavailable: ClassVar[type[ServiceError]]
    kept_back_s: ClassVar[float] = 0.0
    """Seconds of the request's time limit that are left for the work after this service."""

    def __init__(self, http: httpx.AsyncClient, timeout_s: float) -> None:
        """Wrap a client.

        Args:
            http: with the service's base URL and a transport; its creator closes it.
            timeout_s: for one call; less if the caller's time limit is shorter.
        """
        self._http = http
        self._timeout_s = timeout_s

    async def ready(self) -> ReadyBody:
        """Return the service's readiness; a service that cannot be reached is not ready."""
        try:
            return await self._get("/health/ready", ReadyBody)
        except ServiceError as exc:
            return ReadyBody(ready=False, process=self.service, code=ReadyCode.SERVICE_UNAVAILABLE, reason=str(exc))

    async def version(self) -> VersionBody | None:
        """Return the service's version and models; None if it cannot be reached."""
        try:
            return await self._get("/version", VersionBody)
        except ServiceError:
            return None

    async def _get(self, path: str, reply: type[Reply]) -> Reply:
        with map_transport_errors(self.service, self.unavailable):
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                response = await self._http.get(path, headers=hop_headers())
        self._check_admitted(response)
        return self._parse(response, reply)

    async def _post(
        self, path: str, reply: type[Reply], *, headers: Mapping[str, str] | None = None, **body: Any
    ) -> Reply:
        """Post a request that may be sent twice, and read the reply.

        Raises:
            ServiceRefused: the service's own error answer: 4xx, or 503 with a reason.
            UnusableReply: any other failure of the service.
            DeadlineExceeded: it took longer than ``timeout_s``.
            OutOfTime: the caller's time limit has passed, or leaves no time for the call.
            ServiceError: it cannot be reached, or used up the time of the whole request; the subclass says which
                service.
        """
        deadline = current_deadline()
        timeout_s = min(self._timeout_s, deadline.seconds_left - self.kept_back_s)
        late: type[ServiceError] = OutOfTime if deadline.is_callers else self.unavailable
        if timeout_s == self._timeout_s:
            late = DeadlineExceeded
        if timeout_s <= 0:
            raise late(f"no time is left for the {self.service} service")
        sent = {**hop_headers(), TIMEOUT_HEADER: f"{timeout_s:.3f}", **(headers or {})}
        with map_transport_errors(self.service, self.unavailable, late), span(f"POST {self.service}{path}"):
            sent |= trace_headers()
            async with asyncio.timeout(timeout_s):
                response = await self._post_again_if_lost(path, headers=sent, **body)
        if response.status_code == 504:  # the service noticed the timeout first
            raise late(f"the {self.service} service took too long")
        self._check_admitted(response)
        if 400 <= response.status_code < 500 or response.status_code == 503:
            if not _is_the_services_own(response):
                raise UnusableReply(f"the {self.service} service answered {response.status_code}")
            raise ServiceRefused(response.status_code, response.content, response.headers.get("retry-after"))
        if not response.is_success:
            raise UnusableReply(f"the {self.service} service failed ({response.status_code})")
        return self._parse(response, reply)

    async def _post_again_if_lost(self, path: str, **request: Any) -> httpx.Response:
        """Post; post once more if the connection of this process or of a balancer broke with a replica."""
        with suppress(httpx.TransportError):
            response = await self._http.post(path, **request)
            if response.status_code not in _OF_BALANCERS or _is_the_services_own(response):
                return response
        return await self._http.post(path, **request)

    def _check_admitted(self, response: httpx.Response) -> None:
        """Replace a 401 for this process's service key, because a visitor would take it as a request for a key.

        Raises:
            ServiceRefused: the caller's key is restricted to other collections.
            ServiceError: the service refuses this process; the subclass says which service.
        """
        if response.status_code not in {401, 403}:
            return
        refused = ServiceRefused(response.status_code, response.content, None)
        if refused.detail is not None and refused.detail.code is ErrorCode.FORBIDDEN:
            raise refused
        raise self.unavailable(
            f"the {self.service} service refuses the key of this process; GATEWAY_SERVICE_KEY, M1_SERVICE_KEY and "
            "M3_SERVICE_KEY must be the same"
        )

    def _parse(self, response: httpx.Response, reply: type[Reply]) -> Reply:
        try:
            return reply.model_validate_json(response.content)
        except ValidationError as exc:
            raise UnusableReply(f"the reply of the {self.service} service breaks the contract") from exc


def _is_the_services_own(refusal: httpx.Response) -> bool:
    """Tell whether the refusal is the service's, and not of a proxy between."""
    try:
        ErrorBody.model_validate_json(refusal.content)
    except ValidationError:
        return False
    return True


def hop_headers() -> dict[str, str]:
    """Return the headers that pass on the request id, the caller's identity and the path prefix."""
    return {REQUEST_ID_HEADER: current_request_id(), **identity_headers(), **prefix_headers()}
