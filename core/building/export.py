"""The places of a collection as a manifest, alone or in a ZIP archive with photos and recordings, to be sent again."""

import re
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import BinaryIO

from core.building.file_names import is_clutter, is_manifest
from core.building.manifest_rows import ManifestRow
from core.building.manifests import MANIFEST, write_manifest
from core.building.recordings import recording_path
from core.errors import UnknownCollection, UnknownImage, UnknownPlace, UnknownRecording
from core.gallery import Gallery
from core.gallery.photos.port import LostPhoto
from core.gallery.values import UNCHANGED, TextChange
from core.results import GalleryImage, PlaceText

PHOTOS_FOLDER = "photos"
"""Of an exported archive."""

_CHUNK_BYTES = 256 * 1024
_MOST_NAME_BYTES = 240  # file systems keep 255
_UNSAFE = re.compile(r'[<>:"/\\|?*]')  # on Windows, or in a path
_EDGES = re.compile(r"^[\s.]+|[\s.]+$")  # which Windows, or a cell of a manifest, loses


def export_manifest(gallery: Gallery, collection: str, language: str) -> bytes:
    """Write one row per place, by name, with the file name of its oldest photo.

    Args:
        gallery: that holds the collection.
        collection: to write.
        language: of the headers, ``en`` or ``zh``.

    Raises:
        UnknownCollection: there is no such collection.
    """
    oldest: dict[str, GalleryImage] = {}
    for image in _images(gallery, collection):
        oldest.setdefault(image.place.place_id, image)
    rows = [_row(image, image.filename, _recordings(image)) for image in oldest.values()]
    return write_manifest(rows, language)


def export_archive(gallery: Gallery, collection: str, language: str) -> Iterator[bytes]:
    """Write a ZIP archive of all photos and recordings, and a manifest with one row per photo.

    What is deleted meanwhile is left out.

    Args:
        gallery: that holds the collection.
        collection: to write.
        language: of the manifest's headers, ``en`` or ``zh``.

    Returns:
        The parts of the archive, each written when it is asked for.

    Raises:
        UnknownCollection: there is no such collection; like the following, before the first part.
        LostPhoto: a photo or a recording is missing or damaged; among the parts, which so are no whole archive.
        GalleryUnavailable: likewise, where the photos cannot be reached.
    """
    return _pack(gallery, _images(gallery, collection), language)


def _images(gallery: Gallery, collection: str) -> list[GalleryImage]:
    """Read all images by the name of their place, the oldest of a place first."""
    gallery.check_collection_exists(collection)
    return sorted(gallery.all_images(collection), key=lambda image: (image.place.name, image.place.place_id))


def _pack(gallery: Gallery, images: list[GalleryImage], language: str) -> Iterator[bytes]:
    written = _Written()
    rows, described, packed = list[ManifestRow](), set[str](), set[str]()
    with zipfile.ZipFile(written, "w") as archive:
        for image in images:
            photo = _open_photo(gallery, image)
            if photo is None:
                continue
            path, place_id = _photo_path(image), image.place.place_id
            yield from _add(archive, written, path, photo)
            if place_id in described:
                rows.append(ManifestRow(path, place_id=place_id))
                continue
            described.add(place_id)
            recordings = dict[str, str]()
            for tag in _recordings(image):
                with suppress(UnknownCollection, UnknownPlace, UnknownRecording):  # deleted meanwhile
                    recording, sound = gallery.recordings.open(image.collection, place_id, tag)
                    recordings[tag] = recording_path(recording)
                    if recordings[tag] in packed:
                        sound.close()
                    else:
                        packed.add(recordings[tag])
                        yield from _add(archive, written, recordings[tag], sound)
            rows.append(_row(image, path, recordings))
        archive.writestr(_entry(MANIFEST), write_manifest(rows, language))
    yield written.take()


class _Written:
    """What has been written of an archive and not been taken yet."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def take(self) -> bytes:
        taken, self._bytes = bytes(self._bytes), bytearray()
        return taken


def _add(archive: zipfile.ZipFile, written: _Written, path: str, file: BinaryIO) -> Iterator[bytes]:
    entry = _entry(path)
    with file:
        entry.file_size = file.seek(0, 2)  # tells whether it needs the form for large files
        file.seek(0)
        with archive.open(entry, "w") as packed:
            while chunk := file.read(_CHUNK_BYTES):
                packed.write(chunk)
                yield written.take()


def _entry(path: str) -> zipfile.ZipInfo:
    """Describe an entry: not compressed, for photos and recordings are already, and always of one date."""
    entry = zipfile.ZipInfo(path)
    entry.external_attr = 0o644 << 16
    return entry


def _open_photo(gallery: Gallery, image: GalleryImage) -> BinaryIO | None:
    """Open an original; None of one that is deleted meanwhile."""
    try:
        return gallery.fetch_original(image).open("rb")
    except (LostPhoto, FileNotFoundError):
        try:
            gallery.get(image.image_id)
        except UnknownImage:
            return None
        raise


def _photo_path(image: GalleryImage) -> str:
    """Return the path of a photo: a folder of its own, and its owner's name for it as every file system takes it."""
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", image.filename))
    name = _EDGES.sub("", name.encode()[-_MOST_NAME_BYTES:].decode(errors="ignore")) or "photo"
    folder = f"{PHOTOS_FOLDER}/{image.image_id}"
    is_read = not (is_clutter(f"{folder}/{name}") or is_manifest(name))
    return f"{folder}/{name}" if is_read else f"{folder}/photo-{name}"


def _recordings(image: GalleryImage) -> dict[str, str]:
    texts = image.place.texts.items()
    return {tag: recording_path(text.recording) for tag, text in texts if text.recording is not None}


def _row(image: GalleryImage, file: str, recordings: Mapping[str, str]) -> ManifestRow:
    place = image.place
    return ManifestRow(
        file=file,
        place_id=place.place_id,
        place_name=place.name,
        description=place.description,
        metadata=place.metadata,
        latitude=place.latitude,
        longitude=place.longitude,
        texts={tag: _stated(text) for tag, text in place.texts.items()},
        recordings=recordings,
        is_hidden=place.is_hidden,
    )


def _stated(text: PlaceText) -> TextChange:
    return TextChange(
        text.name or UNCHANGED,
        text.description or UNCHANGED,
        text.is_machine_translated,
        text.transcript or UNCHANGED,
    )
