"""The places of a collection as a manifest, to be edited in a spreadsheet program and sent again."""

from core.building.manifest_rows import ManifestRow
from core.building.manifests import write_manifest
from core.gallery import Gallery
from core.gallery.values import UNCHANGED, TextChange
from core.results import GalleryImage, PlaceText


def export_manifest(gallery: Gallery, collection: str, language: str) -> bytes:
    """Write one row per place, by name, with the file name of its oldest photo.

    Args:
        gallery: that holds the collection.
        collection: to write.
        language: of the headers, ``en`` or ``zh``.

    Raises:
        UnknownCollection: there is no such collection.
    """
    gallery.check_collection_exists(collection)
    oldest: dict[str, GalleryImage] = {}
    for image in gallery.all_images(collection):
        oldest.setdefault(image.place.place_id, image)
    images = sorted(oldest.values(), key=lambda image: (image.place.name, image.place.place_id))
    return write_manifest([_row(image, line) for line, image in enumerate(images, start=2)], language)


def _row(image: GalleryImage, line: int) -> ManifestRow:
    place = image.place
    return ManifestRow(
        file=image.filename,
        line=line,
        place_id=place.place_id,
        place_name=place.name,
        description=place.description,
        metadata=place.metadata,
        latitude=place.latitude,
        longitude=place.longitude,
        texts={tag: _stated(text) for tag, text in place.texts.items()},
        is_hidden=place.is_hidden,
    )


def _stated(text: PlaceText) -> TextChange:
    return TextChange(
        text.name or UNCHANGED,
        text.description or UNCHANGED,
        text.is_machine_translated,
        text.transcript or UNCHANGED,
    )
