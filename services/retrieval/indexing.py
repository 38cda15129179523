"""Photos into the gallery: read, decode, encode, store. Each file has its own outcome; a bad one fails no other."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import GalleryUnavailable, InvalidRequest, SemanticMatchError
from core.gallery import Gallery
from core.gallery.entries import AddResult, NewImage
from core.images import DecodedImage, ImageLimits, decode_image, encode_preview
from core.results import LocalFeatures
from services.retrieval.submissions import Submission
from serving.batching import DynamicBatcher
from serving.workers import Workers

Encoding = tuple[NDArray[np.float32], LocalFeatures | None]
"""Embedding, float32 [D], and local features of one photo."""

AddOutcome = AddResult | SemanticMatchError
"""What became of one submission: stored now or before, or why it was refused."""


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    submission: Submission
    data: bytes
    decoded: DecodedImage
    preview: bytes


class Indexer:
    """Adds submissions to a gallery, chunk by chunk; the next chunk is decoded while one is encoded."""

    def __init__(
        self,
        gallery: Gallery,
        batcher: DynamicBatcher[Image.Image, Encoding],
        workers: Workers,
        *,
        limits: ImageLimits,
        chunk_size: int,
    ) -> None:
        """Compose.

        Args:
            gallery: written to.
            batcher: encodes, in the background of visitors' searches.
            workers: read, decode and store.
            limits: of photos.
            chunk_size: photos per transaction, >= 1.
        """
        self._gallery = gallery
        self._batcher = batcher
        self._workers = workers
        self._limits = limits
        self._chunk_size = chunk_size

    async def add(self, collection: str, submissions: Sequence[Submission]) -> list[AddOutcome]:
        """Add what can be added. When this returns, everything reported as added is on the disk.

        Returns:
            One outcome per submission, in their order.

        Raises:
            GalleryUnavailable: nothing at all could be stored.
        """
        starts = range(0, len(submissions), self._chunk_size)
        chunks = [submissions[start : start + self._chunk_size] for start in starts]
        outcomes: list[AddOutcome] = []
        preparing: asyncio.Task[list[_Prepared | AddOutcome]] | None = None
        try:
            for number, chunk in enumerate(chunks):
                prepared = await (preparing or self._prepare(collection, chunk))
                following = chunks[number + 1 : number + 2]
                preparing = asyncio.create_task(self._prepare(collection, following[0])) if following else None
                outcomes += await self._encode_and_store(collection, prepared)
                broken = _storage_failure(outcomes[-len(chunk) :])
                if broken is not None:
                    # A full disk stays full: what is left is refused without the work.
                    outcomes += [broken] * (len(submissions) - len(outcomes))
                    break
        finally:
            if preparing is not None:
                preparing.cancel()
        broken = _storage_failure(outcomes)
        if broken is not None and not any(isinstance(outcome, AddResult) for outcome in outcomes):
            raise broken
        return outcomes

    async def _prepare(self, collection: str, chunk: Sequence[Submission]) -> list[_Prepared | AddOutcome]:
        return await asyncio.gather(*(self._workers.run(self._prepare_one, collection, each) for each in chunk))

    def _prepare_one(self, collection: str, submission: Submission) -> _Prepared | AddOutcome:
        try:
            data = submission.read()
            known = self._gallery.find_by_content(collection, hashlib.sha256(data).hexdigest())
            if known is not None:
                return AddResult("duplicate", known)
            decoded = decode_image(data, limits=self._limits)
            return _Prepared(submission, data, decoded, encode_preview(decoded.image))
        except SemanticMatchError as exc:
            return exc

    async def _encode_and_store(self, collection: str, chunk: Sequence[_Prepared | AddOutcome]) -> list[AddOutcome]:
        encoded = await asyncio.gather(*(self._encode(collection, each) for each in chunk))
        new = [each for each in encoded if isinstance(each, NewImage)]
        stored = iter(await self._workers.run(self._store, new))
        return [next(stored) if isinstance(each, NewImage) else each for each in encoded]

    async def _encode(self, collection: str, prepared: _Prepared | AddOutcome) -> NewImage | AddOutcome:
        if not isinstance(prepared, _Prepared):
            return prepared
        try:
            embedding, local_features = await self._batcher.submit(prepared.decoded.image, background=True)
        except SemanticMatchError as exc:
            return exc
        return NewImage(
            data=prepared.data,
            filename=prepared.submission.filename,
            media_type=prepared.decoded.media_type,
            width=prepared.decoded.width,
            height=prepared.decoded.height,
            preview=prepared.preview,
            embedding=embedding,
            local_features=local_features,
            collection=collection,
            place=prepared.submission.place,
        )

    def _store(self, images: list[NewImage]) -> list[AddOutcome]:
        if not images:
            return []
        try:
            return list(self._gallery.add(images))
        except InvalidRequest as exc:
            # A transaction is all or none, and one unacceptable field must not fail the others' files.
            return [exc] if len(images) == 1 else [outcome for image in images for outcome in self._store([image])]
        except GalleryUnavailable as exc:
            return [exc] * len(images)


def _storage_failure(outcomes: Sequence[AddOutcome]) -> GalleryUnavailable | None:
    return next((outcome for outcome in outcomes if isinstance(outcome, GalleryUnavailable)), None)
