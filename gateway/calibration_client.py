"""The retrieval service as calibrations need it: photos taken again, searches that pass something over, the record."""

from collections.abc import Mapping
from urllib.parse import quote

from contracts.calibration import (
    CalibrationChange,
    CalibrationJob,
    JobAnswer,
    JobWord,
    KnownJob,
    MeasuredCalibration,
    StoppedJob,
    StoredCalibration,
)
from contracts.images import CollectionList, ImageBody, ImagePageBody
from contracts.retrieval import SearchReply
from gateway.clients import ServiceClient
from gateway.errors import RetrievalUnavailable

_PAGE = 500
_MOST_OTHERS = 5


class CalibrationClient(ServiceClient):
    """Asks for what no visitor asks for."""

    service = "retrieval"
    unavailable = RetrievalUnavailable

    async def images(self, collection: str) -> list[ImageBody]:
        """Every image of a collection, oldest first.

        Raises:
            GatewayError: see ``ServiceClient``; so do all others.
        """
        images: list[ImageBody] = []
        cursor: str | None = None
        while True:
            query = {"collection": collection, "limit": str(_PAGE)} | ({"cursor": cursor} if cursor else {})
            page = await self._ask("GET", "/index/images", ImagePageBody, params=query)
            images += page.images
            cursor = page.next_cursor
            if cursor is None:
                return images

    async def strangers(self, collection: str) -> list[ImageBody]:
        """Images of other collections, the first page of each of the first few."""
        listed = await self._ask("GET", "/index/collections", CollectionList)
        others = [each.id for each in listed.collections if each.id != collection][:_MOST_OTHERS]
        images: list[ImageBody] = []
        for other in others:
            query = {"collection": other, "limit": str(_PAGE)}
            images += (await self._ask("GET", "/index/images", ImagePageBody, params=query)).images
        return images

    async def rephotographed(self, image_id: str, seed: int) -> bytes:
        """A gallery photo as a visitor might have taken it: a JPEG, the same for the same seed."""
        return (await self._send("GET", f"/rephotographed/{image_id}", params={"seed": seed})).content

    async def search(self, photo: bytes, collection: str, top_k: int, leave_out: Mapping[str, str]) -> SearchReply:
        """Find candidates as for a visitor, but for what is left out: ``leave_out_place`` or ``leave_out_image``."""
        return await self._ask(
            "POST",
            "/search",
            SearchReply,
            params={"collection": collection, "top_k": top_k, "features": True, **leave_out},
            content=photo,
            headers={"Content-Type": "application/octet-stream"},
        )

    async def read(self, collection: str, verifier: str | None) -> StoredCalibration:
        """What is on record, and whether it holds for a verifier."""
        return await self._ask("GET", _path(collection), StoredCalibration, params=_in_use(verifier))

    async def keep(self, collection: str, measured: MeasuredCalibration) -> StoredCalibration:
        """Have a calibration fitted and kept."""
        return await self._ask(
            "PUT",
            _path(collection),
            StoredCalibration,
            content=measured.model_dump_json(),
            headers={"Content-Type": "application/json"},
        )

    async def change(self, collection: str, change: CalibrationChange, verifier: str | None) -> StoredCalibration:
        """Have what was measured fitted to another target."""
        return await self._ask(
            "PATCH",
            _path(collection),
            StoredCalibration,
            params=_in_use(verifier),
            content=change.model_dump_json(),
            headers={"Content-Type": "application/json"},
        )

    async def remove(self, collection: str) -> None:
        """Have the calibration forgotten."""
        await self._send("DELETE", _path(collection))

    async def job(self, collection: str) -> CalibrationJob | None:
        """The calibration being made, by whichever gateway, or how the latest ended."""
        return (await self._ask("GET", _job_path(collection), KnownJob)).job

    async def tell(self, collection: str, word: JobWord) -> JobAnswer:
        """Say how far a calibration is that this gateway makes, or would begin to."""
        return await self._ask(
            "PUT",
            _job_path(collection),
            JobAnswer,
            content=word.model_dump_json(),
            headers={"Content-Type": "application/json"},
        )

    async def stop(self, collection: str) -> bool:
        """Have the calibration being made stopped, by whichever gateway; whether there was any."""
        return (await self._ask("DELETE", _job_path(collection), StoppedJob)).was_running


def _path(collection: str) -> str:
    return f"/calibrations/{quote(collection, safe='')}"


def _job_path(collection: str) -> str:
    return f"/calibration-jobs/{quote(collection, safe='')}"


def _in_use(verifier: str | None) -> dict[str, str]:
    return {} if verifier is None else {"verifier": verifier}
