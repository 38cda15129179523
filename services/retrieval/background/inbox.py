"""The inbox of the service: takes visitors' photos, and carries out what a curator decides about them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from contracts.inbox import Shown
from core.building.grouping import place_id_of_name
from core.errors import GalleryUnavailable, InvalidRequest, UnknownInboxPhoto, UnknownMatch, UnknownPlace
from core.gallery import Gallery
from core.imaging.copies import encode_preview
from core.imaging.decoding import ImageLimits, decode_image
from core.journal import FeedbackVerdict, InboxEntry, StoredMatch
from core.results import GalleryImage, Place
from services.retrieval.background.usage import Usage
from services.retrieval.uploads.indexing import Indexer
from services.retrieval.uploads.submissions import Submission
from serving.errors import AlreadyRunning
from serving.workers import Workers

_LONGEST_SIDE = 1600
"""Of a photo as it is kept, pixels; as the page sends it."""


class PhotoInbox:
    """Takes, lists and decides about photos."""

    def __init__(self, gallery: Gallery, indexer: Indexer, usage: Usage, workers: Workers, limits: ImageLimits) -> None:
        """Set the parts.

        Args:
            gallery: photos are added to it.
            indexer: adds them.
            usage: has the matches, the feedback and the photos.
            workers: threads that decode.
            limits: of photos as they are sent.
        """
        self._gallery = gallery
        self._indexer = indexer
        self._usage = usage
        self._workers = workers
        self._limits = limits

    @property
    def days(self) -> float:
        """Days for which a photo is kept; 0: none are taken."""
        return self._usage.inbox.days

    async def keep(self, request_id: str, photo: bytes) -> float:
        """Keep a photo without its metadata; see ``core.journal.Inbox.keep``.

        Raises:
            UnknownMatch: no match of the request is on record.
            InvalidRequest: no photo of this match is taken.
            InvalidImage: it cannot be read.
        """
        await self._usage.await_match(request_id)
        stored = await self._usage.find(request_id)
        self._usage.inbox.check_is_wanted(stored)
        reduced = await self._workers.run(self._reduce, photo)
        return await self._usage.workers.run(self._usage.inbox.keep, stored, reduced, time.time())

    async def page(self, collection: str, cursor: str | None, limit: int) -> tuple[list[InboxEntry], str | None]:
        """List entries, newest first; see ``core.journal.Inbox.page``."""
        return await self._usage.workers.run(self._usage.inbox.page, collection, time.time(), cursor, limit)

    async def photo(self, number: int) -> bytes:
        """Read the photo of an entry; see ``core.journal.Inbox.photo``."""
        return await self._usage.workers.run(self._usage.inbox.photo, number, time.time())

    async def remove(self, number: int) -> None:
        """Delete an entry without a decision.

        Raises:
            UnknownInboxPhoto: it is not there.
            AlreadyRunning: somebody is deciding about it.
        """
        async with self._claimed(number):
            await self._usage.workers.run(self._usage.inbox.remove, number)

    async def withdraw(self, request_id: str) -> None:
        """Delete the photos of a request, as their visitor asks; see ``core.journal.Inbox.withdraw``.

        Raises:
            UnknownInboxPhoto: there are none, or a curator has decided about them.
        """
        if not await self._usage.workers.run(self._usage.inbox.withdraw, request_id, time.time()):
            raise UnknownInboxPhoto(
                f"no photo of request {request_id!r} is in the inbox; its time may be over, or the museum has decided"
            )

    async def decide(
        self,
        number: int,
        shows: Shown,
        place_id: str | None = None,
        place_name: str | None = None,
    ) -> tuple[GalleryImage | None, StoredMatch | None]:
        """Carry out a decision: add the photo, store the feedback that follows from it, and delete the entry.

        If a step fails, the entry stays and can be decided about again.

        Args:
            number: of the entry.
            shows: a place, a new place, or nothing that belongs into the collection.
            place_id: of the place; with ``place``.
            place_name: of the new place; with ``new_place``.

        Returns:
            The photo in the gallery, None if it was not added; and the match with the feedback, None if it was deleted
            meanwhile.

        Raises:
            UnknownInboxPhoto: the entry is not there.
            AlreadyRunning: somebody else is deciding about it.
            UnknownPlace: there is no such place.
            InvalidRequest: there is a place of the new place's name, the name is not acceptable, or another place has
                this very photo.
        """
        async with self._claimed(number) as entry:
            match = entry.stored.match
            place = await self._workers.run(self._place, match.collection, shows, place_id, place_name)
            image = await self._add(number, match.collection, place) if place is not None else None
            verdict: FeedbackVerdict
            verdict, shown = ("other_place", place_id) if shows == "place" else ("not_in_collection", None)
            given = None
            with suppress(UnknownMatch):
                given = await self._usage.give_feedback(match.request_id, verdict, shown)
            await self._usage.workers.run(self._usage.inbox.remove, number)
        return image, given

    @asynccontextmanager
    async def _claimed(self, number: int) -> AsyncIterator[InboxEntry]:
        """Read an entry about which nobody else can decide until the block ends."""
        entry = await self._usage.workers.run(self._usage.inbox.entry, number, time.time())
        if not await self._usage.workers.run(self._usage.inbox.claim, number, time.time()):
            raise AlreadyRunning("somebody else is deciding about this photo; load the inbox again")
        try:
            yield entry
        except BaseException:
            with suppress(GalleryUnavailable):  # then the claim ends with its time
                await asyncio.shield(self._usage.workers.run(self._usage.inbox.release, number))
            raise

    def _place(self, collection: str, shows: Shown, place_id: str | None, place_name: str | None) -> Place | None:
        self._gallery.check_collection_exists(collection)
        if shows == "place":
            return self._gallery.place(collection, place_id or "").place
        if shows == "nothing":
            return None
        new = Place(place_id_of_name(place_name or ""), name=place_name or "")
        with suppress(UnknownPlace):
            known = self._gallery.place(collection, new.place_id)
            raise InvalidRequest(
                f"there is a place of id {known.place.place_id[:80]!r} already; choose it with shows=place, or give "
                "the new place another name"
            )
        return new

    def _reduce(self, photo: bytes) -> bytes:
        decoded = decode_image(photo, max_side=_LONGEST_SIDE, limits=self._limits)
        return encode_preview(decoded.image, max_side=_LONGEST_SIDE)

    async def _add(self, number: int, collection: str, place: Place) -> GalleryImage:
        photo = await self.photo(number)
        submission = Submission(f"visitor-{number}.jpg", lambda: photo, place, len(photo), is_named=True)
        (outcome,) = await self._indexer.add(collection, [submission])
        if isinstance(outcome, Exception):
            raise outcome
        known = outcome.image.place
        if outcome.status == "duplicate" and known.place_id != place.place_id:
            raise InvalidRequest(
                f"place {known.place_id[:80]!r} has this very photo already; choose that place, or move the photo"
            )
        return outcome.image
