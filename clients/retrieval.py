"""The retrieval service's client."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import httpx

from clients.base import STREAMED, ServiceClient, hop_headers, map_transport_errors
from clients.errors import RetrievalUnavailable
from contracts.feedback import MatchRecords, RecordReply
from contracts.retrieval import SearchReply


class RetrievalClient(ServiceClient):
    """Finds candidates, and forwards requests about the gallery."""

    service = "retrieval"
    unavailable = RetrievalUnavailable
    kept_back_s = 0.05  # in which its lack is answered

    async def search(
        self,
        photo: bytes,
        *,
        collection: str,
        top_k: int,
        features: bool,
        signature: bool = False,
        copy_side: int | None = None,
        languages: str | None = None,
    ) -> SearchReply:
        """Find candidates for a photo.

        Args:
            photo: in any accepted format.
            collection: to search in.
            top_k: how many candidates.
            features: whether to return the photo's local features, for the verifier.
            signature: whether to return the photo's signature, which recognises copies of it.
            copy_side: return a copy of the photo with this longest side, pixels; None: no copy.
            languages: ``Accept-Language`` of whoever reads the texts of the candidates.

        Raises:
            ServiceError: see ``ServiceClient._post``.
        """
        return await self._post(
            "/search",
            SearchReply,
            params={"collection": collection, "top_k": top_k, "features": features}
            | ({"signature": True} if signature else {})
            | ({} if copy_side is None else {"copy_side": copy_side}),
            content=photo,
            headers={"Content-Type": "application/octet-stream"}
            | ({"Accept-Language": languages} if languages and languages.isascii() else {}),
        )

    async def record(self, answered: MatchRecords) -> RecordReply:
        """Store the numbers of answers; sent twice, they are stored once.

        Raises:
            ServiceError: see ``ServiceClient._post``.
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
        is_repeatable: bool = True,
    ) -> httpx.Response:
        """Forward a request unchanged. The caller must stream the answer's body and close it.

        If the connection breaks, the request is sent once more, unless its body has been streamed already or the second
        answer would be a different one (``is_repeatable``).

        Raises:
            ServiceRefused: the caller's key is restricted to other collections.
            ServiceError: the service cannot be reached, or its answer does not begin in time.
        """
        url = httpx.URL(path, query=query.encode())
        is_streamed = body is not None and not isinstance(body, bytes)

        async def send() -> httpx.Response:
            request = self._http.build_request(
                method, url, headers={**headers, **hop_headers()}, content=body, extensions={STREAMED: is_streamed}
            )
            return await self._http.send(request, stream=True)

        with map_transport_errors(self.service, self.unavailable):
            async with asyncio.timeout(timeout_s or self._timeout_s):
                try:
                    response = await send()
                except httpx.TransportError:
                    if is_streamed or not is_repeatable:
                        raise
                    response = await send()
        if response.status_code in {401, 403}:
            await response.aread()
        self._check_admitted(response)
        return response

    async def check_collection(self, collection: str) -> None:
        """Let pass a collection for which the caller's key may be used, whether or not the collection exists.

        Raises:
            ServiceRefused: the key is restricted to other collections.
            ServiceError: the service cannot be reached, or its answer does not begin in time.
        """
        query = str(httpx.QueryParams(collection=collection, limit=1))
        answer = await self.forward("GET", "/index/places", query=query, headers={}, body=None)
        await answer.aclose()
