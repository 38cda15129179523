"""From photo files to gallery entries: decode, encode, store, with a report for every file.

Decoding, encoding and storing overlap: while the encoder works on one batch, the next is decoded and the last written.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from core.encoders.base import Encoder
from core.errors import InvalidImage
from core.gallery import Gallery, NewImage
from core.images import DecodedImage, decode_image, encode_preview
from core.results import Encodings, Place


@dataclass(frozen=True, slots=True)
class PhotoToIndex:
    """A file and the place it shows; None makes it a place of its own."""

    path: Path
    place: Place | None


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file; ``reason`` says why it was rejected."""

    path: Path
    status: Literal["added", "duplicate", "rejected"]
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    photo: PhotoToIndex
    data: bytes
    decoded: DecodedImage
    preview: bytes


def index_photos(
    gallery: Gallery, encoder: Encoder, photos: Iterable[PhotoToIndex], collection: str, *, batch_size: int = 16
) -> Iterator[FileOutcome]:
    """Add photos to a gallery and say file by file what became of them, in order.

    A file whose bytes the collection already holds is not decoded again, so an interrupted run resumes where it was.
    An outcome is yielded once its batch is durable.

    Args:
        gallery: open for writing.
        encoder: the one that made the gallery.
        photos: what to add.
        collection: where to.
        batch_size: photos per encoder call and per transaction.
    """
    with ThreadPoolExecutor(2) as readers, ThreadPoolExecutor(1) as writer:
        batches = _batches(photos, batch_size)
        upcoming = _read(readers, gallery, collection, next(batches, []))
        writing: Future[list[FileOutcome]] | None = None
        while upcoming:
            read, upcoming = upcoming, _read(readers, gallery, collection, next(batches, []))
            items = [future.result() for future in read]
            prepared = [item for item in items if isinstance(item, _Prepared)]
            encodings = encoder.encode([item.decoded.image for item in prepared]) if prepared else None
            if writing is not None:
                yield from writing.result()
            writing = writer.submit(_write, gallery, collection, items, prepared, encodings)
        if writing is not None:
            yield from writing.result()


def _batches(photos: Iterable[PhotoToIndex], size: int) -> Iterator[list[PhotoToIndex]]:
    remaining = iter(photos)
    while batch := list(islice(remaining, size)):
        yield batch


def _read(
    readers: ThreadPoolExecutor, gallery: Gallery, collection: str, batch: Sequence[PhotoToIndex]
) -> list[Future[_Prepared | FileOutcome]]:
    return [readers.submit(_prepare, gallery, collection, photo) for photo in batch]


def _prepare(gallery: Gallery, collection: str, photo: PhotoToIndex) -> _Prepared | FileOutcome:
    try:
        data = photo.path.read_bytes()
    except OSError as error:
        return FileOutcome(photo.path, "rejected", f"file cannot be read: {error.strerror}")
    if gallery.find_by_content(collection, hashlib.sha256(data).hexdigest()) is not None:
        return FileOutcome(photo.path, "duplicate")
    try:
        decoded = decode_image(data)
    except InvalidImage as error:
        return FileOutcome(photo.path, "rejected", str(error))
    return _Prepared(photo, data, decoded, encode_preview(decoded.image))


def _write(
    gallery: Gallery,
    collection: str,
    items: Sequence[_Prepared | FileOutcome],
    prepared: Sequence[_Prepared],
    encodings: Encodings | None,
) -> list[FileOutcome]:
    """Store a batch in one transaction and return its outcomes in order."""
    entries = []
    if encodings is not None:
        for item, embedding, features in zip(prepared, encodings.embeddings, encodings.local_features, strict=True):
            decoded = item.decoded
            entries.append(
                NewImage(
                    data=item.data,
                    filename=item.photo.path.name,
                    media_type=decoded.media_type,
                    width=decoded.width,
                    height=decoded.height,
                    preview=item.preview,
                    embedding=embedding,
                    local_features=features,
                    collection=collection,
                    place=item.photo.place,
                )
            )
    stored = iter(gallery.add(entries)) if entries else iter(())
    return [
        item if isinstance(item, FileOutcome) else FileOutcome(item.photo.path, next(stored).status) for item in items
    ]
