"""The asynchronous interface of retrieval: decodes in threads, encodes in batches, searches in threads."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.encoders.base import Encoder
from core.encoders.batches import Encoding, encode_each
from core.errors import SemanticMatchError
from core.gallery import Gallery
from core.imaging.copies import encode_copy
from core.imaging.decoding import DecodedImage, ImageLimits, decode_image
from core.imaging.signature import photo_signature
from core.local_features.codec import pack
from core.results import Candidate
from core.retrieval.exclusion import ExcludingGallery, Exclusion
from core.retrieval.retriever import FeatureExtractor, LookAgain, Retrieved, Retriever
from core.runtime.cancellation import cancelled_by
from core.runtime.stage_times import recording, stage
from services.lost_device import Watch
from serving.admission import Gate
from serving.batching import DynamicBatcher
from serving.deadlines import current_deadline
from serving.observability import StageTimer
from serving.workers import Workers

TimedEncoding = tuple[Encoding, float]
"""A photo's encoding, and the photo's share of the CPU seconds of its batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The result of a search.

    Attributes:
        candidates: best first.
        further_views: see ``core.retrieval.retriever.Retrieved``.
        query: the decoded photo.
        embedding: float32 [D], of the photo.
        features: the photo's packed local features, if requested and computed by the encoder; those of the second
            extractor behind, where it was needed.
        photo_copy: a reduced copy of the photo, if requested and worth its encoding; JPEG.
        looks: see ``core.retrieval.retriever.Retrieved``.
        out_of_time: see ``core.retrieval.retriever.Retrieved``.
        signature: see ``core.imaging.signature``, if requested.
        collection: that was searched, under the name that it has now.
    """

    candidates: list[Candidate]
    further_views: list[Candidate]
    query: DecodedImage
    embedding: NDArray[np.float32]
    features: bytes | None
    photo_copy: bytes | None
    looks: int
    out_of_time: bool
    signature: bytes | None
    collection: str


class RetrievalEngine:
    """Searches. Belongs to one event loop.

    Attributes:
        gate: admits searches.
        searches: how many visitors' searches have begun.
    """

    def __init__(
        self,
        *,
        gallery: Gallery,
        look_again: LookAgain,
        second: FeatureExtractor | None,
        batcher: DynamicBatcher[Image.Image, TimedEncoding],
        workers: Workers,
        limits: ImageLimits,
        photo_side: int,
        most_waiting: int,
        most_decoded: int,
        time_budget_s: float,
        watch: Watch,
    ) -> None:
        """Set the parts, which are running.

        Args:
            gallery: to search in.
            look_again: of the encoder.
            second: see ``core.retrieval.retriever.Retriever``.
            batcher: encodes photos in batches.
            workers: threads that decode and search.
            limits: of photos.
            photo_side: of the encoder.
            most_waiting: searches that run or wait, at most.
            most_decoded: visitors' searches that hold a decoded photo, at most; the others wait.
            time_budget_s: of one search.
            watch: a context manager around code that may use the device.
        """
        self.gate = Gate(most_waiting)
        self.searches = 0
        self._gallery = gallery
        self._look_again = look_again
        self._second = second
        self._batcher = batcher
        self._workers = workers
        self._limits = limits
        self._photo_side = photo_side
        self._turns = asyncio.Semaphore(most_decoded)
        self._time_budget_s = time_budget_s
        self._watch = watch

    @property
    def waiting(self) -> int:
        """Number of photos that wait to be encoded."""
        return self._batcher.waiting

    async def search(
        self,
        photo: bytes,
        *,
        collection: str,
        top_k: int,
        features: bool,
        signature: bool = False,
        copy_side: int | None = None,
        timer: StageTimer,
        exclusion: Exclusion | None = None,
        in_background: bool = False,
    ) -> Found:
        """Find candidates for a photo.

        Args:
            photo: in any accepted format.
            collection: to search in, by its name or a former one.
            top_k: how many candidates, >= 1.
            features: whether to pack the photo's local features.
            signature: whether to compute the photo's signature, which recognises copies of it.
            copy_side: make a copy of the photo with this longest side, pixels, for the verifier; None: no copy.
            timer: gets the stages ``decode``, ``encode`` and ``search``, and of the last also ``vector_search``,
                ``local_test``, ``further_looks`` and ``second_features``, which are parts of it.
            exclusion: an image or place that is ignored, as if the collection did not have it.
            in_background: encode after the photos of visitors.

        Raises:
            InvalidImage: the photo cannot be read.
            UnknownCollection: the collection does not exist.
            EmptyGallery: the gallery holds no image.
            Overloaded: too many searches are waiting.
            DeadlinePassed: the caller is gone; checked between decoding, encoding, searching and further looks.
        """
        deadline = current_deadline()
        still_wanted = cancelled_by(deadline.check, lambda: deadline.seconds_left)
        with self.gate.admit(), still_wanted, recording() as spent:
            self.searches += not in_background
            async with nullcontext() if in_background else self._turns:
                deadline.check()
                with timer.stage("decode"):
                    query, photo_copy, collection = await self._workers.run(self._decode, photo, collection, copy_side)
                with timer.stage("encode"):
                    (embedding, local_features), cpu_s = await self._batcher.submit(
                        query.image, background=in_background
                    )
                    spent.add("encode", 0.0, cpu_s)
                with timer.stage("search"):
                    look = partial(self._retriever(exclusion).retrieve, query.image, embedding, local_features)
                    retrieved = await self._workers.run(self._retrieve, look, collection, top_k)
                timer.include(spent.wall_s, spent.cpu_s)
                seen = [part for part in (retrieved.local_features, retrieved.second_features) if part is not None]
                packed = b"".join(map(pack, seen)) if features and seen else None
                summed = await self._workers.run(photo_signature, query.image) if signature else None
                return Found(
                    retrieved.candidates,
                    retrieved.further_views,
                    query,
                    embedding,
                    packed,
                    photo_copy,
                    retrieved.looks,
                    retrieved.out_of_time,
                    summed,
                    collection,
                )

    def _retriever(self, exclusion: Exclusion | None) -> Retriever:
        searched = ExcludingGallery(self._gallery, exclusion) if exclusion else self._gallery
        return Retriever(searched, self._look_again, second=self._second, time_budget_s=self._time_budget_s)

    @stage("search")
    def _retrieve(self, look: Callable[[str, int], Retrieved], collection: str, top_k: int) -> Retrieved:
        with self._watch():
            return look(collection, top_k)

    @stage("decode")
    def _decode(self, photo: bytes, collection: str, copy_side: int | None) -> tuple[DecodedImage, bytes | None, str]:
        current = self._gallery.find_collection(collection)  # first, so that no work is done for an unknown collection
        query = decode_image(photo, max_side=self._photo_side, limits=self._limits)
        return query, None if copy_side is None else _copy(query, copy_side), current


def _copy(photo: DecodedImage, side: int) -> bytes | None:
    """Encode a reduced copy; None where the original serves as well.

    That is where decoding the original again costs about as much as the copy, or where less than ``side`` was decoded.
    """
    if max(photo.width, photo.height) < 2 * side or max(photo.image.size) < side:
        return None
    return encode_copy(photo.image, side)


def encode_batch(
    encoder: Encoder, watch: Watch, images: Sequence[Image.Image]
) -> list[TimedEncoding | SemanticMatchError]:
    """Encode photos in one batch; a photo that cannot be encoded gets an error of its own."""
    with watch(), recording() as spent, stage("encode"):
        encoded = encode_each(encoder, images)
    share_s = spent.cpu_s["encode"] / len(images)
    return [outcome if isinstance(outcome, SemanticMatchError) else (outcome, share_s) for outcome in encoded]
