"""Deletions of the service: moves to the trash, restores from it, and deletes expired entries permanently."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from uuid import uuid4

from core.errors import GalleryUnavailable, UnknownDeletion
from core.gallery import Gallery
from core.gallery.deletions import Deletion, DeletionPage, trash_collection
from services.retrieval.background.usage import Usage
from serving.workers import Workers

_DAY_S = 86_400.0
_EMPTIED_EVERY_S = 3600.0
_JOB = "trash"

logger = logging.getLogger(__name__)


class Trash:
    """The trash of one gallery. Belongs to one event loop; made by ``open_trash``.

    Attributes:
        days: for how long a deletion can be undone; 0: every deletion is permanent.
    """

    def __init__(
        self,
        gallery: Gallery,
        usage: Usage,
        workers: Workers,
        slow_workers: Workers,
        *,
        days: float,
    ) -> None:
        """Set the parts; deletions of many photos run in ``slow_workers``, so that no search waits for them."""
        self.days = days
        self._gallery = gallery
        self._usage = usage
        self._workers = workers
        self._slow_workers = slow_workers
        self._emptying = asyncio.Lock()

    async def delete_image(self, image_id: str, *, permanently: bool) -> Deletion | None:
        """Delete an image. Return the deletion; None if it is permanent.

        Raises:
            UnknownImage: no image has this id.
        """
        if permanently or not self.days:
            await self._workers.run(self._gallery.delete, image_id)
            return None
        return await self._workers.run(self._gallery.trash.put_image, image_id)

    async def delete_place(self, collection: str, place_id: str, *, permanently: bool) -> Deletion | None:
        """Delete a place with its images. Return the deletion; None if it is permanent.

        Raises:
            UnknownCollection: there is no such collection.
            UnknownPlace: it has no such place.
        """
        if permanently or not self.days:
            await self._slow_workers.run(self._gallery.delete_place, collection, place_id)
            return None
        return await self._workers.run(self._gallery.trash.put_place, collection, place_id)

    async def delete_collection(self, name: str, *, permanently: bool) -> tuple[int, Deletion | None]:
        """Delete a collection and the log of its matches.

        Returns:
            How many images it held, and the deletion; None if it is permanent.

        Raises:
            UnknownCollection: no collection has this name.
        """
        deletion = None
        if permanently or not self.days:
            earlier = await self._workers.run(self._gallery.trash.page, [name], limit=1000)
            count = await self._slow_workers.run(self._gallery.delete_collection, name)
            await self._usage.forget_collection(name)
            await self._forget_matches([emptied.deletion_id for emptied in earlier.deletions])
        else:
            deletion = await self._workers.run(self._gallery.trash.put_collection, name)
            count = deletion.images
            await self._usage.rename_collection(name, trash_collection(deletion.deletion_id))
        return count, deletion

    async def list(self, collections: Sequence[str] | None, cursor: str | None, limit: int) -> DeletionPage:
        """List the deletions that can be undone, newest first; see ``core.gallery.trash.Trash``."""
        return await self._workers.run(self._gallery.trash.page, collections, cursor, limit)

    async def restore(self, deletion_id: str) -> tuple[str, int]:
        """Undo a deletion.

        Returns:
            The collection, and how many images were restored.

        Raises:
            UnknownDeletion: the trash holds no deletion with this id.
        """
        deletion = await self._workers.run(self._gallery.trash.find, deletion_id)
        count = await self._workers.run(self._gallery.trash.restore, deletion_id)
        if deletion.kind == "collection":
            await self._usage.rename_collection(trash_collection(deletion_id), deletion.collection, keeping=True)
        return deletion.collection, count

    async def empty(self, *, deletion_id: str | None = None, collection: str | None = None) -> Sequence[str]:
        """Delete entries of the trash permanently; see ``core.gallery.trash.Trash.empty``.

        Raises:
            UnknownDeletion: the trash holds no deletion with this id.
        """
        ids = await self._slow_workers.run(self._gallery.trash.empty, deletion_id=deletion_id, collection=collection)
        await self._forget_matches(ids)
        return ids

    async def empty_expired(self) -> None:
        """Delete the expired entries of the trash permanently, unless another replica is doing so."""
        async with self._emptying:
            await self._empty_expired()

    async def _empty_expired(self) -> None:
        before, owner = time.time() - self.days * _DAY_S, uuid4().hex
        ids = await self._workers.run(self._gallery.trash.expired, before)
        if ids and await self._usage.jobs.begin(_JOB, owner, "") is None:
            await self._usage.jobs.run(_JOB, owner, partial(self._empty_each, ids), str)

    async def _empty_each(self, deletion_ids: Sequence[str]) -> None:
        try:
            for deletion_id in deletion_ids:
                with suppress(UnknownDeletion):  # restored in the meantime
                    await self.empty(deletion_id=deletion_id)
        except GalleryUnavailable as exc:
            logger.warning("the trash keeps some of what has expired for another hour: %s", exc)
        else:
            logger.info("%d entries of the trash had expired and were deleted", len(deletion_ids))

    async def keep_emptying(self) -> None:
        """Call ``empty_expired`` now and every hour."""
        while True:
            try:
                await self.empty_expired()
            except GalleryUnavailable as exc:
                logger.warning("the trash is emptied an hour later: %s", exc)
            await asyncio.sleep(_EMPTIED_EVERY_S)

    async def _forget_matches(self, deletion_ids: Sequence[str]) -> None:
        for deletion_id in deletion_ids:
            await self._usage.forget_collection(trash_collection(deletion_id))


@asynccontextmanager
async def emptying(trash: Trash) -> AsyncIterator[None]:
    """Empty the trash of expired entries in the background, until the block ends."""
    task = asyncio.create_task(trash.keep_emptying())
    try:
        yield
    finally:
        task.cancel()
