"""Client of one chat-completions server; translates its failures into this library's errors.

The only module of core that uses HTTP.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from core.errors import BackendUnavailable, InvalidRequest, NoVerdict
from core.runtime.keys import read_key

_CONNECT_S = 5.0
_SERVER_ERROR, _NOT_IMPLEMENTED = 500, 501
# Statuses that describe the state of the server, not the request.
_OF_THE_SERVER = (408, 429, 502, 503, 504)
_OURS = ("model", "messages")


class ServerFailed(BackendUnavailable):
    """This server gave no answer; another server may.

    Attributes:
        may_be_the_requests: the server reported an error that this request may have caused.
        retry_after_s: the pause that the server asked for; None if it did not.
    """

    def __init__(self, message: str, *, may_be_the_requests: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.may_be_the_requests = may_be_the_requests
        self.retry_after_s = retry_after_s


class ChatServer:
    """One connection pool. Several threads may share it.

    Attributes:
        name: host and port, for messages and metrics.
        url: of the API, as given.
    """

    def __init__(
        self,
        url: str,
        model: str,
        api_key: str | None,
        *,
        request_options: Mapping[str, Any] | None = None,
        proxy: str | None = None,
    ) -> None:
        """Configure the client; no request is sent yet.

        Args:
            url: of the API, including its version.
            model: the server's name of the model.
            api_key: sent as a bearer token.
            request_options: further fields of every request; a field with the value None is left out.
            proxy: URL of an HTTP proxy between this process and the server.

        Raises:
            InvalidRequest: ``url`` or ``proxy`` is not a URL, ``model`` is empty, ``api_key`` is malformed, or
                ``request_options`` has a field that this client sets itself.
        """
        key = read_key("api_key", api_key)
        if taken := [name for name in request_options or {} if name in _OURS]:
            raise InvalidRequest(f"request_options sets {', '.join(taken)}; accepted: any field but {', '.join(_OURS)}")
        # Neither the URL nor the parser's message is shown: the URL may hold a password.
        try:
            base = httpx.URL(url.rstrip("/"))
        except httpx.InvalidURL:
            raise InvalidRequest("url is malformed; accepted: like http://127.0.0.1:8000/v1") from None
        if base.scheme not in ("http", "https") or not base.host:
            raise InvalidRequest("url is not a web address; accepted: like http://127.0.0.1:8000/v1")
        if not model:
            raise InvalidRequest("model is empty; accepted: the name under which the server offers its model")
        self.url = url
        self.name = f"{base.host}:{base.port or ''}".rstrip(":")
        self._completions = httpx.URL(f"{base}/chat/completions")
        self._models = httpx.URL(f"{base}/models")
        self._model = model
        self._key = key
        self._request_options = dict(request_options or {})
        try:
            # Replaces a kept-alive connection that the server has closed, instead of failing.
            transport = httpx.HTTPTransport(retries=1, proxy=proxy)
        except (httpx.InvalidURL, ValueError):
            raise InvalidRequest("proxy is no web address; accepted: like http://127.0.0.1:3128") from None
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {}, transport=transport, trust_env=False
        )

    def complete(self, messages: Sequence[Mapping[str, Any]], *, timeout_s: float, **options: Any) -> Any:
        """Request one greedy completion and return the reply's JSON.

        Raises:
            ServerFailed: the server did not answer in time, failed, or sent something other than JSON.
            NoVerdict: it refused this request; another server would refuse it too.
        """
        fields = {"temperature": 0, **options, **self._request_options}
        request = {"model": self._model, "messages": messages}
        request |= {name: value for name, value in fields.items() if value is not None}
        response = self._send("POST", self._completions, timeout_s, json=request)
        if response.status_code == 404:
            raise ServerFailed(
                f"server {self.name} has no model {self._model!r} or no chat completions at "
                f"{self._completions.path} (HTTP 404)"
            )
        if response.is_error:
            raise self._refusal(response)
        try:
            return response.json()
        except ValueError as error:
            raise ServerFailed(f"server {self.name} sent a reply that is not JSON; check the URL") from error

    def check(self, timeout_s: float) -> None:
        """Check whether the server answers, by requesting its list of models. A 404 is an answer too.

        Raises:
            ServerFailed: it does not answer.
        """
        status = self._send("GET", self._models, timeout_s).status_code
        if status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED:
            raise ServerFailed(f"server {self.name} failed with HTTP {status}")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _refusal(self, response: httpx.Response) -> BackendUnavailable:
        """Translate an error response into an error of this library."""
        status, text = response.status_code, response.text[:300]
        if self._key:
            text = text.replace(self._key, "***")
        refused = f"server {self.name} refused with HTTP {status}: {text}"
        if status in _OF_THE_SERVER:
            return ServerFailed(refused, retry_after_s=_seconds(response.headers.get("retry-after")))
        if status >= _SERVER_ERROR:
            return ServerFailed(refused, may_be_the_requests=True)
        return NoVerdict(f"{refused}; lower top_logprobs" if "logprobs" in text else refused)

    def _send(self, method: str, url: httpx.URL, timeout_s: float, **body: Any) -> httpx.Response:
        timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S))
        try:
            response = self._client.request(method, url, timeout=timeout, **body)
        except httpx.TimeoutException as error:
            raise ServerFailed(f"server {self.name} did not answer in time ({type(error).__name__})") from error
        except httpx.ConnectError as error:  # its text comes from the system and holds nothing that was sent
            raise ServerFailed(f"server {self.name} cannot be reached: {error}; is it running?") from error
        except httpx.HTTPError as error:  # other texts may repeat what was sent, including the key
            fact = f"server {self.name} cannot be reached ({type(error).__name__}); is it running?"
            raise ServerFailed(fact) from None
        if response.status_code in (401, 403):
            raise ServerFailed(f"server {self.name} refused the API key (HTTP {response.status_code})")
        return response


def _seconds(retry_after: str | None) -> float | None:
    """Read a Retry-After header in seconds; None without one, and for dates, which these servers do not send."""
    return float(retry_after) if retry_after is not None and retry_after.strip().isdigit() else None
