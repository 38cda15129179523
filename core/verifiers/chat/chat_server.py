"""Requests to one server of chat completions, and its failures as errors of the library.

The only module of core that uses HTTP, as a client.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from core.errors import BackendUnavailable, InvalidRequest

_CONNECT_S = 5.0
_SERVER_ERROR, _NOT_IMPLEMENTED = 500, 501


class ServerFailed(BackendUnavailable):
    """This server gave no answer; another one may."""


class ChatServer:
    """One connection pool. Several threads may share it.

    Attributes:
        name: host and port, for messages and metrics.
        url: of the API, as given.
    """

    def __init__(self, url: str, model: str, api_key: str | None) -> None:
        """Set the server; it is not asked yet.

        Args:
            url: of the API, up to and including its version.
            model: as the server calls it.
            api_key: sent as a bearer token.

        Raises:
            InvalidRequest: ``url`` is no web address, or ``model`` is empty.
        """
        # None of it is shown, nor its parser's complaint: it may hold a password.
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
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            # A kept connection that the server has closed meanwhile is replaced, not reported.
            transport=httpx.HTTPTransport(retries=1),
            trust_env=False,
        )

    def complete(self, messages: Sequence[Mapping[str, Any]], *, timeout_s: float, **options: Any) -> Any:
        """Ask for one greedy completion and give the reply's JSON.

        Raises:
            ServerFailed: the server did not answer in time, failed, or answered something else.
            BackendUnavailable: it refused this very request, as others would.
        """
        request = {"model": self._model, "messages": messages, "temperature": 0, **options}
        response = self._send("POST", self._completions, timeout_s, json=request)
        if response.status_code == 404:
            raise ServerFailed(
                f"server {self.name} has no model {self._model!r} or no chat completions at "
                f"{self._completions.path} (HTTP 404)"
            )
        if response.is_error:
            refused = f"server {self.name} refused with HTTP {response.status_code}: {response.text[:300]}"
            is_the_requests_fault = response.status_code < _SERVER_ERROR and response.status_code not in (408, 429)
            raise BackendUnavailable(refused) if is_the_requests_fault else ServerFailed(refused)
        try:
            return response.json()
        except ValueError as error:
            raise ServerFailed(f"server {self.name} sent a reply that is not JSON; check the URL") from error

    def check(self, timeout_s: float) -> None:
        """See whether the server answers at all, by its list of models.

        A server that keeps no such list shows by saying so that it answers.

        Raises:
            ServerFailed: it does not.
        """
        status = self._send("GET", self._models, timeout_s).status_code
        if status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED:
            raise ServerFailed(f"server {self.name} failed with HTTP {status}")

    def close(self) -> None:
        """Drop the connections."""
        self._client.close()

    def _send(self, method: str, url: httpx.URL, timeout_s: float, **body: Any) -> httpx.Response:
        timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S))
        try:
            response = self._client.request(method, url, timeout=timeout, **body)
        except httpx.TimeoutException as error:
            raise ServerFailed(f"server {self.name} did not answer in time ({type(error).__name__})") from error
        except httpx.HTTPError as error:
            raise ServerFailed(f"server {self.name} cannot be reached: {error}; is it running?") from error
        if response.status_code in (401, 403):
            raise ServerFailed(f"server {self.name} refused the API key (HTTP {response.status_code})")
        return response
