"""The two services as the gateway sees them: typed calls over httpx, whose transport may be a socket or an app.

Deadlines are kept here and not in httpx, because its in-process transport knows none.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from contracts.errors import ErrorBody
from contracts.feedback import MatchRecords, RecordReply
from contracts.health import ReadyBody, VersionBody
from contracts.retrieval import SearchReply
from contracts.verification import VerifyReply, VerifyRequest
from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    OutOfTime,
    RetrievalUnavailable,
    ServiceRefused,
    UnusableReply,
    VerifierUnavailable,
)
from serving.auth.identity import identity_headers
from serving.deadlines import TIMEOUT_HEADER, current_deadline
from serving.observability import REQUEST_ID_HEADER, current_request_id
from serving.tracing import span, trace_headers

Reply = TypeVar("Reply", bound=BaseModel)

_PROBE_TIMEOUT_S = 2.0
_OF_BALANCERS = frozenset({502, 503})
"""What a load balancer answers when the replica that it had chosen is gone."""


@contextmanager
def map_transport_errors(
    service: str, unavailable: type[GatewayError], late: type[GatewayError] = DeadlineExceeded
) -> Iterator[None]:
    """Turn whatever goes wrong between the processes into the gateway's errors.

    Args:
        service: for the message.
        unavailable: raised where the service cannot be reached.
        late: raised where the time budget of the call ran out.

    Raises:
        GatewayError: one of the two.
    """
    try:
        yield
    except TimeoutError as exc:
        raise late(f"the {service} service took too long") from exc
    except httpx.HTTPError as exc:
        raise unavailable(f"the {service} service cannot be reached ({type(exc).__name__})") from exc


class ServiceClient:
    """What the clients of both services share."""

    service: ClassVar[str]
    unavailable: ClassVar[type[GatewayError]]
    kept_back_s: ClassVar[float] = 0.0
    """Of the caller's time, for what comes after this service."""

    def __init__(self, http: httpx.AsyncClient, timeout_s: float) -> None:
        """Wrap a client.

        Args:
            http: with the service's base URL and a transport; closed by whoever made it.
            timeout_s: for one call; less where the caller will not wait that long.
        """
        self._http = http
        self._timeout_s = timeout_s

    async def ready(self) -> ReadyBody:
        """Whether the service would work now; a service that cannot be asked is not ready."""
        try:
            return await self._get("/health/ready", ReadyBody)
        except GatewayError as exc:
            return ReadyBody(ready=False, process=self.service, reason=str(exc))

    async def version(self) -> VersionBody | None:
        """What the service runs; None where it cannot be asked."""
        try:
            return await self._get("/version", VersionBody)
        except GatewayError:
            return None

    async def _get(self, path: str, reply: type[Reply]) -> Reply:
        with map_transport_errors(self.service, self.unavailable):
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                response = await self._http.get(path, headers=_hop_headers())
        self._check_key_accepted(response)
        return self._parse(response, reply)

    async def _post(self, path: str, reply: type[Reply], **body: Any) -> Reply:
        """Post a question and read the reply; errors as ``_send``."""
        return await self._ask("POST", path, reply, **body)

    async def _ask(self, method: str, path: str, reply: type[Reply], **body: Any) -> Reply:
        """Send a question and read the reply; errors as ``_send``."""
        return self._parse(await self._send(method, path, **body), reply)

    async def _send(self, method: str, path: str, **body: Any) -> httpx.Response:
        """Send a question that may be sent twice.

        Raises:
            ServiceRefused: the service's own error answer: 4xx, or 503 with a reason.
            UnusableReply: any other failure of the service.
            DeadlineExceeded: it took longer than ``timeout_s``.
            OutOfTime: it took longer than the caller would wait, or would have had to.
            GatewayError: it cannot be reached; the subclass says which service.
        """
        timeout_s = min(self._timeout_s, current_deadline().seconds_left - self.kept_back_s)
        late = DeadlineExceeded if timeout_s == self._timeout_s else OutOfTime
        if timeout_s <= 0:
            raise late(f"no time is left for the {self.service} service")
        headers = {**_hop_headers(), TIMEOUT_HEADER: f"{timeout_s:.3f}", **body.pop("headers", {})}
        with map_transport_errors(self.service, self.unavailable, late), span(f"{method} {self.service}{path}"):
            headers |= trace_headers()
            async with asyncio.timeout(timeout_s):
                # A kept connection, this process's or a balancer's, may have died with a replica. Made twice, these
                # calls do no more than once, so one more try is safe.
                try:
                    response = await self._http.request(method, path, headers=headers, **body)
                except httpx.TransportError:
                    response = await self._http.request(method, path, headers=headers, **body)
                else:
                    if response.status_code in _OF_BALANCERS and not _is_the_services_own(response):
                        response = await self._http.request(method, path, headers=headers, **body)
        if response.status_code == 504:  # its own clock was the quicker one
            raise late(f"the {self.service} service took too long")
        self._check_key_accepted(response)
        if 400 <= response.status_code < 500 or response.status_code == 503:
            if not _is_the_services_own(response):
                raise UnusableReply(f"the {self.service} service answered {response.status_code}")
            raise ServiceRefused(response.status_code, response.content, response.headers.get("retry-after"))
        if not response.is_success:
            raise UnusableReply(f"the {self.service} service failed ({response.status_code})")
        return response

    def _check_key_accepted(self, response: httpx.Response) -> None:
        """Never tell a visitor to show a key, where it is the gateway's own that is wrong.

        Raises:
            GatewayError: the service refuses this gateway; the subclass says which service.
        """
        if response.status_code in {401, 403}:
            raise self.unavailable(
                f"the {self.service} service refuses this gateway; GATEWAY_SERVICE_KEY must be the service's own"
            )

    def _parse(self, response: httpx.Response, reply: type[Reply]) -> Reply:
        try:
            return reply.model_validate_json(response.content)
        except ValidationError as exc:
            raise UnusableReply(f"the reply of the {self.service} service breaks the contract") from exc


class RetrievalClient(ServiceClient):
    """Finds candidates, and reaches the gallery behind them."""

    service = "retrieval"
    unavailable = RetrievalUnavailable

    async def search(self, photo: bytes, *, collection: str, top_k: int, features: bool) -> SearchReply:
        """Find candidates for a photo.

        Args:
            photo: in any accepted format.
            collection: to search in.
            top_k: how many candidates.
            features: whether to have the photo's local features returned for the verifier.

        Raises:
            GatewayError: see ``_send``.
        """
        return await self._post(
            "/search",
            SearchReply,
            params={"collection": collection, "top_k": top_k, "features": features},
            content=photo,
            headers={"Content-Type": "application/octet-stream"},
        )

    async def record(self, answered: MatchRecords) -> RecordReply:
        """Have the numbers of answers kept; sent twice, they are kept once.

        Raises:
            GatewayError: see ``_send``.
        """
        return await self._post(
            "/matches",
            RecordReply,
            content=answered.model_dump_json(),
            headers={"Content-Type": "application/json"},
        )

    async def forward(
        self,
        method: str,
        path: str,
        *,
        query: str,
        headers: Mapping[str, str],
        body: AsyncIterator[bytes] | bytes | None,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        """Pass a request on as it is; the answer's body is still to be streamed and closed by the caller.

        Where the connection dies it is passed on once more, unless its body has been streamed away, or doing it twice
        would be answered otherwise: a deletion is not found again.

        Raises:
            GatewayError: the service cannot be reached, or its answer does not begin in time.
        """
        url = httpx.URL(path, query=query.encode())

        async def send() -> httpx.Response:
            request = self._http.build_request(method, url, headers={**headers, **_hop_headers()}, content=body)
            return await self._http.send(request, stream=True)

        may_repeat = method != "DELETE" and (body is None or isinstance(body, bytes))
        with map_transport_errors(self.service, self.unavailable):
            async with asyncio.timeout(timeout_s or self._timeout_s):
                try:
                    response = await send()
                except httpx.TransportError:
                    if not may_repeat:
                        raise
                    response = await send()
        if response.status_code in {401, 403}:
            await response.aclose()
        self._check_key_accepted(response)
        return response


class VerifierClient(ServiceClient):
    """Verifies candidates."""

    service = "verifier"
    unavailable = VerifierUnavailable
    kept_back_s = 0.1  # in which an answer without verdicts is made and sent

    async def verify(
        self, photos: Sequence[bytes], features: Sequence[str | None], request: VerifyRequest
    ) -> VerifyReply:
        """Have all candidates of one or several photos verified.

        Args:
            photos: each in any accepted format.
            features: of each photo, as retrieval returned them (base64), where it did.
            request: the candidates and options.

        Raises:
            GatewayError: see ``_send``.
        """
        files: list[tuple[str, Any]] = [("request", (None, request.model_dump_json(), "application/json"))]
        files += [("file", ("photo", photo, "application/octet-stream")) for photo in photos]
        if any(features):
            files += [
                ("features", ("features", base64.b64decode(each or ""), "application/octet-stream"))
                for each in features
            ]
        return await self._post("/verify", VerifyReply, files=files)


def _is_the_services_own(refusal: httpx.Response) -> bool:
    """Whether a service refuses, rather than something between it and this process."""
    try:
        ErrorBody.model_validate_json(refusal.content)
    except ValidationError:
        return False
    return True


def _hop_headers() -> dict[str, str]:
    return {REQUEST_ID_HEADER: current_request_id(), **identity_headers()}
