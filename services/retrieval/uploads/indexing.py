"""Adds photos to the gallery: read, decode, encode, store. Every file has its own outcome."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from core.building.indexing import PreparedPhoto, prepare_photo, store_each
from core.errors import GalleryUnavailable, SemanticMatchError
from core.gallery import Gallery
from core.gallery.values import AddResult, NewImage
from core.imaging.decoding import ImageLimits
from services.retrieval.engine import TimedEncoding
from services.retrieval.uploads.submissions import Submission
from serving.batching import DynamicBatcher
from serving.workers import Workers

AddOutcome = AddResult | SemanticMatchError
"""The outcome of a submission: the image, stored now or before, or the error with which it was refused."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The outcome of a dry run for a photo that would be added.

    Attributes:
        same_as: the name of an earlier photo of the upload with the same bytes; this one would be a duplicate of it.
    """

    same_as: str | None = None


class Indexer:
    """Adds submissions to a gallery in chunks; while one chunk is encoded, the next one is decoded."""

    def __init__(
        self,
        gallery: Gallery,
        batcher: DynamicBatcher[Image.Image, TimedEncoding],
        workers: Workers,
        *,
        limits: ImageLimits,
        side: int,
        chunk_size: int,
        chunk_bytes: int,
        without_metadata: bool,
    ) -> None:
        """Set the parts.

        Args:
            gallery: to add to.
            batcher: encodes, after the photos of visitors' searches.
            workers: threads that read, decode and store.
            limits: of photos.
            side: ``photo_side`` of the encoder.
            chunk_size: photos per transaction, >= 1.
            chunk_bytes: most bytes of originals per transaction of several photos; two chunks are in memory at a time.
            without_metadata: store originals without metadata.
        """
        self._gallery = gallery
        self._batcher = batcher
        self._workers = workers
        self._limits = limits
        self._side = side
        self._chunk_size = chunk_size
        self._chunk_bytes = chunk_bytes
        self._without_metadata = without_metadata

    async def add(self, collection: str, submissions: Sequence[Submission]) -> list[AddOutcome]:
        """Add the acceptable photos. When this returns, all photos reported as added are on disk.

        Returns:
            One outcome per submission, in their order.

        Raises:
            GalleryUnavailable: no photo could be stored.
        """
        chunks = self._chunks(submissions)
        outcomes: list[AddOutcome] = []
        preparing: asyncio.Task[list[PreparedPhoto | AddOutcome]] | None = None
        try:
            for number, chunk in enumerate(chunks):
                prepared = await (preparing or self._prepare(collection, chunk))
                following = chunks[number + 1 : number + 2]
                preparing = asyncio.create_task(self._prepare(collection, following[0])) if following else None
                outcomes += await self._encode_and_store(collection, prepared)
                broken = _storage_failure(outcomes[-len(chunk) :])
                if broken is not None:
                    # A full disk stays full, so the remaining photos are refused without being encoded.
                    outcomes += [broken] * (len(submissions) - len(outcomes))
                    break
        finally:
            if preparing is not None:
                preparing.cancel()
        broken = _storage_failure(outcomes)
        if broken is not None and not any(isinstance(outcome, AddResult) for outcome in outcomes):
            raise broken
        return outcomes

    async def check(self, collection: str, submissions: Sequence[Submission]) -> list[AddOutcome | Planned]:
        """Read and decode the photos, and store nothing.

        Returns:
            One outcome per submission, in their order.
        """
        outcomes: list[AddOutcome | Planned] = []
        first: dict[bytes, str] = {}
        for chunk in self._chunks(submissions):
            for prepared in await self._prepare(collection, chunk):
                if isinstance(prepared, PreparedPhoto):
                    digest = hashlib.sha256(prepared.data).digest()
                    outcomes.append(Planned(first.get(digest)))
                    first.setdefault(digest, prepared.filename)
                else:
                    outcomes.append(prepared)
        return outcomes

    def _chunks(self, submissions: Sequence[Submission]) -> list[list[Submission]]:
        chunks: list[list[Submission]] = []
        byte_size = 0
        for submission in submissions:
            byte_size += submission.byte_size
            if not chunks or len(chunks[-1]) == self._chunk_size or byte_size > self._chunk_bytes:
                chunks.append([])
                byte_size = submission.byte_size
            chunks[-1].append(submission)
        return chunks

    async def _prepare(self, collection: str, chunk: Sequence[Submission]) -> list[PreparedPhoto | AddOutcome]:
        return await asyncio.gather(
            *(self._workers.run(self._prepare_one, collection, submission) for submission in chunk)
        )

    def _prepare_one(self, collection: str, submission: Submission) -> PreparedPhoto | AddOutcome:
        try:
            data = submission.read()
            name, place = submission.filename, submission.place
            return prepare_photo(
                self._gallery,
                collection,
                data,
                name,
                place,
                self._limits,
                side=self._side,
                without_metadata=self._without_metadata,
            )
        except SemanticMatchError as exc:
            return exc

    async def _encode_and_store(self, collection: str, chunk: Sequence[PreparedPhoto | AddOutcome]) -> list[AddOutcome]:
        encoded = await asyncio.gather(*(self._encode(collection, prepared) for prepared in chunk))
        new = [outcome for outcome in encoded if isinstance(outcome, NewImage)]
        stored = iter(await self._workers.run(store_each, self._gallery, new))
        return [next(stored) if isinstance(outcome, NewImage) else outcome for outcome in encoded]

    async def _encode(self, collection: str, prepared: PreparedPhoto | AddOutcome) -> NewImage | AddOutcome:
        if not isinstance(prepared, PreparedPhoto):
            return prepared
        try:
            encoded = await asyncio.gather(
                *(self._batcher.submit(image, background=True) for image in prepared.parts.images)
            )
        except SemanticMatchError as exc:
            return exc
        return prepared.entry(collection, [encoding for encoding, _ in encoded])


def _storage_failure(outcomes: Sequence[AddOutcome]) -> GalleryUnavailable | None:
    return next((outcome for outcome in outcomes if isinstance(outcome, GalleryUnavailable)), None)
