"""Photos into the gallery: read, decode, encode, store. Each file has its own outcome; a bad one fails no other."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from core.building.indexing import PreparedPhoto, prepare_photo, store_each
from core.encoders.batches import Encoding
from core.errors import GalleryUnavailable, SemanticMatchError
from core.gallery import Gallery
from core.gallery.values import AddResult, NewImage
from core.imaging.decoding import ImageLimits
from services.retrieval.uploads.submissions import Submission
from serving.batching import DynamicBatcher
from serving.workers import Workers

AddOutcome = AddResult | SemanticMatchError
"""What became of one submission: stored now or before, or why it was refused."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a dry run says of a photo that would be added.

    Attributes:
        same_as: the name of an earlier photo of the upload with the same bytes, of which it would be a duplicate.
    """

    same_as: str | None = None


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
        chunk_bytes: int,
        without_metadata: bool,
    ) -> None:
        """Compose.

        Args:
            gallery: written to.
            batcher: encodes, in the background of visitors' searches.
            workers: read, decode and store.
            limits: of photos.
            chunk_size: photos per transaction, >= 1.
            chunk_bytes: of their originals, where they are more than one; two chunks are in memory at a time.
            without_metadata: keep originals without theirs.
        """
        self._gallery = gallery
        self._batcher = batcher
        self._workers = workers
        self._limits = limits
        self._chunk_size = chunk_size
        self._chunk_bytes = chunk_bytes
        self._without_metadata = without_metadata

    async def add(self, collection: str, submissions: Sequence[Submission]) -> list[AddOutcome]:
        """Add what can be added. When this returns, everything reported as added is on the disk.

        Returns:
            One outcome per submission, in their order.

        Raises:
            GalleryUnavailable: nothing at all could be stored.
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

    async def check(self, collection: str, submissions: Sequence[Submission]) -> list[AddOutcome | Planned]:
        """Read and decode what could be added, and store nothing.

        Returns:
            One outcome per submission, in their order.
        """
        outcomes: list[AddOutcome | Planned] = []
        first: dict[bytes, str] = {}
        for chunk in self._chunks(submissions):
            for each in await self._prepare(collection, chunk):
                if isinstance(each, PreparedPhoto):
                    digest = hashlib.sha256(each.data).digest()
                    outcomes.append(Planned(first.get(digest)))
                    first.setdefault(digest, each.filename)
                else:
                    outcomes.append(each)
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
        return await asyncio.gather(*(self._workers.run(self._prepare_one, collection, each) for each in chunk))

    def _prepare_one(self, collection: str, submission: Submission) -> PreparedPhoto | AddOutcome:
        try:
            data = submission.read()
            name, place = submission.filename, submission.place
            return prepare_photo(
                self._gallery, collection, data, name, place, self._limits, without_metadata=self._without_metadata
            )
        except SemanticMatchError as exc:
            return exc

    async def _encode_and_store(self, collection: str, chunk: Sequence[PreparedPhoto | AddOutcome]) -> list[AddOutcome]:
        encoded = await asyncio.gather(*(self._encode(collection, each) for each in chunk))
        new = [each for each in encoded if isinstance(each, NewImage)]
        stored = iter(await self._workers.run(store_each, self._gallery, new))
        return [next(stored) if isinstance(each, NewImage) else each for each in encoded]

    async def _encode(self, collection: str, prepared: PreparedPhoto | AddOutcome) -> NewImage | AddOutcome:
        if not isinstance(prepared, PreparedPhoto):
            return prepared
        try:
            embedding, local_features = await self._batcher.submit(prepared.decoded.image, background=True)
        except SemanticMatchError as exc:
            return exc
        return prepared.entry(collection, embedding, local_features)


def _storage_failure(outcomes: Sequence[AddOutcome]) -> GalleryUnavailable | None:
    return next((outcome for outcome in outcomes if isinstance(outcome, GalleryUnavailable)), None)
