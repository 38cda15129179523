"""What the caller's key may be used for: all collections, or those to which it is restricted.

A route gets a collection from a path, an image, a deletion or a photo of the inbox by the types of this module, which
check it. What a query, a body or a form names is checked by the route itself. Other collections are refused, and their
images, deletions, answers and photos are unknown to a restricted key.

A key names collections. It follows a collection that gets another name until another collection gets the former one.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Annotated

from fastapi import Depends, Path

from contracts.collections import MAX_COLLECTION
from contracts.images import IMAGE_ID_PATTERN, MAX_PLACE_ID
from contracts.inbox import MAX_ENTRY
from contracts.trash import TRASH_ID_PATTERN
from core.errors import (
    SemanticMatchError,
    UnknownCollection,
    UnknownDeletion,
    UnknownImage,
    UnknownInboxPhoto,
    UnknownMatch,
    UnknownPlace,
)
from core.gallery import CollectionSummary
from services.retrieval.dependencies import Service
from services.retrieval.service import RetrievalService
from serving.auth.restriction import get_restriction, refusal


class AllowedCollections:
    """The collections for which the caller's key may be used."""

    def __init__(self, service: RetrievalService, names: tuple[str, ...] | None) -> None:
        """Set the service, and the collections to which the key is restricted; None for all."""
        self._service = service
        self._names = names

    async def check(self, collection: str | None) -> None:
        """Let pass a collection by its name or a former one; None, for all collections, only without a restriction.

        Raises:
            Forbidden: the key is restricted to other collections.
        """
        if self._names is not None and (collection is None or not await self.includes(collection)):
            raise refusal(self._names)

    async def check_name(self, name: str) -> None:
        """Let pass a name that a collection has or may get. A former name does not count: it would be a new collection.

        Raises:
            Forbidden: the key is restricted to other collections.
        """
        if self._names is not None and not await self._is_named(name, self._names):
            raise refusal(self._names)

    async def check_image(self, image_id: str) -> None:
        """Let pass an image of an allowed collection.

        Raises:
            UnknownImage: there is no such image.
        """

        async def find() -> str:
            return (await self._service.workers.run(self._service.gallery.get, image_id)).collection

        await self._check_owner(find, UnknownImage, "image")

    async def check_deletion(self, deletion_id: str) -> None:
        """Let pass a deletion in an allowed collection.

        Raises:
            UnknownDeletion: there is no such deletion.
        """

        async def find() -> str:
            return (await self._service.workers.run(self._service.gallery.trash.find, deletion_id)).collection

        await self._check_owner(find, UnknownDeletion, "deletion")

    async def check_match(self, request_id: str) -> None:
        """Let pass a match in an allowed collection, also one that a gateway may be sending just now.

        Raises:
            UnknownMatch: there is no such match.
        """

        async def find() -> str:
            await self._service.usage.await_match(request_id)
            return (await self._service.usage.find(request_id)).match.collection

        await self._check_owner(find, UnknownMatch, "match")

    async def check_inbox_photo(self, number: int) -> None:
        """Let pass a photo that was sent to a match in an allowed collection.

        Raises:
            UnknownInboxPhoto: there is no such photo.
        """
        usage = self._service.usage

        async def find() -> str:
            entry = await usage.workers.run(usage.inbox.entry, number, time.time())
            return entry.stored.match.collection

        await self._check_owner(find, UnknownInboxPhoto, "photo")

    async def includes(self, collection: str) -> bool:
        """Tell whether the key may be used for a collection, by its name or a former one."""
        if self._names is None or collection in self._names:
            return True
        current = await self._service.workers.run(self._service.gallery.current_name, collection)
        return await self._is_named(current, self._names)

    async def those_of(self, collection: str | None) -> list[str] | None:
        """Return the collections that a request is about which may name one, and else is about all; None for all.

        Raises:
            Forbidden: the key is restricted to other collections.
        """
        if collection is not None:
            await self.check_name(collection)
            return [collection]
        return None if self._names is None else await self._current_names(self._names)

    def among(self, collections: list[CollectionSummary]) -> list[CollectionSummary]:
        """Select the collections for which the key may be used."""
        if self._names is None:
            return collections
        return [known for known in collections if not {known.name, *known.former_names}.isdisjoint(self._names)]

    async def _is_named(self, collection: str, names: tuple[str, ...]) -> bool:
        return collection in names or collection in await self._current_names(names)

    async def _current_names(self, names: tuple[str, ...]) -> list[str]:
        gallery = self._service.gallery
        return await self._service.workers.run(lambda: [gallery.current_name(name) for name in names])

    async def _check_owner(
        self, find: Callable[[], Awaitable[str]], unknown: type[SemanticMatchError], what: str
    ) -> None:
        """Refuse what does not exist and what another collection has in the same way."""
        if self._names is None:
            return
        with suppress(unknown):
            if await self._is_named(await find(), self._names):
                return
        raise unknown(f"no such {what} in the collections for which this key may be used: {', '.join(self._names)}")


async def get_allowed(
    service: Service, names: Annotated[tuple[str, ...] | None, Depends(get_restriction)]
) -> AsyncIterator[AllowedCollections]:
    """Return what the caller's key may be used for. An error does not name other collections to a restricted key."""
    try:
        yield AllowedCollections(service, names)
    except UnknownCollection as exc:
        if names is None:
            raise
        raise UnknownCollection(f"no such collection among those of this key: {', '.join(names)}") from exc


Allowed = Annotated[AllowedCollections, Depends(get_allowed)]

# A collection's name and a place's id may hold a slash.
_CollectionPath = Annotated[str, Path(min_length=1, max_length=MAX_COLLECTION)]
_PlacePath = Annotated[str, Path(min_length=1, max_length=MAX_PLACE_ID)]


async def _collection(collection: _CollectionPath, allowed: Allowed) -> str:
    await allowed.check(collection)
    return collection


async def _place_address(
    collection: _CollectionPath, place: _PlacePath, service: Service, allowed: Allowed
) -> tuple[str, str]:
    """Find where a path parts: a place's id may hold "/places/" too, and so may a collection of an earlier version."""
    found = collection, place
    parts = f"{collection}/places/{place}".split("/places/")
    for number in range(1, len(parts) - 1):
        address = "/places/".join(parts[:number]), "/places/".join(parts[number:])
        with suppress(UnknownCollection, UnknownPlace):
            await service.workers.run(service.gallery.place, *address)
            found = address
            break
    await allowed.check(found[0])
    return found


async def _image_id(image_id: Annotated[str, Path(pattern=IMAGE_ID_PATTERN)], allowed: Allowed) -> str:
    await allowed.check_image(image_id)
    return image_id


async def _deletion_id(deletion_id: Annotated[str, Path(pattern=TRASH_ID_PATTERN)], allowed: Allowed) -> str:
    await allowed.check_deletion(deletion_id)
    return deletion_id


async def _entry_id(entry: Annotated[int, Path(ge=1, le=MAX_ENTRY)], allowed: Allowed) -> int:
    await allowed.check_inbox_photo(entry)
    return entry


Collection = Annotated[str, Depends(_collection)]
PlaceAddress = Annotated[tuple[str, str], Depends(_place_address)]
"""A collection and the id of a place in it."""
ImageId = Annotated[str, Depends(_image_id)]
DeletionId = Annotated[str, Depends(_deletion_id)]
EntryId = Annotated[int, Depends(_entry_id)]
