"""The asynchronous face of retrieval: decode in threads, encode in batches, search in threads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.encoders.base import Encoder
from core.encoders.batches import Encoding, encode_each
from core.errors import SemanticMatchError
from core.gallery import Gallery
from core.imaging.decoding import DecodedImage, ImageLimits, decode_image
from core.imaging.signature import photo_signature
from core.local_features.codec import pack
from core.results import Candidate
from core.retrieval.exclusion import ExcludingGallery, Exclusion
from core.retrieval.retriever import LookAgain, Retrieved, Retriever
from core.runtime.cancellation import cancelled_by
from services.lost_device import Watch
from serving.admission import Gate
from serving.batching import DynamicBatcher
from serving.deadlines import current_deadline
from serving.observability import StageTimer
from serving.workers import Workers


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search found.

    Attributes:
        candidates: best first.
        further_views: see ``core.retrieval.retriever.Retrieved``.
        query: the decoded photo.
        embedding: float32 [D], the photo's.
        features: the photo's packed local features, where asked for and where the encoder makes them.
        looks: see ``core.retrieval.retriever.Retrieved``, as is the next.
        out_of_time: likewise.
        signature: see ``core.imaging.signature``, where asked for.
    """

    candidates: list[Candidate]
    further_views: list[Candidate]
    query: DecodedImage
    embedding: NDArray[np.float32]
    features: bytes | None
    looks: int
    out_of_time: bool
    signature: bytes | None


class RetrievalEngine:
    """Searches. Lives in one event loop.

    Attributes:
        gate: admits searches.
    """

    def __init__(
        self,
        *,
        gallery: Gallery,
        look_again: LookAgain,
        batcher: DynamicBatcher[Image.Image, Encoding],
        workers: Workers,
        limits: ImageLimits,
        most_waiting: int,
        time_budget_s: float,
        watch: Watch,
    ) -> None:
        """Join running parts.

        Args:
            gallery: searched in.
            look_again: the encoder's.
            batcher: encodes.
            workers: decode and search.
            limits: of photos.
            most_waiting: searches at work or waiting.
            time_budget_s: of one search.
            watch: put around what may use the device.
        """
        self.gate = Gate(most_waiting)
        self._gallery = gallery
        self._look_again = look_again
        self._batcher = batcher
        self._workers = workers
        self._limits = limits
        self._time_budget_s = time_budget_s
        self._watch = watch

    @property
    def waiting(self) -> int:
        """Photos waiting to be encoded."""
        return self._batcher.waiting

    async def search(
        self,
        photo: bytes,
        *,
        collection: str,
        top_k: int,
        features: bool,
        signature: bool = False,
        timer: StageTimer,
        exclusion: Exclusion | None = None,
        in_background: bool = False,
    ) -> Found:
        """Find candidates for a photo.

        Args:
            photo: in any accepted format.
            collection: to search in.
            top_k: how many candidates, >= 1.
            features: whether to pack the photo's local features.
            signature: whether to sum the photo up, for telling copies of it from other photos.
            timer: gets the stages ``decode``, ``encode`` and ``search``.
            exclusion: passed over, as if the collection did not have it.
            in_background: encode behind the photos of visitors.

        Raises:
            InvalidImage: the photo cannot be read.
            UnknownCollection: no such collection.
            EmptyGallery: nothing to search in.
            Overloaded: too many searches are waiting.
            DeadlinePassed: the caller is gone; noticed between decoding, encoding, searching and the second look.
        """
        with self.gate.admit(), cancelled_by(current_deadline().check):
            with timer.stage("decode"):
                query = await self._workers.run(self._decode, photo, collection)
            with timer.stage("encode"):
                embedding, local_features = await self._batcher.submit(query.image, background=in_background)
            with timer.stage("search"):
                look = partial(self._retriever(exclusion).retrieve, query.image, embedding, local_features)
                retrieved = await self._workers.run(self._retrieve, look, collection, top_k)
            seen = retrieved.local_features
            packed = pack(seen) if features and seen is not None else None
            summed = await self._workers.run(photo_signature, query.image) if signature else None
            return Found(
                retrieved.candidates,
                retrieved.further_views,
                query,
                embedding,
                packed,
                retrieved.looks,
                retrieved.out_of_time,
                summed,
            )

    def _retriever(self, exclusion: Exclusion | None) -> Retriever:
        searched = ExcludingGallery(self._gallery, exclusion) if exclusion else self._gallery
        return Retriever(searched, self._look_again, time_budget_s=self._time_budget_s)

    def _retrieve(self, look: Callable[[str, int], Retrieved], collection: str, top_k: int) -> Retrieved:
        with self._watch():
            return look(collection, top_k)

    def _decode(self, photo: bytes, collection: str) -> DecodedImage:
        self._gallery.check_collection(collection)  # before any work for what cannot be answered
        return decode_image(photo, limits=self._limits)


def encode_batch(encoder: Encoder, watch: Watch, images: Sequence[Image.Image]) -> list[Encoding | SemanticMatchError]:
    """Encode photos together; one that cannot be encoded fails for itself."""
    with watch():
        return encode_each(encoder, images)
