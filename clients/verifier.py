"""The verifier service's client."""

import base64
from collections.abc import Sequence
from typing import Any

from clients.base import ServiceClient
from clients.errors import VerifierUnavailable
from contracts.verification import ReasonsReply, ReasonsRequest, VerifyReply, VerifyRequest


class VerifierClient(ServiceClient):
    """Verifies candidates."""

    service = "verifier"
    unavailable = VerifierUnavailable
    kept_back_s = 0.1  # left for making and sending an answer without verdicts

    async def verify(
        self, photos: Sequence[bytes], features: Sequence[str | None], request: VerifyRequest
    ) -> VerifyReply:
        """Verify all candidates of one or several photos.

        Args:
            photos: N photos in any accepted format.
            features: local features of the N photos from retrieval, base64; None for a photo without them.
            request: the candidates and options.

        Raises:
            ServiceError: see ``ServiceClient._post``.
        """
        files: list[tuple[str, Any]] = [("request", (None, request.model_dump_json(), "application/json"))]
        files += [("file", ("photo", photo, "application/octet-stream")) for photo in photos]
        if any(features):
            files += [
                ("features", ("features", base64.b64decode(encoded or ""), "application/octet-stream"))
                for encoded in features
            ]
        return await self._post("/verify", VerifyReply, files=files)

    async def write_reasons(self, photo: bytes, request: ReasonsRequest) -> ReasonsReply:
        """Write the reasons for one verdict.

        Args:
            photo: in any accepted format.
            request: which verdict.

        Raises:
            ServiceError: see ``ServiceClient._post``.
        """
        files: list[tuple[str, Any]] = [("request", (None, request.model_dump_json(), "application/json"))]
        files.append(("file", ("photo", photo, "application/octet-stream")))
        return await self._post("/reasons", ReasonsReply, files=files)
