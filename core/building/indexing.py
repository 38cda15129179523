"""Adds photo files to a gallery: decodes, encodes and stores them, with a result for every file.

Decoding, encoding and storing overlap: while the encoder works on one batch, the next is decoded and the last written.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

from core.building.described_parts import DescribedParts, parts_to_describe
from core.encoders.base import Encoder
from core.encoders.batches import Encoding, encode_each
from core.errors import GalleryUnavailable, InvalidImage, InvalidRequest, SemanticMatchError
from core.gallery import AddResult, Gallery, NewImage
from core.gallery.validation import check_place
from core.imaging.copies import encode_preview
from core.imaging.decoding import LONGEST_SIDE, DecodedImage, ImageLimits, decode_image, read_photo
from core.imaging.metadata import strip_metadata
from core.results import GalleryImage, Place


@dataclass(frozen=True, slots=True)
class PhotoToIndex:
    """A file and the place it shows.

    Attributes:
        path: of the file.
        place: what it shows; None makes it a place of its own.
        filename: its name as text, where the disk's is in another encoding.
    """

    path: Path
    place: Place | None
    filename: str = ""


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """The result of one file.

    Attributes:
        reason: why it was rejected.
        image: as it is in the gallery; None where it was rejected.
    """

    path: Path
    status: Literal["added", "duplicate", "rejected"]
    reason: str = ""
    image: GalleryImage | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPhoto:
    """A photo read and decoded, waiting for its encoding.

    Attributes:
        data: the file that is kept.
        filename: the owner's name for it.
        place: what it shows; None makes it a place of its own.
        decoded: upright, as large as the encoder wants it.
        parts: of it, which the encoder gets.
        preview: small JPEG without metadata.
    """

    data: bytes
    filename: str
    place: Place | None
    decoded: DecodedImage
    parts: DescribedParts
    preview: bytes

    def entry(self, collection: str, encodings: Sequence[Encoding]) -> NewImage:
        """Join the encodings of the images of ``parts``: what the gallery stores."""
        embedding, local_features = self.parts.join(encodings)
        return NewImage(
            data=self.data,
            filename=self.filename,
            media_type=self.decoded.media_type,
            width=self.decoded.width,
            height=self.decoded.height,
            preview=self.preview,
            embedding=embedding,
            local_features=local_features,
            collection=collection,
            place=self.place,
        )


def prepare_photo(
    gallery: Gallery,
    collection: str,
    data: bytes,
    filename: str,
    place: Place | None,
    limits: ImageLimits | None = None,
    *,
    side: int = LONGEST_SIDE,
    without_metadata: bool = False,
) -> PreparedPhoto | AddResult:
    """Decode a photo, unless the collection holds the same bytes already.

    Args:
        gallery: where it is to go.
        collection: likewise.
        data: the file as its owner sent it.
        filename: the owner's name for it.
        place: what it shows; None makes it a place of its own.
        limits: refuse larger files.
        side: ``photo_side`` of the encoder.
        without_metadata: keep the file without its metadata. The bytes that are kept are those that photos are told
            apart by, so the same photo is known again whatever metadata it comes with.

    Raises:
        InvalidImage: the bytes are no photo that is accepted, or their metadata cannot be told from the picture.
        InvalidRequest: the place cannot be stored.
    """
    known = gallery.find_by_content(collection, hashlib.sha256(data).hexdigest())
    if known is not None:
        return AddResult("duplicate", known)
    if place is not None:
        check_place(place)
    side = max(side, gallery.preview_side)
    decoded = decode_image(data, max_side=side, limits=limits)
    if without_metadata:
        data = _without_metadata(data, decoded, side, limits)
        known = gallery.find_by_content(collection, hashlib.sha256(data).hexdigest())
        if known is not None:
            return AddResult("duplicate", known)
    preview = encode_preview(decoded.image, max_side=gallery.preview_side)
    parts = parts_to_describe(gallery.fingerprint, decoded.image)
    return PreparedPhoto(data, filename, place, decoded, parts, preview)


def _without_metadata(data: bytes, decoded: DecodedImage, side: int, limits: ImageLimits | None) -> bytes:
    """Strip a photo's file, and prove that it still shows the same picture."""
    stripped = strip_metadata(data, decoded.media_type, decoded.orientation)
    again = decode_image(stripped, max_side=side, limits=limits)
    if again.image.size != decoded.image.size or again.image.tobytes() != decoded.image.tobytes():
        raise InvalidImage("this photo would look different without its metadata; save it again with a photo program")
    return stripped


def store_each(gallery: Gallery, images: Sequence[NewImage]) -> list[AddResult | SemanticMatchError]:
    """Store images in one transaction if all are acceptable; else those that are, with the error of each other one."""
    if not images:
        return []
    try:
        return list(gallery.add(images))
    except InvalidRequest as error:
        # A transaction is all or none, and one unacceptable field must not fail the others' files.
        return (
            [error] if len(images) == 1 else [outcome for image in images for outcome in store_each(gallery, [image])]
        )
    except GalleryUnavailable as error:
        return [error] * len(images)


def index_photos(
    gallery: Gallery,
    encoder: Encoder,
    photos: Iterable[PhotoToIndex],
    collection: str,
    *,
    batch_size: int = 16,
    without_metadata: bool = False,
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
        without_metadata: keep the files without theirs.
    """
    prepare = partial(_prepare, gallery, collection, encoder.photo_side, without_metadata)
    with ThreadPoolExecutor(2) as readers, ThreadPoolExecutor(1) as writer:
        batches = _batches(photos, batch_size)
        upcoming = _read(readers, prepare, next(batches, []))
        writing: Future[list[FileOutcome]] | None = None
        while upcoming:
            read, upcoming = upcoming, _read(readers, prepare, next(batches, []))
            entries = _encode(encoder, collection, [(path, future.result()) for path, future in read])
            if writing is not None:
                yield from writing.result()
            writing = writer.submit(_write, gallery, entries)
        if writing is not None:
            yield from writing.result()


def _batches(photos: Iterable[PhotoToIndex], size: int) -> Iterator[list[PhotoToIndex]]:
    remaining = iter(photos)
    while batch := list(islice(remaining, size)):
        yield batch


def _read(
    readers: ThreadPoolExecutor,
    prepare: Callable[[PhotoToIndex], PreparedPhoto | FileOutcome],
    batch: Sequence[PhotoToIndex],
) -> list[tuple[Path, Future[PreparedPhoto | FileOutcome]]]:
    return [(photo.path, readers.submit(prepare, photo)) for photo in batch]


def _prepare(
    gallery: Gallery, collection: str, side: int, without_metadata: bool, photo: PhotoToIndex
) -> PreparedPhoto | FileOutcome:
    try:
        data = read_photo(photo.path)
        name = photo.filename or photo.path.name
        prepared = prepare_photo(
            gallery, collection, data, name, photo.place, side=side, without_metadata=without_metadata
        )
    except (InvalidImage, InvalidRequest) as error:
        return FileOutcome(photo.path, "rejected", str(error))
    return _stored(photo.path, prepared) if isinstance(prepared, AddResult) else prepared


def _encode(
    encoder: Encoder, collection: str, prepared: Sequence[tuple[Path, PreparedPhoto | FileOutcome]]
) -> list[tuple[Path, NewImage | FileOutcome]]:
    """Encode the photos of a batch together; outcomes that are known already pass through."""
    images = [image for _, item in prepared if isinstance(item, PreparedPhoto) for image in item.parts.images]
    encoded = iter(encode_each(encoder, images))
    return [
        (path, _entry(path, item, collection, encoded) if isinstance(item, PreparedPhoto) else item)
        for path, item in prepared
    ]


def _entry(
    path: Path, photo: PreparedPhoto, collection: str, encoded: Iterator[Encoding | SemanticMatchError]
) -> NewImage | FileOutcome:
    encodings: list[Encoding] = []
    for encoding in list(islice(encoded, len(photo.parts.images))):
        if isinstance(encoding, SemanticMatchError):
            return FileOutcome(path, "rejected", str(encoding))
        encodings.append(encoding)
    return photo.entry(collection, encodings)


def _write(gallery: Gallery, entries: Sequence[tuple[Path, NewImage | FileOutcome]]) -> list[FileOutcome]:
    """Store a batch and return its outcomes in order."""
    stored = iter(store_each(gallery, [entry for _, entry in entries if isinstance(entry, NewImage)]))
    return [entry if isinstance(entry, FileOutcome) else _outcome(path, next(stored)) for path, entry in entries]


def _outcome(path: Path, stored: AddResult | SemanticMatchError) -> FileOutcome:
    if isinstance(stored, GalleryUnavailable):
        raise stored
    if isinstance(stored, AddResult):
        return _stored(path, stored)
    return FileOutcome(path, "rejected", str(stored))


def _stored(path: Path, result: AddResult) -> FileOutcome:
    return FileOutcome(path, result.status, image=result.image)
