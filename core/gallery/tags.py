"""Tags of images and places: a caller who changes one can tell which state was read."""

import hashlib
import json
from collections.abc import Collection

from core.errors import ChangedMeanwhile
from core.gallery.texts import texts_to_json
from core.results import GalleryImage, Place


def _tag_of(*values: object) -> str:
    """Sum up values that are shown for editing: another tag means that one of them has changed."""
    return hashlib.sha256(repr(values).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def place_tag(place: Place) -> str:
    """Compute the tag of a place."""
    metadata = json.dumps(dict(place.metadata), sort_keys=True)
    # No change of a text replaces a recording, so one that is added meanwhile need not stop it.
    texts = texts_to_json(place.texts)
    position = place.latitude, place.longitude
    return _tag_of(place.place_id, place.name, place.description, metadata, *position, texts, place.is_hidden)


def image_tag(image: GalleryImage) -> str:
    """Compute the tag of an image and its place."""
    return _tag_of(image.image_id, image.collection, place_tag(image.place))


def refuse_changed(expected: Collection[str] | None, found: str) -> None:
    """Let pass a change of what is as the caller read it, or of a caller who does not care.

    Raises:
        ChangedMeanwhile: it is not.
    """
    if expected is not None and found not in expected:
        raise ChangedMeanwhile("somebody else has changed this since it was read; read it again, then change it")
