"""Merges galleries of one encoder, batch by batch, without encoding anything again."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import (
    EncoderMismatch,
    GalleryUnavailable,
    InvalidRequest,
    UnknownCollection,
    UnknownImage,
    UnknownPlace,
    UnknownRecording,
)
from core.gallery import Gallery, ImageChange, NewImage
from core.gallery.values import TextChange
from core.local_features.aliked import EXTRACTOR as ALIKED
from core.results import GalleryImage, PlaceText

logger = logging.getLogger(__name__)

_BATCH_BYTES = 64 * 1024 * 1024  # of originals, or so many images as are wanted; two batches are in memory


@dataclass(frozen=True, slots=True)
class MergedBatch:
    """The result for some images of a source.

    Attributes:
        added: are in the target now.
        known: were there already: the same bytes in the same collection.
    """

    added: int
    known: int


def refuse_other_encoders(sources: Sequence[Gallery]) -> None:
    """Let pass only galleries of one encoder.

    Raises:
        EncoderMismatch: two of them compare different things; the message names both.
    """
    first = sources[0]
    for source in sources[1:]:
        if source.fingerprint != first.fingerprint:
            raise EncoderMismatch(
                f"{source.folder} was made by {source.fingerprint}, {first.folder} by {first.fingerprint}; only "
                "galleries of one encoder can be one; scripts/reembed_gallery.py makes a gallery another encoder's"
            )


def merge(source: Gallery, target: Gallery, *, batch_images: int = 128) -> Iterator[MergedBatch]:
    """Add a gallery's images to another: photos, previews, embeddings, local features, and the places they show.

    What the target holds already is passed over without being read, so a merge that stopped is simply begun again.
    Image ids stay. Of a place that both know, the target's record stays, and only what that lacks is filled in.
    So it is with recordings and the language of a collection. Calibrations do not come along: they are measured of
    whole collections.

    Args:
        source: may be open read-only, and in use; what is added to it after the start may be left out, and
            what is deleted may have come.
        target: open for writing.
        batch_images: per transaction.

    Yields:
        Each batch once it is on the disk.

    Raises:
        EncoderMismatch: the two were made by different encoders.
        GalleryUnavailable: a photo of the source is missing or damaged, or the target cannot be written.
    """
    refuse_other_encoders([target, source])
    with ThreadPoolExecutor(1) as writer:
        writing: Future[MergedBatch] | None = None
        for summary in source.collections():
            for batch, known in _batches(source, target, summary.name, batch_images):
                if writing is not None:
                    yield writing.result()
                writing = writer.submit(_add, source, target, batch, known)
        if writing is not None:
            yield writing.result()
    for summary in source.collections():
        _add_recordings(source, target, summary.name)
    unknown = {summary.name for summary in target.collections() if not summary.language}
    for summary in source.collections():
        if summary.language and summary.name in unknown:
            target.store_language(summary.name, summary.language)


def _add_recordings(source: Gallery, target: Gallery, collection: str) -> None:
    """Copy the recordings that the target's places lack, with their transcripts."""
    for summary in source.all_places(collection):
        place_id = summary.place.place_id
        for tag, text in summary.place.texts.items():
            if text.recording is None:
                continue
            try:
                _add_recording(source, target, (collection, place_id, tag), text.transcript)
            except (UnknownCollection, UnknownPlace, UnknownRecording):  # deleted meanwhile
                continue
            except InvalidRequest as exc:  # the target's place has texts in too many languages
                logger.warning("the recording of place %r in %s does not come along: %s", place_id, tag, exc)


def _add_recording(source: Gallery, target: Gallery, address: tuple[str, str, str], transcript: str) -> None:
    collection, place_id, tag = address
    known = target.place(collection, place_id).place.texts.get(tag, PlaceText())
    if known.recording is not None:
        return
    with source.recordings.open(*address)[1] as file:
        data = file.read()
    if transcript and transcript != known.transcript:
        target.change_place(collection, place_id, ImageChange(texts={tag: TextChange(transcript=transcript)}))
    target.recordings.put(*address, data)


def _batches(
    source: Gallery, target: Gallery, collection: str, batch_images: int
) -> Iterator[tuple[list[NewImage], int]]:
    """Read a collection: images that the target lacks, and how many beside them it does not."""
    batch, batch_bytes, known = list[NewImage](), 0, 0
    for image_ids, embeddings in source.embedding_chunks(collection):
        for image_id, embedding in zip(image_ids, embeddings, strict=True):
            try:
                image = source.get(image_id)
            except UnknownImage:  # deleted since the chunk was read
                continue
            if target.find_by_content(collection, image.content_hash) is not None:
                known += 1
            else:
                new = _read(source, target, image, embedding)
                if new is None:
                    continue
                batch.append(new)
                batch_bytes += len(new.data) + len(new.preview)
            if len(batch) + known >= batch_images or batch_bytes >= _BATCH_BYTES:
                yield batch, known
                batch, batch_bytes, known = [], 0, 0
    if batch or known:
        yield batch, known


def _read(source: Gallery, target: Gallery, image: GalleryImage, embedding: NDArray[np.float32]) -> NewImage | None:
    """Read all of an image; None of one that is deleted meanwhile."""
    try:
        new = _read_parts(source, target, image, embedding)
    except (UnknownImage, GalleryUnavailable, FileNotFoundError):
        if _holds(source, image.image_id):
            raise
        return None
    # Deleted on the way, it may have come without its features.
    return new if _holds(source, image.image_id) else None


def _read_parts(source: Gallery, target: Gallery, image: GalleryImage, embedding: NDArray[np.float32]) -> NewImage:
    original = source.original_path(image.image_id)
    data = original.read_bytes()
    if hashlib.sha256(data).hexdigest() != image.content_hash:
        raise GalleryUnavailable(f"the gallery is damaged: {original} is not as it was written; restore it")
    return NewImage(
        data=data,
        filename=image.filename,
        media_type=image.media_type,
        width=image.width,
        height=image.height,
        preview=source.preview_path(image.image_id).read_bytes(),
        embedding=embedding,
        local_features=source.local_features([image.image_id])[0],
        collection=image.collection,
        place=image.place,
        image_id=None if _holds(target, image.image_id) else image.image_id,
    )


def _holds(gallery: Gallery, image_id: str) -> bool:
    """Say whether an id is taken, as by an image whose collection was renamed after an earlier merge."""
    try:
        gallery.get(image_id)
    except UnknownImage:
        return False
    return True


def _add(source: Gallery, target: Gallery, batch: Sequence[NewImage], known: int) -> MergedBatch:
    results = target.add(batch) if batch else []
    added = [result.image.content_hash for result in results if result.status == "added"]
    for content_hash, features in zip(added, source.verifier_features(added, ALIKED), strict=True):
        if features is not None:
            target.store_verifier_features(content_hash, features)
    return MergedBatch(len(added), known + len(results) - len(added))
