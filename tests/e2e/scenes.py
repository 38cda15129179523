"""Places for the browser tests: photographs that scikit-image ships, and the same seen again by a visitor."""

import io
import zipfile
from collections.abc import Mapping

import skimage
from e2e.product import Product
from fakes.images import draw_place, encode, see_again
from PIL import Image

PLACES = {"Cup of coffee": "coffee", "Cat Chelsea": "chelsea", "Rocket": "rocket"}
"""Name of the place, name of its photograph in scikit-image."""

DESCRIPTION = "Third shelf, beside the window."


def reference(place: str) -> bytes:
    """The gallery's photo of a place."""
    return encode(_photograph(place))


def snapshot(place: str) -> bytes:
    """A visitor's photo of a place: another angle, another light."""
    return encode(see_again(_photograph(place), seed=4).image)


def stranger(*, seen_again: bool = False) -> bytes:
    """A photo of a place that is in no gallery; or another one of it, from another angle and in another light."""
    scene = draw_place(991, (800, 600))
    return encode(see_again(scene, seed=4).image if seen_again else scene)


def fill(product: Product, collection: str) -> None:
    """Put all places into a collection, one photo each."""
    for place, name in PLACES.items():
        product.add(collection, place, [(f"{name}.jpg", reference(place))], DESCRIPTION)


def packed(files: Mapping[str, bytes]) -> bytes:
    """A ZIP file of paths and their contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return buffer.getvalue()


def _photograph(place: str) -> Image.Image:
    return Image.fromarray(getattr(skimage.data, PLACES[place])())
