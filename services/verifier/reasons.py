"""A model's written reasons for one verdict, at lower priority than verdicts: every token takes a forward pass."""

import asyncio
from time import monotonic

from contracts.verification import ReasonsRequest
from core.errors import UnknownImage
from core.imaging.decoding import ImageLimits
from core.runtime.cancellation import cancelled_by
from core.verifiers.base import Verifier, WritesReasons
from core.verifiers.views import as_candidate
from services.lost_device import Watch
from services.verifier.gallery_access import GalleryAccess
from services.verifier.photos import query_photo
from serving.admission import Gate
from serving.deadlines import current_deadline
from serving.errors import Overloaded
from serving.workers import Workers

_MOST_WAITING = 8
_LONGEST_S = 30.0
_LOOK_EVERY_S = 0.05


class _VerdictsWait(Exception):
    """A request for a verdict has arrived."""


class ReasonWriter:
    """Writes reasons while no verdict is requested. Belongs to one event loop."""

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
        """Set the parts.

        Args:
            verifier: writes the reasons.
            gallery: of the candidates.
            workers: the threads that also compute verdicts.
            verdicts: the gate of verdicts.
            limits: for decoding the visitor's photo.
            watch: a context manager around code that may use the device.
            at_once: how many verdicts are computed at once; reasons are written only while fewer are requested.
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
        """Write why the photo shows what the candidate shows, or does not; None if the verifier writes no reasons.

        A request for a verdict interrupts the writing, which starts again later.

        Raises:
            InvalidImage: the photo cannot be read.
            UnknownImage: the candidate was deleted.
            BackendUnavailable: the backend did not answer.
            Overloaded: other requests for reasons are waiting, or requests for verdicts did not stop.
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
        raise Overloaded("verdicts are requested all the time; reasons are written only when none is")

    def _check(self) -> None:
        current_deadline().check()
        if self._verdicts.inside >= self._at_once:
            raise _VerdictsWait

    def _write(self, verifier: WritesReasons, photo: bytes, request: ReasonsRequest) -> str:
        found = self._gallery.photos([request.image_id, *request.views])
        if not found or found[0].image.image_id != request.image_id:
            raise UnknownImage(f"no image {request.image_id!r}; it may have been deleted")
        query = query_photo(photo, self._limits)
        candidate = as_candidate([shown.photo for shown in found])
        with self._watch():
            return verifier.write_reasons(
                query, candidate, prompt_style=request.prompt_style, is_match=request.is_match
            )
