"""A model's own reasons for one verdict, written when no verdict is waited for: each token takes a forward pass."""

import asyncio
import hashlib
from time import monotonic

from contracts.verification import ReasonsRequest
from core.errors import UnknownImage
from core.imaging.decoding import ImageLimits, decode_image
from core.results import Photo
from core.runtime.cancellation import cancelled_by
from core.verifiers.base import Verifier, WritesReasons
from services.lost_device import Watch
from services.verifier.gallery_access import GalleryAccess
from serving.admission import Gate
from serving.deadlines import current_deadline
from serving.errors import Overloaded
from serving.workers import Workers

_MOST_WAITING = 8
_LONGEST_S = 30.0
_LOOK_EVERY_S = 0.05


class _VerdictsWait(Exception):
    """Somebody came for a verdict."""


class ReasonWriter:
    """Writes reasons behind all verdicts. Lives in one event loop."""

    def __init__(
        self,
        verifier: Verifier,
        gallery: GalleryAccess,
        workers: Workers,
        verdicts: Gate,
        limits: ImageLimits,
        watch: Watch,
        *,
        at_once: int,
    ) -> None:
        """Compose.

        Args:
            verifier: whose reasons.
            gallery: of the candidates.
            workers: the threads that verdicts come from.
            verdicts: who wants one.
            limits: for decoding the visitor's photo.
            watch: put around what may use the device.
            at_once: verdicts that are worked on at the same time; with fewer under way there is time for reasons.
        """
        self._verifier = verifier
        self._gallery = gallery
        self._workers = workers
        self._verdicts = verdicts
        self._limits = limits
        self._watch = watch
        self._at_once = at_once
        self._gate = Gate(_MOST_WAITING)

    async def write(self, photo: bytes, request: ReasonsRequest) -> str | None:
        """Write why the photo shows what the candidate shows, or does not; None where the verifier writes no reasons.

        What has been written is given up where somebody comes for a verdict, and begun again later.

        Raises:
            InvalidImage: the photo cannot be read.
            UnknownImage: the candidate is gone.
            BackendUnavailable: nothing could be written.
            Overloaded: others wait for reasons, or verdicts came all the time.
            DeadlinePassed: the caller is gone.
        """
        if not isinstance(self._verifier, WritesReasons):
            return None
        until_s = monotonic() + _LONGEST_S
        with self._gate.admit():
            while monotonic() < until_s:
                current_deadline().check()
                if self._verdicts.inside >= self._at_once:
                    await asyncio.sleep(_LOOK_EVERY_S)
                    continue
                try:
                    with cancelled_by(self._check):
                        return await self._workers.run(self._write, self._verifier, photo, request)
                except _VerdictsWait:
                    continue
        raise Overloaded("verdicts are waited for all the time; reasons are written when there is time")

    def _check(self) -> None:
        current_deadline().check()
        if self._verdicts.inside >= self._at_once:
            raise _VerdictsWait

    def _write(self, verifier: WritesReasons, photo: bytes, request: ReasonsRequest) -> str:
        found = self._gallery.photos([request.image_id])
        if not found:
            raise UnknownImage(f"no image {request.image_id!r}; it may have been deleted")
        query = Photo(
            load=lambda: decode_image(photo, limits=self._limits).image,
            content_hash=hashlib.sha256(photo).hexdigest(),
        )
        with self._watch():
            return verifier.write_reasons(
                query, found[0].photo, prompt_style=request.prompt_style, is_match=request.is_match
            )
