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
            ServiceError: see ``ServiceClient._post``.
        """
        files: list[tuple[str, Any]] = [("request", (None, request.model_dump_json(), "application/json"))]
        files += [("file", ("photo", photo, "application/octet-stream")) for photo in photos]
        if any(features):
            files += [
                ("features", ("features", base64.b64decode(each or ""), "application/octet-stream"))
                for each in features
            ]
        return await self._post("/verify", VerifyReply, files=files)

    async def write_reasons(self, photo: bytes, request: ReasonsRequest) -> ReasonsReply:
        """Have the reasons for one verdict written.

        Args:
            photo: in any accepted format.
            request: which verdict.

        Raises:
            ServiceError: see ``ServiceClient._post``.
        """
        files: list[tuple[str, Any]] = [("request", (None, request.model_dump_json(), "application/json"))]
        files.append(("file", ("photo", photo, "application/octet-stream")))
        return await self._post("/reasons", ReasonsReply, files=files)
